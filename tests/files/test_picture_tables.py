"""Tables that name pictures: from a file as pandas writes it to a ranking, and back into a corrected file."""

from __future__ import annotations

import gzip
import re
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from curvdetect import LeaveOneOutDetector, read_data
from tests.cli.conftest import read_csv, write_verdicts

#: Rows whose label is wrong.
WRONG = [3, 17, 28]
PANDAS = {
    "t.csv": lambda frame, path: frame.to_csv(path, index=False, lineterminator="\r\n"),
    "t.tsv": lambda frame, path: frame.to_csv(path, index=False, sep="\t"),
    "t.csv.gz": lambda frame, path: frame.to_csv(path, index=False, quoting=1),
    "t.jsonl": lambda frame, path: frame.to_json(path, orient="records", lines=True),
    "t.ndjson.gz": lambda frame, path: frame.to_json(path, orient="records", lines=True),
    "t.parquet": lambda frame, path: frame.to_parquet(path, index=False),
}


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    """A folder of pictures, images/0.png to images/39.png, and the table of their labels."""
    folder = tmp_path_factory.mktemp("pets")
    pixels = np.random.default_rng(0).integers(0, 60, (40, 8, 8, 3), dtype=np.uint8)
    pixels[np.arange(40), :, :, np.arange(40) % 2] += 150
    (folder / "images").mkdir()
    for i, picture in enumerate(pixels):
        Image.fromarray(picture).save(folder / "images" / f"{i}.png")
    names = [f"images/{i}.png" for i in range(40)]
    return folder, pd.DataFrame({"file": names, "note": 'größer, "als"', "label": ["cat", "dog"] * 20})


@pytest.fixture(scope="module")
def found(pets):
    """What is read of one of the tables with wrong labels, and the samples that are the most suspect in it."""
    folder, frame = pets
    with_wrong(frame).to_csv(folder / "found.csv", index=False)
    data = read_data(folder / "found.csv", size=8)
    return data, LeaveOneOutDetector().fit(data.X, data.y).ranking(3)["index"].tolist()


def with_wrong(frame):
    """Return a copy of a table with some wrong labels."""
    labels = frame["label"].copy()
    labels[WRONG] = labels[WRONG].map({"cat": "dog", "dog": "cat"})
    return frame.assign(label=labels)


def verdicts_on(path, data, index):
    """Write verdicts by which these samples have the other label."""
    other = {"cat": "dog", "dog": "cat"}
    rows = [[i, data.paths[i], data.y[i], "", "wrong", other[data.y[i]]] for i in index]
    return write_verdicts(path, *rows)


@pytest.mark.parametrize("name", PANDAS)
def test_wrong_labels_are_found_and_only_they_are_others_in_the_copy(run, pets, found, tmp_path, name):
    folder, frame = pets
    source, new, right = folder / name, tmp_path / f"new.{name[2:]}", tmp_path / name
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    PANDAS[name](with_wrong(frame), source)
    data = read_data(source, size=8)
    once, suspects = found
    assert sorted(suspects) == WRONG
    assert np.array_equal(data.X, once.X)
    assert (data.y.tolist(), data.label, data.paths) == (once.y.tolist(), "label", frame["file"].tolist())
    result = run("apply", verdicts_on(tmp_path / "v.csv", data, suspects), "--to", source, "--out", new)
    assert result.exit_code == 0, result.stderr
    PANDAS[name](frame, right)
    if name.endswith("parquet"):
        pd.testing.assert_frame_equal(pd.read_parquet(new), frame)
    else:
        read = (lambda path: gzip.decompress(path.read_bytes())) if name.endswith("gz") else Path.read_bytes
        assert read(new) == read(right)


def test_a_scan_names_the_pictures_by_their_cells(run, pets, tmp_path, page):
    folder, frame = pets
    names = [f"{i}.png" for i in range(40)]
    frame.assign(file=[*names[:39], "gone.png"]).to_csv(folder / "s.csv", index=False)
    out = tmp_path / "found"
    result = run("scan", folder / "s.csv", "--out", out, "--size", 8, "--detector", "leave-one-out", "--limit", 39)
    assert result.exit_code == 0, result.stderr
    assert "38 pictures of 2 classes, labels in column 'label'" in result.stderr
    rows = read_csv(out / "suspects.csv")
    assert all(row["path"] == names[int(row["row"])] for row in rows)
    assert [row["path"] for row in read_csv(out / "skipped.csv")] == ["gone.png"]
    assert run("report", out).exit_code == 0


#: What the column of pictures holds, by the number of each picture.
SPELLED = {
    "beside the table": lambda i, folder: f"images/{i}.png",
    "in a folder beside": lambda i, folder: f"{i}.png",
    "without endings": lambda i, folder: f"images/{i}",
    "numbers": lambda i, folder: i,
    "with zeros": lambda i, folder: f"00{i}",
    "anywhere": lambda i, folder: str(folder / "images" / f"{i}.png"),
    "by Windows": lambda i, folder: f"images\\{i}.png",
    "with a blank behind": lambda i, folder: f"{i}.png ",
    "up and down": lambda i, folder: f"images/../images/./{i}.png",
}


@pytest.mark.parametrize("spelled", SPELLED.values(), ids=SPELLED)
def test_pictures_are_found_however_they_are_named(tmp_path, spelled):
    write_numbered(tmp_path / "images", 12, "00{}" if spelled(0, tmp_path) == "000" else "{}")
    write_numbered(tmp_path / "other", 3)  # of the same names, but not so many
    names = [spelled(i, tmp_path) for i in range(12)]
    frame = pd.DataFrame({"breed": ["a", "b"] * 6, "id": names})
    frame.to_csv(tmp_path / "t.csv", index=False)
    data = read_data(tmp_path / "t.csv", size=4)
    assert data.X[:, 0, 0, 0].tolist() == [10 * i for i in range(12)]
    assert (data.label, data.y.tolist(), data.paths) == ("breed", ["a", "b"] * 6, list(map(str, names)))
    assert read_data(tmp_path / "t.csv", root=tmp_path, size=4).paths == data.paths


def test_names_of_another_unicode_form_are_those_of_the_files(tmp_path):
    write_numbered(tmp_path, 4, "e\u0301{}")  # as a Mac writes an accented letter
    names = [f"\u00e9{i}.png" for i in range(4)]
    pd.DataFrame({"file": names, "label": ["a", "b"] * 2}).to_csv(tmp_path / "t.csv", index=False)
    data = read_data(tmp_path / "t.csv", size=4)
    assert (data.paths, data.X[:, 0, 0, 0].tolist()) == (names, [0, 10, 20, 30])


def write_numbered(folder, n, name="{}", end="png", first=0):
    """Write pictures of one colour each, ten times their number."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(first, n):
        Image.new("L", (4, 4), 10 * i).save(folder / f"{name.format(i)}.{end}")


def test_pictures_in_several_folders_and_of_several_kinds_are_found_and_no_other_of_the_same_name(tmp_path):
    write_numbered(tmp_path / "part_1", 8)
    write_numbered(tmp_path / "part_2", 14, end="bmp", first=8)
    write_numbered(tmp_path / "a_test", 16, first=6)  # named like two of the others, and those that are gone
    pd.DataFrame({"id": range(16), "y": [0, 1] * 8}).to_csv(tmp_path / "t.csv", index=False)
    for i in range(8, 14):
        (tmp_path / "a_test" / f"{i}.png").unlink()
    data = read_data(tmp_path / "t.csv", size=4)
    assert data.X[:, 0, 0, 0].tolist() == [10 * i for i in range(14)]
    assert list(data.skipped) == ["14", "15"]


def test_the_folder_of_the_name_of_the_table_comes_first(tmp_path):
    for folder, first in (("a", 0), ("train", 12)):
        write_numbered(tmp_path / folder, 24, first=first)
    for i in range(12):
        (tmp_path / "a" / f"{i + 12}.png").write_bytes((tmp_path / "a" / f"{i}.png").read_bytes())
    pd.DataFrame({"id": range(12, 24), "y": [0, 1] * 6}).to_csv(tmp_path / "train.csv", index=False)
    assert read_data(tmp_path / "train.csv", size=4).X[:, 0, 0, 0].tolist() == [10 * i for i in range(12, 24)]


def test_missing_and_broken_pictures_are_skipped_and_copies_have_names_of_their_own(run, tmp_path):
    write_numbered(tmp_path / "images", 4)
    (tmp_path / "images" / "9.png").write_bytes(b"PNG")
    names = ["0.png (row 4)", "0.png", "1.png", "", "0.png", "9.png", "2.png", "3.png", "\x1b[2J\u202e.png", "0.png"]
    frame = pd.DataFrame({"picture": names, "label": list("abababbaba")})
    frame.to_csv(tmp_path / "t.csv", index=False)
    data = read_data(tmp_path / "t.csv", size=4)
    assert data.paths == ["0.png", "1.png", "0.png (row 4) (row 4)", "2.png", "3.png", "0.png (row 9)"]
    assert data.rows.tolist() == [1, 2, 4, 6, 7, 9]
    assert list(data.skipped) == ["0.png (row 4)", "row 3, where none is named", "9.png", "\x1b[2J\u202e.png"]
    assert data.skipped["0.png (row 4)"].startswith("FileNotFoundError")
    verdicts = write_verdicts(tmp_path / "v.csv", [2, "0.png (row 4) (row 4)", "a", "", "wrong", "b"])
    for path in (tmp_path / "images").iterdir():
        path.unlink()  # verdicts need none
    words = ("apply", verdicts, "--to", tmp_path / "t.csv", "--out", tmp_path / "new.csv", "--pictures", "picture")
    assert run(*words).exit_code == 0
    changed = frame.assign(label=[*"abab", "b", *"bbaba"])
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "new.csv", keep_default_na=False), changed)


def test_of_several_columns_that_with_names_of_files_that_are_there_is_taken(tmp_path):
    write_numbered(tmp_path / "images", 12)
    names = [f"{i}.png" for i in range(12)]
    others = {"row": range(12), "url": [f"http://a/{name}" for name in names], "label": ["0", "1"] * 6}
    pd.DataFrame({"image": names, **others}).to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    data = read_data(tmp_path / "t.jsonl", size=4)
    assert data.paths == names
    assert read_data(tmp_path / "t.jsonl", size=4, pictures="row").paths == list(map(str, range(12)))


#: The column of pictures, arguments, the argument that is named and what is said.
REFUSED = {
    "gone": (
        ["a/0.png", "a/1.png"],
        {},
        "none of the 2 pictures in column 'p' of 't.csv' is there. The first would be",
    ),
    "the way out": (["0.png", "1.png"], {}, "relative to (root=), or leave the column out (drop=['p'])."),
    "addresses": (["http://a/0.png", "https://a/1.png"], {}, "Download what is elsewhere"),
    "no such column": (["0.png", "1.png"], {"pictures": "q"}, "there is no column 'q' in"),
    "dropped": (["0.png", "1.png"], {"pictures": "p", "drop": ("p",)}, "'p' is to drop, or holds the labels."),
    "no such folder": (["0.png", "1.png"], {"root": "nowhere"}, "'nowhere' is no folder."),
    "no such label": (["0.png", "1.png"], {"label": "q"}, "there is no column 'q' in"),
    "no pictures": (
        ["5", "7"],
        {"root": "."},
        "names pictures in '.' or in a folder there. Choose one of 'p', 'label'",
    ),
    "a part": (["0.png", "1.png"], {"split": "train"}, "split= does not belong to a table"),
}


@pytest.mark.parametrize(("column", "arguments", "message"), REFUSED.values(), ids=REFUSED)
def test_what_can_not_be_read_is_said(tmp_path, monkeypatch, column, arguments, message):
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({"p": column, "label": ["x", "y"]}).to_csv("t.csv", index=False)
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        read_data("t.csv", **arguments)
    assert len(str(error.value)) <= 400


def test_columns_that_name_equally_many_pictures_are_to_choose_from(run, tmp_path):
    write_numbered(tmp_path, 4)
    names = [f"{i}.png" for i in range(4)]
    pd.DataFrame({"p": names, "mask": names, "label": list("abab")}).to_csv(tmp_path / "t.csv", index=False)
    result = run("scan", tmp_path / "t.csv", "--out", tmp_path / "found")
    assert "--pictures: 'p', 'mask' of" in result.stderr
    for arguments in ({"pictures": "mask"}, {"drop": ("p",)}):
        assert read_data(tmp_path / "t.csv", size=4, **arguments).paths == names


NUMBERS = {
    "fewer than ten": [0, 1, 2, 3],
    "measurements": [i + 0.5 for i in range(12)],
    "several times": [i // 2 for i in range(12)],
    "others": range(100, 112),
}


@pytest.mark.parametrize("column", NUMBERS.values(), ids=NUMBERS)
def test_numbers_are_numbers_though_pictures_lie_beside(tmp_path, column):
    write_numbered(tmp_path, 12)
    frame = pd.DataFrame({"a": column, "b": np.cos(np.arange(len(column)))}).assign(label=[0, 1] * (len(column) // 2))
    frame.to_csv(tmp_path / "t.csv", index=False)
    with pytest.warns(UserWarning, match="number the rows") if "100" in str(column) else nullcontext():
        assert list(read_data(tmp_path / "t.csv").X) == ["a", "b"]


def test_verdicts_on_pictures_are_not_put_into_rows_by_number(run, tmp_path):
    pd.DataFrame({"id": range(12), "label": ["a", "b"] * 6}).to_csv(tmp_path / "t.csv", index=False)
    verdicts = write_verdicts(tmp_path / "v.csv", [1, "3", "b", "", "wrong", "a"])  # of a scan with pictures
    result = run("apply", verdicts, "--to", tmp_path / "t.csv", "--out", tmp_path / "new.csv")
    assert (result.exit_code, (tmp_path / "new.csv").exists()) == (1, False)
    assert "the verdicts name pictures" in result.stderr

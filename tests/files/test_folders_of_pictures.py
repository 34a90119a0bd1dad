"""Folders with a list of labels in them, and folders of parts of a data set."""

from __future__ import annotations

import gzip
import os
import shutil
import warnings

import pandas as pd
import pytest
from PIL import Image

from curvdetect import read_data
from tests.cli.conftest import read_csv, write_verdicts
from tests.written import write_pictures

LABELS = ["cat", "dog"] * 6
#: The list of a folder, and what its column calls picture 0.
LISTS = {
    "labels.csv": "images/{}.png",
    "train.tsv": "{}.png",
    "metadata.csv.gz": "{}",
    "metadata.jsonl": "images/{}.png",
    "labels.parquet": "images/{}.png",
}


def write_numbered(folder, numbers=range(12)):
    """Write pictures of one colour each, ten times their number."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in numbers:
        Image.new("L", (4, 4), 10 * i).save(folder / f"{i}.png")


def listed(path, names, labels):
    """Write a list of pictures by pandas."""
    frame = pd.DataFrame({"file_name": list(names), "label": labels})
    if path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    elif path.suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
    return path


def content(path):
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


@pytest.mark.parametrize("name", LISTS)
def test_the_list_of_a_folder_is_read_and_corrected(run, tmp_path, name):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    folder, end = tmp_path / "photos", name.partition(".")[2]
    write_numbered(folder / "images")
    names = [LISTS[name].format(i) for i in range(12)]
    listed(folder / name, names, ["dog", *LABELS[1:]])
    data = read_data(folder, size=4)
    assert (data.file, data.label, data.y.tolist()) == (name, "label", ["dog", *LABELS[1:]])
    assert (data.X[:, 0, 0, 0].tolist(), data.paths) == ([10 * i for i in range(12)], names)
    verdicts, new = (
        write_verdicts(tmp_path / "v.csv", [0, names[0], "dog", "", "wrong", "cat"]),
        tmp_path / f"new.{end}",
    )
    assert run("apply", verdicts, "--to", folder, "--out", new).exit_code == 0
    assert content(new) == content(listed(tmp_path / f"right.{end}", names, LABELS))
    over = run("apply", verdicts, "--to", folder, "--out", folder / name, "--overwrite")
    assert (over.exit_code, "is PATH itself" in over.stderr) == (2, True)


def test_pictures_that_the_list_leaves_out_are_counted(tmp_path):
    write_numbered(tmp_path / "images")
    listed(tmp_path / "labels.csv", [f"{i}.png" for i in range(2, 12)], LABELS[2:])
    with pytest.warns(
        UserWarning, match=r"2 pictures in .* are not in 'labels.csv', and are left out: 'images/0.png', "
    ):
        assert len(read_data(tmp_path, size=4).y) == 10


def test_the_list_is_printed(run, tmp_path, page):
    write_numbered(tmp_path / "photos" / "images", range(24))
    listed(tmp_path / "photos" / "metadata.csv", range(24), LABELS * 2)
    result = run("scan", tmp_path / "photos", "--out", tmp_path / "found", "--size", 4, "--detector", "leave-one-out")
    assert "24 pictures of 2 classes, labels in column 'label' of 'metadata.csv'" in result.stderr


def test_what_the_datasets_of_hugging_face_read_is_read(tmp_path):
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    write_numbered(tmp_path / "photos" / "some")
    listed(tmp_path / "photos" / "metadata.jsonl", [f"some/{i}.png" for i in range(12)], LABELS)
    theirs = datasets.load_dataset("imagefolder", data_dir=str(tmp_path / "photos"), cache_dir=str(tmp_path / "cache"))
    data = read_data(tmp_path / "photos", size=4)
    assert data.y.tolist() == theirs["train"]["label"]
    assert data.X[:, 0, 0, 0].tolist() == [one.getpixel((0, 0)) for one in theirs["train"]["image"]]


#: Files with their names of pictures, and the file that is taken; the folder has subfolders of pictures, cat and dog.
CHOICES = {
    "none": ({}, None),
    "names of others": ({"labels.csv": ["x/0.png", "x/1.png"]}, None),
    "no names": ({"train.csv": [0.5, 1.5]}, None),
    "names of these": ({"labels.csv": ["cat/0.png", "dog/1.png"]}, "labels.csv"),
    "the second one": ({"labels.csv": [0.5, 1.5], "metadata.csv": ["cat/0.png", "dog/1.png"]}, "metadata.csv"),
    "the first one": ({"train.csv": ["cat/0.png"] * 2, "metadata.csv": ["cat/0.png", "dog/1.png"]}, "metadata.csv"),
    "some other file": ({"notes.csv": ["cat/0.png", "dog/1.png"]}, None),
    "torn": ({"labels.jsonl": None}, None),
}


@pytest.mark.parametrize(("lists", "taken"), CHOICES.values(), ids=CHOICES)
def test_a_list_counts_where_it_names_the_pictures_and_subfolders_are_classes_otherwise(tmp_path, lists, taken):
    write_pictures(tmp_path, n=2)
    for name, column in lists.items():
        if column is None:
            (tmp_path / name).write_text("{")
        else:
            listed(tmp_path / name, column, ["a", "b"])
    data = read_data(tmp_path, size=4)
    assert data.file == taken
    assert set(data.y) == ({"cat", "dog"} if taken is None else {"a", "b"})


@pytest.mark.parametrize("name", ["metadata.csv", "metadata.jsonl"])
def test_captions_are_no_labels_beside_folders_of_classes(tmp_path, name):
    write_pictures(tmp_path, n=6)
    names = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png"))
    captions = listed(tmp_path / name, names, [f"picture {i}" for i in range(len(names))])
    frame = pd.read_csv(captions) if name.endswith("csv") else pd.read_json(captions, lines=True)

    def rewritten(**columns):
        columns = {"file_name": frame["file_name"], **columns}
        captions.unlink()
        new = pd.DataFrame(columns)
        new.to_csv(captions, index=False) if name.endswith("csv") else new.to_json(
            captions, orient="records", lines=True
        )
        return read_data(tmp_path, size=4)

    data = rewritten(caption=frame["label"])
    assert (data.file, sorted(set(data.y))) == (None, ["cat", "dog"])
    assert name in data.skipped
    some = ["a", "b"] * (len(names) // 2)
    for columns in ({}, {"split": some}, {"width": [4] * len(names)}, {"id": range(len(names)), "photographer": some}):
        assert sorted(set(rewritten(**columns).y)) == ["cat", "dog"]
    assert set(rewritten(label=frame["label"]).y) == set(frame["label"])
    assert set(rewritten(photographer=some, target=frame["label"]).y) == set(frame["label"])
    assert set(rewritten(breed=["a", "b"] * (len(names) // 2)).y) == {"a", "b"}


def test_a_list_of_pictures_that_are_elsewhere_is_said(tmp_path):
    write_numbered(tmp_path / "photos" / "images")
    listed(tmp_path / "photos" / "labels.csv", [0.5, 1.5], ["a", "b"])
    with pytest.raises(ValueError, match=r"no column of .*labels\.csv' names pictures in .* Choose one of 'file_name'"):
        read_data(tmp_path / "photos")
    write_numbered(tmp_path / "elsewhere")
    listed(tmp_path / "photos" / "labels.csv", ["0.bmp", "1.bmp"], ["a", "b"])
    with pytest.raises(ValueError, match=r"none of the 2 pictures in column 'file_name' of 'labels\.csv' is there"):
        read_data(tmp_path / "photos")
    listed(tmp_path / "photos" / "labels.csv", ["elsewhere/0.png", "elsewhere/1.png"], ["a", "b"])
    assert read_data(tmp_path / "photos", root=tmp_path, size=4).y.tolist() == ["a", "b"]


@pytest.fixture
def parts(tmp_path):
    """A folder with the parts train, of 3 cats and 3 dogs, and test, of two each, one of them also in train."""
    folder = tmp_path / "pets"
    for part, n in (("train", 3), ("test", 2)):
        write_pictures(folder / part, n=n)
        for path in folder.glob(f"{part}/*/*.png"):
            Image.open(path).rotate(90 * len(part)).save(path)
    shutil.copy(folder / "train" / "cat" / "2.png", folder / "test" / "dog" / "1.png")
    (folder / "test" / "dog" / "0.png").write_bytes(bytes((folder / "train" / "dog" / "0.png").stat().st_size))
    (folder / "docs").mkdir()
    return folder


def test_one_part_or_all_of_them_are_read_and_pictures_in_several_are_named(parts):
    for split in (None, "val", "cat"):
        with pytest.raises(ValueError, match=r"pets' has the parts 'test', 'train'\. Choose one of them, or all"):
            read_data(parts, split=split)
    same = r"1 picture\(s\) of '.*pets' stand in more than one of its parts: test/dog/1.png is train/cat/2.png"
    for split, read in {"train": ["train"], "all": ["test", "train"]}.items():
        with pytest.warns(UserWarning, match=same):
            data = read_data(parts, split=split, size=4)
        assert sorted({path.split("/")[0] for path in data.paths}) == read
        assert data.y.tolist() == [path.split("/")[1] for path in data.paths]
    assert len(data.paths) == 9
    assert data.skipped.keys() == {"test/dog/0.png"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = read_data(parts, split="test", limit=3, size=4)  # without the one in both
    assert data.paths == ["test/cat/0.png", "test/cat/1.png"]


def test_the_only_part_with_labels_needs_no_choice(parts):
    shutil.rmtree(parts / "test")
    write_numbered(parts / "test", range(3))
    assert set(read_data(parts, size=4).paths) == {f"train/{name}/{i}.png" for name in ("cat", "dog") for i in range(3)}


def test_classes_that_are_called_like_parts_are_classes(tmp_path):
    for name in ("train", "test"):
        write_numbered(tmp_path / name, range(3))
    with pytest.warns(UserWarning, match="^'.*' has the classes .*, which are parts of a data set by name"):
        assert set(read_data(tmp_path, size=4).y) == {"test", "train"}
    write_pictures(tmp_path / "train", n=1)
    write_pictures(tmp_path / "plane", n=1)
    assert set(read_data(tmp_path, size=4).y) == {"plane", "test", "train"}


def test_labels_of_parts_are_written_as_a_list_of_pictures_or_into_that_of_the_part(run, parts, tmp_path):
    verdicts, new = (
        write_verdicts(tmp_path / "v.csv", [0, "train/cat/1.png", "cat", "", "wrong", "dog"]),
        tmp_path / "n.csv",
    )
    for split, n in {"train": 6, "all": 10}.items():
        done = run("apply", verdicts, "--to", parts, "--split", split, "--out", new, "--overwrite")
        assert done.stdout.endswith(f"1 of {n} labels changed\n")
        changed = {row["path"]: row["label"] for row in read_csv(new)}
        assert changed.pop("train/cat/1.png") == "dog"
        assert all(label == path.split("/")[1] for path, label in changed.items())
    names = ["cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png"]
    listed(parts / "train" / "metadata.csv", names, ["cat", "cat", "dog", "dog"])
    over = parts / "train" / "metadata.csv"
    words = ("apply", verdicts, "--to", parts, "--split", "train", "--overwrite", "--out")
    assert "is PATH itself" in run(*words, over).stderr
    assert run(*words, new).exit_code == 0
    assert content(new) == content(listed(tmp_path / "right.csv", names, ["cat", "dog", "dog", "dog"]))
    refused = run("scan", parts, "--out", tmp_path / "found", "--label", "label", "--split", "test")
    assert "--label does not belong to a folder of parts such as train and test" in refused.stderr


@pytest.mark.skipif(os.name != "posix", reason="names of files that other systems refuse")
def test_hostile_names_lead_nowhere(run, tmp_path, page):
    hostile = ["=cmd|'!A0.png", "<script>alert(1)<.png", "\x1b[2J.png", "a,b\nc.png", "-rf.png", "'.png"]
    write_numbered(tmp_path / "photos" / "images")
    for i, name in enumerate(hostile):
        (tmp_path / "photos" / "images" / f"{i}.png").rename(tmp_path / "photos" / "images" / name)
    names = [
        *hostile,
        *(f"{i}.png" for i in range(6, 12)),
        "/dev/zero.png",
        "../../x.png",
        "\0.png",
        "a" * 300 + ".png",
    ]
    os.mkfifo(tmp_path / "photos" / "images" / "pipe.png")
    listed(tmp_path / "photos" / "labels.csv", [*names, "pipe.png"], [*LABELS, *["cat"] * 5])
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    words = ("--size", 4, "--detector", "leave-one-out")
    result = run("scan", tmp_path / "photos", "--out", tmp_path / "found", *words)
    assert result.exit_code == 0, result.stderr
    assert result.output.replace("\n", "").isprintable()
    assert all(
        path.is_relative_to(tmp_path / "found") for path in {*filter(os.path.isfile, tmp_path.rglob("*"))} - before
    )
    rows = read_csv(tmp_path / "found" / "suspects.csv")
    assert {row["path"].removeprefix("./") for row in rows} == {*names[:12]}
    assert not any(row["path"].startswith(("=", "-", "+", "@")) for row in rows)
    assert len(read_csv(tmp_path / "found" / "skipped.csv")) == 5

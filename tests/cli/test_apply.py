"""Verdicts of the page as cleaned labels."""

from __future__ import annotations

import json
import zipfile
from functools import partial

import numpy as np
import pandas as pd
import pytest

from curvdetect.data.isolation import drawn
from tests.cli.conftest import read_csv, write_verdicts
from tests.written import write_pictures


@pytest.fixture
def said(tmp_path):
    """Write verdicts, of index, path, given, suggested, verdict and new label."""
    return partial(write_verdicts, tmp_path / "verdicts.csv")


ODD = '\ufeff"id";"a, b";"label"\r\n"1";"say ""x""\r\n";"007"\r\n\r\n"2";"1,5";"7"\r\n"3";"";"TRUE"'


def test_what_was_typed_is_the_label_and_only_its_cell_changes(run, said, tmp_path):
    source, new = tmp_path / "odd.csv", tmp_path / "new.csv"
    source.write_bytes(ODD.encode())
    verdicts = said([0, "", "007", "7", "wrong", "TRUE"], [2, "", "TRUE", "7", "wrong", "007"])
    result = run("apply", verdicts, "--to", source, "--out", new)
    assert result.stdout == f"{new}: 2 of 3 labels changed\n"
    assert new.read_bytes() == ODD.replace("TRUE", "?").replace("007", "TRUE").replace("?", "007").encode()
    refused = run("apply", said([0, "", "007", "7", "wrong", "True"]), "--to", source, "--out", tmp_path / "no.csv")
    assert "row 2: the new label of sample 0 is 'True', which no sample of y has" in refused.stderr


@pytest.mark.parametrize("kind", ["csv", "npz", "parquet"])
def test_where_no_verdict_changes_anything_the_bytes_are_the_same(run, said, tmp_path, kind):
    source, new = tmp_path / f"t.{kind}", tmp_path / f"new.{kind}"
    if kind == "csv":
        source.write_bytes(ODD.encode())
    elif kind == "npz":
        np.savez_compressed(source, X=np.zeros((3, 1)), y=np.array(["007", "7", "TRUE"]))
    else:
        pytest.importorskip("pyarrow")
        pd.DataFrame({"label": ["007", "7", "TRUE"]}).to_parquet(source, compression="gzip")
    verdicts = said(
        [0, "", "007", "7", "right", "007"], [1, "", "7", "007", "unsure", ""], [2, "", "TRUE", "7", "wrong", "TRUE"]
    )
    assert run("apply", verdicts, "--to", source, "--out", new).exit_code == 0
    assert new.read_bytes() == source.read_bytes()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_arrays_get_another_y_and_keep_the_rest_whatever_it_is_called(run, said, tmp_path, save, shape):
    names = ["file", "args", "allow_pickle", "kwds", "arr_0", "a/b", "größe"]  # some of which np.savez takes for itself
    X, y = np.arange(8.0).reshape(4, 2), np.array([0, 1, 0, 1], dtype=np.int8)
    save(tmp_path / "plain.npz", X=X, y=y.reshape(shape))
    with zipfile.ZipFile(tmp_path / "plain.npz", "a") as file:
        for i, name in enumerate(names):
            with file.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, np.array([i]))
    (tmp_path / "b.draft.npz").write_text("mine")
    result = run("apply", said([1, "", 1, 0, "wrong", 0]), "--to", tmp_path / "plain.npz", "--out", tmp_path / "b.npz")
    assert result.stdout == f"{tmp_path / 'b.npz'}: 1 of 4 labels changed\n"
    with np.load(tmp_path / "b.npz") as new:
        assert new["y"].ravel().tolist() == [0, 0, 0, 1]
        assert (new["y"].dtype, new["y"].shape) == (np.int8, shape)
        assert np.array_equal(new["X"], X)
        assert list(new) == ["X", "y", *names]
        assert [int(new[name][0]) for name in names] == list(range(len(names)))
    assert (tmp_path / "b.draft.npz").read_text() == "mine"
    assert (tmp_path / "b.npz").stat().st_size < 1.5 * (tmp_path / "plain.npz").stat().st_size


def test_a_choice_of_rows_changes_those_rows(run, said, tmp_path):
    source, new = tmp_path / "t.csv", tmp_path / "new.csv"
    source.write_text("a,label\n" + "".join(f"{i},c{i % 3}\n" for i in range(30)))
    rows = np.sort(np.random.default_rng(0).permutation(30)[:10])
    given = f"c{rows[4] % 3}"
    verdicts = said([4, "", given, "", "wrong", f"c{(rows[4] + 1) % 3}"])
    assert run("apply", verdicts, "--to", source, "--out", new, "--limit", 10).exit_code == 0
    changed = [i for i, row in enumerate(read_csv(new)) if row["label"] != f"c{i % 3}"]
    assert changed == [rows[4]]
    assert len(read_csv(new)) == 30


@pytest.mark.parametrize("limit", [(), ("--limit", 12), ("--limit", 20)], ids=str)
def test_a_row_is_known_again_whatever_else_is_read(run, page, said, tmp_path, limit):
    source, new = tmp_path / "t.csv", tmp_path / "new.csv"
    source.write_text("a,label\n" + "".join(f"{i % 7},c{i % 2}\n" for i in range(30)))
    scan = ("scan", source, "--out", tmp_path / "found", "--limit", 12, "--detector", "leave-one-out")
    assert run(*scan, "--for", "label-studio", "--q", 12).exit_code == 0
    rows = drawn(30, 12)
    assert page[0]["paths"] == [f"row {row}" for row in rows]
    tasks = json.loads((tmp_path / "found" / "label-studio.json").read_text())
    assert {task["data"]["path"] for task in tasks} == {*page[0]["paths"]}
    i = next(i for i, row in enumerate(rows) if row != i and row % 2 == i % 2)  # the given label tells nothing
    given, other = f"c{rows[i] % 2}", f"c{1 - rows[i] % 2}"
    verdicts = said([i, f"row {rows[i]}", given, "", "wrong", other])
    assert run("apply", verdicts, "--to", source, "--out", new, *limit).exit_code == 0
    assert [n for n, row in enumerate(read_csv(new)) if row["label"] != f"c{n % 2}"] == [rows[i]]
    of_another_scan = write_verdicts(tmp_path / "all.csv", [i, "", given, "", "wrong", other])
    result = run("apply", verdicts, of_another_scan, "--to", source, "--out", new, "--overwrite")
    assert (result.exit_code, "they are of different scans" in result.stderr) == (1, True)


def test_a_folder_becomes_a_list_and_stays_as_it_is(run, said, tmp_path):
    root, new = tmp_path / "photos", tmp_path / "new.csv"
    write_pictures(root, n=2)
    (root / "=cmd").mkdir()
    (root / "cat" / "0.png").rename(root / "=cmd" / "0.png")
    before = sorted((path, path.stat().st_mtime_ns) for path in root.rglob("*"))
    verdicts = said([0, "'=cmd/0.png", "'=cmd", "cat", "wrong", "cat"], [3, "dog/1.png", "dog", "", "wrong", "'=cmd"])
    result = run("apply", verdicts, "--to", root, "--out", new)
    assert result.exit_code == 0
    assert [tuple(row.values()) for row in read_csv(new)] == [
        ("./=cmd/0.png", "cat"),
        ("cat/1.png", "cat"),
        ("dog/0.png", "dog"),
        ("dog/1.png", "=cmd"),
    ]
    assert "don't open the file in a spreadsheet" in result.stderr
    plain = said([0, "'=cmd/0.png", "'=cmd", "cat", "wrong", "cat"])
    assert run("apply", plain, "--to", root, "--out", new, "--overwrite").stderr == ""
    assert {row["label"] for row in read_csv(new)} == {"cat", "dog"}
    assert sorted((path, path.stat().st_mtime_ns) for path in root.rglob("*")) == before


def test_an_index_alone_is_no_picture_where_some_were_skipped(run, said, tmp_path):
    root, new = tmp_path / "photos", tmp_path / "new.csv"
    write_pictures(root, n=2)
    (root / "cat" / "0.png").write_bytes(b"torn")
    verdicts = said([0, "cat/1.png", "cat", "dog", "wrong", "dog"])
    assert run("apply", verdicts, "--to", root, "--out", new).exit_code == 0
    assert [row["label"] for row in read_csv(new)] == ["cat", "dog", "dog", "dog"]
    for name in ("path", None):
        table = pd.read_csv(verdicts, dtype=str).drop(columns=[name] if name else [])
        table.assign(**({} if name else {"path": ""})).to_csv(tmp_path / "few.csv", index=False)
        refused = run("apply", tmp_path / "few.csv", "--to", root, "--out", new, "--overwrite")
        assert (refused.exit_code, "Keep the column path" in refused.stderr) == (1, True)


def test_files_of_several_people_and_tools_are_merged_and_how_far_they_agree_is_said(run, tmp_path):
    source, new = tmp_path / "odd.csv", tmp_path / "new.csv"
    source.write_text("id,label\n1,cat\n2,dog\n3,cat\n")
    header, one = "index,given,verdict,new_label\n", tmp_path / "one.csv"
    one.write_text(header + "0,cat,wrong,dog\n1,dog,wrong,cat\n2,cat,wrong,dog\n")
    two = tmp_path / "two.json"
    choice = {"from_name": "label", "value": {"choices": ["dog"]}}
    tasks = [
        {
            "data": {"curvdetect_index": i, "curvdetect_given": given},
            "annotations": [{"completed_by": 1, "result": [choice]}],
        }
        for i, given in enumerate(["cat", "dog"])
    ]
    two.write_text(json.dumps(tasks))
    result = run("apply", one, two, "--to", source, "--out", new)
    assert result.stdout == (
        f"2 people judged. Where several did, they agree on 1 of 2 labels (50 %).\n{new}: 2 of 3 labels changed\n"
    )
    assert new.read_text() == "id,label\n1,dog\n2,dog\n3,dog\n"
    assert run("apply", one, two, "--to", source, "--out", new, "--overwrite", "--only-agreed").exit_code == 0
    assert new.read_text() == "id,label\n1,dog\n2,dog\n3,cat\n"
    two.write_text('[{"image": "a.png"}]')
    refused = run("apply", one, two, "--to", source, "--out", new, "--overwrite")
    assert refused.exit_code == 1
    assert "holds records of 'image', without the 'curvdetect_index' of a suspect. Pass" in refused.stderr

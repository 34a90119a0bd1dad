"""Everything that a command refuses is said on one line with the way out, and nothing is written."""

from __future__ import annotations

import numpy as np
import pytest

from tests.cli.conftest import write_verdicts
from tests.written import write_pictures

PETS = "id,a,label\nx,1.50,cat\ny,2,dog\nz,3,cat\nw,4,NA\n"
#: Content of a table, options of its scan, exit code, and what is said.
TABLES = {
    "no label": ("a,b\n1,2\n", "", 2, "no column named like a label. Choose one of 'a', 'b'"),
    "two labels": ("y,label\n1,2\n", "", 2, "several: 'y', 'label'"),
    "other label": ("a,y\n1,2\n", "--label b", 2, "there is no column 'b'"),
    "other column to drop": ("a,y\n1,2\n", "--drop c", 2, "there is no column 'c' in"),
    "label to drop": ("a,y\n1,2\n", "--label y --drop y", 2, "'y' holds the labels"),
    "no header": ("5.1,3.5,x\n4.9,3,x\n", "", 1, "no header: its first line is '5.1', '3.5', 'x'"),
    "no header, and a way out": ("5.1,3.5,x\n4.9,3,x\n", "", 1, "choose the column of labels with --label."),
    "no header, and a number of it": ("5,0,0,1\n4,0,1,5\n5,1,1,0\n", "--label 5", 1, "no header"),
    "a title": ("of 2020\na,b,y\n1,2,2\n", "", 1, "1 names of columns in its first line, and 3 cells in its first"),
    "other separators": ("a|y\n1|2\n", "", 1, "has one column, 'a|y'. Part columns by commas"),
    "one column of another name": ("kind\n1\n2\n", "", 1, "where this one holds labels, pass --label 'kind'."),
    "one name for two columns": ("a,label,label\n1,2,3\n4,2,3\n", "", 1, "several columns 'label'. Give each a name"),
    "an open quote": ('a,y\n1,"2\n', "", 1, "can't be read as a table"),
    "missing label": ("a,y\n1,2\n3,\n5,\n", "", 1, "no label in 2 of 3 rows, the first of them row 1"),
    "nothing beside the labels": ("a,y\n,1\n,2\n", "", 1, "no column is left beside the labels: there is nothing in"),
    "features of numbers": (
        "a,y\n1,2\n3,4\n",
        "--features model2vec:x",
        2,
        "has no column of words, from which they",
    ),
    "features of pictures": (
        "a,y\n1,2\n3,4\n",
        "--features timm:x",
        2,
        "embeds pictures, and PATH holds rows: leave it",
    ),
    "no model": (
        "a,y\nu v w,2\nv x y,3\nw z,3\n",
        "--features model2vec:",
        1,
        "names no model of texts. Pass 'model2ve",
    ),
    "labels only": ("y\n1\n2\n", "", 1, "no column is left"),
    "no rows": ("a,y\n", "", 1, "has names of columns and no rows"),
    "nothing": ("", "", 1, "can't be read as a table"),
    "rows of other lengths": (
        "a,y\n1,2\n1,2,3,4\n",
        "",
        1,
        "fields in line 3, saw 4. Put quotes around cells that hold a separator.",
    ),
    "a second header": (
        "a,y\n1,2\n3,4\na,y\n1,2\n",
        "",
        1,
        "row 2 (counted from 0) of 't.csv' is the line of names again",
    ),
    "other encodings": (b"a,y\n1,gr\xf6\xdfe\n", "", 1, "is no UTF-8 text"),
    "one class": ("x,label\n" + "".join(f"{i},1\n" for i in range(20)), "", 1, "y holds one class only ([1])"),
}
#: Content of an .npz file, and what is said.
ARRAYS = {
    "names": ({"Z": np.zeros(3), "A": np.zeros(3)}, "holds 'Z', 'A': it needs an array X"),
    "lengths": ({"X": np.zeros((3, 2)), "y": np.zeros(4)}, "3 samples in X and 4 labels."),
    "text as objects": (
        {"X": np.zeros((2, 2)), "y": np.array(["a"], dtype=object)},
        "Save text as text: y=np.array(labels",
    ),
    "objects": ({"X": np.array([[{}], [{}]]), "y": np.zeros(2)}, "Object arrays cannot be loaded"),
    "torn": (b"PK", "is torn, or not what np.savez writes."),
}
#: The command, its exit code, and what is said.
CALLS = {
    "unknown option": ("--no-such", 2, "No such option"),
    "unknown command": ("look", 2, "No such command"),
    "no PATH": ("scan", 2, "Missing argument 'PATH'"),
    "no DIR": ("scan pets.csv", 2, "Missing option '--out'"),
    "no such path": ("scan nowhere --out found", 2, "'nowhere' does not exist"),
    "no such kind": ("scan a.odt --out found", 2, "is none of these: "),
    "no such detector": ("scan few.csv --out found --detector best", 2, "'best' is not one of 'fused'"),
    "no such net": ("scan few.csv --out found --net vgg", 1, "net='vgg' is not known. Names: 'resnet18-cifar'"),
    "no such device": ("scan few.csv --out found --device abacus", 1, "device='abacus' is not known."),
    "no share": ("scan few.csv --out found --q many", 1, "q must be"),
    "no epochs": ("scan few.csv --out found --epochs 0", 2, "0 is not in the range x>=1"),
    "a training of what trains nothing": (
        "scan few.csv --out found --detector out-of-bag --epochs 3 --net resnet18-cifar",
        2,
        "--detector out-of-bag takes no --net and no --epochs: leave them out.",
    ),
    "signals beside what records none": (
        "scan few.csv --out found --detector loss --beside curvature",
        2,
        "--detector loss takes no --beside: leave it out.",
    ),
    "no such signal": (
        "scan few.csv --out found --beside best",
        2,
        "--beside best is no signal that can be recorded: take",
    ),
    "column of a folder": (
        "scan photos --out found --label y",
        2,
        "--label does not belong to a folder",
    ),
    "an empty folder": ("scan empty --out found", 1, "Error: 'empty' has no subfolder. It needs one subfolder of pic"),
    "resume and overwrite": ("scan few.csv --out found --resume --overwrite", 2, "starts anew: choose one."),
    "DIR is PATH": ("scan photos --out photos/../photos --resume", 2, "lies within PATH, where it would be a class"),
    "DIR within PATH": ("scan photos --out photos/cat/found", 2, "lies within PATH, where it would be a class"),
    "DIR is a file": ("scan few.csv --out a.txt --resume", 2, "'a.txt' is a file."),
    "DIR of other things": ("scan few.csv --out photos", 2, "'photos' is not empty. Pass another, or --overwrite to"),
    "rate in words": ("compare few.csv --rate much", 2, "'much' is no share between 0 and 1, such as 0.05 or 5%."),
    "rate of nothing": ("compare few.csv --rate 5%", 2, "no class of PATH is large enough to plant 5.0% of it"),
    "scan of nothing": ("report photos", 1, "'photos' holds no scan: pass the DIR of a curvdetect scan."),
    "other labels": ("apply other.csv --to pets.csv --out new.csv", 1, "given label of sample 1 is 'cat' there"),
    "no such class": ("apply fox.csv --to pets.csv --out new.csv", 1, "'fox', which no sample of y has"),
    "other pictures": (
        "apply moved.csv --to photos --out new.csv",
        1,
        "on 'cat/other.png' is about sample 1 of a scan",
    ),
    "PATH itself": ("apply right.csv --to pets.csv --out pets.csv --overwrite", 2, "is PATH itself. Pass another."),
    "NEW is there": ("apply right.csv --to pets.csv --out few.csv", 2, "is there already. Pass another, or --overwr"),
    "NEW of another kind": ("apply right.csv --to pets.csv --out new.npz", 2, "must end in .csv or .tsv"),
    "NEW is a folder": ("apply right.csv --to pets.csv --out .", 2, "is a folder. Pass the name of a file."),
    "an open quote": ("apply right.csv --to open.csv --out new.csv", 1, "a quote that isn't closed, in the line of '2"),
}
VERDICTS = {
    "right": [1, "", "dog", "", "right", "dog"],
    "other": [1, "", "cat", "", "wrong", "dog"],
    "fox": [1, "", "dog", "", "wrong", "fox"],
    "moved": [1, "cat/other.png", "cat", "", "wrong", "dog"],
}


@pytest.fixture
def refused(run, tmp_path, monkeypatch):
    """Run a command that is refused in a folder of files; check that it says why, and leaves them as they are."""
    monkeypatch.chdir(tmp_path)

    def content():
        files = [path for path in tmp_path.rglob("*") if path.is_file() and tmp_path / "found" not in path.parents]
        return {path: path.read_bytes() for path in files}

    def refused(words, code, message):
        before = content()
        result = run(*words.split())
        assert (result.exit_code, result.stdout) == (code, "")
        (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
        assert message in line
        assert len(line) <= 400
        assert line.isprintable()
        assert content() == before

    return refused


@pytest.mark.parametrize(("content", "options", "code", "message"), TABLES.values(), ids=TABLES)
def test_a_table(refused, tmp_path, content, options, code, message):
    (tmp_path / "t.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(f"scan t.csv --out found {options}", code, message)


@pytest.mark.parametrize(("content", "message"), ARRAYS.values(), ids=ARRAYS)
def test_arrays(refused, tmp_path, content, message):
    if isinstance(content, bytes):
        (tmp_path / "a.npz").write_bytes(content)
    else:
        np.savez(tmp_path / "a.npz", **content)
    refused("scan a.npz --out found", 1, message)


@pytest.mark.parametrize(("words", "code", "message"), CALLS.values(), ids=CALLS)
def test_a_call(refused, tmp_path, words, code, message):
    write_pictures(tmp_path / "photos", n=2)
    (tmp_path / "empty").mkdir()
    (tmp_path / "pets.csv").write_text(PETS)
    (tmp_path / "few.csv").write_text("x,label\n1,0\n2,0\n3,1\n5,1\n")
    (tmp_path / "open.csv").write_text('a,label\n1,x\n2,"y\n3,x\n')
    (tmp_path / "a.txt").touch()
    (tmp_path / "a.odt").touch()
    np.savez(tmp_path / "few.npz", X=np.zeros((2, 2)), y=[0, 1])
    for name, row in VERDICTS.items():
        write_verdicts(tmp_path / f"{name}.csv", row)
    refused(words, code, message)

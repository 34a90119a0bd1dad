"""Names of files, classes and columns that would like to be something else."""

from __future__ import annotations

import os

import pytest

from tests.cases import digits
from tests.cli.conftest import read_csv, write_table
from tests.cli.test_reading import huge_png
from tests.files import write_pictures

QUICK = ("--epochs", 1, "--device", "cpu")
NAMES = {
    "markup": "<img src=x onerror=alert(1)>",
    "script": "<script>alert(1)<\\script>",
    "quotes": "a\"b'c`d",
    "new lines": "one\ntwo\rthree",
    "colours": "\x1b[2J\x1b[31mred",
    "right to left": "\u202egnp.exe",
    "formula": "=cmd|' /C calc'!A0",
    "option": "-rf",
    "commas": "a,b;c\td",
    "climbing": "..\\..\\up",
    "long": "x" * 240,
    "percent": "%s{0}$HOME",
    "no encoding": os.fsdecode(b"\xff\xfe"),
}


@pytest.fixture
def photos(tmp_path):
    """A folder of classes and pictures with these names, and of pictures that are none."""
    root = tmp_path / "here" / "photos"
    write_pictures(root, n=len(NAMES))
    for i, name in enumerate(NAMES.values()):
        try:
            (root / name).mkdir()
        except OSError:  # a file system that knows no such name
            continue
        for folder in ("cat", "dog"):
            (root / folder / f"{i}.png").rename(root / name / f"{folder}{name}.png")
    more = root.with_name("more")
    write_pictures(more, n=4)
    for folder in ("cat", "dog"):
        for path in (more / folder).iterdir():
            path.rename(root / folder / path.name)
    (root / "cat" / "bo\nmb.png").write_bytes(huge_png(30_000))
    (root / "dog" / "=empty.png").touch()
    return root


def everything_below(root):
    return set(root.rglob("*"))


def test_a_folder_of_such_names_is_scanned_within_dir(run, photos, tmp_path):
    out = tmp_path / "here" / "found"
    before = everything_below(tmp_path)
    result = run("scan", photos, "--out", out, "--size", 8, "--q", 10, *QUICK)
    assert result.exit_code == 0, result.stderr
    assert {path for path in everything_below(tmp_path) - before if not path.is_relative_to(out)} == set()
    assert result.output.replace("\n", "").isprintable()
    rows = read_csv(out / "suspects.csv")
    assert len(rows) > len(NAMES)
    for row in rows:
        assert not any(row[name].startswith(("=", "-", "+", "@", "\t")) for name in ("path", "given", "suggested"))
        if "\\udcff" not in row["path"]:
            assert (photos / row["path"]).is_file()
            assert (photos / row["given"].removeprefix("'")).is_dir()
    skipped = {row["path"] for row in read_csv(out / "skipped.csv")}
    assert skipped - {NAMES["climbing"]} == {"cat/bo\nmb.png", "dog/=empty.png"}  # where that is a name, it is hidden
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "<img src=x onerror" not in page
    assert "<script>alert" not in page
    assert run("report", out).exit_code == 0


LABELS = [*NAMES.values(), "../../../etc/passwd", "y" * 300, "", " ", "NA"]


def test_a_table_of_such_labels_is_scanned_within_dir(run, tmp_path):
    X, _ = digits(120)
    labels = [label.encode("utf-8", "replace").decode() for label in LABELS if label]
    table = write_table(tmp_path / "t.csv", X[:, 10:14], [labels[i % len(labels)] for i in range(120)])
    before = everything_below(tmp_path)
    result = run("scan", table, "--out", tmp_path / "found", *QUICK)
    assert result.exit_code == 0, result.stderr
    assert {p for p in everything_below(tmp_path) - before if not p.is_relative_to(tmp_path / "found")} == set()
    assert result.output.replace("\n", "").isprintable()
    rows = read_csv(tmp_path / "found" / "suspects.csv")
    assert {row["given"] for row in rows} == {f"'{label}" if label[0] in "=-" else label for label in labels}


def test_such_columns_are_named_without_their_control_characters(run, tmp_path):
    X, y = digits(20)
    table = write_table(tmp_path / "t.csv", X[:, 10:14], y, **{"\x1b[31mname": ["text"] * 20})
    result = run("scan", table, "--out", tmp_path / "found", *QUICK)
    assert result.exit_code == 1
    assert "numbers in '\\x1b[31mname'" in result.stderr
    assert "\x1b" not in result.stderr

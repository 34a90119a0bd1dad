"""Names of files and classes that look like markup, commands, formulas, paths or numbers."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest

from tests.cli.conftest import QUICK, read_csv
from tests.written import huge_png, write_pictures

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
    """A folder of classes and pictures with these names, and of files that are no pictures."""
    root = tmp_path / "here" / "photos"
    write_pictures(root, n=len(NAMES) + 4)
    for i, name in enumerate(NAMES.values()):
        try:
            (root / name).mkdir()
        except OSError:  # a file system that knows no such name
            continue
        for folder in ("cat", "dog"):
            (root / folder / f"{i}.png").rename(root / name / f"{folder}{name}.png")
    (root / "cat" / "bo\nmb.png").write_bytes(huge_png(30_000))
    (root / "cat" / "bomb.png").write_bytes(huge_png(10_000))  # of which Pillow only warns
    (root / "dog" / "=empty.png").touch()
    return root


def test_a_folder_of_such_names_is_scanned_within_dir(run, photos, tmp_path):
    out = tmp_path / "here" / "found"
    before = set(tmp_path.rglob("*"))
    result = run("scan", photos, "--out", out, "--size", 8, "--q", 10, "--detector", "loss", *QUICK)
    assert result.exit_code == 0, result.stderr
    assert all(path.is_relative_to(out) for path in {*tmp_path.rglob("*")} - before)
    assert result.output.replace("\n", "").isprintable()
    rows = read_csv(out / "suspects.csv")
    assert len(rows) > len(NAMES)
    for row in rows:
        assert not any(row[name].startswith(("=", "-", "+", "@", "\t")) for name in ("path", "given", "suggested"))
        if "\\udcff" not in row["path"]:
            assert (photos / row["path"]).is_file()
            assert (photos / row["given"].removeprefix("'")).is_dir()
    skipped = {row["path"] for row in read_csv(out / "skipped.csv")}
    expected = {"cat/bo\nmb.png", "cat/bomb.png", "dog/=empty.png"}
    assert skipped - {NAMES["climbing"]} == expected  # where that is a name, it is hidden
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "<img src=x onerror" not in page
    assert "<script>alert" not in page
    assert run("report", out).exit_code == 0


def test_labels_in_lines_and_names_of_columns_and_arrays_are_inert(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    labels = [name for name in NAMES.values() if name.isascii() and "\n" not in name] * 4
    (tmp_path / "y.txt").write_text("\n".join(labels), newline="")
    classes = sorted({*labels})
    probs = np.full((len(labels), len(classes)), 1 / len(classes))
    pd.DataFrame(probs, columns=classes).to_csv("p.csv", index=False)
    result = run("scan", "y.txt", "--probs", "p.csv", "--out", "found", "--q", 10)
    assert result.exit_code == 0, result.stderr
    assert all(line.isprintable() for line in result.output.splitlines())
    given = {row["given"] for row in read_csv(tmp_path / "found" / "suspects.csv")}
    assert not [text for text in given if text.startswith(("=", "-"))]
    assert {text.removeprefix("'") for text in given} == {*classes}
    assert "<script>alert" not in (tmp_path / "found" / "report.html").read_text()
    np.savez("a.npz", **{name.replace("/", ""): np.zeros(3) for name in classes[:5]})
    for call in (("a.npz",), ("a.npz", "--samples", "\x1b[31m"), ("y.txt", "--probs", "a.npz")):
        result = run("scan", *call, "--out", "elsewhere")
        assert result.exit_code in (1, 2)
        assert all(line.isprintable() for line in result.stderr.splitlines())

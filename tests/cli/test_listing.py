"""Lists as CSV files that stay well formed and hold no formula."""

from __future__ import annotations

import csv

import pytest

from curvdetect.cli.listing import inert, inert_path, write_csv

CELLS = {
    "formula": ("=1+1", "'=1+1"),
    "command": ("@SUM(A1)", "'@SUM(A1)"),
    "minus": ("-2+3+cmd|' /C calc'!A0", "'-2+3+cmd|' /C calc'!A0"),
    "plus": ("+a", "'+a"),
    "tab": ("\t=1", "'\t=1"),
    "carriage return": ("\r=1", "'\r=1"),
    "wide equals sign": ("\uff1d1", "'\uff1d1"),
    "negative number": ("-1.5", "-1.5"),
    "word": ("cat", "cat"),
    "number": (-3, -3),
    "inside": ("a=b", "a=b"),
    "nothing": ("", ""),
}


@pytest.mark.parametrize(("value", "written"), CELLS.values(), ids=CELLS)
def test_no_text_is_left_that_begins_as_a_formula_does(value, written):
    assert inert(value) == written


@pytest.mark.parametrize(
    ("path", "written"), [("=cmd/a.png", "./=cmd/a.png"), ("-rf/a.png", "./-rf/a.png"), ("cat/=a.png", "cat/=a.png")]
)
def test_a_path_that_begins_as_a_formula_leads_to_the_same_file(path, written):
    assert inert_path(path) == written


NASTY = ["a\nb", "a\rb", 'a"b', "a,b", ";", "", " ", "\x00", "\u202egnp", "<script>", "x" * 300, "'", "\ufeff"]


def test_any_text_comes_back(tmp_path):
    write_csv(tmp_path / "a.csv", ["text", "number"], [(text, i) for i, text in enumerate(NASTY)])
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file, strict=True)
    assert header == ["text", "number"]
    assert rows == [[text, str(i)] for i, text in enumerate(NASTY)]


def test_a_name_in_no_encoding_is_spelled_out(tmp_path):
    write_csv(tmp_path / "a.csv", ["path"], [("cat/\udcff.png",)])
    assert (tmp_path / "a.csv").read_bytes() == b'"path"\n"cat/\\udcff.png"\n'

"""DIR: what may be written there, and what is taken away; lists that are safe to open."""

from __future__ import annotations

import csv
from itertools import count
from pathlib import Path

import click
import pytest

from curvdetect.cli.console import Failure
from curvdetect.cli.output import Output, inert, inert_path, write_csv
from tests.files import killed_at

NEITHER = {"resume": False, "overwrite": False}


def test_a_directory_that_is_not_empty_is_only_touched_when_asked(tmp_path):
    output, source = Output(tmp_path / "found"), tmp_path / "photos"
    output.check(source, **NEITHER)
    output.path.mkdir()
    output.check(source, **NEITHER)
    (output / "suspects.csv").touch()
    with pytest.raises(click.BadParameter, match=r"not empty.*--resume.*--overwrite"):
        output.check(source, **NEITHER)
    output.check(source, resume=True, overwrite=False)
    output.check(source, resume=False, overwrite=True)


def test_a_scan_that_ended_before_its_training_leaves_room_for_the_next(tmp_path):
    output, source = Output(tmp_path / "found"), tmp_path / "photos"
    output.make(source, {})
    (output / "skipped.csv").touch()
    output.check(source, **NEITHER)
    output.make(source, {})
    assert [path.name for path in output.path.iterdir()] == ["scan.json"]
    (output / "mine.txt").touch()
    with pytest.raises(click.BadParameter, match="not empty"):
        output.check(source, **NEITHER)


def test_overwriting_takes_away_what_a_scan_left_and_nothing_else(tmp_path):
    output = Output(tmp_path / "found")
    marks = ("detector/detector.json", "checkpoints/fit.json")
    for name in ("suspects.csv", "report.html", "skipped.csv", *marks, "mine"):
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        (output / name).touch()
    output.make(Path("photos"), {}, overwrite=True)
    assert sorted(path.name for path in output.path.iterdir()) == ["mine", "scan.json"]
    assert output.record()["path"] == str(Path("photos").resolve())


def test_overwriting_that_was_killed_at_any_step_can_be_done_again(tmp_path):
    for step in count(1):
        output = Output(tmp_path / str(step))
        parts = [f"checkpoints/repeat-{i}/checkpoint" for i in range(5)]
        parts += [f"detector/snapshot-000{i}-{i:032}.safetensors" for i in range(5)]
        for name in ("suspects.csv", "detector/detector.json", "checkpoints/fit.json", *parts):
            (output / name).parent.mkdir(parents=True, exist_ok=True)
            (output / name).touch()
        killed = killed_at(step, lambda output=output: output.make(Path("photos"), {}, overwrite=True))
        output.make(Path("photos"), {}, overwrite=True)
        assert [path.name for path in output.path.iterdir() if path.suffix != ".draft"] == ["scan.json"]
        if not killed:
            break
    assert step > 8


@pytest.mark.parametrize("name", ["detector", "checkpoints"])
def test_a_folder_of_somebody_else_is_not_deleted(tmp_path, name):
    output = Output(tmp_path / "found")
    (output / name).mkdir(parents=True)
    (output / name / "thesis.tex").touch()
    with pytest.raises(Failure, match="something else than a scan left"):
        output.make(Path("photos"), {}, overwrite=True)
    assert (output / name / "thesis.tex").exists()


def test_a_link_is_not_followed(tmp_path):
    output, elsewhere = Output(tmp_path / "found"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "fit.json").touch()
    output.path.mkdir()
    (output / "checkpoints").symlink_to(elsewhere)
    with pytest.raises(Failure, match="in the way"):
        output.make(Path("photos"), {}, overwrite=True)
    assert (elsewhere / "fit.json").exists()


def test_a_torn_record_is_said(tmp_path):
    (tmp_path / "scan.json").write_text("{")
    with pytest.raises(Failure, match="torn"):
        Output(tmp_path).record()


CELLS = {
    "formula": ("=1+1", "'=1+1"),
    "command": ("@SUM(A1)", "'@SUM(A1)"),
    "minus": ("-2+3+cmd|' /C calc'!A0", "'-2+3+cmd|' /C calc'!A0"),
    "plus": ("+a", "'+a"),
    "tab": ("\t=1", "'\t=1"),
    "carriage return": ("\r=1", "'\r=1"),
    "wide equals sign": ("\uff1d1", "'\uff1d1"),
    "word": ("cat", "cat"),
    "inside": ("a=b", "a=b"),
}


@pytest.mark.parametrize(("value", "written"), CELLS.values(), ids=CELLS)
def test_no_text_is_left_that_begins_as_a_formula_does(value, written):
    assert inert(value) == written
    assert inert_path(f"{value}/a.png") == f"{'./' * (value != written)}{value}/a.png"


NASTY = ["a\nb", "a\rb", 'a"b', "a,b", ";", "", " ", "\x00", "\u202egnp", "<script>", "x" * 300, "'", "\ufeff"]


def test_any_text_comes_back_and_numbers_stay_numbers(tmp_path):
    assert [inert("-1.5"), inert(-3), inert("")] == ["-1.5", -3, ""]
    write_csv(tmp_path / "a.csv", ["text", "number"], [(text, i) for i, text in enumerate(NASTY)])
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file, strict=True)
    assert header == ["text", "number"]
    assert rows == [[text, str(i)] for i, text in enumerate(NASTY)]


def test_a_name_in_no_encoding_is_spelled_out(tmp_path):
    write_csv(tmp_path / "a.csv", ["path"], [("cat/\udcff.png",)])
    assert (tmp_path / "a.csv").read_bytes() == b'"path"\n"cat/\\udcff.png"\n'

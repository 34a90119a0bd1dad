"""DIR: what may be written there, and what is taken away; lists that are safe to open."""

from __future__ import annotations

import csv
from itertools import count
from pathlib import Path

import click
import pytest

from curvdetect.cli.console import Failure
from curvdetect.cli.output import Output
from curvdetect.files.safe_csv import inert, inert_path, write_csv
from tests.written import killed_at


def fill(output, *names):
    """Make empty files."""
    for name in names:
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        (output / name).touch()


def test_a_scan_that_ended_before_its_training_leaves_room_for_the_next(tmp_path):
    output, source = Output(tmp_path / "found"), tmp_path / "photos"
    output.make(source, {})
    fill(output, "skipped.csv")
    output.check(source, resume=False, overwrite=False)
    output.make(source, {})
    assert [path.name for path in output.path.iterdir()] == ["scan.json"]
    fill(output, "mine.txt")
    with pytest.raises(click.BadParameter, match="not empty"):
        output.check(source, resume=False, overwrite=False)


def test_overwriting_takes_away_what_a_scan_left_and_can_be_done_again_where_it_was_killed(tmp_path):
    parts = [f"checkpoints/repeat-{i}/checkpoint" for i in range(3)]
    parts += [f"detector/snapshot-000{i}-{i:032}.safetensors" for i in range(3)]
    files = ("suspects.csv", "report.html", "skipped.csv", "detector/detector.json", "checkpoints/fit.json", *parts)
    for step in count(1):
        output = Output(tmp_path / str(step))
        fill(output, "mine", *files)
        killed = killed_at(step, lambda output=output: output.make(Path("photos"), {}, overwrite=True))
        output.make(Path("photos"), {}, overwrite=True)
        left = [path.name for path in output.path.iterdir() if path.suffix != ".draft"]
        assert sorted(left) == ["mine", "scan.json"]
        assert output.record()["path"] == str(Path("photos").resolve())
        if not killed:
            break
    assert step > 8


@pytest.mark.parametrize("name", ["detector", "checkpoints"])
def test_what_is_of_somebody_else_is_neither_deleted_nor_followed(tmp_path, name):
    output, other = Output(tmp_path / "found"), Output(tmp_path / "other")
    fill(output, f"{name}/thesis.tex")
    with pytest.raises(Failure, match="something else than a scan left"):
        output.make(Path("photos"), {}, overwrite=True)
    assert (output / name / "thesis.tex").exists()
    fill(other, "elsewhere/fit.json", "elsewhere/detector.json")
    (other / name).symlink_to(other / "elsewhere")
    with pytest.raises(Failure, match="in the way"):
        other.make(Path("photos"), {}, overwrite=True)
    assert len(list((other / "elsewhere").iterdir())) == 2
    (tmp_path / "scan.json").write_text("{")
    with pytest.raises(Failure, match="torn"):
        Output(tmp_path).record()


#: Text as it is, and where it begins as a formula does.
WORDS = ("cat", "a=b")
FORMULAS = ("=1+1", "@SUM(A1)", "-2+3+cmd|' /C calc'!A0", "+a", "\t=1", "\r=1", "\uff1d1")


def test_no_text_is_left_that_begins_as_a_formula_does():
    assert [inert(text) for text in (*WORDS, *FORMULAS)] == [*WORDS, *(f"'{text}" for text in FORMULAS)]
    assert [inert_path(text) for text in (*WORDS, *FORMULAS)] == [*WORDS, *(f"./{text}" for text in FORMULAS)]
    assert [inert("-1.5"), inert(-3), inert("")] == ["-1.5", -3, ""]


NASTY = ["a\nb", "a\rb", 'a"b', "a,b", ";", "", " ", "\x00", "\u202egnp", "<script>", "x" * 300, "'", "\ufeff"]


def test_any_text_comes_back_and_a_name_in_no_encoding_is_spelled_out(tmp_path):
    write_csv(tmp_path / "a.csv", ["text", "number"], [(text, i) for i, text in enumerate(NASTY)])
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file, strict=True))
    assert rows == [["text", "number"], *([text, str(i)] for i, text in enumerate(NASTY))]
    write_csv(tmp_path / "a.csv", ["path"], [("cat/\udcff.png",)])
    assert (tmp_path / "a.csv").read_bytes() == b'"path"\n"cat/\\udcff.png"\n'

"""DIR: what may be written there, and what is taken away."""

from __future__ import annotations

from itertools import count

import click
import pytest

from curvdetect.cli.console import Failure
from curvdetect.cli.output import Output
from tests.files import killed_at

NEITHER = {"resume": False, "overwrite": False}


@pytest.fixture
def source(tmp_path):
    (tmp_path / "photos").mkdir()
    return tmp_path / "photos"


def test_a_new_and_an_empty_directory_are_fine(tmp_path, source):
    Output(tmp_path / "deep" / "found").check(source, **NEITHER)
    (tmp_path / "empty").mkdir()
    Output(tmp_path / "empty").check(source, **NEITHER)


@pytest.mark.parametrize("options", [{"resume": True}, {"overwrite": True}], ids=str)
def test_what_is_there_is_only_touched_when_asked(tmp_path, source, options):
    (tmp_path / "found").mkdir()
    (tmp_path / "found" / "suspects.csv").touch()
    with pytest.raises(click.BadParameter, match=r"not empty.*--resume.*--overwrite"):
        Output(tmp_path / "found").check(source, **NEITHER)
    Output(tmp_path / "found").check(source, **{**NEITHER, **options})


def test_a_folder_of_other_things_holds_no_scan_to_go_on_with(tmp_path, source):
    (tmp_path / "mine.txt").touch()
    with pytest.raises(
        click.BadParameter, match=r"not empty. Pass another, or --overwrite .*other files stay"
    ) as error:
        Output(tmp_path).check(source, **NEITHER)
    assert "--resume" not in str(error.value)


def test_a_scan_that_ended_before_its_training_leaves_room_for_the_next(tmp_path, source):
    output = Output(tmp_path / "found")
    output.make({"path": "photos"}, overwrite=False)
    (output / "skipped.csv").touch()
    output.check(source, **NEITHER)
    output.make({"path": "photos"}, overwrite=False)
    assert [path.name for path in output.path.iterdir()] == ["scan.json"]
    (output / "mine.txt").touch()
    with pytest.raises(click.BadParameter, match="not empty"):
        output.check(source, **NEITHER)


def test_both_at_once_are_refused(tmp_path, source):
    with pytest.raises(click.UsageError, match="choose one"):
        Output(tmp_path / "found").check(source, resume=True, overwrite=True)


@pytest.mark.parametrize("place", [".", "found", "cat/found", "../photos/found"])
def test_nothing_is_written_among_the_pictures(source, place):
    with pytest.raises(click.BadParameter, match="within PATH"):
        Output(source / place).check(source, resume=True, overwrite=False)


def test_a_file_is_no_directory(tmp_path, source):
    (tmp_path / "found").touch()
    with pytest.raises(click.BadParameter, match="is a file"):
        Output(tmp_path / "found").check(source, resume=True, overwrite=False)


def test_overwriting_takes_away_what_a_scan_left_and_nothing_else(tmp_path):
    output = Output(tmp_path / "found")
    for name in (
        "suspects.csv",
        "report.html",
        "skipped.csv",
        "detector/detector.json",
        "checkpoints/fit.json",
        "mine",
    ):
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        (output / name).touch()
    output.make({"path": "photos"}, overwrite=True)
    assert sorted(path.name for path in output.path.iterdir()) == ["mine", "scan.json"]
    assert output.record()["path"] == "photos"


def test_overwriting_that_was_killed_at_any_step_can_be_done_again(tmp_path):
    for step in count(1):
        output = Output(tmp_path / str(step))
        parts = [f"checkpoints/repeat-{i}/checkpoint" for i in range(5)]
        parts += [f"detector/snapshot-000{i}-{i:032}.safetensors" for i in range(5)]
        for name in ("suspects.csv", "detector/detector.json", "checkpoints/fit.json", *parts):
            (output / name).parent.mkdir(parents=True, exist_ok=True)
            (output / name).touch()
        killed = killed_at(step, lambda output=output: output.make({"path": "photos"}, overwrite=True))
        output.make({"path": "photos"}, overwrite=True)
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
        output.make({}, overwrite=True)
    assert (output / name / "thesis.tex").exists()


def test_a_link_is_not_followed(tmp_path):
    output, elsewhere = Output(tmp_path / "found"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "fit.json").touch()
    output.path.mkdir()
    (output / "checkpoints").symlink_to(elsewhere)
    with pytest.raises(Failure, match="in the way"):
        output.make({}, overwrite=True)
    assert (elsewhere / "fit.json").exists()


def test_a_torn_record_is_said(tmp_path):
    (tmp_path / "scan.json").write_text("{")
    with pytest.raises(Failure, match="torn"):
        Output(tmp_path).record()

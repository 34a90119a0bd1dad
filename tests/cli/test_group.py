"""The command itself: how it is called, and how it ends."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner

from curvdetect import __main__
from curvdetect.cli import commands, main
from tests.cli.conftest import QUICK, scan


def test_help_is_on_the_standard_output_explains_every_option_and_fits_a_terminal(run):
    assert run("--version").stdout == f"curvdetect, version {version('curvdetect')}\n"
    assert list(main.commands) == ["scan", "report", "apply", "compare"]
    for command in ([], *([name] for name in main.commands)):
        result = run(*command, "--help")
        assert result.exit_code == 0
        assert result.stdout.startswith("Usage: ")
        assert max(map(len, result.stdout.splitlines())) <= 100
        assert run(*command, "-h").stdout == result.stdout
    for command in main.commands.values():
        assert [p.name for p in command.params if p.param_type_name == "option" and not p.help] == []


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (AttributeError("no\nsuch \x1b[31mthing"), 1, "AttributeError: no such \\x1b[31mthing (--debug shows where)"),
        (KeyboardInterrupt(), 130, "stopped."),
    ],
    ids=["unforeseen", "Ctrl-C"],
)
def test_an_error_is_one_line_and_debug_shows_where(run, monkeypatch, tmp_path, error, code, line):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(scan, "features_for", fail)
    call = ["scan", str(tmp_path), "--out", f"{tmp_path}-found"]
    result = run(*call)
    assert (result.exit_code, result.stderr) == (code, f"Error: {line}\n")
    result = CliRunner().invoke(main, [*call, "--debug"])
    assert result.exit_code == code
    assert "Traceback (most recent call last)" in result.stderr
    assert "in fail" in result.stderr


def test_a_process_of_its_own_leaves_plain_lines_and_a_page(table, tmp_path):
    words = ["scan", "digits.csv", "--out", "found", "--detector", "loss", "--q", 2, *QUICK]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    call = [sys.executable, "-m", "curvdetect", *map(str, words)]
    done = subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    lines = [
        "found/report.html: the suspects, to judge; curvdetect apply writes the corrected labels",
        "found/detector: the detector",
    ]
    assert done.stdout.splitlines()[-2:] == lines
    assert "\r" not in done.stdout + done.stderr
    assert (tmp_path / "found" / "report.html").read_text(encoding="utf-8").startswith("<!")
    assert {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*")} == {"digits.csv", "found"}


@pytest.mark.parametrize("fails", [False, True], ids=["loads", "fails"])
def test_no_garbage_is_looked_for_while_libraries_are_loaded_and_all_is_as_before_after(
    run, monkeypatch, tmp_path, fails
):
    seen = []

    def resolve(name):
        seen.append((name, gc.isenabled()))
        if fails:
            raise ImportError("torch is torn")
        return lambda **options: seen.append(gc.isenabled())

    at_exit = []
    monkeypatch.setattr("atexit.register", at_exit.append)
    monkeypatch.setattr(commands, "resolve_name", resolve)
    result = run("scan", tmp_path, "--out", tmp_path / "found")
    assert result.exit_code == fails
    assert seen == [("curvdetect.cli.scan:scan", False), True][: 2 - fails]
    assert gc.isenabled()
    assert not at_exit  # a program that calls the command may have garbage of its own


def test_a_process_looks_for_no_garbage_at_its_end_where_it_is_for_the_command_alone(monkeypatch):
    at_exit = []
    monkeypatch.setattr("atexit.register", at_exit.append)
    monkeypatch.setattr(__main__, "main", lambda prog_name: None)
    __main__.command()
    assert at_exit == [gc.freeze]

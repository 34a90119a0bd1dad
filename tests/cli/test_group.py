"""The command itself: how it is called, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner

from curvdetect.cli import main
from tests.cli.conftest import QUICK, scan

COMMANDS = ["scan", "report", "apply", "compare"]


def test_the_version_is_that_of_the_package(run):
    assert run("--version").stdout == f"curvdetect, version {version('curvdetect')}\n"


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)], ids=["all", *COMMANDS])
def test_help_is_on_the_standard_output_and_fits_a_terminal(run, command):
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: ")
    assert max(map(len, result.stdout.splitlines())) <= 100
    assert run(*command, "-h").stdout == result.stdout


def test_every_option_is_explained():
    assert list(main.commands) == COMMANDS
    for command in main.commands.values():
        assert [p.name for p in command.params if p.param_type_name == "option" and not p.help] == []


def broken(monkeypatch, error):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(scan, "read_data", fail)


def test_an_unforeseen_error_is_one_line_and_1(run, monkeypatch, tmp_path):
    broken(monkeypatch, AttributeError("no\nsuch \x1b[31mthing"))
    result = run("scan", tmp_path, "--out", tmp_path.with_name("found"))
    assert result.exit_code == 1
    assert result.stderr == "Error: AttributeError: no such \\x1b[31mthing (--debug shows where)\n"


@pytest.mark.parametrize(("error", "code"), [(AttributeError("broken"), 1), (KeyboardInterrupt(), 130)], ids=str)
def test_debug_shows_where(run, monkeypatch, tmp_path, error, code):
    broken(monkeypatch, error)
    call = ["scan", str(tmp_path), "--out", f"{tmp_path}-found"]
    assert len(run(*call).stderr.splitlines()) == 1
    result = CliRunner().invoke(main, [*call, "--debug"])
    assert result.exit_code == code
    assert "Traceback (most recent call last)" in result.stderr
    assert "in fail" in result.stderr


def python(folder, *args):
    """Start Python in a folder, where Ctrl-C works whatever started the tests."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    call = [sys.executable, *map(str, args)]
    return subprocess.Popen(call, cwd=folder, env=environment, stdout=pipe, stderr=pipe, text=True, encoding="utf-8")


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_a_real_ctrl_c_ends_with_130_and_says_what_was_kept_and_another_process_starts_anew(table, tmp_path):
    begin = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from curvdetect.cli import main; "
    call = "main(['scan', 'digits.csv', '--out', 'found', '--epochs', '10000', '--device', 'cpu'])"
    process = python(tmp_path, "-c", begin + call)
    try:
        until = time.monotonic() + 300
        while not (tmp_path / "found" / "checkpoints" / "repeat-0" / "checkpoint").exists():
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < until
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "--resume goes on from found/checkpoints." in err.splitlines()[-1]
    assert out == ""

    words = ("scan", "digits.csv", "--out", "found", "--overwrite", "--detector", "loss", "--q", 2, *QUICK)
    process = python(tmp_path, "-m", "curvdetect", *words)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert out.splitlines()[-2:] == ["found/report.html: the suspects, to look at", "found/detector: the detector"]
    assert "\r" not in out + err
    assert (tmp_path / "found" / "report.html").read_text(encoding="utf-8").startswith("<!")
    assert {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*")} == {"digits.csv", "found"}

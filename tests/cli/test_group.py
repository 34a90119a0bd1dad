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
from tests.cases import digits
from tests.cli.conftest import scan, write_table

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


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_explained(command):
    made = main.commands[command].params
    assert [param.name for param in made if param.param_type_name == "option" and not param.help] == []


@pytest.mark.parametrize("args", [["--no-such"], ["look"], ["scan"], ["scan", "."]], ids=" ".join)
def test_a_wrong_call_is_2(run, args):
    result = run(*args)
    assert result.exit_code == 2
    assert result.stderr.startswith("Usage: ")


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
def test_debug_shows_where(monkeypatch, tmp_path, error, code):
    broken(monkeypatch, error)
    result = CliRunner().invoke(main, ["scan", str(tmp_path), "--out", f"{tmp_path}-found", "--debug"])
    assert result.exit_code == code
    assert "Traceback (most recent call last)" in result.stderr
    assert "in fail" in result.stderr


def test_ctrl_c_before_anything_was_done_is_130(run, monkeypatch, tmp_path):
    broken(monkeypatch, KeyboardInterrupt())
    result = run("scan", tmp_path, "--out", tmp_path.with_name("found"))
    assert (result.exit_code, result.stderr) == (130, "Error: stopped.\n")


def python(*args, **options):
    """Start Python from elsewhere than the project's root, in which Ctrl-C works whatever started the tests."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, *map(str, args)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        **options,
    )


def test_a_process_of_its_own(table, tmp_path):
    args = ("scan", "digits.csv", "--out", "found", "--epochs", 1, "--device", "cpu", "--q", 2)
    process = python("-m", "curvdetect", *args, cwd=tmp_path)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert out.splitlines()[-2:] == ["found/report.html: the suspects, to look at", "found/detector: the detector"]
    assert "\r" not in out + err
    assert (tmp_path / "found" / "report.html").read_text(encoding="utf-8").startswith("<!")
    made = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*")}
    assert made == {"digits.csv", "found"}


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_a_real_ctrl_c_ends_with_130_and_says_what_was_kept(tmp_path):
    X, y = digits()
    write_table(tmp_path / "digits.csv", X, y)
    begin = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from curvdetect.cli import main; "
    call = "main(['scan', 'digits.csv', '--out', 'found', '--epochs', '10000', '--device', 'cpu'])"
    process = python("-c", begin + call, cwd=tmp_path)
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

"""What a terminal is shown."""

from __future__ import annotations

import io
import sys
import warnings

import pytest

from curvdetect.cli.console import explained, listed, safe, say, short, tell, warnings_as_lines

SHOWN = {
    "colour": ("\x1b[31mred", "\\x1b[31mred"),
    "new line": ("a\nb\rc", "a\\nb\\rc"),
    "right to left": ("\u202egnp.exe", "\\u202egnp.exe"),
    "line separator": ("a\u2028b", "a\\u2028b"),
    "no encoding": ("\udcff", "\\udcff"),
    "other writing": ("猫 größe", "猫 größe"),
    "number": (3, "3"),
}


@pytest.mark.parametrize(("text", "shown"), SHOWN.values(), ids=SHOWN)
def test_control_characters_are_spelled_out(text, shown):
    assert safe(text) == shown


@pytest.mark.parametrize("n", [1, 59, 60, 61, 300, 4000])
def test_long_names_keep_their_ends(n):
    text = "a" * (n - 1) + "z"
    assert len(short(text)) == min(n, 60)
    assert short(text).endswith("z")


def test_many_names_are_counted():
    assert listed(["a", "b\n"]) == "'a', 'b\\n'"
    assert listed(["a" * 100, "b" * 100, "c" * 100]).endswith("a', '" + "b" * 30 + "…" + "b" * 29 + "' and 1 more")
    assert listed(range(12)) == "'0', '1', '2', '3', '4', '5', '6', '7', '8', '9' and 2 more"


def test_results_and_messages_go_different_ways(capsys, monkeypatch):
    tell("result")
    say("message")
    assert capsys.readouterr() == ("result\n", "message\n")
    monkeypatch.setattr(sys, "stderr", None)
    say("to nobody")


@pytest.mark.parametrize(("stream", "write"), [("stdout", tell), ("stderr", say)], ids=["stdout", "stderr"])
def test_a_stream_of_few_letters_is_no_error(monkeypatch, stream, write):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, stream, io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    write("größe 猫")
    assert raw.getvalue() == b"gr\\xf6\\xdfe \\u732b\n"


def test_warnings_are_one_line_each_said_once_and_name_options(capsys):
    with warnings_as_lines():
        warnings.warn("raise max_epochs,\n  or \x1b[31m", UserWarning, stacklevel=1)
        warnings.warn("raise max_epochs, or\n\x1b[31m", UserWarning, stacklevel=1)
        warnings.warn("of no use to anybody here", DeprecationWarning, stacklevel=1)
    assert capsys.readouterr() == ("", "warning: raise --epochs, or \\x1b[31m\n")


def _noted():
    error = OSError(28, "No space left on device")
    error.add_note("pass another directory.")
    return error


ERRORS = {
    "value": (ValueError("q must be\n a share"), "q must be a share"),
    "file": (FileNotFoundError(2, "No such file or directory", "a/b"), "No such file or directory: 'a/b'"),
    "note": (_noted(), "[Errno 28] No space left on device pass another directory."),
    "memory": (MemoryError(), "the memory is full."),
    "fault": (KeyError("loss"), "KeyError: 'loss' (--debug shows where)"),
    "nothing said": (ValueError(), "ValueError:  (--debug shows where)"),
}


@pytest.mark.parametrize(("error", "line"), ERRORS.values(), ids=ERRORS)
def test_an_error_is_one_line(error, line):
    assert explained(error) == line

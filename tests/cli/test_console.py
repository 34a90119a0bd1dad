"""What a terminal is shown."""

from __future__ import annotations

import io
import sys
import warnings

import pytest

from curvdetect.cli.console import explained, say, tell, warnings_as_lines
from curvdetect.data.wording import listed, safe, short

SHOWN = {
    "\x1b[31mred": "\\x1b[31mred",
    "a\nb\rc": "a\\nb\\rc",
    "\u202egnp.exe": "\\u202egnp.exe",
    "a\u2028b": "a\\u2028b",
    "\udcff": "\\udcff",
    "猫 größe": "猫 größe",
    3: "3",
}


def test_control_characters_are_spelled_out_and_long_or_many_names_are_cut():
    assert {text: safe(text) for text in SHOWN} == SHOWN
    for n in (1, 59, 60, 61, 300, 4000):
        line = short("a" * (n - 1) + "z")
        assert (len(line), line[-1]) == (min(n, 60), "z")
    assert listed(["a", "b\n"]) == "'a', 'b\\n'"
    assert listed(["a" * 100, "b" * 100, "c" * 100]).endswith("a', '" + "b" * 30 + "…" + "b" * 29 + "' and 1 more")
    assert listed(range(12)) == "'0', '1', '2', '3', '4', '5', '6', '7', '8', '9' and 2 more"


def test_results_and_messages_go_different_ways_whatever_a_stream_can_write(capsys, monkeypatch):
    tell("result")
    say("message")
    assert capsys.readouterr() == ("result\n", "message\n")
    for stream, write in {"stdout": tell, "stderr": say}.items():
        raw = io.BytesIO()
        monkeypatch.setattr(sys, stream, io.TextIOWrapper(raw, encoding="ascii", write_through=True))
        write("größe 猫")
        assert raw.getvalue() == b"gr\\xf6\\xdfe \\u732b\n"
    monkeypatch.setattr(sys, "stderr", None)
    say("to nobody")


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

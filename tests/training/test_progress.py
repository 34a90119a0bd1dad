"""How far a training is, on a terminal and elsewhere."""

from __future__ import annotations

import io
import sys

import pytest

from curvdetect.training import progress
from curvdetect.training.progress import Lines, progress_bar, start_at


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that tests set."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_a_pipe_gets_a_line_every_few_seconds_and_a_last_one(clock, capsys):
    bar = progress_bar(100, shown=True, desc="memorizing", unit="samples")
    for second in range(1, 13):
        clock[0] = second
        bar.set_postfix_str(f"epoch {second}/20")
        bar.update(5)
    bar.close()
    bar.close()
    assert capsys.readouterr() == (
        "",
        "memorizing: 25% (epoch 5/20), 00:05 gone, 00:15 left\n"
        "memorizing: 50% (epoch 10/20), 00:10 gone, 00:10 left\n"
        "memorizing: 60% (epoch 12/20), 00:12 gone, 00:08 left\n",
    )


def test_the_lines_of_a_long_run_grow_rarer(clock, capsys):
    bar = progress_bar(10_000, shown=True, desc="memorizing", unit="samples")
    for second in range(1, 10_001):
        clock[0] = second
        bar.update()
    assert 20 < len(capsys.readouterr().err.splitlines()) < 130


def test_what_an_earlier_process_did_takes_no_time(clock, capsys):
    bar = progress_bar(100, shown=True, desc="memorizing", unit="samples")
    start_at(bar, 90)
    clock[0] = 6
    bar.update(5)
    assert capsys.readouterr().err == "memorizing: 95%, 00:06 gone, 00:06 left\n"


def test_nothing_is_said_where_nothing_was_done(capsys):
    progress_bar(100, shown=True, desc="memorizing", unit="samples").close()
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_bar(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    bar = progress_bar(100, shown=True, desc="memorizing", unit="samples")
    start_at(bar, 50)
    bar.update(50)
    bar.close()
    assert "\r" in sys.stderr.getvalue()
    assert "100/100" in sys.stderr.getvalue()


def test_nobody_is_shown_what_was_not_asked_for(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    bar = progress_bar(100, shown=False, desc="memorizing", unit="samples")
    start_at(bar, 50)
    bar.update(50)
    bar.close()
    assert sys.stderr.getvalue() == ""


def test_a_process_without_a_standard_error_works(monkeypatch, clock):
    monkeypatch.setattr(sys, "stderr", None)
    bar = progress_bar(10, shown=True, desc="memorizing", unit="samples")
    bar.update(10)
    bar.close()
    assert isinstance(bar, Lines)

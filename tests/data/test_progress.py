"""How far a training is, on a terminal and elsewhere, and how long its parts take."""

from __future__ import annotations

import io
import sys
import time

import pytest
import torch

from curvdetect.data import progress
from curvdetect.data.progress import Clock, Lines, progress_bar


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
    bar.n = bar.initial = bar.last_print_n = 90
    clock[0] = 6
    bar.update(5)
    assert capsys.readouterr().err == "memorizing: 95%, 00:06 gone, 00:06 left\n"


@pytest.mark.parametrize("shown", [True, False])
def test_a_terminal_gets_a_bar_where_it_was_asked_for(monkeypatch, shown):
    monkeypatch.setattr(sys, "stderr", Terminal())
    bar = progress_bar(100, shown=shown, desc="memorizing", unit="samples")
    bar.n = bar.initial = bar.last_print_n = 50
    bar.update(50)
    bar.close()
    written = sys.stderr.getvalue()
    assert ("\r" in written and "100/100" in written) if shown else written == ""


def test_a_process_without_a_standard_error_works(monkeypatch, clock):
    monkeypatch.setattr(sys, "stderr", None)
    bar = progress_bar(10, shown=True, desc="memorizing", unit="samples")
    bar.update(10)
    bar.close()
    assert isinstance(bar, Lines)


class Event:
    """Stand in for CUDA's: the device passes one every 250 milliseconds, and may be behind."""

    passed, behind = 0, False

    def __init__(self, *, enable_timing):
        assert enable_timing

    def record(self, stream):
        assert stream == "stream of cuda:1"
        Event.passed += 1
        self.at = 250.0 * Event.passed

    def query(self):
        return not Event.behind

    def elapsed_time(self, end):
        return end.at - self.at


@pytest.fixture
def events(monkeypatch):
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: f"stream of {device}")
    monkeypatch.setattr(Event, "behind", False)


def test_parts_of_one_name_add_up_until_they_are_read(device):
    watch = Clock(device)
    for name in ("long", "short", "long"):
        with watch.timing(name):
            torch.ones(3, device=device).sum()
            time.sleep(0.002 if name == "long" else 0)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    spent = watch.read()
    assert list(spent) == ["long", "short"]
    assert all(seconds > 0 for seconds in spent.values())
    assert watch.read() == {}


def test_on_cuda_the_devices_clock_is_read_and_a_part_holds_what_is_within_it(events):
    watch = Clock(torch.device("cuda:1"))
    with watch.timing("all"), watch.timing("a part"):
        pass
    assert watch.read() == {"a part": 0.25, "all": 0.75}
    assert watch.read() == {}


@pytest.mark.parametrize(("behind", "left"), [(False, 2), (True, 5)], ids=["in time", "behind"])
def test_times_do_not_pile_up_and_a_device_that_is_behind_is_not_waited_for(events, monkeypatch, behind, left):
    monkeypatch.setattr(progress, "MANY", 2)
    monkeypatch.setattr(Event, "behind", behind)
    watch = Clock(torch.device("cuda:1"))
    for _ in range(5):
        with watch.timing("one"):
            pass
    assert len(watch._asked) == left
    assert watch.read() == {"one": 5 * 0.25}

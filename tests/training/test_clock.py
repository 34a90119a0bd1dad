"""Parts are timed where they are done, without waiting for it."""

from __future__ import annotations

import time

import pytest
import torch

from curvdetect.training import clock
from curvdetect.training.clock import Clock


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
    monkeypatch.setattr(clock, "MANY", 2)
    monkeypatch.setattr(Event, "behind", behind)
    watch = Clock(torch.device("cuda:1"))
    for _ in range(5):
        with watch.timing("one"):
            pass
    assert len(watch._asked) == left
    assert watch.read() == {"one": 5 * 0.25}

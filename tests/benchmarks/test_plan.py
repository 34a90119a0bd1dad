"""The plan for larger data: formulas by cases reckoned by hand, and the script end to end on next to nothing."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import torch

from curvdetect.detectors.measured import watching
from curvdetect.signals.dynamics import OtherLabelVote
from curvdetect.signals.evaluated import Curvature
from curvdetect.signals.signal import Batch, Plan
from tests.benchmarks.conftest import rows_of

#: 10 ms to train on a sample, 20 to score it, 4 to read it; 1 MB of gradients, 1 MB a second between processes.
RATES = {"train": 0.01, "passes": {1: 0.02}, "read": 0.004, "bandwidth": 1e6, "gradient": 1e6}
RUN = {"samples": 1000, "epochs": 10, "every": 4, "n": 1, "batch": 50, "workers": 1}


@pytest.fixture
def planning(script):
    from harness import planning

    return planning


def spent(planning, processes=1, run=(), rates=()):
    return planning.seconds(planning.Run(**{**RUN, **dict(run)}), planning.Rates(**{**RATES, **dict(rates)}), processes)


def test_one_device_exchanges_nothing(planning):
    # 10 epochs of 1,000 x 10 ms; epochs 2, 6 and 10 are scored, at 1,000 x 20 ms
    assert spent(planning) == {"training": 100, "scoring": 60, "waiting": 0, "gradients": 0, "sums": 0}


def test_two_devices_share_the_work_and_exchange_what_the_ring_passes(planning):
    found = spent(planning, 2)
    # 10 steps an epoch, and of 1 MB among two 1 MB passes each connection
    assert found["gradients"] == pytest.approx(10 * 10 * 1.0)
    # 1,000 samples: 10 times 44 bytes, 3 times 12, and 12
    assert found["sums"] == pytest.approx(1000 * (440 + 36 + 12) / 1e6)
    assert (found["training"], found["scoring"]) == (50, 30)


def test_four_devices_pass_one_and_a_half_times_the_size(planning):
    assert planning.reduced(8e6, 4, 1e6) == pytest.approx(12)
    assert planning.reduced(8e6, 1, 1e6) == 0


WAITING = {
    "readers keep up": ({}, 0.004, 0),
    "two readers keep up": ({"workers": 2}, 0.02, 0),
    # of 25 ms, 10 are trained meanwhile in ten epochs, and 20 scored in three
    "they don't": ({}, 0.025, 1000 * (10 * 0.015 + 3 * 0.005)),
    "nor do two": ({"workers": 2}, 0.05, 1000 * (10 * 0.015 + 3 * 0.005)),
}


@pytest.mark.parametrize(("run", "read", "expected"), WAITING.values(), ids=WAITING)
def test_what_is_read_while_it_is_computed_costs_nothing(planning, run, read, expected):
    assert spent(planning, 1, run, {"read": read})["waiting"] == pytest.approx(expected)


def test_dollars_are_of_all_devices(planning):
    run, rates = planning.Run(**RUN), planning.Rates(**RATES)
    whole = 50 + 30 + 100 + 0.488
    assert planning.dollars(run, rates, 2, 3.0) == pytest.approx(whole / 3600 * 2 * 3)


DOMINATING = {
    "training": (1, {}, {}),
    "scoring": (1, {"every": 1}, {}),
    "waiting": (1, {}, {"read": 0.1}),
    "gradients": (2, {}, {}),
    "sums": (2, {"batch": 100_000}, {"bandwidth": 1e3, "gradient": 1.0}),
}


@pytest.mark.parametrize("term", DOMINATING)
def test_what_takes_longest_is_named(planning, term):
    processes, run, rates = DOMINATING[term]
    run, rates = planning.Run(**{**RUN, **run}), planning.Rates(**{**RATES, **rates})
    assert planning.dominating(run, rates, processes) == term


def test_a_faster_device_scores_faster_in_proportion(planning):
    faster = planning.at_rate(planning.Rates(**RATES), 500, 7.0)
    assert (faster.train, faster.passes[1]) == pytest.approx((0.002, 0.004))
    assert (faster.read, faster.bandwidth, faster.gradient) == (0.004, 7.0, 1e6)


class Counting:
    """An exchange that counts bytes."""

    def __init__(self):
        self.bytes = 0

    def sum(self, *tensors):
        # short integers travel as longer ones
        self.bytes += sum(tensor.numel() * max(4, tensor.element_size()) for tensor in tensors)

    largest = sum

    def in_turn(self, *tensors):
        raise AssertionError("no sample was seen by two processes")


def test_the_bytes_that_are_planned_for_are_those_that_signals_exchange(planning):
    n, found = 1000, {"training": 0.0, "scoring": 0.0, "final": 0.0}
    for signal in [*watching([Curvature(h=1e-2, n=1, power=1, seed=0)]), OtherLabelVote()]:
        exchange = Counting()
        signal.start(Plan(n, 10, 1, torch.device("cpu"), exchange=exchange))
        x, y, weights = torch.rand(n, 4), torch.zeros(n, dtype=torch.int64), torch.rand(4, 10)
        logits = x @ weights
        signal.update(
            Batch(torch.arange(n), x, y, epoch=1, quarter=0, forward=lambda x, w=weights: x @ w, logits=logits)
        )
        signal.end_epoch()
        found[signal.stage] += exchange.bytes / n
    planned = planning.EXCHANGED_TRAINING, planning.EXCHANGED_SCORING, planning.EXCHANGED_FINAL
    # but for a number or two of each signal
    assert tuple(found.values()) == pytest.approx(planned, abs=0.1)


@pytest.mark.slow
def test_everything_is_measured_and_every_table_written(script, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(script.throughput, "network", small)
    monkeypatch.setattr(script.footprint, "FEW", 200)
    monkeypatch.setattr(script.footprint, "_elsewhere", lambda _, way, n, side: script.footprint.bytes_of(way, n, 4))
    quick = ["--side", "8", "--samples", "8", "--batch-size", "4", "--pictures", "2", "--memory-samples", "500"]
    script.main([*quick, "--repeats", "1", "--device", "cpu", "--threads", "1", "--out", str(tmp_path)])
    rows = rows_of(tmp_path)
    found = {row["what"]: row for row in rows}
    assert set(found) == {"compute", "reading", "exchange", "memory"}
    assert set(found["compute"]["passes"]) == {"1", "10"}
    assert found["memory"]["checkpoint"] > 0
    assert all(found[what][key] > 0 for what, key in (("reading", "read"), ("exchange", "bandwidth")))
    text = capsys.readouterr().out
    for heading in ("Measured", "Hours and dollars as measured", "If a device trains on", "What grows with"):
        assert f"## {heading}" in text
    assert text.count("| ImageNet, n = 10 ") == 6


def small(n_classes=1000):
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, n_classes))


def test_numbers_are_told_to_three_digits(script):
    told = [script.plans.number(value) for value in (0.01234, 1.0, 99.96, 123.4, 12345.6)]
    assert told == ["0.0123", "1", "100", "123", "12,346"]


@pytest.mark.parametrize("way", ["plain", "loader", "kept"])
def test_every_part_of_a_fit_is_told_apart(script, monkeypatch, capsys, way):
    monkeypatch.setattr(script.footprint, "FEW", 200)
    script.main(["--memory-of", way, "300", "4"])
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"labels", "training", "after", "checkpoint"}
    # sums in float64 and counts of five signals, and more for the quarters of two
    assert (found["checkpoint"] > 160 * 300) == (way == "kept")


def test_what_a_sample_adds_is_the_difference_of_two_fits_elsewhere(script, monkeypatch):
    def run(words, env, **kwargs):
        way, n, side = words[-3:]
        assert env["MALLOC_MMAP_THRESHOLD_"] == env["MALLOC_TRIM_THRESHOLD_"] == "100000"
        assert int(n) * int(side) ** 2 * 8 > 2 * 2**30  # more than is kept
        per_sample = {"plain": 5, "loader": 45, "kept": 165}[way]
        parts = {"labels": 3, "training": per_sample, "after": 7, "checkpoint": 160 if way == "kept" else 0}
        told = {what: 10**8 + size * int(n) for what, size in parts.items()}
        return SimpleNamespace(stdout=f"a warning\n{json.dumps(told)}\n")

    monkeypatch.setattr(script.footprint.subprocess, "run", run)
    expected = {"labels": 3, "training": 5, "after": 7, "loader": 40, "training_kept": 165, "checkpoint": 160}
    assert script.footprint.per_sample(1_000_000, "a script") == expected

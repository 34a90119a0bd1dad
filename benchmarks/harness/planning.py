"""Hours and dollars of a run that nobody has made yet, from what a sample costs: formulas alone, nothing is measured.

Work is shared evenly. A process reads ahead while it computes, so of the two the longer counts; gradients and sums
are exchanged while nothing else happens, as the package does it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

#: Bytes a sample that processes exchange after a training epoch: sums (8) and counts (4) of loss and margin, sums of
#: learning time (4), the votes for another label (16). After a scored epoch and after the last one: one sum and count.
EXCHANGED_TRAINING, EXCHANGED_SCORING, EXCHANGED_FINAL = 44, 12, 12
TERMS = {
    "training": "forward, backward and step",
    "scoring": "curvature",
    "waiting": "waiting for pictures",
    "gradients": "exchange of gradients",
    "sums": "exchange of sums and counts",
}


@dataclass(frozen=True)
class Rates:
    """What one device, one reading process and one connection can do."""

    train: float
    """Seconds a sample of training on one device."""
    passes: dict[int, float]
    """Seconds a sample of a scoring pass, by probes."""
    read: float
    """Seconds a sample of one reading process."""
    bandwidth: float
    """Bytes a second that an all-reduce moves through each process's connection."""
    gradient: float
    """Bytes of all gradients."""


@dataclass(frozen=True)
class Run:
    """What is planned."""

    samples: int
    epochs: int
    every: int
    n: int
    batch: int
    """Samples a step and device."""
    workers: int
    """Reading processes a device."""

    @property
    def scored(self) -> int:
        """Number of scored epochs, counted back from the last."""
        return math.ceil(self.epochs / self.every)


def reduced(size: float, processes: int, bandwidth: float) -> float:
    """Return the seconds of a ring all-reduce of ``size`` bytes: 2 (k - 1) / k of them pass each connection."""
    return 2 * (processes - 1) / processes * size / bandwidth


def seconds(run: Run, rates: Rates, processes: int) -> dict[str, float]:
    """Return the seconds of a run on so many devices, by term."""
    share = run.samples / processes
    steps = math.ceil(run.samples / (run.batch * processes))
    reading = share * rates.read / run.workers
    training, scoring = share * rates.train, share * rates.passes[run.n]
    sums = run.epochs * EXCHANGED_TRAINING + run.scored * EXCHANGED_SCORING + EXCHANGED_FINAL
    return {
        "training": run.epochs * training,
        "scoring": run.scored * scoring,
        "waiting": run.epochs * max(0.0, reading - training) + run.scored * max(0.0, reading - scoring),
        "gradients": run.epochs * steps * reduced(rates.gradient, processes, rates.bandwidth),
        "sums": reduced(run.samples * sums, processes, rates.bandwidth),
    }


def dollars(run: Run, rates: Rates, processes: int, price: float) -> float:
    """Return what it costs at a price for a device and hour."""
    return sum(seconds(run, rates, processes).values()) / 3600 * processes * price


def dominating(run: Run, rates: Rates, processes: int) -> str:
    """Return the term that takes longest."""
    spent = seconds(run, rates, processes)
    return max(spent, key=spent.__getitem__)


def at_rate(rates: Rates, per_second: float, bandwidth: float) -> Rates:
    """Return rates of a device that trains on so many samples a second, and scores faster in proportion."""
    faster = rates.train * per_second
    passes = {n: spent / faster for n, spent in rates.passes.items()}
    return Rates(1 / per_second, passes, rates.read, bandwidth, rates.gradient)

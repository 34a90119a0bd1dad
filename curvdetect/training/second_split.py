"""Training in two stages: on one half of the samples until it is memorized, then on the other half.

Both halves take both parts, so that every sample is learned in a first stage and watched in a second.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold

from curvdetect.data.samples import Samples
from curvdetect.data.types import Record
from curvdetect.signals.dynamics import OtherLabelVote
from curvdetect.signals.evaluated import ForgettingLoss, ForgettingTime, ForgottenShare, Learned
from curvdetect.signals.signal import Signal
from curvdetect.training.memorize import Run, memorize
from curvdetect.training.settings import Settings


@dataclass
class SecondSplit:
    """What both directions of a second split left behind; arrays are in the order of the samples."""

    half: NDArray[np.int64]
    """Which of the two halves a sample was learned in, 0 or 1."""
    scores: dict[str, NDArray[np.float64]]
    """Signals of both stages by name."""
    other: NDArray[np.int64]
    """Best label other than the given one, by the network of the second stage."""
    history: list[Record] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    train_accuracy: float = 1.0
    """Lower of the two accuracies after the first stage."""


def stratified_halves(labels: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return which half each sample is in, 0 or 1: at random, every class shared out evenly."""
    if np.bincount(labels).max() < 2:
        raise ValueError(
            "y holds every label only once. Second-split forgetting learns a label from one half of the samples and "
            "watches it while training on the other: it needs at least one class of two samples."
        )
    half = np.zeros(len(labels), dtype=np.int64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        folds = StratifiedKFold(2, shuffle=True, random_state=seed % 2**32)
        half[next(iter(folds.split(labels, labels)))[1]] = 1
    return half


def second_split(
    samples: Samples,
    settings: Settings,
    *,
    second_epochs: int | None = None,
    first_signals: Callable[[int], Sequence[Signal]] = lambda seed: (),
) -> SecondSplit:
    """Learn each half of the samples, and watch it while a copy of the network is trained on the other."""
    half = stratified_halves(samples.labels.numpy(), settings.seed)
    found = SecondSplit(half, {}, np.full(len(samples), -1, dtype=np.int64))
    for direction in (0, 1):
        mine, theirs = np.flatnonzero(half == direction), np.flatnonzero(half != direction)
        here, there = (samples.only(torch.from_numpy(index)) for index in (mine, theirs))
        first_seed, second_seed = np.random.SeedSequence([settings.seed, direction]).generate_state(2).tolist()
        learned, watching = Learned(), list(first_signals(first_seed))
        first = _finished(memorize(here, [*watching, learned], _stage(settings, direction, "learning", first_seed)))
        vote = OtherLabelVote("scoring")
        forgetting: list[Signal] = [ForgettingTime(learned.scores() > 0), ForgottenShare(), ForgettingLoss()]
        changed = replace(settings, net=first.net, max_epochs=second_epochs, every=1)
        told = _stage(changed, direction, "forgetting", second_seed)
        with warnings.catch_warnings():
            # of interest is what becomes of the first half
            warnings.simplefilter("ignore", ConvergenceWarning)
            second = _finished(memorize(there, [*forgetting, vote], told, watched=here, weights=first.net))
        for signal in [*watching, *forgetting]:
            found.scores.setdefault(signal.name, np.full(len(samples), np.nan))[mine] = signal.scores()
        found.other[mine] = vote.scores().astype(np.int64)
        found.train_accuracy = min(found.train_accuracy, first.train_accuracy)
        for stage, run in ((1, first), (2, second)):
            found.history += [{"half": direction, "stage": stage, **record} for record in run.history]
            for name, spent in run.seconds.items():
                found.seconds[name] = found.seconds.get(name, 0.0) + spent
    return found


def _stage(settings: Settings, direction: int, name: str, seed: int) -> Settings:
    """Return the settings of one of the four trainings."""
    progress = settings.progress and f"half {direction + 1} of 2, {name}"
    checkpoints = settings.checkpoints.part(f"half-{direction}-{name}")
    return replace(settings, progress=progress, checkpoints=checkpoints, seed=seed)


def _finished(run: Run) -> Run:
    """Return a run, or raise what ended it: half of the samples would have no score."""
    if run.interrupt is not None:
        raise run.interrupt
    return run

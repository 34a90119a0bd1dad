"""Training in two stages: on one half of the samples until it is memorized, then on the other half.

Both halves take both parts, so that every sample is learned in a first stage and watched in a second. What is measured
is the signals'; this refuses to average over seeds and to decide what is suspect.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold

from curvdetect.data.sources import Part, Samples
from curvdetect.signals.forgetting import ForgettingLoss, ForgettingTime, ForgottenShare, Learned
from curvdetect.signals.signal import Signal
from curvdetect.signals.vote import OtherLabelVote
from curvdetect.training.checkpoints import NOWHERE, Checkpoints
from curvdetect.training.memorize import Run, memorize


@dataclass
class SecondSplit:
    """What both directions of a second split left behind; arrays are in the order of the samples."""

    half: NDArray[np.int64]
    """Which of the two halves a sample was learned in, 0 or 1."""
    scores: dict[str, NDArray[np.float64]]
    """Signals of both stages by name."""
    other: NDArray[np.int64]
    """Best label other than the given one, in the eyes of the second stage."""
    history: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    train_accuracy: float = 1.0
    """Lower of the two accuracies after the first stage."""


def stratified_halves(labels: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return for each sample which half it is in, 0 or 1, at random with every class shared out evenly.

    Parameters
    ----------
    labels : array of shape (n_samples,)
        Encoded labels. A class of a single sample goes to one half.
    seed : int
        Of the draw.
    """
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
    net: Any,
    samples: Samples,
    *,
    first_signals: Callable[[int], Sequence[Signal]] = lambda seed: (),
    first_epochs: int | None = None,
    second_epochs: int | None = None,
    stop_at: float | None = None,
    patience: int = 1,
    every: int | str = "auto",
    device: torch.device,
    seed: int,
    progress: bool = False,
    checkpoints: Checkpoints = NOWHERE,
) -> SecondSplit:
    """Learn each half of the samples, and watch it while the network goes on training on the other.

    The second stage is a fresh copy of the first stage's net with its weights loaded: optimizer and schedule start
    anew.

    Parameters
    ----------
    net : see `memorize`
        What is trained, four times.
    samples : Samples
        The data.
    first_signals : callable, optional
        From a seed to fresh signals that watch the first stage.
    first_epochs, second_epochs : int, optional
        Length of each stage; the net's own, and that of the first stage.
    stop_at, patience
        Where a stage ends early: after so many epochs in a row with this training accuracy.
    every : int or "auto"
        Distance of the epochs that scoring signals of the first stage see. In the second every epoch is looked at.
    device, seed, progress
        As in `memorize`.
    checkpoints : Checkpoints, optional
        Each of the four trainings has a part of it.

    Raises
    ------
    KeyboardInterrupt
        Where Ctrl-C ended one of the stages: half of the samples would have no score.
    """
    half = stratified_halves(samples.labels.numpy(), seed)
    found = SecondSplit(half, {}, np.full(len(samples), -1, dtype=np.int64))
    common: dict[str, Any] = {"stop_at": stop_at, "patience": patience, "device": device}
    for direction in (0, 1):
        mine, theirs = np.flatnonzero(half == direction), np.flatnonzero(half != direction)
        here, there = (Part(samples, torch.from_numpy(index)) for index in (mine, theirs))
        seeds = np.random.SeedSequence([seed, direction]).generate_state(2).tolist()
        learned, watching = Learned(), list(first_signals(seeds[0]))
        first = memorize(
            net,
            here,
            [*watching, learned],
            max_epochs=first_epochs,
            every=every,
            seed=seeds[0],
            progress=progress and f"half {direction + 1} of 2, learning",
            checkpoints=checkpoints.part(f"half-{direction}-learning"),
            **common,
        )
        _go_on(first)
        vote = OtherLabelVote("scoring")
        forgetting: list[Signal] = [ForgettingTime(learned.scores() > 0), ForgottenShare(), ForgettingLoss()]
        with warnings.catch_warnings():
            # of interest is what becomes of the first half
            warnings.simplefilter("ignore", ConvergenceWarning)
            second = memorize(
                first.net,
                there,
                [*forgetting, vote],
                watched=here,
                weights=first.net,
                max_epochs=second_epochs,
                every=1,
                seed=seeds[1],
                progress=progress and f"half {direction + 1} of 2, forgetting",
                checkpoints=checkpoints.part(f"half-{direction}-forgetting"),
                **common,
            )
        _go_on(second)
        for signal in [*watching, *forgetting]:
            found.scores.setdefault(signal.name, np.full(len(samples), np.nan))[mine] = signal.scores()
        found.other[mine] = vote.scores().astype(np.int64)
        found.train_accuracy = min(found.train_accuracy, first.train_accuracy)
        for stage, run in ((1, first), (2, second)):
            found.history += [{"half": direction, "stage": stage, **record} for record in run.history]
            for name, spent in run.seconds.items():
                found.seconds[name] = found.seconds.get(name, 0.0) + spent
    return found


def _go_on(run: Run) -> None:
    """Raise the Ctrl-C that ended a run."""
    if run.interrupt is not None:
        raise run.interrupt

"""What a training is told by its detector: one object, made once and passed whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from curvdetect.training.checkpoints import NOWHERE, Checkpoints

#: Share of the epochs that "auto" scores: at n = 1 half of a training, a third without contrast.
SHARE = 0.25
#: Fewest and most epochs that "auto" scores; a shorter training is scored after each.
FEWEST, MOST = 8, 24


@dataclass(frozen=True)
class Settings:
    """How a net is trained, and how far the training is watched, kept and shown."""

    net: Any
    """None, a name, a skorch net, or a module or its class; None and names are sized from the data."""
    device: torch.device
    seed: int
    """Of weights, order and augmentation."""
    max_epochs: int | None = None
    """The net's own for None."""
    stop_at: float | None = None
    """Stop after ``patience`` epochs in a row with at least this training accuracy."""
    patience: int = 1
    every: int | str = "auto"
    """Which epochs scoring signals see: see `scored_epochs`."""
    progress: bool | str = False
    """Whether to draw a progress bar, and what it calls the training."""
    checkpoints: Checkpoints = NOWHERE
    """Where the training is kept after each epoch, and taken up if it was cut short."""
    keep_snapshots: int = 0
    """Number of scored epochs whose weights are kept."""


def scored_epochs(n_epochs: int, every: int | str) -> frozenset[int]:
    """Return the epochs, counted from 1, after which samples are scored; the last is always among them.

    A number is the distance of scored epochs, counted back from the last. "auto" takes a quarter of the epochs, at
    least 8 and at most 24, at distances that grow: labels tell most while the network learns them.

    >>> sorted(scored_epochs(10, 4))
    [2, 6, 10]
    >>> sorted(scored_epochs(100, "auto"))[:12]
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 15]
    """
    if every != "auto":
        return frozenset(range(n_epochs, 0, -int(every)))
    wanted = min(n_epochs, MOST, max(FEWEST, round(SHARE * n_epochs)))
    points = wanted
    while len(epochs := _growing(n_epochs, points)) < wanted:
        points += 1
    return epochs


def _growing(n_epochs: int, points: int) -> frozenset[int]:
    """Return whole numbers from 1 to ``n_epochs``, close to a geometric sequence of ``points``."""
    return frozenset(np.geomspace(1, n_epochs, points).round().astype(int).tolist())

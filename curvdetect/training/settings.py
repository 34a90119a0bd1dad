"""What a training is told by its detector: one object, made once and passed whole."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from curvdetect.training.checkpoints import NOWHERE, Checkpoints

#: Share of the epochs that "auto" scores, the fewest and the most of them, and the shares of the training between which
#: it scores: with the default net labels tell most while they are learned. A pass over rows of numbers costs less
#: beside an epoch, and the ranking of rows gains more by each. Other nets learn at a pace of their own. A shorter
#: training is scored after each epoch.
SCORED = {"rows": (1 / 3, 10, 24, 0.1, 0.5), "pictures": (1 / 8, 4, 12, 0.1, 0.4), "own net": (1 / 4, 8, 24, 0.0, 1.0)}


@dataclass(frozen=True)
class Settings:
    """How a net is trained, and how far the training is watched, kept and shown."""

    net: object
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
    memorizes: bool = True
    """Whether the training is to last until the labels are memorized."""


def scored_epochs(n_epochs: int, every: int | str, learned: str) -> frozenset[int]:
    """Return the epochs, counted from 1, after which samples are scored; ``learned`` is a key of `SCORED`."""
    if every != "auto":
        return frozenset(range(n_epochs, 0, -int(every)))
    share, fewest, most, begin, end = SCORED[learned]
    points = wanted = min(n_epochs, most, max(fewest, round(share * n_epochs)))
    first = min(max(1, round(begin * n_epochs)), n_epochs - wanted + 1)
    last = max(round(end * n_epochs), first + wanted - 1)
    epochs: frozenset[int] = frozenset()
    while len(epochs) < wanted:  # rounding joins neighbours
        epochs = frozenset(np.geomspace(first, last, points).round().astype(int).tolist())
        points += 1
    return epochs


def snapshot_epochs(scored: Collection[int], keep: int) -> frozenset[int]:
    """Return ``keep`` of the scored epochs, evenly chosen, or all of them."""
    epochs = sorted(scored)
    keep = min(keep, len(epochs))
    return frozenset(epochs[(2 * i + 1) * len(epochs) // (2 * keep)] for i in range(keep))


@contextmanager
def deterministically(wanted: bool) -> Iterator[None]:
    """Let the block, where ``wanted``, compute sums in one order: on one CPU thread, and by such kernels on CUDA."""
    threads, algorithms = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    try:
        if wanted:
            torch.set_num_threads(1)
            torch.use_deterministic_algorithms(True, warn_only=True)
        yield
    finally:
        if wanted:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(algorithms, warn_only=warn_only)

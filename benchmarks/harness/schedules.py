"""Which epochs of a training the curvature is measured after."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import numpy as np
from scipy.stats import spearmanr
from torch import nn

from curvdetect import CurvatureNoiseDetector

from .quiet import quietly

#: Correlation of the ranks of two running means, five scored epochs apart, at which a ranking is called settled.
SETTLED = 0.99
APART = 5


def every(k: int, values: np.ndarray) -> np.ndarray:
    """Return every k-th epoch, counted back from the last."""
    return np.arange(len(values) - 1, -1, -k)[::-1]


def share(start: float, stop: float, k: int, values: np.ndarray) -> np.ndarray:
    """Return every k-th epoch of a part of the training."""
    first, last = round(start * len(values)), round(stop * len(values))
    return np.arange(last - 1, first - 1, -k)[::-1]


def dense_early(m: int, values: np.ndarray) -> np.ndarray:
    """Return m epochs, at distances that grow with time."""
    n_epochs, points = len(values), m
    while True:
        epochs = np.unique(np.geomspace(1, n_epochs, points).round().astype(int)) - 1
        if len(epochs) >= min(m, n_epochs):
            return epochs
        points += 1


def automatic(values: np.ndarray) -> np.ndarray:
    """Return what ``every="auto"`` does, as a detector did it."""
    return np.array(scored_by_default(len(values)))


@cache
def scored_by_default(n_epochs: int, shape: tuple[int, ...] | None = None, net: str | None = None) -> list[int]:
    """Return the epochs, counted from 0, that a detector scores unless told otherwise.

    For samples of a shape, with the default or a named network; without a shape, with a network of the user's own.
    """
    module = nn.Linear(8, 2) if shape is None else net
    X, y = np.random.default_rng(0).random((8, *(shape or (8,))), dtype=np.float32), np.arange(8) % 2
    detector = CurvatureNoiseDetector(module, max_epochs=n_epochs, device="cpu", random_state=0)
    with quietly():
        history = detector.fit(X, y).history_
    return [epoch for epoch, record in enumerate(history) if record["scored"]]


def settled(k: int, values: np.ndarray) -> np.ndarray:
    """Return every k-th epoch until the running mean's ranking hardly changes any more."""
    epochs = every(k, values)
    means = values[epochs].cumsum(0) / np.arange(1, len(epochs) + 1)[:, None]
    for i in range(APART, len(epochs)):
        if spearmanr(means[i], means[i - APART]).statistic >= SETTLED:
            return epochs[: i + 1]
    return epochs


SCHEDULES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "every epoch": partial(every, 1),
    "every 2nd": partial(every, 2),
    "every 3rd": partial(every, 3),
    "every 4th": partial(every, 4),
    "every 5th": partial(every, 5),
    "every 8th": partial(every, 8),
    "every 10th": partial(every, 10),
    "every 20th": partial(every, 20),
    "the last alone": lambda values: np.array([len(values) - 1]),
    "every 2nd of the first half": partial(share, 0, 0.5, 2),
    "every 2nd of the second half": partial(share, 0.5, 1, 2),
    "every epoch of the first quarter": partial(share, 0, 0.25, 1),
    **{f"{m}, dense early": partial(dense_early, m) for m in (8, 12, 16, 24, 32)},
    'every="auto"': automatic,
    "every epoch until settled": partial(settled, 1),
    "every 4th until settled": partial(settled, 4),
}

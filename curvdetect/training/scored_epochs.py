"""After which epochs of a training the samples are scored."""

from __future__ import annotations

import numpy as np

#: Share of the epochs that "auto" scores: at n = 1 half of a training, a third without contrast.
SHARE = 0.25
#: Scored epochs that "auto" keeps between, as far as there are as many.
FEWEST, MOST = 8, 24


def scored_epochs(n_epochs: int, every: int | str) -> frozenset[int]:
    """Return the epochs, counted from 1, after which samples are scored.

    Parameters
    ----------
    n_epochs : int
        Length of the training.
    every : int or "auto"
        Distance of scored epochs, counted back from the last. "auto" takes a quarter of them, at least 8 and at most
        24, at distances that grow with time: labels tell most while the network learns them, and little once it has
        them by heart.

    Returns
    -------
    frozenset of int
        The last epoch is always among them.

    Examples
    --------
    >>> from curvdetect.training.scored_epochs import scored_epochs
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
    """Return whole numbers from 1 to ``n_epochs``, as near to a geometric sequence of ``points`` as there are."""
    return frozenset(np.geomspace(1, n_epochs, points).round().astype(int).tolist())

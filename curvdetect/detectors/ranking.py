"""From scores to an order: exact top-q and rank-based quality.

Scores of wrong-label detectors tie and live on scales of their own, so nothing here cuts at a quantile or compares
values of two signals.
"""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from curvdetect.data.wording import brief


def worst_first(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return indices by falling score; ties keep the order of the data, and what has no score (NaN) is left out."""
    return np.argsort(-scores, kind="stable")[: np.count_nonzero(~np.isnan(scores))]  # NaN comes last


def n_flagged(q: Any, n_samples: int) -> int:
    """Return how many of ``n_samples`` the share or count ``q`` stands for, at least one.

    Parameters
    ----------
    q : float in (0, 1), int or "auto"
        A share, rounded to the nearest whole number, or a count. "auto" stands for a tenth as long as the share of
        wrong labels is not known.
    n_samples : int
        Number of samples.
    """
    if is_auto(q):
        q = 0.1
    if isinstance(q, Integral) and not isinstance(q, bool) and 1 <= int(q) <= n_samples:
        return int(q)
    if isinstance(q, Real) and not isinstance(q, Integral) and 0 < float(q) < 1:
        return max(1, math.floor(float(q) * n_samples + 0.5))
    raise ValueError(
        f"q must be a share between 0 and 1 (exclusive), such as 0.05, a count from 1 to {n_samples}, or 'auto', "
        f"got {brief(q)}."
    )


def is_auto(q: Any) -> bool:
    """Say whether ``q`` is to be found out."""
    return isinstance(q, str) and q == "auto"


def lowest_flagged(scores: NDArray[np.float64], n_top: int) -> float:
    """Return the lowest of the ``n_top`` highest scores; what lies just above all of them for none."""
    known = scores[~np.isnan(scores)]
    return float(np.sort(known)[-n_top] if n_top else np.nextafter(known.max(), np.inf))


def rank_share(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of samples that are less suspect, ties counted half: in (0, 1), high is bad; NaN stays NaN."""
    return (rankdata(scores, nan_policy="omit") - 0.5) / np.count_nonzero(~np.isnan(scores))

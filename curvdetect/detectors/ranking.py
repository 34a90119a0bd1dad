"""From scores to an order: exact top-q, shares of ranks, and several scores made one.

Scores of wrong-label detectors tie and live on scales of their own. Nothing here cuts at a quantile, and values of two
signals are compared by their ranks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from curvdetect.data.wording import brief

Scores = NDArray[np.float64]
Combination = Callable[..., Scores]


def worst_first(scores: Scores) -> NDArray[np.int64]:
    """Return indices by falling score, without those of NaN; ties keep the order of the data."""
    return np.argsort(-scores, kind="stable")[: np.count_nonzero(~np.isnan(scores))]  # NaN comes last


def n_flagged(q: object, n_samples: int) -> int:
    """Return how many samples the share or count ``q`` stands for, at least one; for "auto" a tenth, at first."""
    q = 0.1 if is_auto(q) else q
    if isinstance(q, Integral) and not isinstance(q, bool) and 1 <= int(q) <= n_samples:
        return int(q)
    if isinstance(q, Real) and not isinstance(q, Integral) and 0 < float(q) < 1:
        return max(1, math.floor(float(q) * n_samples + 0.5))
    raise ValueError(
        f"q must be a share between 0 and 1 (exclusive), such as 0.05, a count from 1 to {n_samples}, or 'auto', "
        f"got {brief(q)}."
    )


def is_auto(q: object) -> bool:
    """Say whether ``q`` is to be found out."""
    return isinstance(q, str) and q == "auto"


def lowest_flagged(scores: Scores, n_top: int) -> float:
    """Return the lowest of the ``n_top`` highest scores, or for none the next number above all scores."""
    known = scores[~np.isnan(scores)]
    return float(np.sort(known)[-n_top] if n_top else np.nextafter(known.max(), np.inf))


def rank_share(scores: Scores) -> Scores:
    """Return the share of samples that are less suspect, ties counted half: in (0, 1), high is bad; NaN stays NaN."""
    return (rankdata(scores, nan_policy="omit") - 0.5) / np.count_nonzero(~np.isnan(scores))


def fuse(*scores: ArrayLike, combine: str | Combination = "fisher", weights: Sequence[float] | None = None) -> Scores:
    r"""Make one score of several; higher is more suspect, in all of them.

    With :math:`r \in (0, 1)` the share of samples that are less suspect, ties counted half, of each signal:

    ================== ==================================================================================
    ``combine``        score
    ================== ==================================================================================
    ``"fisher"``       :math:`\sum -w \log(1 - r)`, Fisher's way to combine the p-values :math:`1 - r`: a
                       signal that is sure of a sample counts for more than another's doubt
    ``"rank_product"`` the same: it orders as the product of ranks counted from the worst does
    ``"rank_mean"``    mean of :math:`r`, weighted by :math:`w`
    ``"log_mean"``     mean of the logarithms of the scores themselves, weighted by :math:`w`; where they
                       are not all positive, they are shifted first, the lowest as far above zero as the
                       two closest ones lie apart
    ``"sum"``          :math:`\sum w s`, of the scores :math:`s` themselves: for log-probabilities
    ``"first"``        :math:`r` of the first score, ties broken by the second, and so on
    ================== ==================================================================================

    Parameters
    ----------
    *scores : array-like of shape (n_samples,)
        One for each signal.
    combine : str or callable, default="fisher"
        As above; a callable takes the arrays and returns one.
    weights : sequence of float, optional
        :math:`w`, one for each score; by default they count alike. Not with ``"first"`` and callables.

    Returns
    -------
    array of shape (n_samples,), float64

    Raises
    ------
    ValueError
        Where ``combine`` is not known, scores differ in length or are not finite, or a callable returned anything but
        one finite number for each sample.

    Notes
    -----
    Costs a sort of each score.

    Examples
    --------
    >>> from curvdetect import fuse
    >>> fuse([0.1, 0.2, 0.9], [5, 7, 6], combine="rank_mean").round(2)
    array([0.17, 0.67, 0.67])
    """
    try:
        arrays = [np.asarray(s, dtype=np.float64) for s in scores]
    except (TypeError, ValueError) as error:
        raise ValueError(f"scores must be arrays of numbers of shape (n_samples,): {error}.") from error
    if not arrays:
        raise ValueError("scores are missing: pass at least one array of shape (n_samples,).")
    if {a.shape for a in arrays} != {(arrays[0].size,)} or not arrays[0].size:
        raise ValueError(f"scores must all have shape (n_samples,), got {[a.shape for a in arrays]}.")
    if not all(np.isfinite(a).all() for a in arrays):
        raise ValueError("scores hold NaN or infinity, which have no rank. Drop the signal, or its samples.")
    rule = fusion_rule(combine)
    if weights is not None:
        check_weights(weights, len(arrays), combine)
        rule = partial(rule, weights=weights)
    result = np.asarray(rule(*arrays), dtype=np.float64)
    if result.shape != arrays[0].shape or not np.isfinite(result).all():
        raise ValueError(
            f"combine returned {result!r} of shape {result.shape}; it has to return one finite number for each of the "
            f"{len(arrays[0])} samples."
        )
    return result


def fusion_rule(combine: object) -> Combination:
    """Return the function that a name stands for; a callable as it is."""
    if callable(combine):
        return combine
    if not isinstance(combine, str) or combine not in _RULES:
        raise ValueError(f"combine must be one of {', '.join(map(repr, _RULES))} or a callable, got {combine!r}.")
    return _RULES[combine]


def check_weights(weights: Sequence[float], n_scores: int, combine: object) -> None:
    """Raise where weights make no sense beside ``n_scores`` scores and a way to combine them."""
    if callable(combine) or combine == "first":
        raise ValueError(f"weights go with ranks that are summed or averaged, not with combine={combine!r}.")
    numbers = np.iterable(weights) and all(isinstance(w, Real) and w >= 0 for w in weights)
    if not numbers or len(weights) != n_scores or not 0 < sum(weights) < np.inf:
        raise ValueError(f"weights must hold {n_scores} numbers, none negative and not all zero, got {weights!r}.")


def _fisher(*scores: Scores, weights: Sequence[float] | None = None) -> Scores:
    return np.average([-np.log1p(-rank_share(s)) for s in scores], axis=0, weights=weights) * len(scores)


def _rank_mean(*scores: Scores, weights: Sequence[float] | None = None) -> Scores:
    return np.average([rank_share(s) for s in scores], axis=0, weights=weights)


def _log_mean(*scores: Scores, weights: Sequence[float] | None = None) -> Scores:
    return np.average([np.log(_positive(s)) for s in scores], axis=0, weights=weights)


def _sum(*scores: Scores, weights: Sequence[float] | None = None) -> Scores:
    return np.average(scores, axis=0, weights=weights) * len(scores)


def _first(*scores: Scores) -> Scores:
    _, place = np.unique(np.column_stack(scores), axis=0, return_inverse=True)
    return rank_share(place.ravel().astype(np.float64))


def _positive(scores: Scores) -> Scores:
    """Return scores that are all above zero, shifted where they are not."""
    if scores.min() > 0:
        return scores
    steps = np.diff(np.unique(scores))
    return scores - scores.min() + (steps.min() if len(steps) else 1.0)


_RULES: dict[str, Combination] = {
    "fisher": _fisher,
    "rank_product": _fisher,
    "rank_mean": _rank_mean,
    "log_mean": _log_mean,
    "sum": _sum,
    "first": _first,
}

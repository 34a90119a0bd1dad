"""How well a ranking finds wrong labels that are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.utils import check_consistent_length, column_or_1d


def as_mask(mask: ArrayLike, name: str = "mask") -> NDArray[np.bool_]:
    """Return a boolean array, or raise where an entry is neither true nor false, 1 nor 0.

    Parameters
    ----------
    mask : array-like of shape (n_samples,)
        True or 1 where a label is wrong.
    name : str, default="mask"
        What an error calls it.
    """
    array = column_or_1d(mask)
    if array.dtype != bool and not (array.dtype.kind in "iuf" and np.isin(array, (0, 1)).all()):
        raise ValueError(
            f"{name} must hold booleans, or 0 and 1, True where a label is wrong; got {array[:5].tolist()}..."
        )
    return array.astype(bool)


def auroc(mask: ArrayLike, scores: ArrayLike) -> float:
    """Return the area under the ROC curve: the chance that a wrong label outranks a right one.

    Parameters
    ----------
    mask : array-like of shape (n_samples,), bool
        True where a label is wrong.
    scores : array-like of shape (n_samples,)
        Higher is more suspect.
    """
    return float(roc_auc_score(as_mask(mask), scores))


def average_precision(mask: ArrayLike, scores: ArrayLike) -> float:
    """Return the average precision of the ranking; chance is the noise rate. Parameters as in `auroc`."""
    return float(average_precision_score(as_mask(mask), scores))


def fnr_at_noise_rate(mask: ArrayLike, scores: ArrayLike) -> float:
    """Return the share of wrong labels missed when exactly as many samples are flagged as labels are wrong.

    Parameters
    ----------
    mask : array-like of shape (n_samples,), bool
        True where a label is wrong.
    scores : array-like of shape (n_samples,)
        Higher is more suspect; ties are cut by index.

    Examples
    --------
    >>> from curvdetect.metrics import fnr_at_noise_rate
    >>> fnr_at_noise_rate([True, True, False, False], [0.9, 0.1, 0.5, 0.2])
    0.5
    """
    wrong = as_mask(mask)
    check_consistent_length(wrong, scores)
    if not wrong.any():
        raise ValueError("mask marks no label as wrong, so there is nothing to miss.")
    top = np.argsort(-np.asarray(scores, dtype=float), kind="stable")[: wrong.sum()]
    return float(1 - wrong[top].mean())

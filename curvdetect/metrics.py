"""How well a ranking finds wrong labels that are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.utils import check_consistent_length


def auroc(mask: ArrayLike, scores: ArrayLike) -> float:
    """Return the area under the ROC curve: the chance that a wrong label outranks a right one.

    Parameters
    ----------
    mask : array-like of shape (n_samples,), bool
        True where a label is wrong.
    scores : array-like of shape (n_samples,)
        Higher is more suspect.
    """
    return float(roc_auc_score(np.asarray(mask, dtype=bool), scores))


def average_precision(mask: ArrayLike, scores: ArrayLike) -> float:
    """Return the average precision of the ranking; chance is the noise rate. Parameters as in `auroc`."""
    return float(average_precision_score(np.asarray(mask, dtype=bool), scores))


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
    wrong = np.asarray(mask, dtype=bool)
    check_consistent_length(wrong, scores)
    if not wrong.any():
        raise ValueError("mask marks no label as wrong, so there is nothing to miss.")
    top = np.argsort(-np.asarray(scores, dtype=float), kind="stable")[: wrong.sum()]
    return float(1 - wrong[top].mean())

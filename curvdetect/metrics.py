"""How well a ranking finds wrong labels that are known, and how alike two scores of the same samples are."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.utils import check_consistent_length, column_or_1d

from curvdetect.data.labels import plain


def as_mask(mask: ArrayLike, name: str = "mask", n_samples: int | None = None) -> NDArray[np.bool_]:
    """Return a boolean array, or raise where its length is another, or an entry is neither true nor false, 1 nor 0."""
    array = column_or_1d(plain(mask, name))
    if n_samples is not None and len(array) != n_samples:
        raise ValueError(f"{name} has {len(array)} entries for {n_samples} samples.")
    if array.dtype != bool and not (array.dtype.kind in "iuf" and np.isin(array, (0, 1)).all()):
        raise ValueError(
            f"{name} must hold booleans, or 0 and 1, True where a label is wrong; got {array[:5].tolist()}..."
        )
    return array.astype(bool)


def as_scores(scores: ArrayLike, name: str = "scores") -> NDArray[np.float64]:
    """Return scores, of a tensor too, as an array, or raise where one is no finite number; errors call it ``name``."""
    try:
        array = np.asarray(plain(scores, name), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must hold numbers ({error}).") from error
    if array.ndim != 1 or not len(array):
        raise ValueError(f"{name} must have one entry for each sample, got an array of shape {array.shape}.")
    if not np.isfinite(array).all():
        bad = np.flatnonzero(~np.isfinite(array))
        raise ValueError(f"{name} holds NaN or infinity in {len(bad)} place(s), the first at index {bad[0]}.")
    return array


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

    It is 1 minus the precision of these flags.

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


def cosine_similarity(a: ArrayLike, b: ArrayLike) -> float:
    """Return the cosine of the angle between two scores of the same samples, 1 where they are proportional.

    ``sum_i a_i b_i / (|a| |b|)``, as in Table 1 of Garg, Ravikumar and Roy (ICML 2024); the means are not taken off.
    Scores that are all positive are therefore far above 0 even where they have nothing to do with each other: compare
    with the similarity to a constant.

    Parameters
    ----------
    a, b : array-like of shape (n_samples,)
        Scores, in any unit. ValueError is raised where lengths differ, an entry is NaN or infinite, or all are 0.

    Returns
    -------
    float
        In [-1, 1]; it stays the same where ``a`` and ``b`` are swapped, or multiplied by a positive number.

    Examples
    --------
    >>> from curvdetect.metrics import cosine_similarity
    >>> cosine_similarity([3.0, 4.0], [4.0, 3.0])
    0.96
    """
    one, other = as_scores(a, "a"), as_scores(b, "b")
    check_consistent_length(one, other)
    return _cosine(one, other, ("a is", "b is"))


def top_k_cosine_similarity(scores: ArrayLike, reference: ArrayLike, k: int) -> float:
    """Return the cosine similarity of two scores on the ``k`` samples where the reference is highest.

    It says how well the scores agree on the samples that the reference calls memorized most: "Top-K CS" in Table 1 of
    Garg, Ravikumar and Roy (ICML 2024), where the reference is Feldman and Zhang's memorization. A constant is already
    near to 1 where the reference varies little among these: compare with its similarity.

    Parameters
    ----------
    scores, reference : array-like of shape (n_samples,)
        Scores, in any unit. The reference chooses the samples; equal ones are taken in the order of the data.
        ValueError is raised where lengths differ, an entry is NaN or infinite, or all on these samples are 0.
    k : int
        Number of samples, from 1 to ``n_samples``, or ValueError is raised; with all of them, the result is
        `cosine_similarity`.

    Returns
    -------
    float
        In [-1, 1].

    Examples
    --------
    >>> from curvdetect.metrics import top_k_cosine_similarity
    >>> top_k_cosine_similarity([9.0, 3.0, 4.0], [0.1, 1.0, 0.75], k=2)
    0.96
    """
    one, other = as_scores(scores, "scores"), as_scores(reference, "reference")
    check_consistent_length(one, other)
    if isinstance(k, bool) or not isinstance(k, Integral) or not 1 <= k <= len(one):
        raise ValueError(f"k must be a whole number of samples, from 1 to {len(one)}, got {k!r}.")
    top = np.argsort(-other, kind="stable")[: int(k)]
    where = f"on the {k} samples of highest reference"
    return _cosine(one[top], other[top], (f"scores is, {where},", f"reference is, {where},"))


def _cosine(a: NDArray[np.float64], b: NDArray[np.float64], said: tuple[str, str]) -> float:
    for array, what in zip((a, b), said, strict=True):
        if not array.any():
            raise ValueError(f"{what} 0 everywhere, which has no direction to compare.")
    # in units of the largest, so that squares of very small and very large numbers stay within a double
    a, b = a / np.abs(a).max(), b / np.abs(b).max()
    return float(np.clip(a @ b / np.sqrt((a @ a) * (b @ b)), -1, 1))

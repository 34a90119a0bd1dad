"""Grading a detector against labels that are known to be wrong, outside a search and in one that holds nothing out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sized
from typing import NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.utils import column_or_1d

from curvdetect.data.labels import plain, plain_labels
from curvdetect.data.types import Array
from curvdetect.data.wording import brief, callers_level
from curvdetect.detectors.delegation import last_step
from curvdetect.detectors.inputs import rows_to_score
from curvdetect.detectors.parameters import check_value
from curvdetect.metrics import as_mask

#: Grades by name; higher is better in each.
GRADES: dict[str, Callable[..., float]] = {"roc_auc": roc_auc_score, "average_precision": average_precision_score}


def as_noise_mask(noise_mask: ArrayLike, n_samples: int | None = None) -> NDArray[np.bool_]:
    """Return a mask that tells two kinds of labels apart, ``n_samples`` long, or raise."""
    mask = as_mask(plain(noise_mask), "noise_mask")
    if n_samples is not None and len(mask) != n_samples:
        raise ValueError(f"noise_mask has {len(mask)} entries for {n_samples} samples.")
    if _is_one_kind(mask):
        raise ValueError(
            f"noise_mask marks {'every' if mask.any() else 'no'} label as wrong, so there is nothing to tell apart. "
            "Where no wrong label is known, PlantedNoise plants some."
        )
    return mask


def grade_of(
    scoring: str,
    mask: NDArray[np.bool_],
    scores: NDArray[np.float64],
    sample_weight: ArrayLike | None = None,
    undefined: str | None = None,
) -> float:
    """Return a grade by name, of the samples that have a score.

    Where they are of one kind only, return NaN with a warning that says ``undefined``, or raise without it.
    """
    weights = _as_weights(sample_weight, len(scores))
    there = ~np.isnan(scores)
    if undefined is not None and _is_one_kind(mask[there]):
        warnings.warn(undefined, UndefinedMetricWarning, stacklevel=callers_level())
        return UndefinedScore("nan")
    _check_both_kinds(mask[there])
    return float(GRADES[scoring](mask[there], scores[there], sample_weight=None if weights is None else weights[there]))


def check_scored(mask: NDArray[np.bool_], score_on: ArrayLike | None) -> None:
    """Raise before any training where the samples that are going to be scored are of one kind only."""
    rows = rows_to_score(score_on, len(mask))
    if rows is not None:
        _check_both_kinds(mask[rows.numpy()])


def _is_one_kind(mask: NDArray[np.bool_]) -> bool:
    return bool(mask.all() or not mask.any())


def _check_both_kinds(scored: NDArray[np.bool_]) -> None:
    if _is_one_kind(scored):
        raise ValueError(
            f"of the {len(scored)} samples that score_on chose {scored.sum()} are known to be wrong, so there is "
            "nothing to tell apart. Score more samples, or others."
        )


def graded(
    scores: NDArray[np.float64],
    given: Array,
    y: ArrayLike | None,
    sample_weight: ArrayLike | None,
    noise_mask: ArrayLike | None,
) -> float:
    """Return the ROC AUC of scores against labels known to be wrong, by a mask or by the right labels ``y``."""
    name, known = ("y", y) if noise_mask is None else ("noise_mask", noise_mask)
    if known is None:
        raise ValueError(
            "noise_mask is needed: a detector can only be graded against labels known to be wrong. Plant some "
            "with corrupt_labels, which returns the mask, and pass score(noise_mask=mask)."
        )
    known = column_or_1d(plain_labels(known, name))
    if len(known) != len(given):
        raise ValueError(f"{name} has {len(known)} entries for {len(given)} samples.")
    mask = known != given if noise_mask is None else as_mask(known, name)
    why = (
        "no label, or every label, is known to be wrong, so the ROC AUC is undefined. Pass noise_mask, or as y the "
        "right labels rather than those that were fitted."
    )
    return grade_of("roc_auc", mask, scores, sample_weight, undefined=why)


def _as_weights(sample_weight: ArrayLike | None, n_samples: int) -> NDArray[np.float64] | None:
    """Return weights of samples; raise where they are no weights."""
    if sample_weight is None:
        return None
    sample_weight = plain(sample_weight, "sample_weight")
    try:
        weights = np.asarray(sample_weight, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"sample_weight must hold numbers, got {brief(sample_weight)}.") from None
    if weights.shape != (n_samples,) or not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
        raise ValueError(
            f"sample_weight must hold {n_samples} numbers, one for each sample, finite, none negative and not all "
            f"zero, got an array of shape {weights.shape}: {weights.ravel()[:5].tolist()}..."
        )
    return weights


class UndefinedScore(float):
    """NaN that no search can choose by.

    ``GridSearchCV`` and its like call ``item()`` of a score outside of what ``error_score`` silences. With plain NaNs
    alone a search would report its first candidate as the best.
    """

    def item(self) -> NoReturn:
        """Raise why there is no grade. Searches pass over a ``ValueError``."""
        raise RuntimeError(
            "a search can't grade this detector: the ROC AUC is undefined, since no label, or every label, is known "
            "to be wrong. As y a search passes the very labels that were fitted. Pass scoring=noise_scorer(noise_mask) "
            "to the search; or request noise_mask by metadata routing, set_score_request(noise_mask=True), and pass it "
            "to fit; or, without ground truth, search over PlantedNoise(detector)."
        )


class NoiseScorer:
    """A scorer that `noise_scorer` makes."""

    def __init__(self, noise_mask: NDArray[np.bool_], scoring: str) -> None:
        self.noise_mask, self.scoring = noise_mask, scoring

    def __call__(self, estimator: BaseEstimator, X: object = None, y: object = None) -> float:
        """Return the grade of a fitted detector's training scores; ``X`` and ``y`` are ignored."""
        scores = last_step(estimator).score_samples()
        if len(scores) != len(self.noise_mask):
            raise ValueError(
                f"noise_mask has {len(self.noise_mask)} entries, and the detector was fitted on {len(scores)} samples. "
                "A detector is graded on what it was fitted on: search with cv=InSample(), over all samples."
            )
        return grade_of(self.scoring, self.noise_mask, scores)

    def __repr__(self) -> str:
        return f"noise_scorer(<{self.noise_mask.sum()} of {len(self.noise_mask)} wrong>, scoring={self.scoring!r})"


def noise_scorer(noise_mask: ArrayLike, scoring: str = "roc_auc") -> NoiseScorer:
    """Return a scorer for searches that grades how high known wrong labels are ranked; higher is better.

    Works for detectors and for pipelines that end with one, and needs no metadata routing.

    Parameters
    ----------
    noise_mask : array-like of shape (n_samples,), bool
        True where a label is known to be wrong, for all samples of the search and in their order.
    scoring : {"roc_auc", "average_precision"}, default="roc_auc"
        The grade.

    Returns
    -------
    callable
        Takes a fitted estimator, ``X`` and ``y``, as scikit-learn's scorers do; can be pickled.

    Raises
    ------
    ValueError
        Where no or every label is wrong, and, when called, where the detector was fitted on other samples.

    See Also
    --------
    InSample : The ``cv`` of such a search, with an example of both.

    Examples
    --------
    >>> from curvdetect import noise_scorer
    >>> noise_scorer([True, False, False])
    noise_scorer(<1 of 3 wrong>, scoring='roc_auc')
    """
    check_value("scoring", scoring, GRADES)
    return NoiseScorer(as_noise_mask(noise_mask), scoring)


class InSample:
    """One split with everything on both sides, for searches: a detector scores the very samples that it was fitted on.

    For ``cv`` of ``GridSearchCV``, ``HalvingGridSearchCV`` (with a resource other than ``"n_samples"``) and their
    like. The search then compares how well known wrong labels are found: see `noise_scorer` and `PlantedNoise`. It
    refits the best setting on the same data, which is one more training; ``refit=False`` saves it.

    See Also
    --------
    CurvatureSearch : Trains once for all ``h``, ``n`` and ``power``.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.model_selection import GridSearchCV
    >>> from curvdetect import InSample, LossDetector, corrupt_labels, noise_scorer
    >>> X, y = make_blobs(60, centers=3, random_state=0, cluster_std=0.5)
    >>> labels, mask = corrupt_labels(y, rate=0.1, random_state=0)
    >>> detector = LossDetector(stop_at=1.0, device="cpu", random_state=0)
    >>> known = {"cv": InSample(), "scoring": noise_scorer(mask), "error_score": "raise"}
    >>> search = GridSearchCV(detector, {"max_epochs": [1, 5]}, refit=False, **known)
    >>> search.fit(X, labels).best_params_
    {'max_epochs': 5}
    """

    def split(
        self, X: Sized, y: object = None, groups: object = None
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Yield once the indices of all samples, to train on and to be graded on.

        Parameters
        ----------
        X : array-like, or anything with a length, n_samples long
            The samples.
        y, groups : ignored
            There because scikit-learn passes them.

        Yields
        ------
        train, test : arrays of shape (n_samples,)
            ``0, 1, ..., n_samples - 1``, each its own.
        """
        everything = np.arange(len(X))
        yield everything, everything.copy()

    def get_n_splits(self, X: object = None, y: object = None, groups: object = None) -> int:
        """Return 1; parameters are ignored."""
        return 1

    def __repr__(self) -> str:
        return "InSample()"

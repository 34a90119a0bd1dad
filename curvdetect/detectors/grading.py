"""Grading a detector against labels that are known to be wrong, in a search and outside one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from curvdetect.data.labels import plain
from curvdetect.detectors.last_step import last_step
from curvdetect.metrics import as_mask

#: Grades by name; of all, higher is better.
GRADES: dict[str, Callable[..., float]] = {"roc_auc": roc_auc_score, "average_precision": average_precision_score}


def check_scoring(scoring: Any) -> str:
    """Return the name of a grade, or raise where there is none of this name."""
    if not isinstance(scoring, str) or scoring not in GRADES:
        raise ValueError(f"scoring must be one of {list(GRADES)}, got {scoring!r}.")
    return scoring


def as_noise_mask(noise_mask: ArrayLike, n_samples: int | None = None) -> NDArray[np.bool_]:
    """Return a mask that tells two kinds of labels apart, or raise.

    Parameters
    ----------
    noise_mask : array-like of shape (n_samples,), bool
        True where a label is known to be wrong.
    n_samples : int, optional
        How long it should be.
    """
    mask = as_mask(plain(noise_mask), "noise_mask")
    if n_samples is not None and len(mask) != n_samples:
        raise ValueError(f"noise_mask has {len(mask)} entries for {n_samples} samples.")
    if mask.all() or not mask.any():
        raise ValueError(
            f"noise_mask marks {'every' if mask.any() else 'no'} label as wrong, so there is nothing to tell apart. "
            "Where no wrong label is known, PlantedNoise plants some."
        )
    return mask


class UndefinedScore(float):
    """NaN that no search can choose by.

    ``GridSearchCV`` and its like ask a score for its ``item()``, outside of what ``error_score`` silences. Of a plain
    NaN they would make a search without a single grade that reports the first candidate as the best.
    """

    def __new__(cls) -> UndefinedScore:
        """Return NaN."""
        return super().__new__(cls, "nan")

    def item(self) -> NoReturn:
        """Raise why there is no grade. No ``ValueError``, which the searches pass over."""
        raise RuntimeError(
            "a search can't grade this detector: the ROC AUC is undefined, since no label, or every label, is known "
            "to be wrong. As y a search passes the very labels that were fitted. Pass scoring=noise_scorer(noise_mask) "
            "to the search; or request noise_mask by metadata routing, set_score_request(noise_mask=True), and pass it "
            "to fit; or, without ground truth, search over PlantedNoise(detector)."
        )

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return type(self), ()


class NoiseScorer:
    """What `noise_scorer` returns."""

    def __init__(self, noise_mask: NDArray[np.bool_], scoring: str) -> None:
        self.noise_mask, self.scoring = noise_mask, scoring

    def __call__(self, estimator: Any, X: Any = None, y: Any = None) -> float:
        """Return the grade of a fitted detector's training scores; ``X`` and ``y`` are not looked at."""
        scores = last_step(estimator).score_samples()
        if len(scores) != len(self.noise_mask):
            raise ValueError(
                f"noise_mask has {len(self.noise_mask)} entries, and the detector was fitted on {len(scores)} samples. "
                "A detector is graded on what it was fitted on: search with cv=InSample(), over all samples."
            )
        return float(GRADES[self.scoring](self.noise_mask, scores))

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
        To be called with a fitted estimator, ``X`` and ``y``, as scikit-learn does; can be pickled.

    Raises
    ------
    ValueError
        Where no or every label is wrong, and, when called, where the detector was fitted on other samples.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from curvdetect import LossDetector, corrupt_labels, noise_scorer
    >>> X, y = make_blobs(60, centers=3, random_state=0, cluster_std=0.5)
    >>> labels, mask = corrupt_labels(y, rate=0.1, random_state=0)
    >>> detector = LossDetector(max_epochs=5, stop_at=1.0, device="cpu", random_state=0).fit(X, labels)
    >>> noise_scorer(mask)(detector) == detector.score(noise_mask=mask)
    True
    """
    return NoiseScorer(as_noise_mask(noise_mask), check_scoring(scoring))

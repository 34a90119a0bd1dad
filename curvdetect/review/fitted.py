"""The fitted detector inside of whatever holds one, for everything that looks at results."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.detectors.grading import as_noise_mask
from curvdetect.detectors.last_step import last_step


def fitted_detector(estimator: Any, name: str = "estimator") -> BaseNoiseDetector:
    """Return the detector that holds the scores.

    Parameters
    ----------
    estimator : BaseNoiseDetector, Pipeline or search
        A detector; a pipeline that ends with one; `CurvatureSearch`, `PlantedNoise` or a search of scikit-learn's that
        fitted one in the end.
    name : str, default="estimator"
        What an error calls it.

    Raises
    ------
    TypeError
        Where there is no detector inside.
    NotFittedError
        Where it was not fitted.
    """
    found = last_step(estimator)
    while not isinstance(found, BaseNoiseDetector):
        inside = [a for a in ("best_estimator_", "detector_") if hasattr(found, a)]
        if not inside:
            if hasattr(found, "refit") and hasattr(found, "fit"):
                check_is_fitted(found)
                raise TypeError(
                    f"{name} is a {type(found).__name__} that fitted no detector in the end. Pass refit=True to it, or "
                    "one of the detectors it fitted."
                )
            raise TypeError(
                f"{name} must be a fitted detector, or a pipeline or search that holds one, got a "
                f"{type(found).__name__}."
            )
        found = last_step(getattr(found, inside[0]))
    check_is_fitted(found, "scores_")
    return found


def scores_of(estimator: Any, signal: str | None = None) -> Any:
    """Return the scores of the training data, higher for the more suspect; NaN where a sample has none.

    Parameters
    ----------
    estimator : BaseNoiseDetector, Pipeline or search
        Fitted.
    signal : str, optional
        Which signal of the run; by default the detector's own score.
    """
    detector = fitted_detector(estimator)
    if signal is None:
        return detector.scores_
    if signal not in detector.signal_scores_:
        raise ValueError(
            f"signal must be None or one that the run recorded, {sorted(detector.signal_scores_)}, got {signal!r}."
        )
    return detector.signal_scores_[signal]


def scores_known(
    estimator: Any, signal: str | None, noise_mask: ArrayLike | None
) -> tuple[NDArray[np.float64], ArrayLike | None]:
    """Return the scores of the samples that have one, and of a mask, where there is one, what is said of them.

    Parameters
    ----------
    estimator, signal
        As in `scores_of`.
    noise_mask : array-like of shape (n_samples,), bool, optional
        True where a label is known to be wrong.
    """
    scores = scores_of(estimator, signal)
    there = ~np.isnan(scores)
    if noise_mask is None or there.all():
        return scores[there], noise_mask
    return scores[there], as_noise_mask(noise_mask, len(scores))[there]


def name_of(estimator: Any, signal: str | None = None) -> str:
    """Return what a legend calls a detector, or one of its signals."""
    return type(fitted_detector(estimator)).__name__ if signal is None else signal

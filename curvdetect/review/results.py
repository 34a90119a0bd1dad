"""What a fitted detector found: its scores, and those of single epochs, whatever pipeline or search holds it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.detectors.delegation import last_step
from curvdetect.detectors.grading import as_noise_mask
from curvdetect.detectors.inputs import samples_labelled
from curvdetect.detectors.measured import measure_by_epoch


def fitted_detector(estimator: object, name: str = "estimator") -> BaseNoiseDetector:
    """Return the fitted detector that ``estimator`` is or holds, or raise; errors call it ``name``."""
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


def refuse_other_than_fitted(detector: object, name: str) -> None:
    """Raise where ``detector`` is no detector, or not fitted; ``name`` is the function that needs one."""
    if not isinstance(detector, BaseNoiseDetector):
        raise TypeError(
            f"{name} needs a fitted detector, got {type(detector).__name__}. Pass best_estimator_ of a search, or the "
            "last step of a pipeline and X as that step received it."
        )
    check_is_fitted(detector, "scores_")


def scores_of(estimator: object, signal: str | None = None) -> NDArray[np.float64]:
    """Return the scores of the training data, or of a signal of the run; NaN where a sample has none."""
    detector = fitted_detector(estimator)
    if signal is None:
        return detector.scores_
    if signal not in detector.signal_scores_:
        raise ValueError(
            f"signal must be None or one that the run recorded, {sorted(detector.signal_scores_)}, got {signal!r}."
        )
    return detector.signal_scores_[signal]


def known_scores(
    estimator: object, signal: str | None, noise_mask: ArrayLike | None
) -> tuple[NDArray[np.float64], ArrayLike | None]:
    """Return the scores of the samples that have one, and the mask of these samples, where there is one."""
    scores = scores_of(estimator, signal)
    known = ~np.isnan(scores)
    if noise_mask is None or known.all():
        return scores[known], noise_mask
    return scores[known], as_noise_mask(noise_mask, len(scores))[known]


class EpochScores(NamedTuple):
    """Signals of samples in single epochs."""

    epoch: NDArray[np.int64]
    signals: dict[str, NDArray[np.float64]]

    def chosen(self, signal: str = "auto") -> str:
        """Return the name of a signal; "auto" is the curvature, or its contrast, where there is one, else the first."""
        if signal == "auto":
            return next(
                (name for name in self.signals if name.startswith("curvature")), next(iter(self.signals), "curvature")
            )
        if signal not in self.signals:
            raise ValueError(
                f"signal must be 'auto' or one that has a value in each epoch, {list(self.signals)}, got {signal!r}."
            )
        return signal


def scores_by_epoch(estimator: object, X: object, y: ArrayLike) -> EpochScores:
    """Return the curvature, loss and other signals of samples in single epochs; higher is more suspect.

    They are measured on the weights that ``keep_snapshots`` kept, in evaluation mode, whether the samples were trained
    on or not; ``score_samples(X, y)`` is their mean over epochs. Each snapshot costs one forward pass over the samples,
    and the curvature ``n + 1`` gradients at the input.

    Parameters
    ----------
    estimator : fitted detector, pipeline or search
        One with snapshots, or ValueError is raised. To keep all scored epochs, set ``keep_snapshots`` to their number.
    X : array, tensor, DataFrame or Dataset
        Samples as the detector gets them, behind the other steps of a pipeline.
    y : array-like of shape (n_samples,)
        Their labels, among those that were fitted; others raise ValueError.

    Returns
    -------
    EpochScores
        A named tuple: ``epoch``, shape (n_epochs,), and ``signals``, arrays of shape (n_epochs, n_samples) by name:
        ``"loss"``, ``"margin"``, ``"inconfidence"``, and others of the detector that have a value in each epoch.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from curvdetect import CurvatureNoiseDetector, scores_by_epoch
    >>> X, y = make_blobs(90, centers=3, random_state=0)
    >>> detector = CurvatureNoiseDetector(every=1, keep_snapshots=4, max_epochs=4, stop_at=1.0, device="cpu")
    >>> found = scores_by_epoch(detector.fit(X[:60], y[:60]), X[60:], y[60:])
    >>> found.epoch.tolist(), found.signals["curvature"].shape
    ([1, 2, 3, 4], (4, 30))
    """
    detector = fitted_detector(estimator)
    return EpochScores(*measure_by_epoch(detector, samples_labelled(detector, X, y)))

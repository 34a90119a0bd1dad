"""What the network made of samples in single epochs, on the weights that were kept of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvdetect.detectors.inputs import samples_labelled
from curvdetect.detectors.unseen import measure_by_epoch
from curvdetect.review.fitted import fitted_detector


class EpochScores(NamedTuple):
    """Signals of samples in single epochs."""

    epoch: NDArray[np.int64]
    """Counted from 1, shape (n_epochs,)."""
    signals: dict[str, NDArray[np.float64]]
    """By name, shape (n_epochs, n_samples); higher is more suspect."""

    def chosen(self, signal: str = "auto") -> str:
        """Return the name of a signal; "auto" is the curvature, or its contrast, where there is one, else the first."""
        if signal == "auto":
            return next((name for name in self.signals if name.startswith("curvature")), next(iter(self.signals)))
        if signal not in self.signals:
            raise ValueError(
                f"signal must be 'auto' or one that has a value in each epoch, {list(self.signals)}, got {signal!r}."
            )
        return signal


def scores_by_epoch(estimator: Any, X: Any, y: ArrayLike) -> EpochScores:
    """Return the curvature, loss and other signals of samples in single epochs; higher is more suspect.

    They are measured on the weights that ``keep_snapshots`` kept, in evaluation mode, whether the samples were trained
    on or not. The mean over epochs is what ``score_samples(X, y)`` is made of.

    Parameters
    ----------
    estimator : fitted detector, pipeline or search
        One with snapshots: ``keep_snapshots`` as many as there are scored epochs keeps all of these.
    X : array, tensor, DataFrame or Dataset
        Samples as the detector gets them, behind the other steps of a pipeline.
    y : array-like of shape (n_samples,)
        Their labels, of those that were fitted.

    Returns
    -------
    EpochScores
        A named tuple: ``epoch``, shape (n_epochs,), and ``signals``, a dict from names to arrays of shape
        (n_epochs, n_samples). There is ``"loss"``, ``"margin"``, ``"inconfidence"``, and what the detector measured
        beside them that has a value in one epoch.

    Raises
    ------
    ValueError
        Where no weights were kept, or a label was not fitted.

    Notes
    -----
    For each snapshot one forward pass over the samples, and for the curvature ``n + 1`` gradients at the input.

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

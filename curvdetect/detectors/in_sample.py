"""A splitter for scikit-learn's searches that holds nothing out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray


class InSample:
    """One split with everything on both sides, for searches: a detector scores the very samples that it was fitted on.

    For ``cv`` of ``GridSearchCV``, ``HalvingGridSearchCV`` (with a resource other than ``"n_samples"``) and their
    like. What the search then compares is how well wrong labels are found that are known: see `noise_scorer` and
    `PlantedNoise`.

    See Also
    --------
    CurvatureSearch : Trains once for all ``h``, ``n`` and ``power``.

    Notes
    -----
    The search refits the best setting on the same data, which is one more training; ``refit=False`` saves it.

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

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
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

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return 1; parameters are ignored."""
        return 1

    def __repr__(self) -> str:
        return "InSample()"

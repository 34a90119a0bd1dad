"""Features of rows of numbers that need no training: radial basis functions around some of the rows, and roots."""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.kernel_approximation import Nystroem
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import StandardScaler

from curvdetect.data.types import Array


class RadialBasis(TransformerMixin, BaseEstimator):
    """Radial basis functions around some of the samples, by scikit-learn's ``Nystroem`` on standardized numbers.

    ``width`` is the mean of the squared distances times gamma. What was fitted are arrays, which a file can hold. The
    landmarks are standardized samples.
    """

    center_: Array
    scale_: Array
    gamma_: float
    landmarks_: Array
    normalization_: Array

    def __init__(self, *, width: float = 1.0, n_landmarks: int = 1000, random_state: int | None = None) -> None:
        self.width = width
        self.n_landmarks = n_landmarks
        self.random_state = random_state

    def fit(self, X: Array, y: object = None) -> Self:
        """Standardize the numbers, and draw the landmarks."""
        rows = _rows(X)
        scaler = StandardScaler().fit(rows)
        self.gamma_ = self.width / (2 * max(1, rows.shape[1]))
        n_landmarks = min(len(rows), self.n_landmarks)
        nystroem = Nystroem(gamma=self.gamma_, n_components=n_landmarks, random_state=self.random_state)
        nystroem.fit(scaler.transform(rows))
        self.center_, self.scale_ = scaler.mean_.astype(rows.dtype), scaler.scale_.astype(rows.dtype)
        self.landmarks_, self.normalization_ = nystroem.components_, nystroem.normalization_
        return self

    def transform(self, X: Array) -> Array:
        """Return features, shape (n_samples, n_landmarks)."""
        rows = (_rows(X) - self.center_) / self.scale_
        found: Array = rbf_kernel(rows, self.landmarks_, gamma=self.gamma_) @ self.normalization_.T
        return found


class SquareRoots(TransformerMixin, BaseEstimator):
    """Square roots of the numbers, negative ones of negative numbers: for counts and what a ReLU left."""

    def fit(self, X: Array, y: object = None) -> Self:
        """Return self: there is nothing to learn."""
        return self

    def transform(self, X: Array) -> Array:
        """Return the roots, shape (n_samples, n_features)."""
        rows = _rows(X)
        found: Array = np.sign(rows) * np.sqrt(np.abs(rows))
        return found


def _rows(X: Array) -> Array:
    """Return a row of floats for each sample."""
    rows = np.asarray(X).reshape(len(X), -1)
    return rows if rows.dtype.kind == "f" else rows.astype(np.float64)

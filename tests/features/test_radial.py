"""Radial basis functions are scikit-learn's, on standardized numbers."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.kernel_approximation import Nystroem
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from curvdetect.features.radial import RadialBasis


@pytest.mark.parametrize("n_landmarks", [5, 1000])
@pytest.mark.parametrize("kind", [np.float32, np.float64, np.uint8])
def test_features_are_those_of_scikit_learns_pipeline(n_landmarks, kind):
    X = (100 * np.random.default_rng(0).random((40, 2, 6))).astype(kind)
    X[:, 0, 0] = 7  # a constant column
    found = RadialBasis(width=3, n_landmarks=n_landmarks, random_state=0).fit(X).transform(X[:9])
    nystroem = Nystroem(gamma=3 / 24, n_components=min(40, n_landmarks), random_state=0)
    rows = X.reshape(40, -1)
    expected = make_pipeline(StandardScaler(), nystroem).fit(rows).transform(rows[:9])
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)

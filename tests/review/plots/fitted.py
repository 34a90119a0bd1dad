"""What the tests of the displays share: one detector, and axes that pyplot does not keep."""

from __future__ import annotations

from functools import cache

import numpy as np
from matplotlib.figure import Figure
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from curvdetect import CurvatureNoiseDetector
from tests.cases import noisy_digits, quick_net

N = 200


@cache
def fitted():
    """Return a detector of few epochs, the pictures, the labels and the mask; don't write into them."""
    X, labels, mask, _ = noisy_digits(N)
    names = np.array([f"digit {label}" for label in range(10)])[labels]
    options = {"q": 20, "stop_at": 1.0, "every": 1, "keep_snapshots": 4, "device": "cpu", "random_state": 0}
    return CurvatureNoiseDetector(quick_net(), **options).fit(X, names), X.reshape(-1, 8, 8), names, mask


def in_a_pipeline():
    """Return the same detector as the last step of a pipeline."""
    return make_pipeline(FunctionTransformer(), fitted()[0])


def axes():
    return Figure().subplots()

"""The easiest task there is: clouds far apart, one wrong label in each."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import make_blobs

from curvdetect import (
    CurvatureNoiseDetector,
    CurvSSFT,
    FusedDetector,
    InputGradientDetector,
    LossDetector,
    MarginDetector,
    SSFTDetector,
)

#: How many samples of 400 may stand above the last wrong label. A few between two clouds have large gradients, too.
ALLOWED = {CurvatureNoiseDetector: 0, CurvSSFT: 0, FusedDetector: 0, LossDetector: 0, MarginDetector: 0}
ALLOWED |= {SSFTDetector: 3, InputGradientDetector: 10}


@pytest.fixture(scope="module", params=[2, 5])
def clouds(request):
    """Samples of so many classes, their labels, and which of these are wrong."""
    n_classes = request.param
    X, y = make_blobs(400, centers=n_classes, cluster_std=0.5, random_state=1)
    wrong = np.array([np.flatnonzero(y == c)[3] for c in range(n_classes)])
    y[wrong] = (y[wrong] + 1) % n_classes
    return X.astype("float32"), y, wrong


@pytest.mark.parametrize("kind", ALLOWED)
def test_one_wrong_label_a_class_is_on_top(clouds, kind):
    X, y, wrong = clouds
    detector = kind(device="cpu", random_state=0).fit(X, y)
    assert set(wrong) <= set(detector.ranking_[: len(wrong) + ALLOWED[kind]])

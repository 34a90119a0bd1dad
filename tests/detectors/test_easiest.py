"""The easiest task there is: clouds far apart, one wrong label in each."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import make_blobs

from curvdetect import CurvatureNoiseDetector, SSFTDetector
from curvdetect.detectors.ranking import worst_first

#: How many samples of 400 may stand above the last wrong label. A few between two clouds have large gradients, too.
ALLOWED = {"curvature_contrast": 0, "loss": 0, "margin": 0, "forgetting_loss": 3, "input_gradient": 10}


def test_one_wrong_label_a_class_is_on_top():
    X, y = make_blobs(400, centers=5, cluster_std=0.5, random_state=1)
    wrong = np.array([np.flatnonzero(y == c)[3] for c in range(5)])
    y[wrong] = (y[wrong] + 1) % 5
    common = {"device": "cpu", "random_state": 0}
    detectors = CurvatureNoiseDetector(signals=["input_gradient"], **common), SSFTDetector(**common)
    signals = {name: s for detector in detectors for name, s in detector.fit(X, y).signal_scores_.items()}
    found = {name: set(worst_first(signals[name])[: len(wrong) + more]) for name, more in ALLOWED.items()}
    assert [name for name, top in found.items() if not set(wrong) <= top] == []

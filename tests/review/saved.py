"""Fitted detectors that tests of saving and loading share, and how to forge what was saved."""

from __future__ import annotations

import json
from functools import cache

import numpy as np

from curvdetect import (
    ConfidentLearningDetector,
    CurvatureNoiseDetector,
    CurvSSFT,
    FusedDetector,
    InputGradientDetector,
    LossDetector,
    SSFTDetector,
)
from tests.cases import noisy_digits

X, LABELS, *_ = noisy_digits(120)
NAMES = np.array(list("abcdefghij"))[LABELS]
OLD, NEW = slice(0, 90), slice(90, 120)


def fit_digits(kind=CurvatureNoiseDetector, *, X=X, y=NAMES, **options):
    settings = {"max_epochs": 2, "device": "cpu", "random_state": 0, **options}
    return kind(**settings).fit(X[OLD], y[OLD])


KINDS = {
    "curvature": (CurvatureNoiseDetector, {"keep_snapshots": 2, "signals": ("late_loss",)}),
    "grid": (CurvatureNoiseDetector, {"grid": {"h": [0.1, 1e-2], "n": np.array([1, 2])}}),
    "loss": (LossDetector, {"q": 7, "stop_at": 0.5}),
    "gradient": (InputGradientDetector, {"q": np.float64(0.2)}),
    "fused": (FusedDetector, {"signals": {"loss": 1.0, "margin": 2.0}, "keep_snapshots": 1}),
    "ssft": (SSFTDetector, {"statistic": "time"}),
    "curv_ssft": (CurvSSFT, {"n_repeats": 2}),
    "confident": (ConfidentLearningDetector, {"cv": 2}),
}


@cache
def fitted(name):
    """Return a detector of each kind, fitted once."""
    kind, options = KINDS[name]
    return fit_digits(kind, **options)


def change(path, **changes):
    """Write other entries into the description of a saved detector."""
    file = path / "detector.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def stored(path, name):
    """Return the file of a saved detector that holds the arrays, the net or a snapshot; its name tells its content."""
    (file,) = path.glob(name.replace(".", "*."))
    return file

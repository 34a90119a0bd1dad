"""Fitted detectors of each kind that tests save, and what lies in the files of a saved one."""

from __future__ import annotations

import json
from functools import cache

import numpy as np

from curvdetect import (
    ConfidentLearningDetector,
    CurvatureNoiseDetector,
    CurvSSFT,
    FusedDetector,
    LossDetector,
    SSFTDetector,
    load,
    save,
)
from tests.cases import noisy_digits

X, LABELS, *_ = noisy_digits(120)
NAMES = np.array(list("abcdefghij"))[LABELS]
OLD, NEW = slice(0, 90), slice(90, 120)
KINDS = {
    "curvature": (CurvatureNoiseDetector, {"keep_snapshots": 2, "signals": ("late_loss",)}),
    "grid": (CurvatureNoiseDetector, {"grid": {"h": [0.1, 1e-2], "n": np.array([1, 2])}}),
    "loss": (LossDetector, {"q": np.float64(0.2), "stop_at": 0.5}),
    "fused": (FusedDetector, {"signals": {"loss": 1.0, "margin": 2.0}, "keep_snapshots": 1}),
    "ssft": (SSFTDetector, {"statistic": "time"}),
    "curv_ssft": (CurvSSFT, {"n_repeats": 2, "max_epochs": 1}),
    "confident": (ConfidentLearningDetector, {"cv": 2}),
}


def fit_digits(kind=CurvatureNoiseDetector, *, X=X, y=NAMES, **options):
    settings = {"max_epochs": 2, "device": "cpu", "random_state": 0, **options}
    return kind(**settings).fit(X[OLD], y[OLD])


@cache
def fitted(name):
    """Return a detector of each kind, fitted once."""
    kind, options = KINDS[name]
    return fit_digits(kind, **options)


def saved_and_loaded(detector, tmp_path, **options):
    save(detector, tmp_path / "saved")
    return load(tmp_path / "saved", **options)


def described(path):
    return json.loads((path / "detector.json").read_text())


def change(path, **changes):
    """Write other entries into the description of a saved detector."""
    (path / "detector.json").write_text(json.dumps(described(path) | changes))


def stored(path, name):
    """Return the file of a saved detector that holds the arrays, the net or a snapshot; its name tells its content."""
    (file,) = path.glob(name.replace(".", "*."))
    return file


def files_of(path):
    return {file.name: file.read_bytes() for file in path.iterdir()}

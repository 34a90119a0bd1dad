"""The detector within a pipeline."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from curvdetect import LossDetector
from curvdetect.detectors.last_step import before_last, last_step, prefix_of

X = np.random.default_rng(0).normal(size=(20, 4))
DETECTOR = LossDetector()
INNER = Pipeline([("pca", PCA(2)), ("detector", DETECTOR)])
CASES = {
    "bare": (DETECTOR, "", 4),
    "alone": (Pipeline([("detector", DETECTOR)]), "detector__", 4),
    "passthrough": (Pipeline([("a", "passthrough"), ("b", None), ("c", DETECTOR)]), "c__", 4),
    "two": (INNER, "detector__", 2),
    "nested": (Pipeline([("scale", StandardScaler()), ("inner", INNER)]), "inner__detector__", 2),
}
cases = pytest.mark.parametrize(("estimator", "prefix", "width"), CASES.values(), ids=CASES)


@cases
def test_the_last_step_is_found_however_deep(estimator, prefix, width):
    assert last_step(estimator) is DETECTOR
    assert prefix_of(estimator) == prefix
    assert prefix + "q" in estimator.get_params()


@cases
def test_what_stands_before_it_is_applied(estimator, prefix, width):
    assert before_last(estimator, None) is None
    INNER.named_steps["pca"].fit(X)
    if prefix.startswith("inner"):
        estimator.named_steps["scale"].fit(X)
    assert before_last(estimator, X).shape == (20, width)

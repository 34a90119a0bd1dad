"""A forest as arrays votes as scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier

from curvdetect import OutOfBagDetector
from curvdetect.detectors import trees

FORESTS = {
    "deep": (300, 5, {}),
    "leaves of several": (300, 3, {"min_samples_leaf": 3}),
    "roots that are leaves": (4, 2, {"min_samples_leaf": 3}),
    "leaves at any place": (300, 2, {"max_leaf_nodes": 7}),
}


@pytest.mark.parametrize(("n", "n_classes", "params"), FORESTS.values(), ids=FORESTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_votes_are_those_of_the_forest(monkeypatch, n, n_classes, params, dtype):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(n, 4)).round(1).astype(dtype), np.arange(n) % n_classes
    forest = ExtraTreesClassifier(20, random_state=0, **params).fit(X, y)
    new = np.concatenate([X, rng.normal(size=(50, 4)).round(1).astype(dtype)])  # some on a threshold
    expected = forest.predict_proba(new)
    arrays = trees.Trees(forest)
    np.testing.assert_allclose(arrays.says(new), expected, atol=1e-6)
    monkeypatch.setattr(trees, "CHUNK_BYTES", 1)
    np.testing.assert_allclose(arrays.says(new), expected, atol=1e-6)


def test_trees_of_many_classes_take_bounded_memory(monkeypatch):
    rng = np.random.default_rng(0)
    y = np.arange(900) % 300
    X = rng.normal(size=(300, 8))[y] + rng.normal(scale=0.05, size=(900, 8))
    wrong = [0, 1, 2]
    y[wrong] = [7, 8, 9]
    sizes = {}
    for limit in (2**32, 2**26):
        monkeypatch.setattr(trees, "TREES_BYTES", limit)
        detector = OutOfBagDetector(device="cpu", random_state=0).fit(X, y)
        sizes[limit] = detector._fitted.trees.shares.nbytes
        assert {*detector.ranking(10)["index"]} >= {*wrong}
    assert sizes[2**26] < 2**26 / 4 < sizes[2**32]  # leaves are half of the nodes, and kept in half the precision

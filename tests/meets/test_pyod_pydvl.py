"""Outliers of PyOD and data values of pyDVL beside a detector of wrong labels."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from curvdetect import LeaveOneOutDetector, fuse
from curvdetect.metrics import auroc
from tests.cases import noisy_digits

X, LABELS, MASK, _ = noisy_digits(300)


def scores():
    return LeaveOneOutDetector(device="cpu", random_state=0).fit(X, LABELS).scores_


@pytest.mark.meets("pyod")
def test_outliers_are_no_wrong_labels_and_are_fused_by_rank():
    """`decision_scores_` of PyOD's KNN and the detector's scores are both higher for the worse: `fuse` takes both.

    KNN does not look at labels: it finds planted wrong labels by chance.
    """
    knn = pytest.importorskip("pyod.models.knn").KNN().fit(X)
    ours = scores()
    fused = fuse(ours, knn.decision_scores_)
    assert 0.35 < auroc(MASK, knn.decision_scores_) < 0.65
    assert auroc(MASK, ours) > 0.99
    assert auroc(MASK, knn.decision_scores_) < auroc(MASK, fused) <= auroc(MASK, ours)


@pytest.mark.meets("pydvl")
def test_low_values_of_data_agree_with_high_scores():
    """The lowest values by pyDVL's `KNNShapleyValuation` and the highest scores are the same planted wrong labels.

    Values are low, scores high for the worse. pyDVL wants numpy below 2; this works with numpy 2 all the same.
    """
    pytest.importorskip("pydvl")
    from pydvl.valuation import Dataset, KNNShapleyValuation

    model = KNeighborsClassifier(5)
    train = Dataset(X[:200], LABELS[:200])
    valuation = KNNShapleyValuation(model, Dataset(X[200:], LABELS[200:]), progress=False).fit(train)
    values = dict(zip(valuation.result.indices, valuation.result.values, strict=True))
    values = np.array([values[i] for i in range(200)])
    assert auroc(MASK[:200], -values) > 0.9
    assert auroc(MASK[:200], fuse(-values, scores()[:200])) > 0.95

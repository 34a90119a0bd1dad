"""Classes of two samples and a thousand classes, for every detector that can rank them; the others say why not."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import curvdetect
from curvdetect import ConfidentLearningDetector, CurvSSFT, SSFTDetector
from curvdetect.detectors.base import BaseNoiseDetector
from tests.cases import quick_net

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:The least populated class:UserWarning"),
    pytest.mark.filterwarnings("ignore:y holds:UserWarning"),
    pytest.mark.filterwarnings("ignore:May not flag all label issues:UserWarning"),
]
EXPORTED = [getattr(curvdetect, name) for name in curvdetect.__all__]
DETECTORS = [
    c
    for c in EXPORTED
    if isinstance(c, type) and issubclass(c, BaseNoiseDetector) and "net" in inspect.signature(c).parameters
]
LABELS = {
    "two_of_one": [0] * 40 + [1] * 2,
    "two_of_two": ["a"] * 40 + ["b"] * 2 + ["c"] * 2,
    "one_alone": [0] * 40 + [1],
    "two_of_each": list(range(10)) * 2,
    "two_samples": [0, 1],
    "a_thousand_classes": list(range(1000)) * 2,
}
SPLIT = r"every label only once.*needs at least one class of two"
REFUSED = {
    (SSFTDetector, "two_samples"): SPLIT,
    (CurvSSFT, "two_samples"): SPLIT,
    (ConfidentLearningDetector, "two_samples"): "cv=5 folds need .* the largest in y has 1",
    (ConfidentLearningDetector, "two_of_each"): "cv=5 folds need .* the largest in y has 2: pass cv=2",
    (ConfidentLearningDetector, "a_thousand_classes"): "cv=5 folds need .* pass cv=2",
}


def _fit(kind, labels, **params):
    X = np.random.default_rng(0).standard_normal((len(labels), 6))
    net = quick_net(6, len(set(labels)), max_epochs=1)
    return kind(net, **{"device": "cpu", "random_state": 0, "q": 1, **params}).fit(X, labels)


def _assert_ranks(detector, labels):
    assert detector.scores_.shape == (len(labels),)
    assert np.isfinite(detector.scores_).all()
    assert detector.classes_.tolist() == sorted(set(labels))
    assert (detector.suggested_labels_ != np.asarray(labels)).all()
    assert sorted(detector.ranking_) == list(range(len(labels)))


@pytest.mark.parametrize("labels", LABELS, ids=str)
@pytest.mark.parametrize("kind", DETECTORS, ids=lambda c: c.__name__)
def test_every_detector_ranks_them_or_says_why_not(kind, labels):
    if (kind, labels) in REFUSED:
        with pytest.raises(ValueError, match=REFUSED[kind, labels]):
            _fit(kind, LABELS[labels])
    else:
        _assert_ranks(_fit(kind, LABELS[labels]), LABELS[labels])


@pytest.mark.parametrize("labels", ["two_of_each", "a_thousand_classes"])
def test_cross_validation_takes_as_many_folds_as_the_error_says(labels):
    _assert_ranks(_fit(ConfidentLearningDetector, LABELS[labels], cv=2), LABELS[labels])

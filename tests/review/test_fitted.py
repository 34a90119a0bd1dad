"""Whatever holds a fitted detector leads to it."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from curvdetect import CurvatureNoiseDetector, CurvatureSearch, InSample, LossDetector, PlantedNoise, noise_scorer
from curvdetect.review.fitted import fitted_detector, name_of, scores_of
from tests.cases import noisy_digits, quick_net

X, Y, MASK, _ = noisy_digits(60)
FAST = {"max_epochs": 2, "stop_at": 1.0, "device": "cpu", "random_state": 0}


def loss():
    return LossDetector(quick_net(), **FAST)


def search(refit=True):
    options = {"cv": InSample(), "scoring": noise_scorer(MASK), "error_score": "raise", "refit": refit}
    return GridSearchCV(loss(), {"q": [3, 6]}, **options)


HOLDERS = {
    "detector": loss,
    "pipeline": lambda: make_pipeline("passthrough", loss()),
    "grid search": search,
    "planted": lambda: PlantedNoise(loss(), refit=True, random_state=0),
    "search of planted": lambda: GridSearchCV(
        PlantedNoise(loss(), refit=True, random_state=0), {"rate": [0.1]}, cv=InSample()
    ),
}


@pytest.mark.parametrize("make", HOLDERS.values(), ids=HOLDERS)
def test_the_detector_is_found(make):
    found = fitted_detector(make().fit(X, Y))
    assert isinstance(found, LossDetector)
    np.testing.assert_array_equal(found.scores_, loss().fit(X, Y).scores_)


@pytest.mark.parametrize("make", HOLDERS.values(), ids=HOLDERS)
def test_what_is_not_fitted_says_so(make):
    with pytest.raises(NotFittedError):
        fitted_detector(make())


REFUSED = {
    "another estimator": (lambda: LogisticRegression().fit(X, Y), "got a LogisticRegression"),
    "a table": (lambda: X, "got a ndarray"),
    "no refit": (lambda: search(refit=False).fit(X, Y), "Pass refit=True"),
}


@pytest.mark.parametrize(("make", "message"), REFUSED.values(), ids=REFUSED)
def test_what_holds_none_is_refused(make, message):
    with pytest.raises(TypeError, match=message):
        fitted_detector(make())


def test_a_search_over_curvatures_leads_to_its_best():
    found = CurvatureSearch(CurvatureNoiseDetector(quick_net(), **FAST), {"h": [1e-2, 1e-3]}).fit(X, Y, noise_mask=MASK)
    assert fitted_detector(found) is found.best_estimator_


def test_scores_are_the_detectors_own_or_those_of_a_signal():
    detector = loss().fit(X, Y)
    assert scores_of(detector) is detector.scores_
    assert scores_of(detector, "margin") is detector.signal_scores_["margin"]
    assert (name_of(detector), name_of(detector, "margin")) == ("LossDetector", "margin")
    with pytest.raises(ValueError, match=r"signal must be None or one .*'loss'.*got 'curvature'"):
        scores_of(detector, "curvature")

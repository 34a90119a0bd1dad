"""One run read as many fits."""

from __future__ import annotations

import copy
from itertools import product

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from curvdetect import CurvatureNoiseDetector
from curvdetect.detectors.shared_run import read_off, setting_of
from tests.cases import noisy_digits, quick_net
from tests.detectors.fits import assert_equal_fits

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, LABELS, _, _ = noisy_digits(100)
GRID = {"h": [1e-3, 1e-1], "n": [1, 3], "power": [1, 2]}
SETTINGS = list(product(*GRID.values()))


def _detector(contrast=False, **params):
    options = {"max_epochs": 2, "q": 7, "device": "cpu", "random_state": 0}
    return CurvatureNoiseDetector(quick_net(), contrast=contrast, **options, **params)


@pytest.fixture(scope="module")
def run():
    made = {}

    def fit(contrast):
        if contrast not in made:
            made[contrast] = _detector(contrast, grid=GRID).fit(X, LABELS)
        return copy.deepcopy(made[contrast])

    return fit


@pytest.mark.parametrize("contrast", [False, True], ids=["plain", "contrast"])
@pytest.mark.parametrize(("h", "n", "power"), SETTINGS)
def test_each_setting_is_what_a_fit_of_its_own_leaves(run, h, n, power, contrast):
    estimator = _detector(contrast, h=h, n=n, power=power)
    assert setting_of(estimator) == (h, n, power)
    separate = clone(estimator).fit(X, LABELS)
    assert read_off(run(contrast), estimator) is estimator
    assert_equal_fits(estimator, separate)


def test_time_is_that_of_the_shared_run(run):
    run = run(contrast=True)
    expected = sum(run.seconds_.values())
    estimator = read_off(run, _detector(True, h=0.1, n=3, power=2))
    assert sum(estimator.seconds_.values()) == pytest.approx(expected)


def test_a_pipeline_keeps_what_was_fitted_before_its_last_step():
    def make(**params):
        return make_pipeline(StandardScaler(), make_pipeline(StandardScaler(), _detector(**params)))

    read = read_off(make(grid=GRID).fit(X, LABELS), make(h=0.1, n=3))
    separate = make(h=0.1, n=3).fit(X, LABELS)
    assert_equal_fits(read[-1], separate[-1])
    assert np.array_equal(read.score_samples(X[::-1]), separate.score_samples(X[::-1]))

"""Settings of a search: grouped by training, read off it, and as a table."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV, ParameterGrid

from curvdetect import CurvatureNoiseDetector
from curvdetect.detectors.shared_training import (
    as_cv_results,
    best_of,
    by_training,
    candidates_of,
    read_off,
    setting_of,
)
from tests.cases import noisy_digits, quick_net
from tests.detectors.fits import assert_equal_fits

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
ONE, OTHER = object(), object()
GROUPS = {
    "read off one": ({"h": [1, 2], "n": [1, 2], "power": [1, 2], "q": [0.1, 5]}, "", [[*range(16)]]),
    "in a pipeline": ({"step__h": [1, 2], "h": [1, 2]}, "step__", [[0, 1], [2, 3]]),
    "list of grids": ([{"h": [1]}, {"n": [3], "lr": [1]}, {"power": [2]}], "", [[0, 2], [1]]),
    "equal numbers": ([{"lr": [0.1], "h": [1]}, {"lr": [np.float64(0.1)]}], "", [[0, 1]]),
    "the same object": ({"net": [ONE, OTHER, None], "n": [1, 2]}, "", [[0, 3], [1, 4], [2, 5]]),
    "arrays are not compared": ([{"w": [np.ones(3)]}, {"w": [np.ones(3)]}], "", [[0], [1]]),
}


@pytest.mark.parametrize(("grid", "prefix", "groups"), GROUPS.values(), ids=GROUPS)
def test_settings_that_differ_in_what_is_read_off_share_a_training(grid, prefix, groups):
    candidates = candidates_of(grid)
    assert candidates == list(ParameterGrid(grid)) or "w" in candidates[0]
    assert by_training(candidates, prefix) == groups


X, LABELS, _, _ = noisy_digits(100)
GRID = {"h": [1e-3, 1e-1], "n": [1, 3], "power": [1, 2]}


def _detector(contrast=False, **params):
    options = {"max_epochs": 2, "q": 7, "device": "cpu", "random_state": 0}
    return CurvatureNoiseDetector(quick_net(), contrast=contrast, **options, **params)


@pytest.fixture(scope="module")
def run():
    made = {contrast: _detector(contrast, grid=GRID).fit(X, LABELS) for contrast in (False, True)}
    return lambda contrast: copy.deepcopy(made[contrast])


@pytest.mark.parametrize("contrast", [False, True], ids=["plain", "contrast"])
@pytest.mark.parametrize(("h", "n", "power"), [(1e-3, 1, 1), (1e-1, 3, 2)])
def test_each_setting_is_what_a_fit_of_its_own_leaves(run, h, n, power, contrast):
    estimator = _detector(contrast, h=h, n=n, power=power)
    assert setting_of(estimator) == (h, n, power)
    separate, shared = clone(estimator).fit(X, LABELS), run(contrast)
    spent = sum(shared.seconds_.values())
    assert read_off(shared, estimator) is estimator
    assert_equal_fits(estimator, separate)
    assert sum(estimator.seconds_.values()) == pytest.approx(spent)


def _graded(*grades):
    return [(grade, 1.0, 0.5) for grade in grades]


def test_the_best_is_the_first_of_the_highest_mean():
    assert best_of({0: _graded(0.5, 0.6), 3: _graded(0.7, 0.7), 2: _graded(0.8, 0.6)}) == 2


def test_the_table_is_that_of_scikit_learn_s_search():
    grid = [{"strategy": ["uniform"], "random_state": [0, 1]}, {"strategy": ["constant"], "constant": [1]}]
    X, y = np.zeros((12, 1)), np.tile([0, 1], 6)
    theirs = GridSearchCV(DummyClassifier(), grid, cv=2).fit(X, y).cv_results_
    graded = [[(theirs[f"split{i}_test_score"][row], 1.0 + i, 0.1 + 0.2 * i) for i in range(2)] for row in range(3)]
    ours = as_cv_results(theirs["params"], graded)
    assert set(ours) == set(theirs)
    assert ours["mean_fit_time"].tolist() == [1.5] * 3
    assert ours["std_score_time"] == pytest.approx([0.1] * 3)
    timeless = [name for name in theirs if not name.endswith("_time")]
    pd.testing.assert_frame_equal(pd.DataFrame(ours)[timeless], pd.DataFrame(theirs)[timeless])
    assert ours["param_constant"].mask.tolist() == [True, True, False]
    assert ours["param_random_state"].dtype == theirs["param_random_state"].dtype


def test_values_of_any_kind_have_a_place_in_the_table():
    for value in ([1, 2], None, True, ONE, {"a": 1}):
        results = as_cv_results([{"a": value}, {"b": 1}], [_graded(0.5), _graded(0.4)])
        assert results["param_a"][0] is value or results["param_a"][0] == value
        assert results["rank_test_score"].tolist() == [1, 2]

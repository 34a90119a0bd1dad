"""Settings of a search: grouped by training, and as a table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV, ParameterGrid

from curvdetect.detectors.candidates import Graded, as_cv_results, best_of, by_training, candidates_of

ONE, OTHER = object(), object()
GROUPS = {
    "read off one": ({"h": [1, 2], "n": [1, 2], "power": [1, 2], "q": [0.1, 5]}, "", [[*range(16)]]),
    "epochs": ({"h": [1, 2], "max_epochs": [5, 6]}, "", [[0, 2], [1, 3]]),
    "named before h": ({"a": [5, 6], "h": [1, 2]}, "", [[0, 1], [2, 3]]),
    "in a pipeline": ({"step__h": [1, 2], "h": [1, 2]}, "step__", [[0, 1], [2, 3]]),
    "list of grids": ([{"h": [1]}, {"n": [3], "lr": [1]}, {"power": [2]}], "", [[0, 2], [1]]),
    "equal numbers": ([{"lr": [0.1], "h": [1]}, {"lr": [np.float64(0.1)]}], "", [[0, 1]]),
    "the same object": ({"net": [ONE, OTHER], "n": [1, 2]}, "", [[0, 2], [1, 3]]),
    "arrays are not compared": ([{"w": [np.ones(3)]}, {"w": [np.ones(3)]}], "", [[0], [1]]),
    "none": ({"stop_at": [None, 0.9], "h": [1, 2]}, "", [[0, 2], [1, 3]]),
}


@pytest.mark.parametrize(("grid", "prefix", "groups"), GROUPS.values(), ids=GROUPS)
def test_settings_that_differ_in_what_is_read_off_share_a_training(grid, prefix, groups):
    candidates = candidates_of(grid)
    assert candidates == list(ParameterGrid(grid)) or "w" in candidates[0]
    assert by_training(candidates, prefix) == groups


EMPTY = {
    "dict": ({}, ValueError, "param_grid names nothing"),
    "list": ([], ValueError, "param_grid names nothing"),
    "list of dict": ([{}], ValueError, "param_grid names nothing"),
    "no values": ({"h": []}, ValueError, "non-empty sequence"),
    "one value": ({"h": 1e-2}, TypeError, "parameter 'h' needs to be a list or a numpy array"),
    "no grid": (3, TypeError, "Parameter grid should be a dict or a list"),
}


@pytest.mark.parametrize(("grid", "error", "message"), EMPTY.values(), ids=EMPTY)
def test_a_grid_without_settings_is_refused(grid, error, message):
    with pytest.raises(error, match=message):
        candidates_of(grid)


def _graded(*grades):
    return Graded(list(grades), [1.0 + g for g in grades], [0.5] * len(grades))


def test_the_best_is_the_first_of_the_highest_mean():
    assert best_of({0: _graded(0.5, 0.6), 3: _graded(0.7, 0.7), 2: _graded(0.8, 0.6)}) == 2
    assert best_of({5: _graded(0.5)}) == 5


def test_the_table_is_that_of_scikit_learn_s_search():
    grid = [{"strategy": ["uniform"], "random_state": [0, 1]}, {"strategy": ["constant"], "constant": [1]}]
    X, y = np.zeros((12, 1)), np.tile([0, 1], 6)
    theirs = GridSearchCV(DummyClassifier(), grid, cv=2).fit(X, y).cv_results_
    graded = [
        Graded([theirs[f"split{i}_test_score"][row] for i in range(2)], [1.0, 2.0], [0.1, 0.3]) for row in range(3)
    ]
    ours = as_cv_results(theirs["params"], graded)
    assert set(ours) == set(theirs)
    assert ours["mean_fit_time"].tolist() == [1.5] * 3
    assert ours["std_score_time"] == pytest.approx([0.1] * 3)
    timeless = [name for name in theirs if not name.endswith("_time")]
    pd.testing.assert_frame_equal(pd.DataFrame(ours)[timeless], pd.DataFrame(theirs)[timeless])
    assert ours["param_constant"].mask.tolist() == [True, True, False]
    assert ours["param_random_state"].dtype == theirs["param_random_state"].dtype


@pytest.mark.parametrize("value", [[1, 2], "a", None, True, ONE, (1,), {"a": 1}], ids=lambda v: type(v).__name__)
def test_values_of_any_kind_have_a_place_in_the_table(value):
    results = as_cv_results([{"a": value}, {"b": 1}], [_graded(0.5), _graded(0.4)])
    assert results["param_a"][0] is value or results["param_a"][0] == value
    assert results["param_a"].mask.tolist() == [False, True]
    assert results["rank_test_score"].tolist() == [1, 2]

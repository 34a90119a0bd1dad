"""A search that trains once for all h, n and power: its grades, its fits and its table of results."""

from __future__ import annotations

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from joblib._parallel_backends import ThreadingBackend
from sklearn import config_context
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV, ParameterGrid
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from curvdetect import CurvatureNoiseDetector, CurvatureSearch, InSample, PlantedNoise, noise_scorer
from curvdetect.detectors.shared_training import as_cv_results, by_training, candidates_of
from curvdetect.metrics import auroc
from tests.cases import InterruptedTraining, noisy_digits, quick_net, untouched_rng

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
N = 100
X, LABELS, MASK, _ = noisy_digits(N)
ALL = {"h": [1e-3, 1e-1], "n": [1, 3], "power": [1, 2]}


def _detector(net=None, **params):
    net = quick_net() if net is None else net
    return CurvatureNoiseDetector(net, **{"max_epochs": 2, "device": "cpu", "random_state": 0, **params})


def _search(grid, detector=None, **options):
    return CurvatureSearch(_detector() if detector is None else detector, grid, **{"random_state": 0, **options})


def assert_equal_fits(one, other):
    """Fail where two fitted detectors differ in an attribute, times apart."""
    if isinstance(one, Pipeline):
        one, other = one[-1], other[-1]
    assert vars(one).keys() == vars(other).keys()
    assert one.get_params().keys() == other.get_params().keys()
    for name in [name for name in vars(one) if name.endswith("_")]:
        _assert_equal(_timeless(name, getattr(one, name)), _timeless(name, getattr(other, name)), name)
    _assert_equal(one._rows.points, other._rows.points, "_rows")
    _assert_equal(one._rows.labels, other._rows.labels, "_rows")


def _timeless(name, value):
    if name == "net_":
        return {key: weight.numpy() for key, weight in value.module_.state_dict().items()}
    if name == "seconds_":
        return sorted(value)
    if name == "history_":
        return [{key: v for key, v in record.items() if not key.startswith("seconds")} for record in value]
    return value


def _assert_equal(one, other, name):
    if isinstance(one, dict):
        assert list(one) == list(other), name
        for key in one:
            _assert_equal(one[key], other[key], f"{name}[{key}]")
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype, name
        assert np.array_equal(one, other, equal_nan=one.dtype.kind == "f"), name
    else:
        assert one == other, name


GRIDS = {
    "one training": (ALL, 1),
    "list of grids": ([{"h": [1e-2]}, {"h": [1.0], "n": [4], "power": [2]}, {"random_state": [1], "n": [2]}], 2),
    "share flagged": ({"h": np.geomspace(1e-2, 1, 2), "q": [0.05, 30], "contrast": [True, False]}, 2),
}


@pytest.mark.parametrize(("grid", "n_trainings"), GRIDS.values(), ids=GRIDS)
def test_every_setting_is_graded_as_by_a_fit_of_its_own(grid, n_trainings):
    search = _search(grid).fit(X, LABELS, noise_mask=MASK)
    assert search.n_trainings_ == n_trainings
    assert search.cv_results_["params"] == list(ParameterGrid(grid))
    separate = [_detector().set_params(**params).fit(X, LABELS) for params in ParameterGrid(grid)]
    grades = [detector.score(noise_mask=MASK) for detector in separate]
    assert search.cv_results_["mean_test_score"].tolist() == grades
    best = int(np.argmax(grades))
    assert (search.best_index_, search.best_score_) == (best, grades[best])
    assert search.best_params_ == list(ParameterGrid(grid))[best]
    assert_equal_fits(search.best_estimator_, separate[best])


def test_without_a_mask_it_grades_as_planted_noise_does_and_fits_the_labels_as_given():
    scoring, labels = "average_precision", LABELS.copy()
    planted = PlantedNoise(_detector(), rate=0.1, kind="pair", n_repeats=2, scoring=scoring, random_state=0)
    grid = {"h": [1e-3, 1.0], "max_epochs": [1, 2]}
    options = {"planted_rate": 0.1, "planted_kind": "pair", "n_repeats": 2, "scoring": scoring}
    detector = _detector()
    before = pickle.dumps((detector.get_params(deep=False), grid))
    with untouched_rng():
        search = _search(grid, detector, **options).fit(X, labels)
    # nothing of the caller's changes
    assert pickle.dumps((detector.get_params(deep=False), grid)) == before
    assert np.array_equal(labels, LABELS)
    assert not hasattr(detector.net, "module_")
    theirs = GridSearchCV(planted, {f"detector__{name}": some for name, some in grid.items()}, cv=InSample())
    theirs.fit(X, LABELS)
    ours, planted = pd.DataFrame(search.cv_results_), theirs.best_estimator_
    assert ours["mean_test_score"].tolist() == theirs.cv_results_["mean_test_score"].tolist()
    assert ours["rank_test_score"].tolist() == theirs.cv_results_["rank_test_score"].tolist()
    assert np.array_equal(search.planted_masks_, planted.planted_masks_)
    assert ours.loc[search.best_index_, ["split0_test_score", "split1_test_score"]].tolist() == (
        planted.grades_[scoring].tolist()
    )
    assert search.n_trainings_ == 2 * 2 + 1
    assert_equal_fits(search.best_estimator_, _detector(**search.best_params_).fit(X, LABELS))


def test_repeats_have_seeds_of_their_own_and_the_first_the_detectors():
    search = _search({"h": [1e-3, 1.0]}, n_repeats=3).fit(X, LABELS, noise_mask=MASK)
    splits = [search.cv_results_[f"split{i}_test_score"] for i in range(3)]
    once = _search({"h": [1e-3, 1.0]}).fit(X, LABELS, noise_mask=MASK)
    assert splits[0].tolist() == once.cv_results_["split0_test_score"].tolist()
    assert len({tuple(split) for split in splits}) == 3
    assert search.n_trainings_ == 3
    assert_equal_fits(search.best_estimator_, _detector(**search.best_params_).fit(X, LABELS))


def test_a_pipeline_is_searched_through_its_last_step():
    name = "curvaturenoisedetector__"
    pipeline = make_pipeline(StandardScaler(), PCA(10, random_state=0), _detector(quick_net(10)))
    grid = {f"{name}h": [1e-2, 1.0], f"{name}n": [1, 2], "standardscaler__with_std": [True, False]}
    search = _search(grid, pipeline).fit(X, LABELS, noise_mask=MASK)
    separate = [clone(pipeline).set_params(**params).fit(X, LABELS) for params in search.cv_results_["params"]]
    grades = [noise_scorer(MASK)(one) for one in separate]
    assert search.n_trainings_ == 2
    assert search.cv_results_["mean_test_score"].tolist() == grades
    best = separate[search.best_index_]
    assert_equal_fits(search.best_estimator_, best)
    assert search.best_estimator_[0].with_std == best[0].with_std
    assert np.array_equal(search.score_samples(X[::-1]), best.score_samples(X[::-1]))
    assert search.score(X[::2], noise_mask=MASK[::2]) == auroc(MASK[::2], best[-1].scores_[::2])
    planted = _search(grid, pipeline).fit(X, LABELS)
    assert planted.n_trainings_ == 3
    assert_equal_fits(planted.best_estimator_, clone(pipeline).set_params(**planted.best_params_).fit(X, LABELS))


def test_a_mask_is_routed_through_a_pipeline():
    with config_context(enable_metadata_routing=True):
        search = _search({"h": [1e-2, 1.0]}).set_fit_request(noise_mask=True)
        routed = make_pipeline(StandardScaler(), search).fit(X, LABELS, noise_mask=MASK)[-1]
    direct = _search({"h": [1e-2, 1.0]}).fit(StandardScaler().fit_transform(X), LABELS, noise_mask=MASK)
    assert routed.cv_results_["mean_test_score"].tolist() == direct.cv_results_["mean_test_score"].tolist()


@pytest.mark.parametrize("mask", [MASK, None], ids=["mask", "planted"])
def test_without_a_refit_there_is_a_table_and_no_best_estimator(mask):
    search = _search({"h": [1e-2, 1.0]}, refit=False).fit(X, LABELS, noise_mask=mask)
    assert (search.n_trainings_, set(search.best_params_)) == (1, {"h"})
    assert not hasattr(search, "best_estimator_")
    assert not hasattr(search, "score")


class AllAtOnce(ThreadingBackend):
    """A backend that returns nothing before all is done, as ray's."""

    supports_return_generator = False


@pytest.mark.parametrize("backend", ["threading", "all at once"])
def test_trainings_may_be_done_beside_each_other(backend):
    joblib.register_parallel_backend("all at once", AllAtOnce)
    grid = {"net__lr": [1e-3, 0.02, 0.1], "h": [1e-3, 1e-1]}
    expected = _search(grid, n_repeats=2).fit(X, LABELS, noise_mask=MASK)
    with joblib.parallel_config(backend=backend), untouched_rng():
        search = _search(grid, n_repeats=2, n_jobs=2).fit(X, LABELS, noise_mask=MASK)
    for split in ("split0_test_score", "split1_test_score"):
        assert search.cv_results_[split].tolist() == expected.cv_results_[split].tolist()
    assert search.n_trainings_ == 6
    assert search.n_features_in_ == 64
    assert_equal_fits(search.best_estimator_, expected.best_estimator_)


@pytest.mark.usefixtures("few_chains")
def test_the_number_of_flags_is_found_out_for_the_best_setting_alone():
    search = _search({"h": [1e-3, 1e-1]}, _detector(q="auto")).fit(X, LABELS, noise_mask=MASK)
    assert search.n_trainings_ == 2  # one for the grades, and the fit of the best
    assert_equal_fits(search.best_estimator_, _detector(q="auto", **search.best_params_).fit(X, LABELS))


@pytest.mark.parametrize(("training", "repeats"), [(1, 1), (3, 1), (4, 2)])
def test_ctrl_c_keeps_the_settings_that_were_complete(training, repeats):
    InterruptedTraining.trainings = 0
    grid = {"net__lr": [0.01, 0.05, 0.1, 0.2], "power": [1, 2]}
    detector = _detector(quick_net(callbacks=[InterruptedTraining(training, 2)]))
    search = _search(grid, detector, n_repeats=repeats)
    with untouched_rng(), pytest.raises(KeyboardInterrupt):
        search.fit(X, LABELS, noise_mask=MASK)
    InterruptedTraining.trainings = 100
    complete = (training - 1) // repeats
    assert any(name.endswith("_") for name in vars(search)) == (complete > 0)
    if complete:
        assert (search.interrupted_, search.n_trainings_) == (True, training - 1)
        part = _search({**grid, "net__lr": grid["net__lr"][:complete]}, detector, n_repeats=repeats)
        part.fit(X, LABELS, noise_mask=MASK)
        assert search.cv_results_["params"] == part.cv_results_["params"]
        assert search.cv_results_["mean_test_score"].tolist() == part.cv_results_["mean_test_score"].tolist()
        assert search.best_params_ == part.best_params_
        assert np.array_equal(search.score_samples(), part.best_estimator_.scores_)


def test_an_error_in_one_setting_keeps_those_before():
    search = _search({"net__lr": [0.1, 1e30]})
    with pytest.raises(FloatingPointError):
        search.fit(X, LABELS, noise_mask=MASK)
    assert search.interrupted_
    assert search.best_params_ == {"net__lr": 0.1}
    assert not search.set_params(param_grid={"h": [1.0]}).fit(X, LABELS, noise_mask=MASK).interrupted_


ONE, OTHER = object(), object()
GROUPS = {
    "read off one": ({"h": [1, 2], "n": [1, 2], "power": [1, 2], "q": [0.1, 5]}, [[*range(16)]]),
    "equal numbers": ([{"lr": [0.1], "h": [1]}, {"lr": [np.float64(0.1)]}], [[0, 1]]),
    "the same object": ({"net": [ONE, OTHER, None], "n": [1, 2]}, [[0, 3], [1, 4], [2, 5]]),
    "arrays are not compared": ([{"w": [np.ones(3)]}, {"w": [np.ones(3)]}], [[0], [1]]),
}


@pytest.mark.parametrize(("grid", "groups"), GROUPS.values(), ids=GROUPS)
def test_settings_that_differ_in_what_is_read_off_share_a_training(grid, groups):
    candidates = candidates_of(grid)
    assert candidates == list(ParameterGrid(grid)) or "w" in candidates[0]
    assert by_training(candidates, "") == groups


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

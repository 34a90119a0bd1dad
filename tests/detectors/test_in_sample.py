"""scikit-learn's own searches over a detector's parameters, in sample."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn import config_context
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.utils.data import TensorDataset

from curvdetect import CurvatureNoiseDetector, InSample, noise_scorer
from tests.cases import InterruptedTraining, noisy_digits, quick_net, untouched_rng

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Scoring failed:UserWarning"),
]
N = 80
X, LABELS, MASK, TRUE = noisy_digits(N)


def _detector(net=None, **params):
    net = quick_net() if net is None else net
    return CurvatureNoiseDetector(net, **{"max_epochs": 2, "device": "cpu", "random_state": 0, **params})


def _pipeline(**params):
    return make_pipeline(StandardScaler(), _detector(**params))


def _search(grid, estimator=None, kind=GridSearchCV, **options):
    options = {"cv": InSample(), "scoring": noise_scorer(MASK), "error_score": "raise", **options}
    return kind(_detector() if estimator is None else estimator, grid, **options)


def _grades(params, estimator=None, grade=lambda detector: detector.score(noise_mask=MASK)):
    """Return the grades that separate fits get."""
    made = [(_detector() if estimator is None else estimator()).set_params(**p) for p in params]
    for one in made:
        one.fit(X, LABELS)
    return [grade(one if estimator is None else one[-1]) for one in made]


DATA = {
    "array": X,
    "frame": pd.DataFrame(X),
    "dataset": TensorDataset(torch.tensor(X), torch.tensor(LABELS)),
}


@pytest.mark.parametrize("data", DATA.values(), ids=DATA)
def test_everything_is_on_both_sides_once(data):
    splitter = InSample()
    ((train, test),) = splitter.split(data, LABELS, groups=None)
    assert train.tolist() == test.tolist() == list(range(N))
    assert not np.shares_memory(train, test)
    assert splitter.get_n_splits() == splitter.get_n_splits(data, LABELS) == 1
    assert repr(splitter) == "InSample()"


GRIDS = {
    "net__lr": {"net__lr": [1e-3, 0.1]},
    "list of two": [{"power": [2]}, {"h": [0.1], "n": [2]}],
}


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_a_grid_search_finds_the_grades_of_separate_fits(grid):
    search = _search(grid).fit(X, LABELS)
    grades = _grades(search.cv_results_["params"])
    assert search.cv_results_["mean_test_score"].tolist() == grades
    assert search.best_score_ == max(grades)
    assert search.best_params_ == search.cv_results_["params"][int(np.argmax(grades))]
    assert search.best_estimator_.score(noise_mask=MASK) == max(grades)


def test_a_pipeline_is_searched_through_its_last_step():
    name = "curvaturenoisedetector__h"
    search = _search({name: [1e-3, 1.0], "standardscaler__with_mean": [True, False]}, _pipeline()).fit(X, LABELS)
    assert search.cv_results_["mean_test_score"].tolist() == _grades(search.cv_results_["params"], _pipeline)
    assert search.score_samples(X).tolist() == search.best_estimator_[-1].scores_.tolist()


def test_halving_spends_epochs_on_the_better_ones():
    resource = "max_epochs"
    options = {"kind": HalvingGridSearchCV, "resource": resource, "factor": 2, "min_resources": 1, "max_resources": 4}
    search = _search({"h": [1e-3, 1e-2, 1e-1, 1.0]}, **options).fit(X, LABELS)
    assert [(p["h"], p[resource]) for p in search.cv_results_["params"]][:4] == [(h, 1) for h in (1e-3, 0.01, 0.1, 1.0)]
    assert search.n_candidates_ == [4, 2, 1]
    assert search.n_resources_ == [1, 2, 4]
    assert search.cv_results_["mean_test_score"].tolist() == _grades(search.cv_results_["params"])


def test_several_grades_at_once():
    scoring = {name: noise_scorer(MASK, name) for name in ("roc_auc", "average_precision")}
    search = _search({"h": [1e-3, 1.0]}, scoring=scoring, refit="average_precision").fit(X, LABELS)
    assert search.cv_results_["mean_test_roc_auc"].tolist() == _grades(search.cv_results_["params"])
    assert search.best_score_ == max(search.cv_results_["mean_test_average_precision"])


through_a_pipeline = pytest.param(
    True,
    marks=pytest.mark.skipif(
        tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 8),
        reason="searches without a scorer don't route into a pipeline yet (scikit-learn issue 30937)",
    ),
    id="pipeline",
)


@pytest.mark.parametrize("piped", [pytest.param(False, id="detector"), through_a_pipeline])
def test_a_mask_is_routed_to_the_detector(piped):
    with config_context(enable_metadata_routing=True):
        detector = _detector().set_score_request(noise_mask=True)
        estimator = make_pipeline(StandardScaler(), detector) if piped else detector
        grid = {"curvaturenoisedetector__h" if piped else "h": [1e-3, 1.0]}
        search = _search(grid, estimator, scoring=None).fit(X, LABELS, noise_mask=MASK)
    params = search.cv_results_["params"]
    assert search.cv_results_["mean_test_score"].tolist() == _grades(params, _pipeline if piped else None)


FORGOTTEN = {
    "raise": {"error_score": "raise"},
    "nan": {"error_score": np.nan},
    "pipeline": {"estimator": _pipeline(), "grid": {"curvaturenoisedetector__h": [1e-2, 1e-1]}},
    "halving": {"kind": HalvingGridSearchCV, "resource": "n", "max_resources": 2, "min_resources": 1},
    "own scorer": {"scoring": lambda detector, X, y: detector.score(X, y)},
    "two jobs": {"n_jobs": 2},
}


@pytest.mark.parametrize("options", FORGOTTEN.values(), ids=FORGOTTEN)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_a_search_that_forgot_the_mask_says_so_and_has_no_best(options):
    search = _search(**{"grid": {"h": [1e-2, 1e-1]}, "scoring": None, "error_score": np.nan, **options})
    with pytest.raises(RuntimeError, match=r"a search can't grade this detector.*scoring=noise_scorer"):
        search.fit(X, LABELS)
    assert not hasattr(search, "best_params_")


@pytest.mark.parametrize(("training", "epoch"), [(2, 2), (4, 2)])
def test_ctrl_c_in_a_search_comes_out_of_it(training, epoch):
    InterruptedTraining.trainings = 0
    detector = _detector(quick_net(callbacks=[InterruptedTraining(training, epoch)]), max_epochs=3)
    search = _search({"h": [1e-3, 1e-2, 1e-1]}, detector, error_score=np.nan)  # the fourth training is the refit
    with untouched_rng(), pytest.raises(KeyboardInterrupt):
        search.fit(X, LABELS)
    assert InterruptedTraining.trainings == training
    assert not hasattr(search, "cv_results_")

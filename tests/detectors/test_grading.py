"""Grading by known wrong labels: the scorer, the score that can't be one, and scikit-learn's searches in sample."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from sklearn import config_context
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.utils.data import TensorDataset

from curvdetect import CurvatureNoiseDetector, InSample, noise_scorer
from curvdetect.detectors.grading import UndefinedScore
from curvdetect.metrics import auroc, average_precision
from tests.cases import InterruptedTraining, noisy_digits, quick_net, untouched_rng

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Scoring failed:UserWarning"),
]
N = 80
X, LABELS, MASK, _ = noisy_digits(N)


def _detector(net=None, **params):
    net = quick_net() if net is None else net
    return CurvatureNoiseDetector(net, **{"max_epochs": 2, "device": "cpu", "random_state": 0, **params})


@pytest.fixture(scope="module")
def fitted():
    return _detector().fit(X, LABELS)


@pytest.mark.parametrize(("name", "grade"), [("roc_auc", auroc), ("average_precision", average_precision)])
def test_a_scorer_grades_the_training_scores_however_the_detector_is_held(fitted, name, grade):
    scorer, expected = noise_scorer(MASK, name), grade(MASK, fitted.scores_)
    nested = make_pipeline("passthrough", make_pipeline("passthrough", _detector())).fit(X, LABELS)
    for estimator in (fitted, nested):
        assert scorer(estimator, X, LABELS) == pickle.loads(pickle.dumps(scorer))(estimator) == expected
    assert repr(scorer) == f"noise_scorer(<{MASK.sum()} of 80 wrong>, scoring={name!r})"


def test_a_scorer_refuses_other_samples_than_its_own():
    with pytest.raises(ValueError, match=r"noise_mask has 80 entries.*fitted on 60 samples.*cv=InSample\(\)"):
        noise_scorer(MASK)(_detector(max_epochs=1).fit(X[:60], LABELS[:60]))


def test_an_undefined_score_is_a_plain_nan_to_all_but_searches(fitted):
    with pytest.warns(UndefinedMetricWarning):
        score = fitted.score(X, LABELS)
    assert isinstance(score, float)
    assert np.isnan(score)
    assert np.isnan(np.mean([score, 1.0]))
    assert repr(score) == "nan"
    for again in (pickle.loads(pickle.dumps(score)), copy.deepcopy(score)):
        assert isinstance(again, UndefinedScore)
    with pytest.raises(RuntimeError, match="request noise_mask by metadata routing"):
        score.item()


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


def test_everything_is_on_both_sides_once():
    splitter, data = InSample(), TensorDataset(torch.tensor(X), torch.tensor(LABELS))
    ((train, test),) = splitter.split(data, LABELS, groups=None)
    assert train.tolist() == test.tolist() == list(range(N))
    assert not np.shares_memory(train, test)
    assert splitter.get_n_splits() == splitter.get_n_splits(data, LABELS) == 1
    assert repr(splitter) == "InSample()"


GRIDS = {
    "list of two": ([{"power": [2]}, {"h": [0.1], "net__lr": [0.1]}], None),
    "pipeline": ({"curvaturenoisedetector__h": [1e-3, 1.0], "standardscaler__with_mean": [False]}, _pipeline),
}


@pytest.mark.parametrize(("grid", "make"), GRIDS.values(), ids=GRIDS)
def test_a_grid_search_finds_the_grades_of_separate_fits(grid, make):
    scoring = {name: noise_scorer(MASK, name) for name in ("roc_auc", "average_precision")}
    search = _search(grid, make and make(), scoring=scoring, refit="roc_auc").fit(X, LABELS)
    grades = _grades(search.cv_results_["params"], make)
    assert search.cv_results_["mean_test_roc_auc"].tolist() == grades
    assert search.best_score_ == max(grades)
    assert search.best_params_ == search.cv_results_["params"][int(np.argmax(grades))]
    assert noise_scorer(MASK)(search.best_estimator_) == max(grades)


def test_a_mask_is_routed_to_the_detector():
    with config_context(enable_metadata_routing=True):
        detector = _detector().set_score_request(noise_mask=True)
        search = _search({"h": [1e-3, 1.0]}, detector, scoring=None).fit(X, LABELS, noise_mask=MASK)
    assert search.cv_results_["mean_test_score"].tolist() == _grades(search.cv_results_["params"])


FORGOTTEN = {
    "raise": {"error_score": "raise"},
    "pipeline": {"estimator": _pipeline(), "grid": {"curvaturenoisedetector__h": [1e-2, 1e-1]}},
    "halving": {"kind": HalvingGridSearchCV, "resource": "n", "max_resources": 2, "min_resources": 1},
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

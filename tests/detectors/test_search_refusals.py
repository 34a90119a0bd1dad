"""What a search refuses, and what it keeps where it is ended early."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from curvdetect import CurvatureNoiseDetector, CurvatureSearch, FusedDetector, LossDetector
from tests.cases import InterruptedTraining, noisy_digits, quick_net, untouched_rng

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
N = 100
X, LABELS, MASK, _ = noisy_digits(N)


def _detector(net=None, **params):
    net = quick_net() if net is None else net
    return CurvatureNoiseDetector(net, **{"max_epochs": 2, "device": "cpu", "random_state": 0, **params})


def _search(grid, detector=None, **options):
    return CurvatureSearch(_detector() if detector is None else detector, grid, **{"random_state": 0, **options})


WRONG = {
    "unknown": ({"grid": {"hh": [1]}}, ValueError, "Invalid parameter 'hh'"),
    "unknown of the net": ({"grid": {"net__llr": [1]}}, ValueError, "llr"),
    "net is none": (
        {"grid": {"net__lr": [0.1]}, "detector": CurvatureNoiseDetector()},
        ValueError,
        r"'net__lr' can't be set: net=None has no parameters.*memorizing_net",
    ),
    "step is none": (
        {"grid": {"scale__copy": [True]}, "detector": Pipeline([("scale", None), ("detector", _detector())])},
        ValueError,
        r"param_grid names \['scale__copy'\], and a parameter on the way there is None",
    ),
    "empty": ({"grid": {}}, ValueError, "param_grid names nothing"),
    "no values": ({"grid": {"h": []}}, ValueError, "non-empty sequence"),
    "h": ({"grid": {"h": [1e-2, -1.0]}}, ValueError, "h must be a positive number"),
    "n": ({"grid": {"n": [1, 0]}}, ValueError, "n must be"),
    "power": ({"grid": {"power": [1, 3]}}, ValueError, "power must be"),
    "q": ({"grid": {"q": [0.1, 2.5]}}, ValueError, "q must be a share"),
    "q of the scored": ({"grid": {"q": [30]}, "detector": _detector(score_on=range(20))}, ValueError, "from 1 to 20"),
    "score_on": ({"detector": _detector(score_on=[N])}, ValueError, f"score_on holds {N}"),
    "nothing wrong is scored": (
        {"grid": {"score_on": [None, np.flatnonzero(~MASK)]}},
        ValueError,
        "samples that score_on chose 0 are known to be wrong",
    ),
    "every": ({"grid": {"every": [1, 0]}}, ValueError, "every must be"),
    "epochs": ({"grid": {"max_epochs": [1, -1]}}, ValueError, "max_epochs must be"),
    "signals": ({"grid": {"signals": [(), ("lost",)]}}, ValueError, "signals must be"),
    "grid in the grid": ({"grid": {"grid": [{"h": [1]}]}}, ValueError, "detector.grid must be None"),
    "detector has a grid": ({"detector": _detector(grid={"h": [1]})}, ValueError, "detector.grid must be None"),
    "no h": ({"detector": LossDetector()}, TypeError, "must be a CurvatureNoiseDetector.*LossDetector.*GridSearchCV"),
    "h of another kind": ({"detector": FusedDetector()}, TypeError, "must be a CurvatureNoiseDetector"),
    "pipeline": ({"detector": make_pipeline(StandardScaler(), LossDetector())}, TypeError, r"got LossDetector\(\)"),
    "class": ({"detector": CurvatureNoiseDetector}, TypeError, "must be a CurvatureNoiseDetector"),
    "scoring": ({"scoring": "accuracy"}, ValueError, "scoring must be one of"),
    "rate": ({"planted_rate": 1}, ValueError, "planted_rate must be a share"),
    "kind": ({"planted_kind": "blobs"}, ValueError, "planted_kind must be one of"),
    "repeats": ({"n_repeats": 0}, ValueError, "n_repeats must be"),
    "short mask": ({"mask": MASK[1:]}, ValueError, "noise_mask has 99 entries for 100 samples"),
    "nothing wrong": ({"mask": np.zeros(N, bool)}, ValueError, "noise_mask marks no label as wrong"),
    "mask of names": ({"mask": np.full(N, "yes")}, ValueError, "noise_mask must hold booleans"),
    "no labels": ({"mask": None, "labels": None}, ValueError, "requires y to be passed"),
}


@pytest.mark.parametrize(("wrong", "error", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_before_any_training(wrong, error, message, monkeypatch):
    def train(*args, **kwargs):
        raise AssertionError("trained")

    monkeypatch.setattr("curvdetect.detectors.measured.memorize", train)
    wrong = {"grid": {"h": [1e-2]}, "mask": MASK, "labels": LABELS, **wrong}
    grid, mask, labels = (wrong.pop(name) for name in ("grid", "mask", "labels"))
    with pytest.raises(error, match=message):
        _search(grid, **wrong).fit(X, labels, noise_mask=mask)


@pytest.mark.parametrize("repeats", [1, 2])
@pytest.mark.parametrize("training", [1, 2, 3, 4])
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


@pytest.mark.parametrize("training", [2, 3])
def test_ctrl_c_where_labels_are_planted_keeps_the_table(training):
    InterruptedTraining.trainings = 0
    detector = _detector(quick_net(callbacks=[InterruptedTraining(training, 2)]))
    search = _search({"net__lr": [0.01, 0.1]}, detector)
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, LABELS)
    assert search.interrupted_
    assert len(search.cv_results_["params"]) == training - 1
    assert set(search.best_params_) == {"net__lr"}
    best = getattr(search, "best_estimator_", None)  # the third training is that of the best setting
    assert (best is not None and best.interrupted_) == (training == 3)


def test_an_error_in_one_setting_keeps_those_before():
    search = _search({"net__lr": [0.1, 1e30]})
    with pytest.raises(FloatingPointError):
        search.fit(X, LABELS, noise_mask=MASK)
    assert search.interrupted_
    assert search.best_params_ == {"net__lr": 0.1}
    assert (
        not search.fit(X, LABELS, noise_mask=MASK).interrupted_ if search.set_params(param_grid={"h": [1.0]}) else None
    )

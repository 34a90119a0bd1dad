"""Wrong labels planted to grade a detector by."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.utils.data import TensorDataset

from curvdetect import InSample, LossDetector, PlantedNoise
from curvdetect.detectors.planted import plant
from tests.cases import InterruptedTraining, digits_net, noisy_digits, quick_net, untouched_rng

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
N = 120
X, LABELS, _, _ = noisy_digits(N)


def _detector(net=None, kind=LossDetector, **params):
    net = quick_net() if net is None else net
    return kind(net, **{"max_epochs": 3, "device": "cpu", "random_state": 0, **params})


def _planted(detector=None, **params):
    return PlantedNoise(_detector() if detector is None else detector, **{"rate": 0.1, "random_state": 0, **params})


@pytest.fixture(scope="module")
def fitted():
    return _planted(n_repeats=2).fit(X, LABELS)


def test_the_grade_is_that_of_a_detector_fitted_on_the_planted_labels(fitted):
    labels, mask = fitted.planted_labels_[0], fitted.planted_masks_[0]
    scores = _detector().fit(X, labels).scores_
    assert np.array_equal(fitted.detectors_[0].scores_, scores)
    assert fitted.grades_["roc_auc"][0] == roc_auc_score(mask, scores)
    assert fitted.grades_["average_precision"][0] == average_precision_score(mask, scores)
    assert fitted.score() == fitted.score(X, LABELS) == fitted.grades_["roc_auc"].mean()
    with pytest.warns(UserWarning, match="none or all of these rows"):
        assert np.isnan(fitted.score(X[mask]))
    with pytest.raises(ValueError, match="sample_weight must hold 120 numbers"):
        fitted.score(sample_weight=[1])


def test_planted_labels_are_found_though_others_were_wrong_before():
    X, labels, mask, _ = noisy_digits(600)
    planted = _planted(_detector(digits_net(), max_epochs=20), rate=0.05).fit(X, labels)
    assert planted.score() > 0.9
    (planted_mask,), scores = planted.planted_masks_, planted.detectors_[0].scores_
    assert roc_auc_score(planted_mask[~mask], scores[~mask]) > planted.score()  # those others push the grade down


def test_repeats_differ_in_labels_and_seed(fitted):
    first, second = fitted.detectors_
    assert (fitted.planted_masks_[0] != fitted.planted_masks_[1]).any()
    assert (first.random_state, first.random_state != second.random_state) == (0, True)
    assert len(set(fitted.grades_["roc_auc"])) == 2


def test_a_dataset_brings_its_own_labels(fitted):
    dataset = TensorDataset(torch.tensor(X), torch.tensor(LABELS))
    own = _planted(n_repeats=2, refit=True).fit(dataset)
    assert np.array_equal(own.planted_labels_, fitted.planted_labels_)
    assert own.grades_["roc_auc"].tolist() == fitted.grades_["roc_auc"].tolist()
    assert np.array_equal(own.score_samples(dataset), _detector().fit(X, LABELS).scores_)
    other = _planted(_detector(max_epochs=1)).fit(dataset, LABELS[::-1].copy())
    assert np.array_equal(other.planted_labels_[0] != LABELS[::-1], other.planted_masks_[0])


def test_a_search_grades_all_settings_by_the_same_planted_labels():
    planted = _planted(make_pipeline(StandardScaler(), _detector()))
    grid = {"detector__lossdetector__net__lr": [1e-3, 0.1], "detector__standardscaler__with_std": [False]}
    search = GridSearchCV(planted, grid, cv=InSample(), error_score="raise").fit(X, LABELS)
    separate = [clone(planted).set_params(**p).fit(X, LABELS) for p in search.cv_results_["params"]]
    assert search.cv_results_["mean_test_score"].tolist() == [one.score() for one in separate]
    assert len({one.planted_labels_.tobytes() for one in separate}) == 1


@given(
    sizes=st.lists(st.integers(1, 30), min_size=2, max_size=5),
    rate=st.floats(1e-6, 0.5),
    kind=st.sampled_from(["uniform", "pair"]),
)
def test_one_label_at_least_is_planted_however_small_the_rate(sizes, rate, kind):
    y = np.repeat(np.arange(len(sizes)), sizes)
    ((labels, mask),) = plant(y, y, rate, kind, n_repeats=1, seed=0)
    assert np.array_equal(labels != y, mask)
    largest = max(sizes)
    shared = max(rate, 0.5 / largest)
    assert [mask[y == c].sum() for c in range(len(sizes))] == [int(np.floor(shared * n + 0.5 + 1e-9)) for n in sizes]
    assert mask.sum() >= sizes.count(largest)


@pytest.mark.parametrize("training", [1, 2, 3])
def test_ctrl_c_keeps_complete_repeats(training, fitted):
    InterruptedTraining.trainings = 0
    planted = _planted(_detector(quick_net(callbacks=[InterruptedTraining(training, 3)])), n_repeats=2, refit=True)
    with untouched_rng(), pytest.raises(KeyboardInterrupt):
        planted.fit(X, LABELS)
    assert InterruptedTraining.trainings == training
    assert hasattr(planted, "grades_") == (training > 1)
    if training > 1:
        assert len(planted.detectors_) == len(planted.planted_masks_) == training - 1
        assert planted.score() == planted.grades_["roc_auc"].mean()
    assert getattr(getattr(planted, "detector_", None), "interrupted_", None) == (True if training == 3 else None)


def test_a_fit_cut_short_forgets_the_one_before(fitted):
    InterruptedTraining.trainings = 0
    again = clone(fitted).fit(X, LABELS)
    again.detector = _detector(quick_net(callbacks=[InterruptedTraining(1, 2)]))
    with pytest.raises(KeyboardInterrupt):
        again.fit(X, LABELS)
    assert not hasattr(again, "grades_")

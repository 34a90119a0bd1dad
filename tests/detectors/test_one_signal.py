"""The curvature detector from data to ranking, and the detectors of its run's other signals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs
from torch import nn

from curvdetect import (
    CurvatureNoiseDetector,
    InconfidenceDetector,
    InputGradientDetector,
    LearningTimeDetector,
    LossDetector,
    MarginDetector,
    SSFTDetector,
    input_curvature,
)
from curvdetect.detectors.measured import derive_seed
from curvdetect.detectors.ranking import worst_first
from curvdetect.metrics import auroc
from tests.cases import digits_net, noisy_digits, quick_net

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

PLAIN = {"curvature", "loss", "margin", "learning_time", "inconfidence"}
ALWAYS = PLAIN | {"curvature_contrast"}
EXTRAS = ("input_gradient", "averaged_margin")
MORE = (*EXTRAS, "early_margin", "late_loss", "late_margin", "final_loss", "gradient_contrast")


@pytest.fixture(scope="module")
def run():
    """A detector fitted on digits with one wrong label in ten, the mask of the wrong ones and the right ones."""
    X, labels, mask, true = noisy_digits(600)
    detector = CurvatureNoiseDetector(digits_net(), q=60, signals=EXTRAS, device="cpu", random_state=0)
    return detector.fit(X, labels), mask, true


# below the worst of six trainings, on two code paths of a processor, by about as much as trainings differ:
# by two points or more, and plain curvature, 0.885 to 0.935, by five; chance is 0.5
BOUNDS = {
    "curvature_contrast": 0.95,
    "curvature": 0.83,
    "loss": 0.97,
    "margin": 0.96,
    "learning_time": 0.93,
    "inconfidence": 0.88,
    "input_gradient": 0.97,
    "averaged_margin": 0.98,
}


def test_every_signal_ranks_wrong_labels_before_right_ones(run):
    detector, mask, _ = run
    found = {name: auroc(mask, detector.signal_scores_[name]) for name in BOUNDS}
    assert [name for name, bound in BOUNDS.items() if found[name] <= bound] == []


def test_wrong_labels_are_memorized_flagged_and_set_right(run):
    detector, mask, true = run
    assert detector.train_accuracy_ > 0.97
    # of 60 flags three in five or more were right in the worst training, and six of them are by chance
    assert mask[detector.predict() == 1].mean() > 0.5
    assert (detector.suggested_labels_[mask] == true[mask]).mean() > 0.8
    assert (detector.n_iter_, detector.stop_reason_, detector.device_) == (20, "max_epochs", "cpu")
    assert [record["epoch"] for record in detector.history_ if record["scored"]] == [1, 2, 3, 4, 7, 9, 14, 20]
    assert set(detector.seconds_) == {*ALWAYS, *EXTRAS, "other_label", "training"}
    assert not detector.interrupted_


def _fit(size=100, **params):
    X, labels, *_ = noisy_digits(size)
    params = {"net": quick_net(), "device": "cpu", "random_state": 0, **params}
    return CurvatureNoiseDetector(**params).fit(X, labels)


@pytest.mark.parametrize("params", [{"h": 0.1, "n": 3}, {"power": 2}, {"contrast": False}], ids=str)
def test_scores_of_one_epoch_are_those_of_the_plain_function(params):
    X, labels, *_ = noisy_digits(300)
    detector = _fit(300, max_epochs=1, **params)
    module, seed, units = detector.net_.module_, derive_seed(0), torch.tensor(detector.units_)
    options = {"h": 1e-2, "n": 1, "contrast": True, "units": units, "seed": seed, "epoch": 1, **params}
    expected = input_curvature(module, torch.tensor(X), torch.tensor(labels), **options)
    np.testing.assert_allclose(detector.scores_, expected, rtol=1e-4, atol=1e-7)


def test_a_net_of_ones_own_that_learns_late_is_measured_to_the_last_epoch():
    X, labels, mask, _ = noisy_digits(600)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    detector = CurvatureNoiseDetector(net, max_epochs=10, device="cpu", random_state=0)
    # 0.90 to 0.91; by the first four epochs alone it was chance
    assert auroc(mask, detector.fit(X.reshape(-1, 1, 8, 8), labels).scores_) > 0.8


def test_scores_are_the_mean_over_scored_epochs():
    # a run of so many epochs on an even learning rate begins as a longer one does
    net = quick_net(callbacks=None)
    first, both = (_fit(max_epochs=n, every=1, net=net) for n in (1, 2))
    second = _fit(max_epochs=2, every=2, net=net)
    assert [record["scored"] for record in second.history_] == [False, True]
    np.testing.assert_allclose(both.scores_, (first.scores_ + second.scores_) / 2)


def test_contrast_is_the_score_and_signals_leave_each_other_to_the_last_bit():
    plain, contrast, more = _fit(contrast=False), _fit(), _fit(signals=MORE)
    assert set(more.signal_scores_) == {*ALWAYS, *MORE}
    assert all(np.array_equal(scores, more.signal_scores_[name]) for name, scores in contrast.signal_scores_.items())
    assert set(plain.signal_scores_) == PLAIN
    assert np.array_equal(plain.scores_, plain.signal_scores_["curvature"])
    assert set(contrast.signal_scores_) == ALWAYS
    assert np.array_equal(contrast.scores_, contrast.signal_scores_["curvature_contrast"])
    assert ((contrast.scores_ > 0) & (contrast.scores_ < 1)).all()
    for name, scores in plain.signal_scores_.items():
        assert np.array_equal(scores, contrast.signal_scores_[name]), name


def test_fit_runs_where_it_is_told_to(device):
    detector = _fit(device=str(device))
    assert detector.device_ == str(device)
    assert np.isfinite(detector.scores_).all()
    host = _fit(device="cpu")
    assert np.corrcoef(detector.scores_, host.scores_)[0, 1] > 0.9


@pytest.mark.slow
def test_pictures_are_memorized_and_their_wrong_labels_ranked_first():
    X, labels, mask, true = noisy_digits(600)
    detector = CurvatureNoiseDetector(signals=("input_gradient",), device="cpu", random_state=0)
    detector.fit(X.reshape(-1, 1, 8, 8), labels)
    found = {name: auroc(mask, scores) for name, scores in detector.signal_scores_.items()}
    assert detector.train_accuracy_ > 0.99
    # the worst of seven trainings: 0.995, 0.982, 0.994, 0.999 and 0.95
    assert found["curvature_contrast"] > max(0.98, found["curvature"])
    assert found["curvature"] > 0.95
    assert found["input_gradient"] > 0.98
    assert found["loss"] > 0.99
    assert (detector.suggested_labels_[mask] == true[mask]).mean() > 0.9


def test_a_grid_gives_the_scores_of_separate_fits_bit_by_bit_in_many_passes_too(monkeypatch):
    monkeypatch.setattr("curvdetect.signals.passes.MANY", 1)  # so that 150 samples are more than one pass
    grid = [{"h": [1e-3], "n": [1, 3]}, {"h": [1e-1, 1.0], "power": [2]}, {"n": [3], "h": [1e-3]}]
    detector = _fit(150, max_epochs=2, grid=grid)
    assert list(detector.grid_scores_) == [(1e-3, 1, 1), (1e-3, 3, 1), (1e-1, 1, 2), (1.0, 1, 2)]
    for (h, n, power), scores in detector.grid_scores_.items():
        assert np.array_equal(scores, _fit(150, max_epochs=2, h=h, n=n, power=power).scores_)
    assert np.array_equal(detector.scores_, _fit(150, max_epochs=2).scores_)
    assert set(detector.signal_scores_) == ALWAYS


DETECTORS = {
    "loss": LossDetector,
    "margin": MarginDetector,
    "learning_time": LearningTimeDetector,
    "inconfidence": InconfidenceDetector,
    "input_gradient": InputGradientDetector,
}


def test_the_score_is_bit_for_bit_the_signal_of_a_run_that_measures_more():
    X, labels, *_ = noisy_digits(200)
    whole = _fit(200, signals=("input_gradient",))
    for signal, kind in DETECTORS.items():
        detector = kind(quick_net(), device="cpu", random_state=0).fit(X, labels)
        assert np.array_equal(detector.scores_, whole.signal_scores_[signal])
        assert np.array_equal(detector.scores_, detector.signal_scores_[signal])
        assert np.array_equal(detector.suggested_labels_, whole.suggested_labels_)
        assert not any(record["scored"] for record in detector.history_)


#: How many samples of 400 may stand above the last wrong label. A few between two clouds have large gradients, too.
ALLOWED = {"curvature_contrast": 0, "loss": 0, "margin": 0, "forgetting_loss": 3, "input_gradient": 10}


def test_one_wrong_label_in_each_of_some_clouds_far_apart_is_on_top():
    X, y = make_blobs(400, centers=5, cluster_std=0.5, random_state=1)
    wrong = np.array([np.flatnonzero(y == c)[3] for c in range(5)])
    y[wrong] = (y[wrong] + 1) % 5
    common = {"device": "cpu", "random_state": 0}
    detectors = CurvatureNoiseDetector(signals=["input_gradient"], **common), SSFTDetector(**common)
    signals = {name: s for detector in detectors for name, s in detector.fit(X, y).signal_scores_.items()}
    found = {name: set(worst_first(signals[name])[: len(wrong) + more]) for name, more in ALLOWED.items()}
    assert [name for name, top in found.items() if not set(wrong) <= top] == []

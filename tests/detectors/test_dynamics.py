"""Detectors of one signal each."""

from __future__ import annotations

import numpy as np
import pytest

from curvdetect import (
    CurvatureNoiseDetector,
    InconfidenceDetector,
    InputGradientDetector,
    LearningTimeDetector,
    LossDetector,
    MarginDetector,
)
from curvdetect.metrics import auroc
from tests.cases import digits_net, noisy_digits

# the detector, its signal, and two points or more below the worst AUROC of the trainings that were seen
DETECTORS = {
    "loss": (LossDetector, "loss", 0.97),
    "margin": (MarginDetector, "margin", 0.96),
    "learning_time": (LearningTimeDetector, "learning_time", 0.93),
    "inconfidence": (InconfidenceDetector, "inconfidence", 0.88),
    "input_gradient": (InputGradientDetector, "input_gradient", 0.97),
}
each = pytest.mark.parametrize(("detector", "signal", "bound"), DETECTORS.values(), ids=DETECTORS)
X, LABELS, MASK, TRUE = noisy_digits(600)


@pytest.fixture(scope="module")
def fit():
    """Fit each class once, with one and the same net."""
    net, made = digits_net(), {}

    def fit(detector, **params):
        if detector not in made:
            made[detector] = detector(net, q=60, device="cpu", random_state=0, **params).fit(X, LABELS)
        return made[detector]

    return fit


@each
def test_wrong_labels_rank_before_right_ones(fit, detector, signal, bound):
    fitted = fit(detector)
    assert auroc(MASK, fitted.scores_) > bound
    assert MASK[fitted.predict() == 1].mean() > 0.4  # the worst was 0.58, and chance is 0.1


@each
def test_score_is_the_signal_of_the_same_name(fit, detector, signal, bound):
    fitted = fit(detector)
    assert np.array_equal(fitted.scores_, fitted.signal_scores_[signal])
    assert set(fitted.signal_scores_) == {"loss", "margin", "learning_time", "inconfidence", signal}


@each
def test_score_is_bit_for_bit_that_of_a_run_that_measures_curvature_too(fit, detector, signal, bound):
    whole = fit(CurvatureNoiseDetector, signals=("input_gradient",))
    assert np.array_equal(fit(detector).scores_, whole.signal_scores_[signal])


@each
def test_suggestions_are_the_same_in_every_run_of_a_seed(fit, detector, signal, bound):
    assert np.array_equal(fit(detector).suggested_labels_, fit(LossDetector).suggested_labels_)


@each
def test_no_epoch_is_scored_during_the_training(fit, detector, signal, bound):
    assert not any(record["scored"] for record in fit(detector).history_)


def test_learning_times_are_whole_epochs_up_to_one_more_than_there_were(fit):
    scores = fit(LearningTimeDetector).scores_
    assert np.array_equal(scores, scores.round())
    assert scores.min() >= 1
    assert scores.max() <= 21


def test_inconfidence_is_a_share(fit):
    scores = fit(InconfidenceDetector).scores_
    assert scores.min() > 0
    assert scores.max() <= 1


def test_inconfidence_is_what_the_trained_net_leaves_to_other_labels(fit):
    fitted = fit(InconfidenceDetector)
    net = fitted.net_
    logits = net.forward(X).double().softmax(1).numpy()
    given = logits[np.arange(len(X)), LABELS]
    np.testing.assert_allclose(fitted.scores_, 1 - given, rtol=1e-4, atol=1e-9)

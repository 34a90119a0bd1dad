"""Scores of single epochs are what their mean is made of."""

from __future__ import annotations

import pickle
from functools import cache

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch.nn import functional as F

from curvdetect import CurvatureNoiseDetector, CurvSSFT, LossDetector, scores_by_epoch
from tests.cases import noisy_digits, quick_net, untouched_rng

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, LABELS, _, _ = noisy_digits(300)
OLD, NEW = slice(0, 200), slice(200, 300)
KEPT = {"keep_snapshots": 4, "stop_at": 1.0, "device": "cpu", "random_state": 0}
EVERY = {"every": 1, **KEPT}


@cache
def fitted():
    return CurvatureNoiseDetector(quick_net(), **EVERY).fit(X[OLD], LABELS[OLD])


@pytest.mark.parametrize("part", [OLD, NEW], ids=["fitted", "not fitted"])
def test_the_mean_over_epochs_is_the_score(part):
    with untouched_rng():
        found = scores_by_epoch(fitted(), X[part], LABELS[part])
    assert found.epoch.tolist() == [1, 2, 3, 4]
    scores = fitted().score_samples(X[part], LABELS[part])
    np.testing.assert_allclose(found.signals["curvature_contrast"].mean(0), scores, rtol=1e-6)
    assert all(len(np.unique(found.signals[name][:, 0])) == 4 for name in ("curvature_contrast", "curvature"))


@pytest.mark.parametrize("name", ["curvature", "curvature_contrast"])
def test_the_curvature_of_fitted_samples_is_what_the_history_has(name):
    found = scores_by_epoch(fitted(), X[OLD], LABELS[OLD])
    noted = [record[f"mean_{name}"] for record in fitted().history_]
    np.testing.assert_allclose(found.signals[name].mean(1), noted, rtol=1e-4)


def test_the_loss_is_that_of_the_weights_that_were_kept():
    found = scores_by_epoch(fitted(), X[NEW], LABELS[NEW])
    module = pickle.loads(pickle.dumps(fitted().net_.module_)).eval()
    codes = torch.tensor(np.searchsorted(fitted().classes_, LABELS[NEW]))
    for snapshot, losses in zip(fitted().snapshots_, found.signals["loss"], strict=True):
        module.load_state_dict(snapshot.load())
        with torch.no_grad():
            expected = F.cross_entropy(module(torch.tensor(X[NEW])), codes, reduction="none")
        np.testing.assert_allclose(losses, expected, rtol=1e-4, atol=1e-6)


def test_signals_that_have_no_value_in_one_epoch_are_left_out():
    signals = ("early_margin", "late_loss", "late_margin", "final_loss", "input_gradient", "averaged_margin")
    detector = CurvatureNoiseDetector(quick_net(), signals=signals, **EVERY).fit(X[OLD], LABELS[OLD])
    found = scores_by_epoch(detector, X[NEW], LABELS[NEW])
    expected = {"curvature", "curvature_contrast", "input_gradient", "loss", "margin", "inconfidence"}
    assert set(found.signals) == expected
    assert {values.shape for values in found.signals.values()} == {(4, 100)}


def test_a_pipeline_is_asked_for_its_detector():
    whole = make_pipeline(FunctionTransformer(), fitted())
    one, two = (scores_by_epoch(estimator, X[NEW], LABELS[NEW]) for estimator in (whole, fitted()))
    np.testing.assert_array_equal(one.signals["curvature"], two.signals["curvature"])


CHOICES = {
    "contrast": (fitted, "auto", "curvature_contrast"),
    "named": (fitted, "margin", "margin"),
    "none": (lambda: LossDetector(quick_net(), **KEPT).fit(X[OLD], LABELS[OLD]), "auto", "loss"),
    "plain": (
        lambda: CurvatureNoiseDetector(quick_net(), contrast=False, **EVERY).fit(X[OLD], LABELS[OLD]),
        "auto",
        "curvature",
    ),
}


@pytest.mark.parametrize(("make", "signal", "expected"), CHOICES.values(), ids=CHOICES)
def test_which_signal_is_chosen(make, signal, expected):
    assert scores_by_epoch(make(), X[NEW], LABELS[NEW]).chosen(signal) == expected


def test_a_signal_without_values_is_refused():
    known = r"\['curvature_contrast', 'curvature', 'loss'"
    with pytest.raises(ValueError, match=rf"signal must be 'auto' or one that has a value in each epoch, {known}"):
        scores_by_epoch(fitted(), X[NEW], LABELS[NEW]).chosen("learning_time")


def test_without_snapshots_the_way_out_is_said():
    detector = LossDetector(quick_net(), device="cpu").fit(X[OLD], LABELS[OLD])
    with pytest.raises(ValueError, match=r"fit LossDetector\(keep_snapshots=8\)"):
        scores_by_epoch(detector, X[NEW], LABELS[NEW])
    with pytest.raises(ValueError, match="use a detector that has keep_snapshots"):
        scores_by_epoch(CurvSSFT(quick_net(), device="cpu").fit(X[OLD], LABELS[OLD]), X[NEW], LABELS[NEW])


def test_labels_that_were_not_fitted_are_refused():
    with pytest.raises(ValueError, match=r"y holds labels that were not fitted: \[10"):
        scores_by_epoch(fitted(), X[NEW], LABELS[NEW] + 10)

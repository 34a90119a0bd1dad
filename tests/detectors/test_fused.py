"""Several signals of one run, or of several."""

from __future__ import annotations

from contextlib import suppress
from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback

from curvdetect import (
    CurvatureNoiseDetector,
    CurvSSFT,
    FusedDetector,
    corrupt_labels,
    fuse,
    memorizing_net,
    recommended_signals,
)
from curvdetect.data.samples import as_samples
from curvdetect.detectors.weighing import ending_early, tells_what_it_knows, weight_beside_witnesses
from curvdetect.metrics import auroc
from curvdetect.signals.registry import recorded
from curvdetect.training.settings import Settings
from tests.cases import InterruptedTraining, digits_net, noisy_digits, quick_net

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, LABELS, MASK, _ = noisy_digits(600)
EVERY = ("loss", "margin", "learning_time", "inconfidence", "early_margin", "late_loss", "late_margin", "final_loss")
EVERY += ("averaged_margin", "input_gradient", "gradient_contrast", "curvature", "curvature_contrast")


def fit(size=200, **params):
    params = {"net": quick_net(), "device": "cpu", "random_state": 0, **params}
    return FusedDetector(**params).fit(X[:size], LABELS[:size])


@pytest.fixture(scope="module")
def whole():
    """A run that memorized, with every signal there is."""
    return FusedDetector(digits_net(), signals=EVERY, device="cpu", random_state=0).fit(X, LABELS)


LOSS, AUGMENTED = {"loss": 1.0}, {"loss": 1.0, "late_margin": 1.0}


@pytest.mark.parametrize(("accuracy", "signals"), [(1.0, LOSS), (0.9, LOSS), (0.89, AUGMENTED), (0.1, AUGMENTED)])
def test_recommendation_turns_on_the_training_accuracy_where_samples_are_augmented_alone(accuracy, signals):
    assert recommended_signals(accuracy, augmented=True) == signals
    assert recommended_signals(accuracy) == LOSS
    assert recommended_signals(accuracy, augmented=True, fallen=True) == {"early_margin": 1.0}


def test_augmented_samples_that_are_not_memorized_are_ranked_by_late_epochs():
    images = X[:80].reshape(-1, 1, 8, 8)
    fits = [
        FusedDetector(memorizing_net(None, augment=augment), max_epochs=2, device="cpu").fit(images, LABELS[:80])
        for augment in (False, True)
    ]
    plain, augmented = fits
    assert plain.fused_signals_.keys() == {"loss", "leave_one_out"}
    assert augmented.fused_signals_.keys() == {"late_loss", "leave_one_out"}
    for detector in fits:  # of two epochs, which know less than the witness
        loss, left_out = detector.fused_signals_.values()
        assert 0.1 <= loss < 1 == left_out
        parts = [detector.signal_scores_[name] for name in detector.fused_signals_]
        assert np.array_equal(detector.scores_, fuse(*parts, combine="sum", weights=[loss, left_out]))


def test_every_signal_can_be_asked_for_and_is_that_of_the_curvature_detectors_run(whole):
    assert whole.fused_signals_ == dict.fromkeys(EVERY, 1)
    assert set(whole.signal_scores_) == set(EVERY)
    other = CurvatureNoiseDetector(digits_net(), signals=[*recorded("asked")], device="cpu", random_state=0)
    other.fit(X, LABELS)
    for name, scores in other.signal_scores_.items():
        assert np.array_equal(whole.signal_scores_[name], scores), name


@pytest.mark.parametrize("combine", ["fisher", "first", np.maximum])
def test_signals_asked_for_are_fused_as_asked(combine):
    detector = fit(signals={"margin": 2.0, "loss": 2.0}, combine=combine)
    parts = [detector.signal_scores_[name] for name in ("margin", "loss")]
    assert np.array_equal(detector.scores_, fuse(*parts, combine=combine))


@pytest.mark.usefixtures("few_trees")
def test_curvature_is_measured_only_where_it_is_asked_for():
    assert not any(record["scored"] for record in fit().history_)
    detector = fit(signals=["loss", "curvature"], h=0.1, n=2, every=2)
    assert [record["scored"] for record in detector.history_] == [False, True, False, True]
    alone = CurvatureNoiseDetector(quick_net(), h=0.1, n=2, contrast=False, every=2, device="cpu", random_state=0)
    alone.fit(X[:200], LABELS[:200])
    assert np.array_equal(detector.signal_scores_["curvature"], alone.scores_)


def test_repeats_average_the_signals_over_runs_with_seeds_of_their_own():
    once, twice = fit(signals=["loss"]), fit(signals=["loss"], n_repeats=2)
    second = 2 * twice.signal_scores_["loss"] - once.signal_scores_["loss"]
    assert (second > 0).all()
    assert not np.allclose(second, once.signal_scores_["loss"])
    assert [record["repeat"] for record in twice.history_] == [0] * 4 + [1] * 4
    assert twice.n_iter_ == 8
    assert twice.signal_quarters_["loss"].shape == (4, 200)
    assert twice.train_accuracy_ <= once.train_accuracy_
    assert np.array_equal(twice.suggested_labels_, once.suggested_labels_)


@cache
def two_repeats():
    """Return a fit of two runs that nothing interrupted."""
    return fit(n_repeats=2)


@pytest.mark.usefixtures("few_trees")
@pytest.mark.parametrize("epoch", [1, 3])
def test_interrupt_in_a_later_repeat_keeps_those_that_were_complete(epoch):
    InterruptedTraining.trainings = 0
    net = quick_net(callbacks=[InterruptedTraining(3, epoch)])
    detector = FusedDetector(net, n_repeats=3, device="cpu", random_state=0)
    with pytest.raises(KeyboardInterrupt):
        detector.fit(X[:200], LABELS[:200])
    assert detector.interrupted_
    expected = two_repeats()
    assert np.array_equal(detector.scores_, expected.scores_)
    assert detector.n_iter_ == 8
    assert detector.stop_reason_ == "interrupted"
    weights = expected.net_.module_.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in detector.net_.module_.state_dict().items())


def test_samples_that_were_not_fitted_are_ranked_after_an_interrupt_too():
    InterruptedTraining.trainings = 0
    net = quick_net(callbacks=[InterruptedTraining(1, 3)])
    detector = FusedDetector(net, signals=["loss", "margin"], keep_snapshots=2, device="cpu", random_state=0)
    with pytest.raises(KeyboardInterrupt):
        detector.fit(X[:200], LABELS[:200])
    new = slice(200, 260)
    assert auroc(MASK[new], detector.score_samples(X[new], LABELS[new])) > 0.7


def test_a_refit_with_other_data_and_parameters_leaves_nothing_of_the_first():
    detector = CurvSSFT(max_epochs=1, device="cpu", random_state=0)
    detector.fit(pd.DataFrame(X[:100]).add_prefix("pixel"), LABELS[:100])
    assert hasattr(detector, "net_")
    detector.set_params(share_training=True).fit(X[:60, :9], LABELS[:60])
    assert not any(hasattr(detector, name) for name in ("net_", "stop_reason_", "feature_names_in_"))
    assert (detector.n_features_in_, detector.scores_.shape) == (9, (60,))


def test_auto_takes_the_loss_and_both_witnesses_and_no_signals_beside(whole):
    beside = {"curvature_contrast", "input_gradient", "loss"}
    detector = FusedDetector(digits_net(), beside=[*beside], device="cpu", random_state=0).fit(X, LABELS)
    assert detector.train_accuracy_ > 0.9
    weights = detector.fused_signals_
    assert detector.regime_ == "memorized"
    assert [*weights] == ["loss", "leave_one_out", "out_of_bag"]
    assert weights["loss"] == 1.5
    assert weights["leave_one_out"] + weights["out_of_bag"] == pytest.approx(2)
    assert np.array_equal(whole.signal_scores_["loss"], detector.signal_scores_["loss"])
    parts = [detector.signal_scores_[name] for name in weights]
    assert np.array_equal(detector.scores_, fuse(*parts, combine="sum", weights=[*weights.values()]))
    assert auroc(MASK, detector.scores_) > max(0.99, *(auroc(MASK, part) for part in parts))
    own = recorded("always").keys() | {"early_margin", "late_loss", "late_margin", "curvature", *weights} | beside
    assert detector.signal_scores_.keys() == own
    for name in ("curvature", "curvature_contrast"):
        assert np.array_equal(detector.signal_scores_[name], whole.signal_scores_[name])


class FallsApart(Callback):
    """Undo all learning from the fourth epoch on, or end the training there."""

    def __init__(self, interrupt_at=None):
        self.interrupt_at = interrupt_at

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == self.interrupt_at:
            raise KeyboardInterrupt
        if len(net.history) >= 4:
            with torch.no_grad():
                for parameter in net.module_.parameters():
                    parameter.zero_()


ENDS = {"aim_missed": (None, {"stop_at": 0.99}), "interrupted": (5, {})}


@pytest.mark.parametrize(("interrupt_at", "params"), ENDS.values(), ids=ENDS)
def test_a_training_that_fell_apart_is_said_so_and_ranked_so_however_it_ended(interrupt_at, params):
    net = quick_net(max_epochs=6, batch_size=16, callbacks=[FallsApart(interrupt_at)])
    detector = FusedDetector(net, device="cpu", random_state=0, **params)
    with pytest.warns(ConvergenceWarning, match="the training fell apart"), suppress(KeyboardInterrupt):
        detector.fit(X[:200], LABELS[:200])
    assert detector.interrupted_ == (interrupt_at is not None)
    assert detector.regime_ == "fallen"
    assert detector.fused_signals_.keys() == {"leave_one_out", "out_of_bag"}
    assert auroc(MASK[:200], detector.scores_) > 0.95


SIZES = {"few": (60, 20), "between": (4000, 14), "many": (6000, 8)}


@pytest.mark.parametrize(("n", "epochs"), SIZES.values(), ids=SIZES)
def test_by_default_the_training_ends_when_it_has_told_what_it_tells_beside_witnesses(n, epochs):
    settings = Settings(None, torch.device("cpu"), seed=0)
    pictures, rows = (as_samples(np.zeros((n, *shape)), np.arange(n) % 2) for shape in ((1, 1, 1), (1,)))
    early = ending_early(settings, pictures)
    assert (early.max_epochs, early.net, early.memorizes) == (epochs, None, False)
    assert ending_early(settings, rows).max_epochs == (12 if n < 5000 else 15)


OWN = {
    "net": {"net": memorizing_net(None)},
    "max_epochs": {"max_epochs": 30},
    "stop_at": {"stop_at": 1.0},
    "beside": {"beside": ["curvature"]},
    "signals": {"signals": ["loss", "leave_one_out"]},
}


@pytest.mark.usefixtures("few_trees")
@pytest.mark.parametrize("params", OWN.values(), ids=OWN)
def test_a_training_that_is_asked_for_has_the_length_of_its_net(params):
    few = FusedDetector(device="cpu", random_state=0, **params).fit(X[:40], LABELS[:40])
    assert few.net_.max_epochs == 30


def test_a_default_training_that_ends_early_is_no_failure_and_ranks_no_worse(recwarn):
    early = FusedDetector(device="cpu", random_state=0).fit(X, LABELS)
    assert not recwarn.list
    whole = FusedDetector(max_epochs=30, device="cpu", random_state=0).fit(X, LABELS)
    assert (early.n_iter_, whole.n_iter_) == (12, 30)
    assert auroc(MASK, early.scores_) > auroc(MASK, whole.scores_) - 0.001
    assert (early.fused_signals_["loss"], whole.fused_signals_["loss"]) == (1.0, 1.5)


def test_a_default_training_is_not_said_to_fall_apart_where_it_did_not(recwarn):
    rows, y = load_iris(return_X_y=True)
    labels = corrupt_labels(y, 0.2, random_state=2).labels
    detector = FusedDetector(device="cpu", random_state=2).fit(rows, labels)
    assert detector.history_[-1]["train_accuracy"] < max(one["train_accuracy"] for one in detector.history_) - 0.02
    assert detector.regime_ != "fallen"
    assert not [one for one in recwarn.list if "fell apart" in str(one.message)]


@pytest.mark.usefixtures("few_trees")
def test_what_is_recorded_anyway_changes_nothing_beside():
    plain, beside = (FusedDetector(device="cpu", random_state=0, beside=names) for names in ((), ["loss"]))
    assert np.array_equal(plain.fit(X[:60], LABELS[:60]).scores_, beside.fit(X[:60], LABELS[:60]).scores_)


def test_of_many_samples_a_training_that_ends_early_counts_the_more_the_more_it_knows():
    def weights(shape, loss, n=5000, accuracy=0.8):
        samples = as_samples(np.zeros((n, *shape)), np.arange(n) % 2)
        return [
            weight_beside_witnesses(samples, accuracy, ahead, early=True, augmented=False)[loss]
            for ahead in (None, 0.0, 0.1, 0.2, 1.0)
        ]

    assert weights((4,), "loss") == pytest.approx([1, 1, 7, 8, 8])
    # a training on pictures counts by how many times fewer labels it misses, and by how many pictures there are
    assert weights((1, 2, 2), "late_loss", 50000) == pytest.approx([0.6, 0.6, 1.5, 2.5, 8])
    assert weights((1, 2, 2), "late_loss", 10000) == pytest.approx([0.6, 0.6, 1.5, 2, 2])
    assert weights((1, 2, 2), "late_loss", accuracy=0.92) == [1] * 5
    # its last epochs may say nothing any more
    assert weights((1, 2, 2), "loss", 50000, accuracy=0.96) == pytest.approx([1, 1, 5.5, 8, 8])
    few, many = (as_samples(np.zeros((n, 4)), np.arange(n) % 2) for n in (4999, 5000))
    assert not tells_what_it_knows(few, 0.8, early=True, pretrained=False)
    assert tells_what_it_knows(many, 0.8, early=True, pretrained=False)
    assert not tells_what_it_knows(many, 0.95, early=True, pretrained=False)
    pictures = as_samples(np.zeros((5000, 1, 2, 2)), np.arange(5000) % 2)
    assert tells_what_it_knows(pictures, 0.95, early=True, pretrained=False)

"""The curves are those of scikit-learn, of the metrics, of counting and of the history."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from curvdetect import (
    CurvSSFT,
    DetectionCurveDisplay,
    FusedDetector,
    LossDetector,
    SimilarityCurveDisplay,
    TrainingCurveDisplay,
    scores_by_epoch,
)
from curvdetect.metrics import cosine_similarity, fnr_at_noise_rate, top_k_cosine_similarity
from tests.cases import digits, quick_net
from tests.review.plots.fitted import N, axes, fitted

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.default_rng(0)
MASK = np.arange(300) % 10 == 0
SCORES = MASK + RNG.normal(size=300)
REFERENCE, EPOCHS = RNG.random(30), RNG.random((5, 30))
X, Y = digits(80)
FAST = {"device": "cpu", "random_state": 0}


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_the_roc_curve_is_scikit_learns():
    display = DetectionCurveDisplay.from_predictions(MASK, SCORES, name="mine", ax=axes())
    fpr, tpr, _ = roc_curve(MASK, SCORES)
    np.testing.assert_array_equal(display.line_.get_xydata(), np.column_stack([fpr, tpr]))
    assert display.line_.get_label() == f"mine (AUC = {roc_auc_score(MASK, SCORES):.3f})"
    np.testing.assert_array_equal(display.chance_level_.get_xydata(), [[0, 0], [1, 1]])
    detector, _, _, mask = fitted()
    display = DetectionCurveDisplay.from_estimator(detector, mask, signal="loss", ax=axes())
    assert (display.name, display.roc_auc) == ("loss", roc_auc_score(mask, detector.signal_scores_["loss"]))
    display = DetectionCurveDisplay.from_predictions(MASK, SCORES, color="black", chance_level=False, ax=axes())
    assert (display.line_.get_color(), display.chance_level_) == ("black", None)
    assert display.line_.get_label().startswith("AUC = ")


def test_precision_is_what_counting_says():
    display = DetectionCurveDisplay.from_predictions(MASK, SCORES, kind="precision", ax=axes())
    order = np.argsort(-SCORES, kind="stable")
    np.testing.assert_allclose(display.line_.get_ydata(), [MASK[order[:k]].mean() for k in range(1, 301)])
    assert display.precision[29] == pytest.approx(1 - fnr_at_noise_rate(MASK, SCORES))
    assert display.line_.get_label() == f"precision ({display.precision[29]:.3f} at k = 30)"
    assert display.line_.get_xdata()[display.line_.get_markevery()].tolist() == [30]
    ties = DetectionCurveDisplay.from_predictions([True, False, True], [1, 1, 1], kind="precision", ax=axes())
    np.testing.assert_allclose(ties.precision, [1, 1 / 2, 2 / 3])


@pytest.mark.parametrize("kind", ["roc", "precision"])
def test_several_on_one_axes_differ_and_share_the_chance_level(kind):
    ax = axes()
    shown = [DetectionCurveDisplay.from_predictions(MASK, SCORES**p, name=str(p), kind=kind, ax=ax) for p in (1, 3, 5)]
    assert len({display.line_.get_color() for display in shown}) == 3
    assert len({display.line_.get_linestyle() for display in shown}) == 3
    assert [display.chance_level_ is None for display in shown] == [False, True, True]
    assert [text.split()[0] for text in legend(ax)] == ["1", "3", "5", "chance"]


@pytest.mark.filterwarnings("error")
def test_a_logarithmic_roc_curve_begins_at_the_first_false_alarm():
    ax = axes()
    for _ in range(2):
        display = DetectionCurveDisplay.from_predictions(MASK, SCORES, xscale="log", ax=ax)
    assert display.ax_.get_xscale() == "log"
    assert 0 < display.ax_.get_xlim()[0] < 1 / 270
    assert DetectionCurveDisplay.from_predictions(MASK, SCORES, ax=ax).ax_.get_xscale() == "linear"


@pytest.mark.parametrize("top_k", [None, 7])
def test_each_epoch_and_the_mean_so_far_are_compared_with_the_reference(top_k):
    def similar(row):
        return cosine_similarity(row, REFERENCE) if top_k is None else top_k_cosine_similarity(row, REFERENCE, top_k)

    epochs = [4, 8, 12, 16, 20]
    display = SimilarityCurveDisplay.from_predictions(REFERENCE, EPOCHS, top_k=top_k, epoch=epochs, ax=axes())
    np.testing.assert_allclose(display.each, [similar(row) for row in EPOCHS])
    np.testing.assert_allclose(display.cumulative, [similar(EPOCHS[:n].mean(0)) for n in range(1, 6)])
    assert display.each_line_.get_xydata().tolist() == list(map(list, zip(epochs, display.each, strict=True)))
    assert display.cumulative_line_.get_ydata().tolist() == display.cumulative.tolist()
    assert display.constant_line_.get_ydata()[0] == pytest.approx(similar(np.ones(30)))
    assert ("top 7" in display.ax_.get_ylabel()) == (top_k == 7)


def test_similarities_of_a_detector_are_those_of_its_scores_by_epoch():
    detector, pictures, names, _ = fitted()
    reference, samples = np.linspace(0, 1, N), pictures.reshape(N, -1)
    display = SimilarityCurveDisplay.from_estimator(detector, reference, samples, names, ax=axes())
    assert display.cumulative[-1] == pytest.approx(cosine_similarity(detector.scores_, reference), rel=1e-4)
    display = SimilarityCurveDisplay.from_estimator(detector, reference, samples, names, signal="loss", ax=axes())
    losses = scores_by_epoch(detector, samples, names).signals["loss"]
    np.testing.assert_array_equal(display.each, [cosine_similarity(row, reference) for row in losses])


def test_the_training_of_a_detector_is_its_history_and_other_samples_are_means_over_the_kept_epochs():
    detector, pictures, names, _ = fitted()
    ax = axes()
    display = TrainingCurveDisplay.from_estimator(detector, ax=ax)
    for (line,), key in ((display.loss_lines_, "train_loss"), (display.signal_lines_, "mean_curvature")):
        assert line.get_xydata().tolist() == [[record["epoch"], record[key]] for record in detector.history_]
    assert display.signal_ax_.get_ylabel() == "Mean curvature"
    assert legend(ax) == ["loss, CurvatureNoiseDetector", "curvature, CurvatureNoiseDetector"]
    held_out = pictures[:30].reshape(30, -1) / 2
    found = scores_by_epoch(detector, held_out, names[:30])
    display = TrainingCurveDisplay.from_estimator(detector, held_out, names[:30], name="held out", ax=ax)
    for (line,), signal in ((display.loss_lines_, "loss"), (display.signal_lines_, "curvature")):
        assert line.get_xdata().tolist() == found.epoch.tolist() == [1, 2, 3, 4]
        np.testing.assert_array_equal(line.get_ydata(), found.signals[signal].mean(1))
    assert legend(ax)[-2:] == ["curvature, CurvatureNoiseDetector", "curvature, held out"]
    assert len(legend(ax)) == 4


def test_without_a_scored_signal_there_is_one_axis():
    detector = LossDetector(quick_net(), keep_snapshots=1, stop_at=1.0, **FAST).fit(X[:60], Y[:60])
    for data in ((), (X[60:], Y[60:])):
        display = TrainingCurveDisplay.from_estimator(detector, *data, ax=axes())
        assert display.signal_ax_ is None
        assert len(display.figure_.axes) == 1
    assert display.loss_lines_[0].get_marker() == "o"  # one epoch alone is a dot


def test_epochs_that_were_not_scored_have_no_point():
    display = TrainingCurveDisplay.from_predictions([1, 2, 3], [3, 2, 1], [0.5, np.nan, 0.7], ax=axes())
    assert display.signal_lines_[0].get_xydata().tolist() == [[1, 0.5], [3, 0.7]]


def test_several_trainings_on_one_axes_share_the_axis_to_the_right():
    ax = axes()
    shown = [TrainingCurveDisplay.from_predictions([1, 2], [2, 1], [1, s], name=str(s), ax=ax) for s in range(1, 7)]
    assert len(ax.figure.axes) == 2
    assert {display.signal_ax_ for display in shown} == {ax.figure.axes[1]}
    # matplotlib calls all dashes of one's own "--"
    assert len({str(display.loss_lines_[0]._unscaled_dash_pattern) for display in shown}) == 6
    assert len(legend(ax)) == 12
    TrainingCurveDisplay.from_predictions([1, 2], [2, 1], name="without a signal", ax=ax)
    assert len(legend(ax)) == 13


def test_repeats_are_trainings_of_their_own_and_a_second_stage_follows_on_the_first():
    display = TrainingCurveDisplay.from_estimator(FusedDetector(quick_net(), n_repeats=2, **FAST).fit(X, Y), ax=axes())
    assert [line.get_xdata().tolist() for line in display.loss_lines_] == [[1, 2, 3, 4]] * 2
    assert len(legend(display.ax_)) == 1
    detector = CurvSSFT(quick_net(max_epochs=2), **FAST).fit(X, Y)
    display = TrainingCurveDisplay.from_estimator(detector, ax=axes())
    assert [line.get_xdata().tolist() for line in display.loss_lines_] == [[1, 2], [1, 2, 3, 4], [1, 2, 3, 4]]
    losses = [record["train_loss"] for record in detector.history_]
    assert np.concatenate([line.get_ydata() for line in display.loss_lines_]).tolist() == losses


def test_the_axis_is_logarithmic_where_all_losses_on_it_ask_for_it():
    def scale(*losses):
        ax = axes()
        for loss in losses:
            TrainingCurveDisplay.from_predictions(range(1, 5), loss, ax=ax)
        return ax.get_yscale()

    long, short, zero = [9.0, 0.1, 0.1, 0.1], [3.0, 2.0, 1.0, 1.0], [9.0, 0.1, 0.1, 0.0]
    assert [scale(long), scale(short), scale(zero), scale(long, zero)] == ["log", "linear", "linear", "linear"]

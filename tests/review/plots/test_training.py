"""The curves are what the history holds, one for each training."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from curvdetect import (
    ConfidentLearningDetector,
    CurvatureNoiseDetector,
    CurvSSFT,
    FusedDetector,
    LossDetector,
    TrainingCurveDisplay,
    scores_by_epoch,
)
from curvdetect.review.plots.training import _one_after_another
from tests.cases import digits, quick_net
from tests.review.plots.fitted import axes, fitted, in_a_pipeline

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, Y = digits(80)
FAST = {"device": "cpu", "random_state": 0}


@pytest.mark.parametrize("make", [lambda: fitted()[0], in_a_pipeline], ids=["detector", "pipeline"])
def test_from_estimator_equals_from_predictions(make):
    history = fitted()[0].history_
    one = TrainingCurveDisplay.from_estimator(make(), ax=axes())
    two = TrainingCurveDisplay.from_predictions(
        [r["epoch"] for r in history],
        [r["train_loss"] for r in history],
        [r["mean_curvature"] for r in history],
        ax=axes(),
    )
    for name in ("loss_lines_", "signal_lines_"):
        (mine,), (other,) = getattr(one, name), getattr(two, name)
        np.testing.assert_array_equal(mine.get_xydata(), other.get_xydata())
    assert one.signal_ax_.get_ylabel() == "Mean curvature"
    texts = [text.get_text() for text in one.ax_.get_legend().get_texts()]
    assert texts == ["loss, CurvatureNoiseDetector", "curvature, CurvatureNoiseDetector"]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_other_samples_are_drawn_as_means_over_the_kept_epochs():
    detector = CurvatureNoiseDetector(quick_net(), every=1, keep_snapshots=2, stop_at=1.0, **FAST).fit(X[:60], Y[:60])
    found = scores_by_epoch(detector, X[60:], Y[60:])
    ax = axes()
    TrainingCurveDisplay.from_estimator(detector, ax=ax)
    display = TrainingCurveDisplay.from_estimator(detector, X[60:], Y[60:], name="held out", ax=ax)
    for (line,), signal in ((display.loss_lines_, "loss"), (display.signal_lines_, "curvature")):
        assert line.get_xdata().tolist() == found.epoch.tolist() == [2, 4]
        np.testing.assert_array_equal(line.get_ydata(), found.signals[signal].mean(1))
        assert line.get_marker() == "o"
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts[-2:] == ["curvature, CurvatureNoiseDetector", "curvature, held out"]
    assert len(texts) == 4


def test_without_a_curvature_other_samples_have_a_loss():
    detector = LossDetector(quick_net(), keep_snapshots=1, stop_at=1.0, **FAST).fit(X[:60], Y[:60])
    display = TrainingCurveDisplay.from_estimator(detector, X[60:], Y[60:], ax=axes())
    assert display.signal_ax_ is None
    assert display.loss_lines_[0].get_marker() == "o"  # one epoch alone is a dot


@pytest.mark.parametrize("pair", [(X, None), (None, Y)], ids=["no labels", "no samples"])
def test_samples_and_labels_go_together(pair):
    with pytest.raises(ValueError, match="X and y go together"):
        TrainingCurveDisplay.from_estimator(fitted()[0], *pair)


def test_epochs_that_were_not_scored_have_no_point():
    display = TrainingCurveDisplay.from_predictions([1, 2, 3], [3, 2, 1], [0.5, np.nan, 0.7], ax=axes())
    assert display.signal_lines_[0].get_xydata().tolist() == [[1, 0.5], [3, 0.7]]


def test_without_a_scored_signal_there_is_one_axis():
    detector = LossDetector(quick_net(), stop_at=1.0, **FAST).fit(X, Y)
    display = TrainingCurveDisplay.from_estimator(detector, ax=axes())
    assert display.signal_ax_ is None
    assert len(display.figure_.axes) == 1


def test_several_on_one_axes_share_the_axis_to_the_right():
    ax = axes()
    shown = [
        TrainingCurveDisplay.from_predictions([1, 2], [2, 1], [1, scale], name=str(scale), ax=ax) for scale in (1, 2, 3)
    ]
    assert len(ax.figure.axes) == 2
    assert {display.signal_ax_ for display in shown} == {ax.figure.axes[1]}
    assert len({display.loss_lines_[0].get_linestyle() for display in shown}) == 3
    assert len(ax.get_legend().get_texts()) == 6
    TrainingCurveDisplay.from_predictions([1, 2], [2, 1], name="without a signal", ax=ax)
    assert len(ax.get_legend().get_texts()) == 7


def test_repeats_are_trainings_of_their_own():
    detector = FusedDetector(quick_net(), n_repeats=2, **FAST).fit(X, Y)
    display = TrainingCurveDisplay.from_estimator(detector, ax=axes())
    assert len(display.loss_lines_) == 2
    assert [line.get_xdata().tolist() for line in display.loss_lines_] == [[1, 2, 3, 4]] * 2
    assert len(display.ax_.get_legend().get_texts()) == 1


def test_a_second_stage_follows_on_the_first():
    detector = CurvSSFT(quick_net(), **FAST).fit(X, Y)
    display = TrainingCurveDisplay.from_estimator(detector, ax=axes())
    lengths = [len(line.get_xdata()) for line in display.loss_lines_]
    assert sum(lengths) == len(detector.history_)
    for line in display.loss_lines_:
        assert (np.diff(line.get_xdata()) == 1).all()


def test_records_are_told_apart_by_repeat_and_half():
    records = [
        {"half": half, "stage": stage, "epoch": epoch} for half in (0, 1) for stage in (1, 2) for epoch in (1, 2)
    ]
    assert _one_after_another(records) == ([1, 2, 3, 4] * 2, [0] * 4 + [1] * 4)


SCALES = {
    "long": ([9.0, 0.1, 0.1, 0.1], "log"),
    "short": ([3.0, 2.0, 1.0, 1.0], "linear"),
    "zero": ([9, 0, 0, 0], "linear"),
}


@pytest.mark.parametrize(("loss", "expected"), SCALES.values(), ids=SCALES)
def test_the_axis_is_logarithmic_where_the_loss_asks_for_it(loss, expected):
    display = TrainingCurveDisplay.from_predictions(range(1, 5), loss, ax=axes())
    assert display.ax_.get_yscale() == expected


def test_a_later_training_that_reaches_zero_makes_the_axis_linear_again():
    ax = axes()
    TrainingCurveDisplay.from_predictions(range(1, 5), [9.0, 0.1, 0.1, 0.1], ax=ax)
    TrainingCurveDisplay.from_predictions(range(1, 5), [9.0, 0.1, 0.1, 0.0], ax=ax)
    assert ax.get_yscale() == "linear"


WRONG = {
    "length": (([1, 2], [1.0]), {}, "loss has 1 entries for 2 epochs"),
    "signal": (([1, 2], [1.0, 2.0], [1.0]), {}, "signal has 1 entries for 2 epochs"),
    "run": (([1, 2], [1.0, 2.0]), {"run": [0]}, "run has 1 entries for 2 epochs"),
    "text": (([1, 2], ["a", "b"]), {}, "loss must hold numbers"),
    "nothing": (([], []), {}, "epoch must hold one number for each epoch"),
}


@pytest.mark.parametrize(("data", "options", "message"), WRONG.values(), ids=WRONG)
def test_wrong_arguments_are_named(data, options, message):
    with pytest.raises(ValueError, match=message):
        TrainingCurveDisplay.from_predictions(*data, ax=axes(), **options)


def test_a_signal_that_was_not_measured_after_epochs_is_refused():
    with pytest.raises(
        ValueError, match=r"signal must be 'auto' or one .*\['curvature_contrast', 'curvature'\], got 'loss'"
    ):
        TrainingCurveDisplay.from_estimator(fitted()[0], signal="loss")


def test_a_detector_without_history_is_refused():
    detector = ConfidentLearningDetector(quick_net(), cv=2, **FAST).fit(X, Y)
    with pytest.raises(ValueError, match="ConfidentLearningDetector, which keeps no history"):
        TrainingCurveDisplay.from_estimator(detector)


def test_unfitted_is_refused():
    with pytest.raises(NotFittedError):
        TrainingCurveDisplay.from_estimator(LossDetector())

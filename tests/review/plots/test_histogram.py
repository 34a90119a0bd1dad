"""The histogram holds every sample once, wherever it is drawn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError

from curvdetect import LossDetector, ScoreHistogramDisplay
from curvdetect.review.plots.histogram import _edges
from tests.review.plots.fitted import axes, fitted, in_a_pipeline

RNG = np.random.default_rng(0)
SCORES = RNG.lognormal(size=400)
MASK = SCORES.argsort().argsort() > 370


def counts(bar):
    return np.where(bar.get_data().values > 0.7, bar.get_data().values, 0)


@pytest.mark.parametrize("make", [lambda: fitted()[0], in_a_pipeline], ids=["detector", "pipeline"])
def test_from_estimator_equals_from_predictions(make):
    detector, _, _, mask = fitted()
    one = ScoreHistogramDisplay.from_estimator(make(), noise_mask=mask, ax=axes())
    two = ScoreHistogramDisplay.from_predictions(
        detector.scores_, noise_mask=mask, threshold=detector.threshold_, name="CurvatureNoiseDetector", ax=axes()
    )
    np.testing.assert_array_equal(one.scores, detector.scores_)
    np.testing.assert_array_equal(one.noise_mask, mask)
    for name in ("right", "wrong"):
        assert (name in one.bars_) == (name in two.bars_)
    np.testing.assert_array_equal(counts(one.bars_["right"]), counts(two.bars_["right"]))
    texts = [[text.get_text() for text in display.ax_.get_legend().get_texts()] for display in (one, two)]
    assert texts[0] == texts[1] == ["right label (180)", "wrong label (20)", "flagged from here on"]
    assert one.ax_.get_legend().get_title().get_text() == "CurvatureNoiseDetector"


def test_a_signal_has_scores_of_its_own_and_no_threshold():
    detector, *_ = fitted()
    display = ScoreHistogramDisplay.from_estimator(detector, signal="loss", ax=axes())
    np.testing.assert_array_equal(display.scores, detector.signal_scores_["loss"])
    assert display.threshold is None
    assert display.name == "loss"


@pytest.mark.parametrize("marks", ["auto", "crosses", "bars"])
def test_every_wrong_label_is_marked(marks):
    display = ScoreHistogramDisplay.from_predictions(SCORES, noise_mask=MASK, marks=marks, ax=axes())
    assert counts(display.bars_["right"]).sum() == (~MASK).sum()
    if marks == "bars":
        assert counts(display.bars_["wrong"]).sum() == MASK.sum()
        assert display.crosses_ is None
    else:
        np.testing.assert_array_equal(display.crosses_.get_xdata(), np.sort(SCORES[MASK]))


def test_many_wrong_labels_are_bars():
    mask = np.arange(400) % 3 == 0
    assert ScoreHistogramDisplay.from_predictions(SCORES, noise_mask=mask, ax=axes()).crosses_ is None


AXES = {
    "long tail": (SCORES, "auto", "log"),
    "asked for": (SCORES, "linear", "linear"),
    "negative": (SCORES - 1, "auto", "linear"),
    "short tail": (RNG.random(100) + 1, "auto", "linear"),
}


@pytest.mark.parametrize(("scores", "xscale", "expected"), AXES.values(), ids=AXES)
def test_the_axis_is_logarithmic_where_scores_ask_for_it(scores, xscale, expected):
    tail = np.append(scores, 1000.0) if expected == "log" else scores
    display = ScoreHistogramDisplay.from_predictions(tail, xscale=xscale, ax=axes())
    assert display.ax_.get_xscale() == expected
    assert counts(display.bars_["all"]).sum() == len(tail)


finite = st.floats(-1e6, 1e6).map(lambda x: round(x, 3))


@given(st.lists(finite, min_size=1, max_size=80), st.integers(1, 60), st.booleans())
def test_bins_hold_every_score(values, bins, log):
    scores = np.array(values)
    if log:
        scores = np.abs(scores) + 1e-3
    edges = _edges(scores, bins, log=log)
    assert (np.diff(edges) > 0).all()
    assert np.histogram(scores, edges)[0].sum() == len(scores)
    assert len(edges) <= bins + 1


def test_few_different_scores_have_a_bin_each():
    display = ScoreHistogramDisplay.from_predictions([1, 1, 2, 4, 4, 4], ax=axes(), yscale="linear")
    np.testing.assert_array_equal(counts(display.bars_["all"]), [2, 1, 3])


WRONG = {
    "length": (lambda: {"noise_mask": MASK[:5]}, "noise_mask has 5 entries for 400 samples"),
    "no wrong": (lambda: {"noise_mask": np.zeros(400, bool)}, "marks no label"),
    "threshold": (lambda: {"threshold": "high"}, "threshold must be None or a score"),
    "bins": (lambda: {"bins": 0}, "bins must be"),
    "xscale": (lambda: {"xscale": "symlog"}, "xscale must be one of"),
    "yscale": (lambda: {"yscale": None}, "yscale must be one of"),
    "marks": (lambda: {"marks": "stars"}, "marks must be one of"),
}


@pytest.mark.parametrize(("options", "message"), WRONG.values(), ids=WRONG)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        ScoreHistogramDisplay.from_predictions(SCORES, ax=axes(), **options())


def test_no_logarithm_of_what_is_not_positive():
    with pytest.raises(ValueError, match="xscale='log' needs positive scores, and the smallest is 0"):
        ScoreHistogramDisplay.from_predictions([0.0, 1.0], xscale="log", ax=axes())


def test_unfitted_is_refused():
    with pytest.raises(NotFittedError):
        ScoreHistogramDisplay.from_estimator(LossDetector())


def test_new_axes_are_pyplots_and_given_ones_are_left_to_their_figure():
    import matplotlib.pyplot as plt

    ax = axes()
    before = plt.get_fignums()
    display = ScoreHistogramDisplay(scores=SCORES).plot(ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert plt.get_fignums() == before
    new = ScoreHistogramDisplay(scores=SCORES).plot()
    assert new.figure_.number in plt.get_fignums()
    plt.close(new.figure_)

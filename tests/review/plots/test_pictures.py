"""Grids and rows of pictures, histograms and confusions hold every sample once, where they should."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from sklearn.metrics import confusion_matrix

from curvdetect import ExtremesDisplay, LabelConfusionDisplay, ScoreHistogramDisplay, SuspectsDisplay
from tests.review.plots.fitted import axes, fitted

RNG = np.random.default_rng(0)
X, Y, SCORES = RNG.random((40, 6, 4)), np.array(["cat", "dog", "fox", "owl"] * 10), RNG.random(40)
WIDE = RNG.lognormal(size=400)
MASK = WIDE.argsort().argsort() > 370


@pytest.mark.parametrize("shape", [(6, 4), (1, 6, 4), (3, 6, 4)], ids=str)
def test_the_grid_shows_the_worst_pictures_in_order(shape):
    pictures = RNG.random((40, *shape)).astype(np.float32)
    given = torch.from_numpy(pictures) if shape[0] == 3 else pictures
    display = SuspectsDisplay.from_predictions(given, Y, np.roll(Y, 1), SCORES, k=5, n_columns=3)
    assert len(display.axes_) == 5
    assert display.index.tolist() == np.argsort(-SCORES)[:5].tolist()
    for ax, i in zip(display.axes_, display.index, strict=True):
        expected = pictures[i].transpose(1, 2, 0) if shape[0] == 3 else pictures[i].reshape(6, 4)
        np.testing.assert_allclose(ax.images[0].get_array(), expected)
        assert ax.get_title() == f"{Y[i]} → {np.roll(Y, 1)[i]}?"


@pytest.mark.filterwarnings("error")
def test_suspects_of_a_detector_are_those_of_its_ranking():
    detector, pictures, names, mask = fitted()
    one = SuspectsDisplay.from_estimator(detector, 10 * pictures - 5, k=5, marked=mask, show_index=True)
    assert (one.images.min(), one.images.max()) == (0, 1)  # scaled together
    data = (pictures, names, detector.suggested_labels_, detector.scores_)
    two = SuspectsDisplay.from_predictions(*data, k=5, marked=torch.tensor(mask), show_index=True)
    for display in (one, two):
        np.testing.assert_array_equal(display.index, detector.ranking_[:5])
        assert [len(ax.lines) for ax in display.axes_] == mask[detector.ranking_[:5]].astype(int).tolist()
        assert len(display.dots_) == mask[detector.ranking_[:5]].sum() > 0
        assert [ax.get_title().split("\n")[0] for ax in display.axes_] == [str(i) for i in detector.ranking_[:5]]
    assert [ax.get_title() for ax in one.axes_] == [ax.get_title() for ax in two.axes_]


def test_the_grid_is_drawn_on_a_given_figure_and_names_are_no_formulas():
    figure, names = Figure(), [r"$\frac$", "x" * 300, ""]
    display = SuspectsDisplay(np.zeros((3, 4, 4)), names, names, [5, 6, 7]).plot(n_columns=2, figure=figure)
    assert display.figure_ is figure
    assert len(figure.axes) == 4
    figure.canvas.draw()  # where a formula would be read
    assert len(display.axes_[1].get_title()) < 50


def test_rows_of_extremes_are_what_sorting_each_class_says_and_stand_where_the_ticks_say():
    display = ExtremesDisplay.from_predictions(X, Y, SCORES, k=3, ax=axes())
    canvas = np.asarray(display.im_.get_array())
    assert [tick.get_text() for tick in display.ax_.get_yticklabels()] == ["cat", "dog", "fox", "owl"]
    for row, (label, height) in enumerate(zip(["cat", "dog", "fox", "owl"], display.ax_.get_yticks(), strict=True)):
        members = np.array([i for i in range(40) if Y[i] == label])
        order = members[np.argsort(SCORES[members])]
        assert display.lowest_index[row].tolist() == order[:3].tolist()
        assert display.highest_index[row].tolist() == order[-3:].tolist()
        top, first = round(height - 2.5), canvas.shape[1] - 5  # of the last picture, before the gap behind it
        np.testing.assert_allclose(canvas[top : top + 6, :4], X[order[0]])
        np.testing.assert_allclose(canvas[top : top + 6, first : first + 4], X[order[-1]])


def test_a_small_class_leaves_places_empty_and_the_largest_says_how_many_there_are():
    labels = np.array(["rare"] * 2 + ["often"] * 38)
    display = ExtremesDisplay.from_predictions(np.stack([X] * 3, 1), labels, SCORES, k=5, ax=axes())
    order = np.argsort(SCORES[:2]).tolist()
    assert display.labels.tolist() == ["often", "rare"]
    assert display.lowest_index[1].tolist() == [*order, -1, -1, -1]
    assert display.highest_index[1].tolist() == [-1, -1, -1, *order]
    assert np.isnan(display.lowest[1, 2:]).all()
    assert display.lowest.shape == (2, 5, 6, 4, 3)  # in colour
    assert ExtremesDisplay.from_predictions(X, Y, SCORES, k=99, ax=axes()).lowest_index.shape == (4, 10)


def test_which_classes_are_shown():
    display = ExtremesDisplay.from_predictions(X, Y, SCORES, k=2, classes=["owl", "cat"], ax=axes())
    assert display.labels.tolist() == ["owl", "cat"]
    assert (Y[display.highest_index] == [["owl"] * 2, ["cat"] * 2]).all()
    display = ExtremesDisplay.from_predictions(X, np.arange(40) % 30, SCORES, k=1, ax=axes())
    assert display.labels.tolist() == list(range(20))


def counts(bar):
    return np.where(bar.get_data().values > 0.7, bar.get_data().values, 0)


def test_the_histogram_of_a_detector_has_its_scores_and_threshold():
    detector, _, _, mask = fitted()
    display = ScoreHistogramDisplay.from_estimator(detector, noise_mask=mask, ax=axes())
    np.testing.assert_array_equal(display.scores, detector.scores_)
    assert display.threshold == detector.threshold_
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert texts == ["right label (180)", "wrong label (20)", "flagged from here on"]
    assert display.ax_.get_legend().get_title().get_text() == "CurvatureNoiseDetector"
    display = ScoreHistogramDisplay.from_estimator(detector, signal="loss", ax=axes())
    np.testing.assert_array_equal(display.scores, detector.signal_scores_["loss"])
    assert (display.threshold, display.name) == (None, "loss")


@pytest.mark.parametrize("marks", ["auto", "crosses", "bars"])
def test_every_wrong_label_is_marked(marks):
    display = ScoreHistogramDisplay.from_predictions(WIDE, noise_mask=MASK, marks=marks, ax=axes())
    assert counts(display.bars_["right"]).sum() == (~MASK).sum()
    if marks == "bars":
        assert counts(display.bars_["wrong"]).sum() == MASK.sum()
        assert display.crosses_ is None
    else:
        np.testing.assert_array_equal(display.crosses_.get_xdata(), np.sort(WIDE[MASK]))
    many = ScoreHistogramDisplay.from_predictions(WIDE, noise_mask=np.arange(400) % 3 == 0, ax=axes())
    assert many.crosses_ is None


AXES = {
    "long tail": (np.append(WIDE, 1000), "auto", "log"),
    "asked for": (WIDE, "linear", "linear"),
    "negative": (WIDE - 1, "auto", "linear"),
    "short tail": (SCORES + 1, "auto", "linear"),
}


@pytest.mark.parametrize(("scores", "xscale", "expected"), AXES.values(), ids=AXES)
def test_the_axis_of_scores_is_logarithmic_where_they_ask_for_it(scores, xscale, expected):
    display = ScoreHistogramDisplay.from_predictions(scores, xscale=xscale, ax=axes())
    assert display.ax_.get_xscale() == expected
    assert counts(display.bars_["all"]).sum() == len(scores)


def test_few_different_scores_have_a_bin_each():
    display = ScoreHistogramDisplay.from_predictions([1, 1, 2, 4, 4, 4], ax=axes(), yscale="linear")
    np.testing.assert_array_equal(counts(display.bars_["all"]), [2, 1, 3])


def test_a_confusion_counts_what_a_detector_flags():
    detector, _, names, _ = fitted()
    display = LabelConfusionDisplay.from_estimator(detector, ax=axes())
    flagged = detector.labels_ == 1
    expected = confusion_matrix(names[flagged], detector.suggested_labels_[flagged], labels=detector.classes_)
    np.testing.assert_array_equal(display.confusion, expected)
    assert [tick.get_text() for tick in display.ax_.get_yticklabels()] == [f"digit {i}" for i in range(10)]
    assert (display.ax_.get_ylabel(), display.ax_.get_xlabel()) == ("Given label", "Suggested label")
    shown = sorted(int(text.get_text()) for text in display.ax_.texts if text.get_visible())
    assert shown == sorted(expected[expected > 0].tolist())


def test_of_many_classes_the_busiest_are_shown_in_their_order():
    given, suggested = [9] * 5 + [3] * 4 + [7], [4] * 5 + [6] * 4 + [8]
    display = LabelConfusionDisplay.from_predictions(given, suggested, labels=range(10), max_classes=4, ax=axes())
    assert display.shown_.tolist() == [3, 4, 6, 9]
    assert display.ax_.get_title() == "4 of 10 classes: 9 of 10 suspects"
    assert np.asarray(display.im_.get_array()).sum() == 9

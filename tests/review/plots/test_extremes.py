"""Each class shows its own pictures, the lowest first and the highest last."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError

from curvdetect import ExtremesDisplay, LossDetector
from tests.cases import Items
from tests.review.plots.fitted import axes, fitted, in_a_pipeline

RNG = np.random.default_rng(0)
X, Y, SCORES = RNG.random((40, 6, 4)), np.array(["cat", "dog", "fox", "owl"] * 10), RNG.random(40)


@pytest.mark.parametrize("make", [lambda: fitted()[0], in_a_pipeline], ids=["detector", "pipeline"])
def test_from_estimator_equals_from_predictions(make):
    detector, pictures, names, _ = fitted()
    one = ExtremesDisplay.from_estimator(make(), pictures, k=4, ax=axes())
    two = ExtremesDisplay.from_predictions(pictures, names, detector.scores_, k=4, ax=axes())
    np.testing.assert_array_equal(one.highest_index, two.highest_index)
    np.testing.assert_array_equal(one.im_.get_array(), two.im_.get_array())
    assert one.labels.tolist() == [f"digit {i}" for i in range(10)]


def test_rows_are_what_sorting_each_class_says():
    display = ExtremesDisplay.from_predictions(X, Y, SCORES, k=3, ax=axes())
    for row, label in enumerate(["cat", "dog", "fox", "owl"]):
        members = np.array([i for i in range(40) if Y[i] == label])
        order = members[np.argsort(SCORES[members])]
        assert display.lowest_index[row].tolist() == order[:3].tolist()
        assert display.highest_index[row].tolist() == order[-3:].tolist()
        np.testing.assert_allclose(display.lowest[row], X[order[:3]])
        np.testing.assert_allclose(display.highest[row], X[order[-3:]])


def test_pictures_stand_where_the_ticks_say():
    display = ExtremesDisplay.from_predictions(X, Y, SCORES, k=3, ax=axes())
    canvas, heights = np.asarray(display.im_.get_array()), display.ax_.get_yticks()
    for row, height in enumerate(heights):
        top = round(height - 2.5)
        np.testing.assert_allclose(canvas[top : top + 6, :4], display.lowest[row, 0])
        first = canvas.shape[1] - 5  # of the last picture, before the gap behind it
        np.testing.assert_allclose(canvas[top : top + 6, first : first + 4], display.highest[row, -1])
    assert [tick.get_text() for tick in display.ax_.get_yticklabels()] == ["cat", "dog", "fox", "owl"]


def test_a_small_class_leaves_places_empty():
    labels = np.array(["rare"] * 2 + ["often"] * 38)
    display = ExtremesDisplay.from_predictions(X, labels, SCORES, k=5, ax=axes())
    order = np.argsort(SCORES[:2]).tolist()
    assert display.labels.tolist() == ["often", "rare"]
    assert display.lowest_index[1].tolist() == [*order, -1, -1, -1]
    assert display.highest_index[1].tolist() == [-1, -1, -1, *order]
    assert np.isnan(display.lowest[1, 2:]).all()


def test_no_more_places_than_the_largest_class_has_pictures():
    assert ExtremesDisplay.from_predictions(X, Y, SCORES, k=99, ax=axes()).lowest_index.shape == (4, 10)


def test_classes_are_shown_in_the_order_asked_for():
    display = ExtremesDisplay.from_predictions(X, Y, SCORES, k=2, classes=["owl", "cat"], ax=axes())
    assert display.labels.tolist() == ["owl", "cat"]
    assert (Y[display.highest_index] == [["owl"] * 2, ["cat"] * 2]).all()


def test_of_many_classes_the_first_twenty_are_shown():
    display = ExtremesDisplay.from_predictions(X, np.arange(40) % 30, SCORES, k=1, ax=axes())
    assert display.labels.tolist() == list(range(20))


KINDS = {
    "gray": (X, (6, 4)),
    "one channel": (X[:, None], (6, 4)),
    "colour": (np.stack([X] * 3, 1), (6, 4, 3)),
    "tensor": (torch.from_numpy(X), (6, 4)),
    "bytes": ((X * 255).astype(np.uint8), (6, 4)),
    "dataset": (Items([(torch.from_numpy(x)[None], 0) for x in X]), (6, 4)),
    "beyond the unit range": (10 * X - 5, (6, 4)),
}


@pytest.mark.parametrize(("pictures", "shape"), KINDS.values(), ids=KINDS)
def test_pictures_of_every_kind(pictures, shape):
    display = ExtremesDisplay.from_predictions(pictures, Y, SCORES, k=2, ax=axes())
    assert display.lowest.shape == (4, 2, *shape)
    assert display.lowest.min() >= 0
    assert display.highest.max() <= 1


WRONG = {
    "length": ({"X": X[:7]}, "X has 7 samples"),
    "table": ({"X": X.reshape(40, 24)}, "no picture.*reshape"),
    "labels": ({"y": Y[:7]}, "y must have one entry for each of 40 samples"),
    "k": ({"k": 0}, "k must be"),
    "classes": ({"classes": ["cow"]}, r"classes must hold some of the labels \['cat', .*got \['cow'\]"),
    "no classes": ({"classes": []}, "classes must hold some"),
}


@pytest.mark.parametrize(("options", "message"), WRONG.values(), ids=WRONG)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        ExtremesDisplay.from_predictions(**{"X": X, "y": Y, "scores": SCORES, "ax": axes(), **options})


def test_unfitted_is_refused():
    with pytest.raises(NotFittedError):
        ExtremesDisplay.from_estimator(LossDetector(), X)

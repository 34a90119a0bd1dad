"""Given against suggested labels, of any kind and however many classes there are."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.metrics import confusion_matrix

from curvdetect import LabelConfusionDisplay, LossDetector
from tests.review.plots.fitted import axes, fitted, in_a_pipeline

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("make", [lambda: fitted()[0], in_a_pipeline], ids=["detector", "pipeline"])
def test_from_estimator_counts_what_is_flagged(make):
    detector, _, names, _ = fitted()
    one = LabelConfusionDisplay.from_estimator(make(), ax=axes())
    two = LabelConfusionDisplay.from_predictions(
        names, detector.suggested_labels_, flagged=detector.predict(), labels=detector.classes_, ax=axes()
    )
    np.testing.assert_array_equal(one.confusion, two.confusion)
    assert one.confusion.sum() == 20
    assert (np.diag(one.confusion) == 0).all()
    np.testing.assert_array_equal(one.labels, detector.classes_)
    assert [tick.get_text() for tick in one.ax_.get_yticklabels()] == [f"digit {i}" for i in range(10)]


KINDS = {
    "text": np.array(["a", "b", "c"]),
    "numbers": np.array([-100, 3, 70]),
    "booleans": np.array([False, True]),
    "bytes": np.array([b"a", b"b"]),
    "dates": np.array(["2020-01-01", "2021-01-01"], dtype="datetime64[D]"),
}


@pytest.mark.parametrize("classes", KINDS.values(), ids=KINDS)
def test_labels_of_any_kind_are_counted_as_scikit_learn_does(classes):
    given, suggested = RNG.integers(0, len(classes), (2, 50))
    display = LabelConfusionDisplay.from_predictions(classes[given], classes[suggested], ax=axes())
    np.testing.assert_array_equal(display.confusion, confusion_matrix(given, suggested))
    np.testing.assert_array_equal(display.labels, classes)
    assert display.im_.get_array().shape == (len(classes), len(classes))


def test_of_many_classes_the_busiest_are_shown_in_their_order():
    given, suggested = [9] * 5 + [3] * 4 + [7], [4] * 5 + [6] * 4 + [8]
    display = LabelConfusionDisplay.from_predictions(given, suggested, labels=range(10), max_classes=4, ax=axes())
    assert display.shown_.tolist() == [3, 4, 6, 9]
    assert display.ax_.get_title() == "4 of 10 classes: 9 of 10 suspects"
    assert np.asarray(display.im_.get_array()).sum() == 9


def test_zeros_are_not_written_out():
    display = LabelConfusionDisplay.from_predictions(["a", "a"], ["b", "b"], ax=axes())
    assert [text.get_text() for text in display.ax_.texts if text.get_visible()] == ["2"]


def test_axes_are_named_for_what_they_are():
    display = LabelConfusionDisplay.from_predictions(["a"], ["b"], ax=axes())
    assert (display.ax_.get_ylabel(), display.ax_.get_xlabel()) == ("Given label", "Suggested label")


WRONG = {
    "length": ({"suggested": ["b"]}, "suggested must have one entry for each of 2 samples"),
    "flagged": ({"flagged": [True]}, "flagged has 1 entries for 2 samples"),
    "no mask": ({"flagged": [2, 3]}, "flagged must hold booleans"),
    "unknown": ({"labels": ["a"]}, "labels leaves out 'b'"),
    "classes": ({"max_classes": 0}, "max_classes must be"),
    "missing": ({"given": ["a", None]}, "given contains NaN"),
}


@pytest.mark.parametrize(("options", "message"), WRONG.values(), ids=WRONG)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        LabelConfusionDisplay.from_predictions(
            **{"given": ["a", "b"], "suggested": ["b", "a"], "ax": axes(), **options}
        )


def test_unfitted_is_refused():
    with pytest.raises(NotFittedError):
        LabelConfusionDisplay.from_estimator(LossDetector())

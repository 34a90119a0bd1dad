"""Similarity curves are the metrics, row by row and of the running mean."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from curvdetect import CurvatureNoiseDetector, SimilarityCurveDisplay, scores_by_epoch
from curvdetect.metrics import cosine_similarity, top_k_cosine_similarity
from tests.cases import noisy_digits, quick_net
from tests.review.plots.fitted import axes

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.default_rng(0)
REFERENCE, SCORES = RNG.random(30), RNG.random((5, 30))


@pytest.mark.parametrize("top_k", [None, 7])
def test_each_epoch_and_the_mean_so_far_are_compared(top_k):
    def similar(row):
        return cosine_similarity(row, REFERENCE) if top_k is None else top_k_cosine_similarity(row, REFERENCE, top_k)

    display = SimilarityCurveDisplay.from_predictions(REFERENCE, SCORES, top_k=top_k, ax=axes())
    for epoch in range(1, 6):
        assert display.each[epoch - 1] == pytest.approx(similar(SCORES[epoch - 1]))
        assert display.cumulative[epoch - 1] == pytest.approx(similar(SCORES[:epoch].mean(0)))
    assert display.each_line_.get_xydata().tolist() == list(map(list, zip(range(1, 6), display.each, strict=True)))
    assert display.cumulative_line_.get_ydata().tolist() == display.cumulative.tolist()
    assert display.constant_line_.get_ydata()[0] == pytest.approx(similar(np.ones(30)))
    assert ("top 7" in display.ax_.get_ylabel()) == (top_k == 7)


def test_a_reference_that_is_the_scores_has_similarity_one():
    display = SimilarityCurveDisplay.from_predictions(REFERENCE, np.outer([1, 2, 3], REFERENCE), ax=axes())
    np.testing.assert_allclose(display.each, 1)
    np.testing.assert_allclose(display.cumulative, 1)


def test_epochs_may_lie_apart():
    display = SimilarityCurveDisplay.from_predictions(REFERENCE, SCORES, epoch=[4, 8, 12, 16, 20], ax=axes())
    assert display.each_line_.get_xdata().tolist() == [4, 8, 12, 16, 20]


def test_two_on_the_same_axes_are_told_apart_and_share_the_constant():
    ax = axes()
    one, two = (SimilarityCurveDisplay.from_predictions(REFERENCE, SCORES + i, name=str(i), ax=ax) for i in (0, 1))
    assert one.each_line_.get_color() == one.cumulative_line_.get_color() != two.each_line_.get_color()
    assert one.each_line_.get_linestyle() != one.cumulative_line_.get_linestyle()
    assert two.constant_line_ is None
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert sorted(texts) == ["a constant", "mean so far, 0", "mean so far, 1", "one epoch, 0", "one epoch, 1"]


def test_no_constant_where_none_is_wanted():
    assert SimilarityCurveDisplay.from_predictions(REFERENCE, SCORES, constant=False, ax=axes()).constant_line_ is None


@cache
def fitted():
    X, labels, _, _ = noisy_digits(160)
    options = {"every": 1, "keep_snapshots": 4, "stop_at": 1.0, "device": "cpu", "random_state": 0}
    return CurvatureNoiseDetector(quick_net(), **options).fit(X, labels), X, labels


@pytest.mark.parametrize("signal", ["auto", "loss"])
def test_from_estimator_equals_from_predictions(signal):
    detector, X, labels = fitted()
    reference = np.linspace(0, 1, 160)
    one = SimilarityCurveDisplay.from_estimator(detector, reference, X, labels, signal=signal, top_k=20, ax=axes())
    found = scores_by_epoch(detector, X, labels)
    values = found.signals["curvature_contrast" if signal == "auto" else signal]
    two = SimilarityCurveDisplay.from_predictions(reference, values, epoch=found.epoch, top_k=20, ax=axes())
    for line in ("each_line_", "cumulative_line_"):
        np.testing.assert_array_equal(getattr(one, line).get_xydata(), getattr(two, line).get_xydata())
    assert one.name == "CurvatureNoiseDetector"


def test_the_last_of_the_means_is_the_score_where_every_epoch_was_kept():
    detector, X, labels = fitted()
    reference = np.linspace(0, 1, 160)
    display = SimilarityCurveDisplay.from_estimator(detector, reference, X, labels, ax=axes())
    assert display.cumulative[-1] == pytest.approx(cosine_similarity(detector.scores_, reference), rel=1e-4)


WRONG = {
    "one row": (
        (REFERENCE, SCORES[0]),
        {},
        r"scores must have one row for each epoch .* got an array of shape \(30,\)",
    ),
    "samples": ((REFERENCE[:9], SCORES), {}, "one column for each of 9 samples"),
    "none": ((REFERENCE, SCORES[:0]), {}, "one row for each epoch"),
    "ragged": ((REFERENCE, [[1.0], [1.0, 2.0]]), {}, "scores must hold numbers, a row of 30 for each epoch"),
    "nan": ((REFERENCE, SCORES * [[1], [np.nan], [1], [1], [1]]), {}, "scores holds NaN or infinity in row 1"),
    "zeros": ((REFERENCE, SCORES * [[1], [1], [0], [1], [1]]), {}, "scores is 0 everywhere in row 2"),
    "epochs": ((REFERENCE, SCORES), {"epoch": [1, 2]}, "epoch must have one entry for each of 5 rows"),
    "reference": ((REFERENCE * np.nan, SCORES), {}, "reference holds NaN"),
    "top": ((REFERENCE, SCORES), {"top_k": 31}, "k must be a whole number of samples, from 1 to 30"),
}


@pytest.mark.parametrize(("data", "options", "message"), WRONG.values(), ids=WRONG)
def test_wrong_arguments_are_named(data, options, message):
    with pytest.raises(ValueError, match=message):
        SimilarityCurveDisplay.from_predictions(*data, ax=axes(), **options)

"""The curves are those of scikit-learn and of counting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score, roc_curve

from curvdetect import DetectionCurveDisplay, LossDetector
from curvdetect.metrics import fnr_at_noise_rate
from curvdetect.review.plots.detection import POINTS, _thinned
from tests.review.plots.fitted import axes, fitted, in_a_pipeline

RNG = np.random.default_rng(0)
MASK = np.arange(300) % 10 == 0
SCORES = MASK + RNG.normal(size=300)


@pytest.mark.parametrize("kind", ["roc", "precision"])
@pytest.mark.parametrize("make", [lambda: fitted()[0], in_a_pipeline], ids=["detector", "pipeline"])
def test_from_estimator_equals_from_predictions(make, kind):
    detector, _, _, mask = fitted()
    one = DetectionCurveDisplay.from_estimator(make(), mask, kind=kind, ax=axes())
    two = DetectionCurveDisplay.from_predictions(
        mask, detector.scores_, name="CurvatureNoiseDetector", kind=kind, ax=axes()
    )
    np.testing.assert_array_equal(one.line_.get_xydata(), two.line_.get_xydata())
    assert one.line_.get_label() == two.line_.get_label()
    assert one.roc_auc == pytest.approx(detector.score(noise_mask=mask))


def test_the_roc_curve_is_scikit_learns():
    display = DetectionCurveDisplay.from_predictions(MASK, SCORES, name="mine", ax=axes())
    fpr, tpr, _ = roc_curve(MASK, SCORES)
    np.testing.assert_array_equal(display.line_.get_xydata(), np.column_stack([fpr, tpr]))
    assert display.line_.get_label() == f"mine (AUC = {roc_auc_score(MASK, SCORES):.3f})"
    np.testing.assert_array_equal(display.chance_level_.get_xydata(), [[0, 0], [1, 1]])


def test_precision_is_what_counting_says():
    display = DetectionCurveDisplay.from_predictions(MASK, SCORES, kind="precision", ax=axes())
    order = np.argsort(-SCORES, kind="stable")
    naive = [MASK[order[:k]].mean() for k in range(1, 301)]
    np.testing.assert_allclose(display.line_.get_ydata(), naive)
    assert display.precision[29] == pytest.approx(1 - fnr_at_noise_rate(MASK, SCORES))
    assert f"({display.precision[29]:.3f} at k = 30)" in display.line_.get_label()
    dot = display.line_.get_xdata()[display.line_.get_markevery()]
    assert dot.tolist() == [30]


def test_equal_scores_are_taken_in_the_order_of_the_data():
    display = DetectionCurveDisplay.from_predictions([True, False, True], [1, 1, 1], kind="precision", ax=axes())
    np.testing.assert_allclose(display.precision, [1, 1 / 2, 2 / 3])


@pytest.mark.parametrize("kind", ["roc", "precision"])
def test_several_on_one_axes_differ_and_share_the_chance_level(kind):
    ax = axes()
    shown = [
        DetectionCurveDisplay.from_predictions(MASK, SCORES**power, name=str(power), kind=kind, ax=ax)
        for power in (1, 3, 5)
    ]
    assert len({display.line_.get_color() for display in shown}) == 3
    assert len({display.line_.get_linestyle() for display in shown}) == 3
    assert [display.chance_level_ is None for display in shown] == [False, True, True]
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert [text.split()[0] for text in texts] == ["1", "3", "5", "chance"]


@pytest.mark.filterwarnings("error")
def test_a_logarithmic_roc_curve_begins_at_the_first_false_alarm():
    ax = axes()
    for _ in range(2):
        display = DetectionCurveDisplay.from_predictions(MASK, SCORES, xscale="log", ax=ax)
    assert display.ax_.get_xscale() == "log"
    assert 0 < display.ax_.get_xlim()[0] < 1 / 270


def test_the_look_can_be_chosen_and_chance_left_out():
    display = DetectionCurveDisplay.from_predictions(MASK, SCORES, color="black", chance_level=False, ax=axes())
    assert display.line_.get_color() == "black"
    assert display.chance_level_ is None


def test_a_million_samples_are_drawn_by_a_few_points():
    mask = np.arange(1_000_000) % 1000 == 0
    display = DetectionCurveDisplay.from_predictions(mask, RNG.normal(size=len(mask)), kind="precision", ax=axes())
    assert len(display.precision) == len(mask)
    assert len(display.line_.get_xdata()) <= POINTS + 1


@given(st.integers(2, 10**6), st.data(), st.booleans())
def test_points_that_are_drawn_have_both_ends_and_the_number_of_wrong_labels(n_samples, data, log):
    n_wrong = data.draw(st.integers(1, n_samples - 1))
    k = _thinned(n_samples, n_wrong, log=log)
    assert (k[0], k[-1]) == (1, n_samples)
    assert n_wrong in k
    assert (np.diff(k) > 0).all()


WRONG = {
    "no mask": (lambda: (None, SCORES), {}, "noise_mask is needed"),
    "length": (lambda: (MASK[:5], SCORES), {}, "noise_mask has 5 entries for 300 samples"),
    "all wrong": (lambda: (MASK | True, SCORES), {}, "marks every label"),
    "no scores": (lambda: (MASK, np.full(300, np.nan)), {}, "scores holds NaN"),
    "kind": (lambda: (MASK, SCORES), {"kind": "pr"}, "kind must be one of"),
    "xscale": (lambda: (MASK, SCORES), {"xscale": "cubic"}, "xscale must be one of"),
}


@pytest.mark.parametrize(("data", "options", "message"), WRONG.values(), ids=WRONG)
def test_wrong_arguments_are_named(data, options, message):
    with pytest.raises(ValueError, match=message):
        DetectionCurveDisplay.from_predictions(*data(), ax=axes(), **options)


def test_unfitted_is_refused():
    with pytest.raises(NotFittedError):
        DetectionCurveDisplay.from_estimator(LossDetector(), MASK)

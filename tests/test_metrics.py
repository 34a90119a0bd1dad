"""Metrics against brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curvdetect.metrics import auroc, average_precision, fnr_at_noise_rate


@st.composite
def masks_and_scores(draw):
    """Draw a mask with both kinds of labels, and scores with ties."""
    rows = draw(
        st.lists(
            st.tuples(st.booleans(), st.sampled_from([-2.0, 0.0, 0.5, 0.75, 9.0])), min_size=2, max_size=25
        ).filter(lambda rows: len({wrong for wrong, _ in rows}) == 2)
    )
    mask, scores = zip(*rows, strict=True)
    return np.array(mask), np.array(scores)


@given(masks_and_scores())
def test_auroc_is_the_share_of_pairs_in_the_right_order(case):
    mask, scores = case
    pairs = [(w > r) + 0.5 * (w == r) for w, r in itertools.product(scores[mask], scores[~mask])]
    assert auroc(mask, scores) == pytest.approx(np.mean(pairs))


@given(masks_and_scores())
def test_average_precision_is_the_mean_over_wrong_labels_of_the_precision_where_they_enter(case):
    mask, scores = case
    precisions = [mask[scores >= s].mean() for s in scores[mask]]
    assert average_precision(mask, scores) == pytest.approx(np.mean(precisions))


@given(masks_and_scores())
def test_fnr_is_the_share_missed_when_as_many_are_flagged_as_are_wrong(case):
    mask, scores = case
    flagged = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[: mask.sum()]
    missed = mask.sum() - sum(mask[i] for i in flagged)
    assert fnr_at_noise_rate(mask, scores) == pytest.approx(missed / mask.sum())


METRICS = {"auroc": (auroc, 1, 0), "average_precision": (average_precision, 1, None), "fnr": (fnr_at_noise_rate, 0, 1)}


@pytest.mark.parametrize(("metric", "best", "worst"), list(METRICS.values()), ids=list(METRICS))
def test_the_ends_of_the_range_are_reached(metric, best, worst):
    mask = np.array([0, 1, 0, 0, 1])
    assert metric(mask, mask * 2.0) == best
    if worst is not None:
        assert metric(mask, -mask * 2.0) == worst


@pytest.mark.parametrize(("metric", "best", "worst"), list(METRICS.values()), ids=list(METRICS))
@pytest.mark.parametrize(
    "kind",
    [list, tuple, lambda mask: np.array(mask, dtype=int), lambda mask: np.array(mask, dtype=float)],
    ids=["list", "tuple", "int", "float"],
)
def test_masks_of_any_kind_give_a_plain_number(metric, best, worst, kind):
    mask, scores = [True, False, True, False, False], [0.9, 0.8, 0.3, 0.2, 0.1]
    result = metric(kind(mask), scores)
    assert type(result) is float
    assert result == metric(np.array(mask), np.array(scores))


@pytest.mark.parametrize("metric", [auroc, average_precision])
def test_only_the_order_of_the_scores_matters(metric):
    rng = np.random.default_rng(0)
    mask, scores = rng.random(50) < 0.3, rng.standard_normal(50)
    assert metric(mask, scores) == metric(mask, np.exp(scores))


def test_average_precision_of_no_information_is_the_noise_rate():
    mask = np.arange(40) < 4
    assert average_precision(mask, np.zeros(40)) == pytest.approx(0.1)
    assert auroc(mask, np.zeros(40)) == pytest.approx(0.5)


def test_fnr_cuts_ties_by_index():
    assert fnr_at_noise_rate([False, True, True, False], [1.0, 1.0, 1.0, 0.0]) == 0.5
    assert fnr_at_noise_rate([True, True, False, False], [1.0, 1.0, 1.0, 0.0]) == 0


def test_fnr_without_a_wrong_label_is_refused():
    with pytest.raises(ValueError, match="mask marks no label as wrong"):
        fnr_at_noise_rate([False, False], [0.1, 0.2])


@pytest.mark.parametrize("metric", [auroc, average_precision, fnr_at_noise_rate])
@pytest.mark.parametrize("n_scores", [3, 5])
def test_lengths_that_differ_are_refused(metric, n_scores):
    with pytest.raises(ValueError, match=r"(?i)inconsistent|length|entries"):
        metric([True, False, True, False], np.arange(float(n_scores)))

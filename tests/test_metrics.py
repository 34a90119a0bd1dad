"""Metrics against brute force."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from curvdetect.metrics import (
    auroc,
    average_precision,
    cosine_similarity,
    fnr_at_noise_rate,
    top_k_cosine_similarity,
)

few = settings(max_examples=40)


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


@few
@given(masks_and_scores())
def test_auroc_is_the_share_of_pairs_in_the_right_order(case):
    mask, scores = case
    pairs = [(w > r) + 0.5 * (w == r) for w, r in itertools.product(scores[mask], scores[~mask])]
    assert auroc(mask, scores) == pytest.approx(np.mean(pairs))


@few
@given(masks_and_scores())
def test_average_precision_is_the_mean_over_wrong_labels_of_the_precision_where_they_enter(case):
    mask, scores = case
    precisions = [mask[scores >= s].mean() for s in scores[mask]]
    assert average_precision(mask, scores) == pytest.approx(np.mean(precisions))


@few
@given(masks_and_scores())
def test_fnr_is_the_share_missed_when_as_many_are_flagged_as_are_wrong(case):
    mask, scores = case
    flagged = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[: mask.sum()]
    missed = mask.sum() - sum(mask[i] for i in flagged)
    assert fnr_at_noise_rate(mask, scores) == pytest.approx(missed / mask.sum())


METRICS = {"auroc": (auroc, 1, 0), "average_precision": (average_precision, 1, 0.4), "fnr": (fnr_at_noise_rate, 0, 1)}


@pytest.mark.parametrize(("metric", "best", "worst"), list(METRICS.values()), ids=list(METRICS))
def test_the_ends_of_the_range_are_reached_by_masks_of_any_kind(metric, best, worst):
    mask = np.array([0, 1, 0, 0, 1])
    for kind in (list, tuple, lambda mask: mask.astype(bool), lambda mask: mask.astype(float)):
        assert metric(kind(mask), mask * 2.0) == best
        assert metric(kind(mask), -mask * 2.0) == pytest.approx(worst)
        assert type(metric(kind(mask), mask)) is float


def test_fnr_without_a_wrong_label_is_refused():
    with pytest.raises(ValueError, match="mask marks no label as wrong"):
        fnr_at_noise_rate([False, False], [0.1, 0.2])


@pytest.mark.parametrize("metric", [auroc, average_precision, fnr_at_noise_rate])
def test_lengths_that_differ_are_refused(metric):
    for n_scores in (3, 5):
        with pytest.raises(ValueError, match=r"(?i)inconsistent|length|entries"):
            metric([True, False, True, False], np.arange(float(n_scores)))


VECTORS = st.lists(
    st.tuples(st.integers(-50, 50), st.integers(-50, 50)).map(lambda pair: tuple(value / 8 for value in pair)),
    min_size=1,
    max_size=20,
).filter(lambda rows: all(map(any, zip(*rows, strict=True))))


@few
@given(VECTORS)
def test_cosine_is_the_sum_of_products_over_the_lengths(rows):
    a, b = zip(*rows, strict=True)
    product, squares = sum(x * y for x, y in rows), [sum(x * x for x in part) for part in (a, b)]
    assert cosine_similarity(a, b) == pytest.approx(product / math.sqrt(squares[0] * squares[1]), abs=1e-12)


@few
@given(VECTORS, st.sampled_from([1e-200, 1e-3, 7.0, 1e200]))
def test_cosine_knows_no_order_and_no_unit(rows, unit):
    a, b = map(np.array, zip(*rows, strict=True))
    assert cosine_similarity(a, b) == cosine_similarity(b, a)
    assert cosine_similarity(a * unit, b) == pytest.approx(cosine_similarity(a, b), abs=1e-12)
    assert cosine_similarity(a, -b) == -cosine_similarity(a, b)


COSINES = {
    "same": ([1, 2, 3], [1, 2, 3], 1.0),
    "opposite": ([1, 2], [-2, -4], -1.0),
    "apart": ([1, 0, 0], [0, 5, 0], 0.0),
    "known": ([3, 4], [4, 3], 24 / 25),
    "booleans": ([True, False], [True, True], math.sqrt(0.5)),
    "one sample": ([0.1], [7], 1.0),
    "tensors": (torch.tensor([3.0, 4.0]), torch.tensor([4.0, 3.0], dtype=torch.bfloat16), 24 / 25),
}


@pytest.mark.parametrize(("a", "b", "expected"), COSINES.values(), ids=COSINES)
def test_cosines_that_are_known(a, b, expected):
    found = cosine_similarity(a, b)
    assert type(found) is float
    assert found == pytest.approx(expected, abs=1e-15)
    assert -1 <= found <= 1


@few
@given(VECTORS, st.data())
def test_top_k_is_the_cosine_of_the_samples_of_highest_reference(rows, data):
    scores, reference = map(np.array, zip(*rows, strict=True))
    k = data.draw(st.integers(1, len(rows)))
    chosen = sorted(range(len(rows)), key=lambda i: (-reference[i], i))[:k]
    assume(scores[chosen].any() and reference[chosen].any())
    found = top_k_cosine_similarity(scores, reference, k)
    assert found == cosine_similarity(scores[chosen], reference[chosen])


def test_a_constant_is_near_to_the_highest_of_a_reference_that_varies_little():
    reference = np.r_[np.zeros(90), np.linspace(0.9, 1, 10)]
    assert top_k_cosine_similarity(np.ones(100), reference, 10) > 0.99
    assert cosine_similarity(np.ones(100), reference) < 0.4


COSINE_ERRORS = {
    "lengths": (([1.0, 2.0], [1.0]), "inconsistent numbers of samples"),
    "zeros in a": (([0.0, 0.0], [1.0, 2.0]), "a is 0 everywhere"),
    "zeros in b": (([1.0, 2.0], [0, 0]), "b is 0 everywhere"),
    "nan in a": (([1.0, np.nan], [1.0, 2.0]), r"a holds NaN or infinity in 1 place\(s\), the first at index 1"),
    "infinite b": (([1.0, 2.0], [np.inf, 2.0]), "b holds NaN or infinity"),
    "matrix": (([[1.0, 2.0]], [1.0, 2.0]), r"a must have one entry for each sample, got an array of shape \(1, 2\)"),
    "empty": (([], []), "a must have one entry for each sample"),
    "text": ((["x"], [1.0]), "a must hold numbers"),
}


@pytest.mark.parametrize(("vectors", "message"), COSINE_ERRORS.values(), ids=COSINE_ERRORS)
def test_what_has_no_cosine_is_refused(vectors, message):
    with pytest.raises(ValueError, match=message):
        cosine_similarity(*vectors)


TOP_K_ERRORS = {
    "none": (([1.0, 2.0], [1.0, 2.0], 0), r"k must be a whole number of samples, from 1 to 2, got 0"),
    "too many": (([1.0, 2.0], [1.0, 2.0], 3), "from 1 to 2, got 3"),
    "a share": (([1.0, 2.0], [1.0, 2.0], 0.5), "got 0.5"),
    "truth": (([1.0, 2.0], [1.0, 2.0], True), "got True"),
    "lengths": (([1.0], [1.0, 2.0], 1), "inconsistent numbers of samples"),
    "zeros there": (([0.0, 2.0], [3.0, 1.0], 1), "scores is, on the 1 samples of highest reference, 0 everywhere"),
    "zeros in it": (([3.0, 2.0], [-1.0, 0.0], 1), "reference is, on the 1 samples of highest reference, 0 everywhere"),
    "nan": (([np.nan, 1.0], [1.0, 2.0], 1), "scores holds NaN"),
    "infinite": (([1.0, 1.0], [1.0, -np.inf], 1), "reference holds NaN or infinity"),
}


@pytest.mark.parametrize(("arguments", "message"), TOP_K_ERRORS.values(), ids=TOP_K_ERRORS)
def test_what_has_no_top_k_cosine_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        top_k_cosine_similarity(*arguments)

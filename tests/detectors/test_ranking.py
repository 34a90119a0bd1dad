"""Order, exact counts and shares of ranks, ties included."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curvdetect.detectors.ranking import is_auto, lowest_flagged, n_flagged, rank_share, worst_first

tied_scores = st.lists(st.sampled_from([-1.5, 0.0, 0.25, 3.0, 1e9]), min_size=1, max_size=30).map(np.array)


@given(tied_scores)
def test_indices_come_by_falling_score_and_ties_in_the_order_of_the_data(scores):
    expected = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    assert worst_first(scores).tolist() == expected


def test_infinite_scores_are_the_ends_of_the_order():
    assert worst_first(np.array([0.0, -np.inf, 5.0, np.inf])).tolist() == [3, 2, 0, 1]


@pytest.mark.parametrize(
    ("q", "n_samples", "expected"),
    [
        (0.1, 100, 10),
        (0.05, 30, 2),
        (0.05, 29, 1),
        (0.05, 1000, 50),
        (0.5, 3, 2),
        (0.99, 10, 10),
        (0.001, 10, 1),
        (1e-12, 10, 1),
        (0.35, 10, 4),
        (np.float32(0.25), 8, 2),
        (1, 10, 1),
        (10, 10, 10),
        (7, 10, 7),
        (np.int64(3), 10, 3),
        (np.uint8(3), 10, 3),
        ("auto", 50, 5),
    ],
)
def test_a_share_is_rounded_and_a_count_is_taken_as_it_is(q, n_samples, expected):
    count = n_flagged(q, n_samples)
    assert count == expected
    assert type(count) is int


@given(percent=st.integers(1, 99), n_samples=st.integers(1, 5000))
def test_a_share_is_off_by_at_most_half_a_sample_unless_it_is_the_only_one(percent, n_samples):
    count = n_flagged(percent / 100, n_samples)
    assert 1 <= count <= n_samples
    assert count == 1 or abs(count - Fraction(percent, 100) * n_samples) <= Fraction(1, 2)


@pytest.mark.parametrize(
    "q", [0, 0.0, 1.0, -0.1, 1.5, -3, 11, 2.0, True, False, None, "0.1", np.nan, np.inf, [0.1]], ids=repr
)
def test_what_is_neither_a_share_nor_a_count_is_refused_by_name(q):
    with pytest.raises(
        ValueError, match=r"^q must be a share between 0 and 1 .* a count from 1 to 10, or 'auto', got "
    ):
        n_flagged(q, 10)


@given(tied_scores)
def test_the_rank_share_is_that_of_less_suspect_samples_with_ties_counted_half(scores):
    n = len(scores)
    expected = [((scores < s).sum() + 0.5 * (scores == s).sum()) / n for s in scores]
    result = rank_share(scores)
    np.testing.assert_allclose(result, expected, rtol=1e-12)
    assert ((result > 0) & (result < 1)).all()


def test_the_rank_share_rises_with_the_score_and_looks_at_ranks_alone():
    scores = np.array([3.0, -1.0, 1e12, 0.5])
    assert (np.argsort(-rank_share(scores)) == worst_first(scores)).all()
    np.testing.assert_array_equal(rank_share(scores), rank_share(np.arctan(scores)))


def test_samples_that_all_tie_have_a_rank_share_of_one_half():
    np.testing.assert_array_equal(rank_share(np.full(7, 2.5)), np.full(7, 0.5))


@given(tied_scores, st.data())
def test_threshold_is_the_lowest_flagged_score(scores, data):
    n_top = data.draw(st.integers(1, len(scores)))
    assert lowest_flagged(scores, n_top) == scores[worst_first(scores)[:n_top]].min()


@given(tied_scores)
def test_threshold_of_no_flag_is_above_all(scores):
    threshold = lowest_flagged(scores, 0)
    assert (scores - threshold < 0).all()


@pytest.mark.parametrize(
    ("q", "expected"), [("auto", True), ("AUTO", False), (0.1, False), (np.array(["auto"]), False)]
)
def test_only_the_word_is_auto(q, expected):
    assert is_auto(q) is expected


@given(scores=tied_scores, unscored=st.lists(st.integers(0, 30), max_size=5), n_top=st.integers(0, 3))
def test_what_has_no_score_is_left_out_of_every_order(scores, unscored, n_top):
    places = np.minimum(np.array(unscored, dtype=int), len(scores))
    among = np.insert(scores, places, np.nan)
    there = np.flatnonzero(~np.isnan(among))
    n_top = min(n_top, len(there))
    assert worst_first(among).tolist() == there[worst_first(scores)].tolist()
    assert lowest_flagged(among, n_top) == lowest_flagged(scores, n_top)
    np.testing.assert_array_equal(rank_share(among)[there], rank_share(scores))
    assert np.isnan(rank_share(among)).sum() == len(unscored)

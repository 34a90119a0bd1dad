"""Order, exact counts and shares of ranks, ties included, and several scores made one."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import combine_pvalues

from curvdetect import fuse
from curvdetect.detectors.ranking import lowest_flagged, n_flagged, rank_share, worst_first

tied_scores = st.lists(st.sampled_from([-1.5, 0.0, 0.25, 3.0, 1e9]), min_size=1, max_size=30).map(np.array)


@given(tied_scores)
def test_indices_come_by_falling_score_and_ties_in_the_order_of_the_data(scores):
    expected = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    assert worst_first(scores).tolist() == expected


COUNTS = [(0.1, 100, 10), (0.05, 30, 2), (0.05, 29, 1), (0.99, 10, 10), (1e-12, 10, 1), (np.float32(0.25), 8, 2)]
COUNTS += [(1, 10, 1), (10, 10, 10), (np.int64(3), 10, 3), (np.uint8(3), 10, 3), ("auto", 50, 5)]


@pytest.mark.parametrize(("q", "n_samples", "expected"), COUNTS)
def test_a_share_is_rounded_and_a_count_is_taken_as_it_is(q, n_samples, expected):
    count = n_flagged(q, n_samples)
    assert count == expected
    assert type(count) is int


@given(percent=st.integers(1, 99), n_samples=st.integers(1, 5000))
def test_a_share_is_off_by_at_most_half_a_sample_unless_it_is_the_only_one(percent, n_samples):
    count = n_flagged(percent / 100, n_samples)
    assert 1 <= count <= n_samples
    assert count == 1 or abs(count - Fraction(percent, 100) * n_samples) <= Fraction(1, 2)


def test_what_is_neither_a_share_nor_a_count_is_refused_by_name():
    for q in (0, 0.0, 1.0, -0.1, 1.5, -3, 11, 2.0, True, False, None, "0.1", np.nan, np.inf, [0.1]):
        with pytest.raises(ValueError, match=r"^q must be a share .* a count from 1 to 10, or 'auto', got "):
            n_flagged(q, 10)


@given(tied_scores)
def test_the_rank_share_is_that_of_less_suspect_samples_with_ties_counted_half(scores):
    n = len(scores)
    expected = [((scores < s).sum() + 0.5 * (scores == s).sum()) / n for s in scores]
    result = rank_share(scores)
    np.testing.assert_allclose(result, expected, rtol=1e-12)
    assert ((result > 0) & (result < 1)).all()


@given(tied_scores, st.data())
def test_threshold_is_the_lowest_flagged_score(scores, data):
    n_top = data.draw(st.integers(1, len(scores)))
    assert lowest_flagged(scores, n_top) == scores[worst_first(scores)[:n_top]].min()
    assert (scores < lowest_flagged(scores, 0)).all()


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


A, B = np.array([0.1, 0.2, 0.9, 0.3]), np.array([5.0, 7.0, 6.0, 1.0])
RANKED = ("fisher", "rank_product", "rank_mean", "first")
finite = st.floats(-1e6, 1e6).map(lambda x: round(x, 3))
two_scores = st.integers(1, 30).flatmap(
    lambda n: st.tuples(st.lists(finite, min_size=n, max_size=n), st.lists(finite, min_size=n, max_size=n))
)

WORKED_OUT = {
    "rank_mean": ({"combine": "rank_mean"}, [(1 / 8 + 3 / 8) / 2, (3 / 8 + 7 / 8) / 2, (7 / 8 + 5 / 8) / 2, 3 / 8]),
    "weights": (
        {"combine": "rank_mean", "weights": (3, 1)},
        [(3 * 1 + 3) / 32, (3 * 3 + 7) / 32, (3 * 7 + 5) / 32, (3 * 5 + 1) / 32],
    ),
    "log_mean": ({"combine": "log_mean"}, np.log(A * B) / 2),
    "weighted log_mean": ({"combine": "log_mean", "weights": (1, 3)}, np.log(A) / 4 + 3 * np.log(B) / 4),
    "log_mean of negative times": ({"combine": "log_mean", "scores": [-B]}, np.log(8 - B)),
    "all equal": ({"scores": [np.zeros(4), np.full(4, -3.0)], "combine": "log_mean"}, np.zeros(4)),
    "callable": ({"combine": lambda a, b: a + 2 * b}, A + 2 * B),
}


@pytest.mark.parametrize(("options", "expected"), WORKED_OUT.values(), ids=WORKED_OUT)
def test_fusions_worked_out_by_hand(options, expected):
    options = dict(options)
    np.testing.assert_allclose(fuse(*options.pop("scores", (A, B)), **options), expected)


def test_fisher_is_the_statistic_of_the_p_values_that_ranks_would_be():
    shares = np.array([[1, 3, 7, 5], [3, 7, 5, 1]]) / 8
    expected = [combine_pvalues(1 - pair, method="fisher").statistic / 2 for pair in shares.T]
    np.testing.assert_allclose(fuse(A, B), expected)


def test_first_breaks_ties_of_the_first_score_by_the_second():
    score = fuse([1, 0, 1, 0, 1], [0.2, 0.9, 0.3, 0.8, 0.2], combine="first")
    assert np.argsort(score, kind="stable").tolist() == [3, 1, 0, 4, 2]
    assert score[0] == score[4]


@given(two_scores, st.sampled_from(RANKED))
def test_rank_fusions_know_no_scale(scores, combine):
    a, b = map(np.array, scores)
    assert np.array_equal(fuse(a, b, combine=combine), fuse(a / 2 - 7, b**3, combine=combine))


@given(two_scores, st.sampled_from((*RANKED, "log_mean")))
def test_a_sample_that_every_signal_suspects_more_scores_higher(scores, combine):
    a, b = map(np.array, scores)
    fused = fuse(a, b, combine=combine)
    above = (a[:, None] > a) & (b[:, None] > b)
    i, j = np.nonzero(above)
    assert (fused[i] > fused[j] - 1e-9).all()

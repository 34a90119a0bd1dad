"""Several scores made one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import combine_pvalues

from curvdetect import fuse

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
    "callable": ({"combine": lambda a, b: a + 2 * b}, A + 2 * B),
}


@pytest.mark.parametrize(("options", "expected"), WORKED_OUT.values(), ids=WORKED_OUT)
def test_fusions_worked_out_by_hand(options, expected):
    np.testing.assert_allclose(fuse(A, B, **options), expected)


def test_fisher_is_the_statistic_of_the_p_values_that_ranks_would_be():
    shares = np.array([[1, 3, 7, 5], [3, 7, 5, 1]]) / 8
    expected = [combine_pvalues(1 - pair, method="fisher").statistic / 2 for pair in shares.T]
    np.testing.assert_allclose(fuse(A, B), expected)


def test_weights_count_a_signal_as_often_as_they_say():
    order = np.argsort(fuse(A, B, weights=(3, 1)))
    assert np.array_equal(order, np.argsort(fuse(A, A, A, B)))
    np.testing.assert_allclose(fuse(A, B, weights=(1, 1)), fuse(A, B))


def test_product_of_ranks_counted_from_the_worst_orders_as_fisher_does():
    ranks = np.array([[4, 3, 1, 2], [3, 1, 2, 4]]) - 0.5
    order = np.argsort(ranks.prod(0), kind="stable")
    assert np.array_equal(np.argsort(-fuse(A, B, combine="rank_product"), kind="stable"), order)


def test_first_breaks_ties_of_the_first_score_by_the_second():
    score = fuse([1, 0, 1, 0, 1], [0.2, 0.9, 0.3, 0.8, 0.2], combine="first")
    assert np.argsort(score, kind="stable").tolist() == [3, 1, 0, 4, 2]
    assert score[0] == score[4]


@given(two_scores, st.sampled_from(RANKED))
def test_rank_fusions_know_no_scale(scores, combine):
    a, b = map(np.array, scores)
    assert np.array_equal(fuse(a, b, combine=combine), fuse(a / 2 - 7, b**3, combine=combine))


@given(two_scores, st.sampled_from((*RANKED, "log_mean")), st.randoms(use_true_random=False))
def test_the_order_of_samples_makes_no_difference(scores, combine, random):
    a, b = map(np.array, scores)
    order = list(range(len(a)))
    random.shuffle(order)
    np.testing.assert_allclose(fuse(a[order], b[order], combine=combine), fuse(a, b, combine=combine)[order])


@given(two_scores, st.sampled_from((*RANKED, "log_mean")))
def test_a_sample_that_every_signal_suspects_more_scores_higher(scores, combine):
    a, b = map(np.array, scores)
    fused = fuse(a, b, combine=combine)
    above = (a[:, None] > a) & (b[:, None] > b)
    i, j = np.nonzero(above)
    assert (fused[i] > fused[j] - 1e-9).all()


@pytest.mark.parametrize("combine", [*RANKED, "log_mean"])
def test_scores_that_are_all_equal_stay_equal(combine):
    fused = fuse(np.zeros(5), np.full(5, -3.0), combine=combine)
    assert np.isfinite(fused).all()
    assert len(set(fused)) == 1


def test_logarithms_of_negated_times_are_those_of_times_counted_from_the_other_end():
    times = np.array([1, 5, 9, 9, 2])
    np.testing.assert_allclose(fuse(-times, combine="log_mean"), np.log(10 - times))


REFUSED = {
    "nothing": ((), {}, "scores are missing"),
    "lengths": ((A, B[:2]), {}, r"shape \(n_samples,\), got \[\(4,\), \(2,\)\]"),
    "matrix": ((np.zeros((2, 2)),), {}, r"shape \(n_samples,\)"),
    "nan": ((A, [1, np.nan, 2, 3]), {}, "NaN or infinity"),
    "name": ((A, B), {"combine": "vote"}, "combine must be one of 'fisher'.*got 'vote'"),
    "kind": ((A, B), {"combine": 3}, "combine must be one of .* got 3"),
    "weights with first": ((A, B), {"weights": (1, 1), "combine": "first"}, "weights go with ranks .*'first'"),
    "weights with a callable": ((A, B), {"weights": (1, 1), "combine": np.maximum}, "weights go with ranks"),
    "number of weights": ((A, B), {"combine": "rank_mean", "weights": (1,)}, "weights must hold 2 numbers"),
    "negative weight": ((A, B), {"combine": "rank_mean", "weights": (2, -1)}, "none negative"),
    "no weight": ((A, B), {"combine": "rank_mean", "weights": (0, 0)}, "not all zero"),
    "callable that sums up": ((A, B), {"combine": lambda a, b: a.sum()}, "combine returned .* one finite number"),
    "callable to infinity": ((A, B), {"combine": lambda a, b: a / 0 * b}, "combine returned .* one finite number"),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("scores", "options", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_fused_is_refused_with_a_reason(scores, options, message):
    with pytest.raises(ValueError, match=message):
        fuse(*scores, **options)

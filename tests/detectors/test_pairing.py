"""Rows and labels that say they are in different orders are refused or warned of; positions count otherwise."""

from __future__ import annotations

import warnings

import dask.dataframe as dask
import numpy as np
import pandas as pd
import polars as pl
import pytest

from curvdetect import CurvatureNoiseDetector, CurvatureSearch, LossDetector, PlantedNoise
from curvdetect.detectors.inputs import check_paired
from tests.cases import digits, quick_net

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
N = 6
BACK = list(range(N))[::-1]
TWO = pd.MultiIndex.from_product([["a", "b"], [0, 1, 2]])


def _frame(index):
    return pd.DataFrame({"a": np.arange(N)}, index=index)


def _series(index):
    return pd.Series(np.arange(N), index=index)


OTHER_ORDERS = {
    "shuffled_rows": (BACK, range(N), r"y\.loc\[X\.index\] for pairs by index, or y\.to_numpy\(\)"),
    "shuffled_labels": (range(N), BACK, r"y\.loc\[X\.index\]"),
    "neither_a_count": (list("abcdef"), list("abcdfe"), r"from position 4 on"),
    "several_levels": (TWO, TWO[::-1], r"y\.loc\[X\.index\]"),
    "of_several_kinds": ([1, "a", None, 2.5, (1, 2), "b"], ["b", "a", None, 2.5, (1, 2), 1], r"from position 0 on"),
    "repeated": (list("aabbcc"), list("abcabc"), "a join by an index without repeated values"),
}


@pytest.mark.parametrize(("rows", "labels", "message"), OTHER_ORDERS.values(), ids=OTHER_ORDERS)
def test_one_index_in_different_orders_is_refused(rows, labels, message):
    rows, labels = (i if isinstance(i, pd.Index) else pd.Index(list(i)) for i in (rows, labels))
    with pytest.raises(ValueError, match=message) as caught:
        check_paired(_frame(rows), _series(labels))
    assert "X and y have one index in different orders" in str(caught.value)
    assert len(str(caught.value)) <= 400
    with pytest.raises(ValueError, match="in different orders"):
        check_paired(_frame(rows), _series(labels).to_frame())


OTHER_PAIRS = {
    "drawn_with_replacement": ([0, 0, 3, 5, 2, 2], range(N), r"y\.loc\[X\.index\]"),
    "labels_drawn_with_replacement": (range(N), [0, 0, 3, 5, 2, 2], r"X\.loc\[y\.index\]"),
    "frames_on_top_of_each_other": ([0, 1, 2, 0, 1, 2], range(N), "y.to_numpy"),
    "filtered_by_other_rules": ([0, 1, 3, 4, 7, 8], [0, 3, 4, 5, 7, 9], "3 of 6.*a join"),
}


@pytest.mark.parametrize(("rows", "labels", "message"), OTHER_PAIRS.values(), ids=OTHER_PAIRS)
def test_an_index_that_would_make_other_pairs_is_warned_of(rows, labels, message):
    with pytest.warns(UserWarning, match=message) as caught:
        check_paired(_frame(rows), _series(labels))
    assert len(str(caught[0].message)) <= 400


SAME_PAIRS = {
    "equal_as_floats": (range(N), np.arange(N, dtype=float)),
    "repeated_alike": (list("aabbcc"), list("aabbcc")),
    "filtered_and_counted_anew": ([0, 2, 3, 7, 8, 9], range(N)),
    "names_of_other_things": (list("abcdef"), list("uvwxyz")),
    "some_in_common_in_their_places": ([0, 1, 2, 3, 4, 9], [0, 1, 2, 3, 4, 8]),
    "another_number": (range(N), None),
}


@pytest.mark.parametrize(("rows", "labels"), SAME_PAIRS.values(), ids=SAME_PAIRS)
def test_positions_count_where_an_index_says_nothing_else(rows, labels):
    frame, series = _frame(rows), pd.Series([0, 1]) if labels is None else _series(labels)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_paired(frame, series)
        shuffled = frame.iloc[::-1]
        for holder in (series.to_numpy(), series.tolist(), pl.Series(series.to_list()), None):
            check_paired(shuffled, holder)
            check_paired(pl.DataFrame({"a": frame["a"]}), series.iloc[::-1])
            check_paired(frame.to_numpy(), series.iloc[::-1])


def test_dask_says_the_order_too():
    X, y = (dask.from_pandas(data, npartitions=2, sort=False) for data in (_frame(BACK), _series(range(N))))
    with pytest.raises(ValueError, match="in different orders"):
        check_paired(X, y)


X, Y = digits(40)
FRAME = pd.DataFrame(X).add_prefix("pixel")
SHUFFLED = FRAME.sample(frac=1, random_state=3)
LABELS, MASK = pd.Series(Y), pd.Series(np.arange(40) < 9)


@pytest.fixture(scope="module")
def fitted():
    return LossDetector(quick_net(), stop_at=0.01, keep_snapshots=1, device="cpu").fit(FRAME, LABELS)


def _search():
    return CurvatureSearch(CurvatureNoiseDetector(quick_net(), device="cpu"), {"h": [0.01]})


CALLS = {
    "fit": (lambda d: LossDetector(device="cpu").fit(SHUFFLED, LABELS), "y"),
    "plant": (lambda d: PlantedNoise(LossDetector(device="cpu")).fit(SHUFFLED, LABELS), "y"),
    "search": (lambda d: _search().fit(SHUFFLED, LABELS), "y"),
    "search_by_a_mask": (lambda d: _search().fit(SHUFFLED, Y, noise_mask=MASK), "noise_mask"),
    "score_samples": (lambda d: d.score_samples(SHUFFLED, LABELS), "y"),
    "score": (lambda d: d.score(SHUFFLED, LABELS), "y"),
    "score_by_a_mask": (lambda d: d.score(SHUFFLED, noise_mask=MASK), "noise_mask"),
    "score_by_weights": (lambda d: d.score(SHUFFLED, noise_mask=MASK.values, sample_weight=MASK), "sample_weight"),
}


@pytest.mark.parametrize(("call", "name"), CALLS.values(), ids=CALLS)
def test_whoever_takes_rows_and_what_belongs_to_them_compares_their_orders(fitted, call, name):
    with pytest.raises(ValueError, match=f"X and {name} have one index in different orders"):
        call(fitted)

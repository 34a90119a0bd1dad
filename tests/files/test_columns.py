"""Columns of words, dates, gaps and lists as numbers."""

from __future__ import annotations

import datetime
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from curvdetect import read_data
from curvdetect.files.columns import as_numbers

HERE = Path("t.csv")
DAYS = pd.date_range("2024-01-30", periods=4)
#: A column, and what becomes of it: names behind its own, and numbers.
COLUMNS = {
    "a gap": ([1, None, 4, 9], {"": [1, 4, 4, 9], "_missing": [0, 1, 0, 0]}),
    "whole numbers and a gap": (pd.array([1, None, 4, 9], dtype="Int64"), {"": [1, 4, 4, 9], "_missing": [0, 1, 0, 0]}),
    "infinity": ([1, np.inf, 4, -np.inf], {"": [1, 2.5, 4, 2.5], "_missing": [0, 1, 0, 1]}),
    "two words": (["no", "yes", "no", "no"], {"_yes": [0, 1, 0, 0]}),
    "categories": (pd.Categorical(["no", "yes", "no", "no"]), {"_yes": [0, 1, 0, 0]}),
    "words and a gap": (["a", None, "b", "b"], {"_a": [1, 0, 0, 0], "_b": [0, 0, 1, 1], "_nan": [0, 1, 0, 0]}),
    "truth values and a gap": ([True, None, False, True], {"": [1, 1, 0, 1], "_missing": [0, 1, 0, 0]}),
    "dates": (DAYS, {"_year": [2024] * 4, "_month": [1, 1, 2, 2], "_day": [30, 31, 1, 2], "_total_seconds": ...}),
    "dates as text": (["30.01.2024", "31.01.2024", "01.02.2024", None], {"_month": [1, 1, 2, 1], "_missing": ...}),
    "dates as objects": (list(DAYS.date), {"_day": [30, 31, 1, 2]}),
    "durations": (pd.to_timedelta([1, 2, 3, 4], unit="h"), {"": [3600, 7200, 10800, 14400]}),
    "decimals": ([Decimal("1.5"), Decimal(2), Decimal(3), Decimal(4)], {"": [1.5, 2, 3, 4]}),
    "numbers as text": (["1.5", "2", " 3", "4e1"], {"": [1.5, 2, 3, 40]}),
    "thousands": (["1,234", "56", "7,000,000", "0"], {"": [1234, 56, 7_000_000, 0]}),
    "thousands and decimals": (["1.234,5", "56", "0,5", "-7"], {"": [1234.5, 56, 0.5, -7]}),
    "thousands by blanks": (["1 234,5", "56", "0,5", "+7"], {"": [1234.5, 56, 0.5, 7]}),
    "currency": (["$1,234.50", "$56", "-7", "$0.10"], {"": [1234.5, 56, -7, 0.1]}),
    "percent": (["12 %", "5 %", "7.5%", "0%"], {"": [12, 5, 7.5, 0]}),
    "numbers and a word": ([1, 2.5, "-", 4, 5], {"": [1, 2.5, 3.25, 4, 5], "_missing": [0, 0, 1, 0, 0]}),
    "lists": ([[1, 2], [3, 4], None, [5, 6]], {"_0": [1, 3, 3, 5], "_1": [2, 4, 4, 6], "_missing": [0, 0, 1, 0]}),
    "arrays": ([np.array([[1.0, 2.0]])] * 4, {"_0": [1] * 4, "_1": [2] * 4}),
    "lists as text": (["[1, 2]", "[3, 4]", "[0, 0]", "[5, 6]"], {"_0": [1, 3, 0, 5], "_1": [2, 4, 0, 6]}),
    "records": ([{"x": 1, "y": {"z": 2}}, {"x": 3}, {}, {"x": 5, "y": {"z": 2}}], {".x": ..., ".y.z": [2] * 4}),
    "one value": (["x"] * 4, {"_x": [1] * 4}),
}


@pytest.mark.parametrize(("column", "wanted"), COLUMNS.values(), ids=COLUMNS)
@pytest.mark.filterwarnings("ignore:words among the numbers in 'c'")
def test_a_column_becomes_numbers(column, wanted):
    X = as_numbers(pd.DataFrame({"c": column, "nothing": None}), HERE)
    for name, numbers in wanted.items():
        assert f"c{name}" in X
        assert numbers is ... or X[f"c{name}"].tolist() == numbers
    assert X.shape[1] >= len(wanted)
    assert (X.dtypes == np.float64).all()
    assert np.isfinite(X).all(axis=None)


def test_columns_stay_in_order_and_names_differ():
    frame = pd.DataFrame({"b": ["no", "yes"], "b_yes": [1.0, np.nan], "b_yes_missing": [3.0, 5.0], 7: [4, 4]})
    X = as_numbers(frame, HERE)
    assert X.columns.tolist() == ["b_yes", "b_yes_", "b_yes_missing", "b_yes_missing_", "7"]
    assert X.to_numpy().tolist() == [[0, 1, 0, 3, 4], [1, 1, 1, 5, 4]]


def test_a_few_words_among_numbers_are_gaps_and_named():
    column = [*map(str, range(20)), "unknown", "?"]
    with pytest.warns(UserWarning, match=r"words among the numbers in 'c' \('unknown'\) count as missing numbers"):
        X = as_numbers(pd.DataFrame({"c": column}), HERE)
    assert X["c"].tolist() == [*range(20), 9.5, 9.5]
    assert X["c_missing"].tolist() == [0] * 20 + [1, 1]
    codes = [f"A{i}" if i % 3 else str(i) for i in range(60)]  # numbers among words
    assert as_numbers(pd.DataFrame({"c": codes}), HERE).shape == (60, 30)


STRANGE = {
    "lists of other lengths": ([[1, 2], [3]], "('[1, 2]')"),
    "lists of words": ([["a"], ["b"]], "(\"['a']\")"),
    "bytes": ([b"a", b"b"], "('b'a'')"),
    "sets": ([{1}, {2}], "('{1}')"),
    "complex numbers": ([1j, 2j], "('1j')"),
}


@pytest.mark.parametrize(("column", "example"), STRANGE.values(), ids=STRANGE)
def test_a_column_of_anything_else_is_named_with_the_way_out(column, example):
    with pytest.raises(ValueError, match="has something else than numbers, words") as error:
        as_numbers(pd.DataFrame({"a": [1, 2], "c": column}), HERE)
    assert f"in 'c' {example.replace(chr(34), chr(39))}. Leave these columns out (drop=['c'])" in str(error.value)


@pytest.mark.parametrize(("width", "shown"), [(1, 3), (30, 1), (300, 0)])
def test_however_many_columns_and_however_long_their_names_the_message_is_short(width, shown):
    for n_columns in (1, 3, 30):
        names = [f"{i}{'x' * width}" for i in range(n_columns)]
        with pytest.raises(ValueError, match="something else") as error:
            as_numbers(pd.DataFrame({"a": [1, 2], **dict.fromkeys(names, [b"long " * 99] * 2)}), Path("z" * 200))
        assert len(str(error.value)) <= 400
        assert [name for name in names if f"'{name}'" in str(error.value).partition("drop=")[2]] == names[:shown]


def test_nothing_in_any_column_is_no_column():
    with pytest.raises(ValueError, match="no column is left beside the labels: there is nothing in the others"):
        as_numbers(pd.DataFrame({"a": [None, None], "b": [np.nan, np.nan]}), HERE)


def named(n):
    return [f"id-{7 * i % n:04x}" for i in range(n)]


def test_words_that_name_the_rows_are_named(recwarn):
    other = list(range(50, 0, -1))
    with pytest.warns(UserWarning, match=r"words in 'id' are others in each row.*Leave them out \(drop=\['id'\]\)"):
        as_numbers(pd.DataFrame({"id": named(50), "a": other}), HERE)
    recwarn.clear()
    for column in (
        [*named(49), named(49)[0]],
        [f"{name} and more" for name in named(50)],
        pd.date_range("2024-01-01", periods=50).astype(str),
        [*named(49), None],
        [name * 20 for name in named(50)],
    ):
        as_numbers(pd.DataFrame({"id": column, "a": other}), HERE)
    as_numbers(pd.DataFrame({"id": named(50)}), HERE)  # there is nothing else
    assert not recwarn


def mixed(n, seed=0):
    """Return a table, and labels that each of its columns says something about."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    words = [["cold", "ice", "snow", "frost"], ["hot", "sun", "sand", "dune"], ["rain", "river", "boat", "fish"]]
    frame = pd.DataFrame(
        {
            "number": pd.Series(3.0 * y + rng.normal(size=n)).mask(rng.random(n) < 0.1),
            "kind": np.array(["a", "b", "c", "d"])[(y + (rng.random(n) < 0.2)) % 4],
            "day": (pd.Timestamp("2024-01-01") + pd.to_timedelta(40 * y + rng.integers(0, 50, n), "D")).astype(str),
            "ok": rng.random(n) < 0.3 + 0.3 * (y == 1),
            "text": [" ".join(rng.choice([*words[label], "the", "of", "a"], 6)) for label in y],
        }
    )
    return frame, np.array(["cold", "hot", "wet"])[y]


def test_rows_in_another_order_are_the_same_numbers():
    frame, _ = mixed(120)
    X, order = as_numbers(frame, HERE), np.random.default_rng(0).permutation(120)
    assert X.equals(as_numbers(frame, HERE))
    moved = as_numbers(frame.iloc[order], HERE)
    assert moved.columns.equals(X.columns)
    np.testing.assert_array_equal(moved, X.iloc[order])


def test_numbers_alone_are_standardized_as_they_are_and_need_no_skrub(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "skrub", None)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(1e6, 1, (101, 7)), columns=list("abcdefg")).assign(h=rng.random(101) < 0.5, i=3)
    frame.assign(label=rng.integers(0, 2, 101)).to_csv(tmp_path / "t.csv", index=False)
    numbers = pd.DataFrame(pd.read_csv(tmp_path / "t.csv").drop(columns="label").to_numpy(np.float64))
    assert np.array_equal(read_data(tmp_path / "t.csv").X, StandardScaler().fit_transform(numbers))
    frame.loc[3, "a"] = np.nan
    frame.assign(label=frame["h"]).to_csv(tmp_path / "t.csv", index=False)
    assert read_data(tmp_path / "t.csv").X.shape == (101, 10)


CELLS = st.one_of(st.none(), st.text(max_size=5), st.sampled_from(["1", "2,5", "2024-01-01", "yes", "[1]", "a b c d"]))


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS), min_size=2, max_size=30))
def test_whatever_the_words_the_numbers_are_finite(rows):
    frame = pd.DataFrame(rows, columns=["a", "b"]).assign(c=1.0)
    X = as_numbers(frame, HERE)
    assert len(X) == len(frame)
    assert np.isfinite(X).all(axis=None)
    assert X.columns.is_unique


@pytest.mark.parametrize("kind", ["date", "time"])
def test_dates_of_arrow_are_dates(kind):
    pa = pytest.importorskip("pyarrow")
    moments = [datetime.datetime(2024, 1, 30, 12) + datetime.timedelta(days=i) for i in range(4)]
    column = pd.Series(pd.to_datetime(moments)).astype(
        pd.ArrowDtype(pa.timestamp("us") if kind == "time" else pa.date32())
    )
    assert as_numbers(pd.DataFrame({"c": column}), HERE)["c_day"].tolist() == [30, 31, 1, 2]

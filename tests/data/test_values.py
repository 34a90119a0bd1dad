"""Centers and deviations of columns: robust, and in the columns' own units."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine

from curvdetect.data.inputs import columns_of
from curvdetect.data.samples import as_samples
from tests.cases import untouched_rng

ROWS = torch.randn(400, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@settings(max_examples=20)
@given(powers=st.lists(st.integers(-60, 60), min_size=6, max_size=6))
def test_powers_of_two_go_through_exactly(powers):
    units = 2.0 ** torch.tensor(powers, dtype=torch.float64)
    plain, scaled = columns_of(ROWS), columns_of(ROWS * units)
    assert torch.equal(scaled.center, plain.center * units)
    assert torch.equal(scaled.deviation, plain.deviation * units)


def test_few_far_values_leave_the_deviation_and_zeros_with_few_others_have_the_standard_one():
    rows = torch.randn(20_000, 1, generator=torch.Generator().manual_seed(1)) * 7 + 30
    rows[:100] = 1e12
    found = columns_of(rows)
    assert found.deviation.item() == pytest.approx(7, rel=0.03)
    assert found.center.item() == pytest.approx(30, rel=0.01)
    rows = torch.zeros(100, 1)
    rows[:4] = 5.0
    found = columns_of(rows)
    assert found.center.item() == pytest.approx(0.2)
    assert found.deviation.item() == pytest.approx(float(rows.std(correction=0)))


@pytest.mark.parametrize("value", [0.0, 7.0, -1e30, 1 / 3])
def test_a_constant_column_has_no_deviation_and_rounding_makes_none(value):
    rows = torch.full((50, 1), value, dtype=torch.float64)
    assert columns_of(rows).deviation.item() == 0
    assert columns_of(rows * (1 + 1e-9 * torch.randn(50, 1, dtype=torch.float64))).deviation.item() == 0


def test_samples_know_their_columns_and_parts_those_of_the_whole():
    X = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    samples = as_samples(X, np.arange(50) % 2)
    with untouched_rng():
        assert torch.equal(samples.columns.deviation, columns_of(torch.from_numpy(X)).deviation)
    assert samples.only(torch.arange(5)).columns is samples.columns
    assert as_samples(X.reshape(50, 1, 3), np.arange(50) % 2).columns is None


SECONDS = 1.7e9 + np.linspace(0, 60, 40)
LOST = {"times": SECONDS, "whole": SECONDS.astype(np.int64), "negative": -SECONDS}
KEPT = {
    "short": SECONDS.astype(np.float32),  # lost before it came here
    "constant": np.full(40, 1.7e9),
    "rounded": 0.1 + np.linspace(0, 1e-16, 40),
    "small": np.linspace(0, 1e-9, 40),
    "far_apart": 1.7e9 + np.linspace(0, 1e6, 40),
}


def table_with(column):
    return np.c_[np.zeros(40, column.dtype), column]


@pytest.mark.parametrize("column", LOST.values(), ids=LOST)
def test_a_column_that_single_precision_would_make_constant_is_named(column):
    with pytest.warns(UserWarning, match=r"1 column\(s\).*column 1, from .*1[67]\d+.* to .*StandardScaler"):
        as_samples(table_with(column), np.arange(40) % 2)


TABLE = ROWS.numpy()


def with_stand_ins(value, rows=TABLE, share=0.05):
    rng = np.random.default_rng(0)
    return np.c_[rows[:, :3], np.where(rng.random((400, 3)) < share, value, rows[:, 3:])]


def pictures(background, ink):
    rng, X = np.random.default_rng(0), background * np.ones((400, 12, 12))
    for picture, (i, j) in zip(X, rng.integers(0, 9, (400, 2)), strict=True):
        picture[i : i + 3, j : j + 3] = ink + rng.integers(-60, 60, (3, 3))
    return np.clip(X + rng.integers(-2, 3, X.shape), 0, 255).reshape(400, -1)


RNG = np.random.default_rng(0)
ORDINARY = {
    "one_hot": 1000 * np.eye(8)[RNG.integers(0, 8, 400)],
    "mostly_zero": np.where(RNG.random((400, 6)) < 0.03, 1e6, 0.0),
    "zero_or_far": np.where(RNG.random((400, 6)) < 0.05, 0.0, ROWS + 1e4),
    "doses": RNG.choice([0.0, 1.0, 1e2, 1e4], (400, 6)),
    "dark_pictures": pictures(0, 220),
    "light_pictures": pictures(255, 30) / 255,
    "one_column": np.c_[with_stand_ins(-999.0)[:, :4], ROWS[:, 4:]],
    "another_in_each": with_stand_ins(np.array([999.0, 9999.0, 99999.0])),
    "bytes": with_stand_ins(255, np.uint8(abs(ROWS.numpy()) * 3)).astype(np.uint8),
    **{
        f.__name__: f(return_X_y=True)[0]
        for f in (load_iris, load_wine, load_breast_cancer, load_diabetes, load_digits)
    },
    **{f"{name}_column": table_with(column) for name, column in KEPT.items()},
}


@pytest.mark.parametrize(
    ("value", "kind"), [(-999, np.int64), (9999, np.float32), (-1e6, np.float64), (1e30, np.float64)]
)
def test_a_value_that_stands_for_missing_numbers_is_named_with_its_columns(value, kind):
    X = with_stand_ins(value, 10 * ROWS.numpy()).astype(kind)
    with pytest.warns(
        UserWarning, match=r"X holds (-999|9999|-1000000|1.*e\+30) in \d\.\d% .* columns 3, 4, 5, .*SimpleImp"
    ):
        as_samples(X, np.arange(400) % 2)


@pytest.mark.parametrize("X", ORDINARY.values(), ids=ORDINARY)
def test_of_other_tables_no_word_is_lost(X, recwarn):
    as_samples(X, np.arange(len(X)) % 2)
    assert not recwarn.list

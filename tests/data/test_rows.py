"""Rows of the training data are found again, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import Subset, TensorDataset

from curvdetect.data.rows import RowIndex
from curvdetect.data.sources import as_samples
from tests.cases import untouched_rng

RNG = np.random.default_rng(0)
N = 60
LABELS = RNG.integers(0, 3, N)
DATA = {
    "table": RNG.standard_normal((N, 5)).astype(np.float32),
    "table of unequal scales": RNG.standard_normal((N, 4)).astype(np.float32) * np.float32([1, 100, 1e-3, 7]),
    "one column": RNG.standard_normal((N, 1)).astype(np.float32),
    "uint8 pictures": RNG.integers(0, 256, (N, 3, 6, 6), dtype=np.uint8),
    "float pictures": RNG.random((N, 1, 6, 6), dtype=np.float32),
}
X = DATA["table"]
SELECTIONS = {
    "whole": np.arange(N),
    "reversed": np.arange(N)[::-1],
    "shuffled": RNG.permutation(N),
    "subset": np.array([40, 3, 17]),
    "repeated rows": np.array([5, 5, 2, 5]),
    "more rows than were fitted": np.concatenate([np.arange(N), np.arange(N)[::-1]]),
    "single": np.array([59]),
}


@pytest.mark.parametrize("rows", list(SELECTIONS.values()), ids=list(SELECTIONS))
@pytest.mark.parametrize("data", list(DATA.values()), ids=list(DATA))
def test_rows_are_found_in_any_order_and_number(data, rows):
    found = RowIndex(as_samples(data, LABELS)).find(data[rows])
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, rows)


@given(rows=st.lists(st.integers(0, N - 1), min_size=1, max_size=2 * N))
def test_any_choice_of_rows_is_found(rows):
    np.testing.assert_array_equal(RowIndex(as_samples(X, LABELS)).find(X[rows]), rows)


@pytest.mark.parametrize("name", [name for name in DATA if name != "uint8 pictures"])
@pytest.mark.parametrize("rows", ["whole", "shuffled", "subset"])
def test_rows_changed_in_the_last_digits_are_found(name, rows):
    data, chosen = DATA[name], SELECTIONS[rows]
    jitter = 1 + 1e-7 * np.random.default_rng(1).uniform(-1, 1, data[chosen].shape)
    np.testing.assert_array_equal(RowIndex(as_samples(data, LABELS)).find(data[chosen] * jitter), chosen)


@pytest.mark.parametrize("offset", [1e3, 1e4, 1e5, 1e6], ids=lambda offset: f"{offset:g}")
def test_rows_far_from_the_origin_are_told_apart(offset):
    data = (offset + DATA["table"]).astype(np.float32)
    assert len(np.unique(data, axis=0)) == N
    rows = SELECTIONS["shuffled"]
    np.testing.assert_array_equal(RowIndex(as_samples(data, LABELS)).find(data[rows]), rows)


def with_copies(*positions):
    """Return data whose rows at ``positions`` are copies of its row 4."""
    data = X.copy()
    data[list(positions)] = data[4]
    return data


def test_a_copy_at_its_own_position_is_itself_whatever_its_label():
    data, labels = with_copies(20, 41), LABELS.copy()
    labels[[4, 20, 41]] = 0, 1, 2
    index = RowIndex(as_samples(data, labels))
    np.testing.assert_array_equal(index.find(data), np.arange(N))
    jitter = 1 + 1e-7 * np.random.default_rng(1).uniform(-1, 1, data.shape)
    np.testing.assert_array_equal(index.find(data * jitter), np.arange(N))
    assert index.are_first(data[:25])
    assert not index.are_first(data[1:25])


@pytest.mark.parametrize(
    "rows", [[0], [20], [0, 1, 2], range(30), range(N - 1, -1, -1)], ids=["own", "single", "few", "start", "reversed"]
)
def test_a_copy_among_other_labels_is_refused_away_from_the_whole(rows):
    data, labels = X.copy(), LABELS.copy()
    data[20], labels[[0, 20]] = data[0], (0, 1)
    with pytest.raises(ValueError, match="found several times among the fitted rows, under different labels"):
        RowIndex(as_samples(data, labels)).find(data[rows])


def test_copies_with_one_label_are_the_first_of_them_away_from_their_position():
    data, labels = with_copies(20, 41), LABELS.copy()
    labels[[4, 20, 41]] = 1
    index = RowIndex(as_samples(data, labels))
    np.testing.assert_array_equal(index.find(data[[41, 20, 7]]), [4, 4, 7])
    np.testing.assert_array_equal(index.find(data[:30]), np.arange(30))  # each at its own position
    np.testing.assert_array_equal(index.find(np.roll(data, 1, axis=0))[[5, 21, 42]], 4)


def test_copies_with_different_labels_away_from_their_position_are_refused_by_row():
    data, labels = with_copies(20), LABELS.copy()
    labels[[4, 20]] = 0, 1
    index = RowIndex(as_samples(data, labels))
    with pytest.raises(ValueError, match=r"X holds 2 row\(s\) found several times.*different labels: 1, 3\. "):
        index.find(data[[0, 20, 2, 4]])


@pytest.mark.parametrize("far", [1e-3, 1.0, 1e6], ids=lambda far: f"{far:g}")
def test_rows_never_fitted_are_refused_by_row(far):
    index = RowIndex(as_samples(X, LABELS))
    wanted = X[[0, 30, 31, 2]].copy()
    wanted[[1, 3], 0] += far
    with pytest.raises(
        ValueError, match=r"X holds 2 row\(s\) not among the rows that were fitted: 1, 3\. .*fit\s+again"
    ):
        index.find(wanted)


def test_only_the_first_rows_that_are_refused_are_listed():
    with pytest.raises(ValueError, match=r"X holds 60 row\(s\) .*: 0, 1, 2, 3, 4, \.\.\.\. "):
        RowIndex(as_samples(X, LABELS)).find(X + 1)


@pytest.mark.parametrize(
    ("fitted", "wanted"),
    [("table", "one column"), ("table", "uint8 pictures"), ("uint8 pictures", "float pictures")],
)
def test_samples_of_another_shape_are_refused_with_both_shapes(fitted, wanted):
    index = RowIndex(as_samples(DATA[fitted], LABELS))
    with pytest.raises(ValueError, match=r"X has samples of shape .* fitted on samples of shape") as caught:
        index.find(DATA[wanted])
    assert str(DATA[fitted].shape[1:]) in str(caught.value)
    assert str(DATA[wanted].shape[1:]) in str(caught.value)


@pytest.mark.parametrize("name", ["table", "uint8 pictures"])
def test_datasets_are_looked_up_like_the_arrays_they_hold(name):
    data, rows = DATA[name], SELECTIONS["shuffled"]
    dataset = TensorDataset(torch.from_numpy(data), torch.from_numpy(LABELS))
    index = RowIndex(as_samples(dataset))
    np.testing.assert_array_equal(index.find(dataset), np.arange(N))
    np.testing.assert_array_equal(index.find(Subset(dataset, rows.tolist())), rows)
    np.testing.assert_array_equal(index.find(data[rows]), rows)
    np.testing.assert_array_equal(RowIndex(as_samples(data, LABELS)).find(Subset(dataset, rows.tolist())), rows)


def test_rows_of_nothing_but_zeros_are_found():
    data = X.copy()
    data[9] = 0
    index = RowIndex(as_samples(data, LABELS))
    np.testing.assert_array_equal(index.find(data[[3, 9, 9]]), [3, 9, 9])


def test_many_copies_of_few_rows_are_found_in_the_memory_of_the_rows():
    data = np.tile(np.eye(2, dtype=np.float32), (20_000, 1))  # copies of copies would be 800 million
    index = RowIndex(as_samples(data, np.tile([0, 1], 20_000)))
    np.testing.assert_array_equal(index.find(data[1:]), np.tile([1, 0], 20_000)[:-1])


def _under(rows, labels):
    samples = as_samples(DATA["table"][rows], labels)
    samples.classes, samples.labels = np.arange(3), torch.as_tensor(np.asarray(labels))
    return samples


@given(rows=st.lists(st.integers(0, N - 1), min_size=1, max_size=2 * N), shift=st.integers(0, 2))
def test_rows_are_found_under_their_own_label_only(rows, shift):
    labels = (LABELS[rows] + shift * np.arange(len(rows))) % 3
    expected = np.where(labels == LABELS[rows], rows, -1)
    index = RowIndex(as_samples(X, LABELS))
    np.testing.assert_array_equal(index.find_labelled(_under(rows, labels)), expected)


def test_a_label_tells_copies_apart():
    data, labels = with_copies(20, 41), LABELS.copy()
    labels[[4, 20, 41]] = 0, 1, 1
    index = RowIndex(as_samples(data, labels))
    np.testing.assert_array_equal(index.find_labelled(_under([4, 4, 4, 4], [1, 0, 2, 1])), [20, 4, -1, 20])
    np.testing.assert_array_equal(index.find_labelled(as_samples(data, labels)), np.arange(N))


def test_other_rows_are_found_under_no_label():
    samples = as_samples(X + 1, LABELS)
    assert (RowIndex(as_samples(X, LABELS)).find_labelled(samples) == -1).all()


def test_looking_up_leaves_the_global_generators_and_the_data_alone():
    wanted = X[::-1].copy()
    with untouched_rng():
        RowIndex(as_samples(X, LABELS)).find(wanted)
    np.testing.assert_array_equal(wanted, X[::-1])

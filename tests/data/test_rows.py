"""Rows of the training data are found again, and nothing else is; digests tell whether the whole is the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import TensorDataset

from curvdetect.data import rows as room
from curvdetect.data.rows import RowIndex, digest_of
from curvdetect.data.samples import as_samples, as_unlabelled
from tests.cases import RandomItems, untouched_rng

RNG = np.random.default_rng(0)
N = 60
LABELS = RNG.integers(0, 3, N)
DATA = {
    "table": RNG.standard_normal((N, 5)).astype(np.float32),
    "table of unequal scales": RNG.standard_normal((N, 4)).astype(np.float32) * np.float32([1, 100, 1e-3, 7]),
    "far from the origin": (1e6 + RNG.standard_normal((N, 5))).astype(np.float32),
    "one column": RNG.standard_normal((N, 1)).astype(np.float32),
    "uint8 pictures": RNG.integers(0, 256, (N, 3, 6, 6), dtype=np.uint8),
    "float pictures": RNG.random((N, 1, 6, 6), dtype=np.float32),
}
X = DATA["table"]
DATA["zeros"] = np.concatenate([X[:-1], np.zeros((1, 5), np.float32)])
SELECTIONS = {
    "whole": np.arange(N),
    "shuffled": RNG.permutation(N),
    "subset": np.array([40, 3, 17]),
    "repeated rows": np.array([5, 59, 2, 59]),
    "more rows than were fitted": np.concatenate([np.arange(N), np.arange(N)[::-1]]),
}


def index_of(data=X, labels=LABELS):
    return RowIndex(as_samples(data, labels))


def find(index, rows):
    return index.find(as_unlabelled(rows))


@pytest.mark.parametrize("rows", SELECTIONS.values(), ids=SELECTIONS)
@pytest.mark.parametrize("data", DATA.values(), ids=DATA)
def test_rows_are_found_in_any_order_and_number(data, rows):
    index, wanted = index_of(data), data[rows].copy()
    with untouched_rng():
        found = find(index, wanted)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, rows)
    np.testing.assert_array_equal(wanted, data[rows])
    if data.dtype.kind == "f" and data.max() < 1e5:  # changed in the last digits
        jitter = 1 + 1e-7 * np.random.default_rng(1).uniform(-1, 1, wanted.shape)
        np.testing.assert_array_equal(find(index, wanted * jitter), rows)


@settings(max_examples=25)
@given(rows=st.lists(st.integers(0, N - 1), min_size=1, max_size=2 * N), shift=st.integers(0, 2))
def test_any_choice_of_rows_is_found_and_under_its_own_label_only(rows, shift):
    np.testing.assert_array_equal(find(index_of(), X[rows]), rows)
    labels = (LABELS[rows] + shift * np.arange(len(rows))) % 3
    expected = np.where(labels == LABELS[rows], rows, -1)
    np.testing.assert_array_equal(index_of().find_labelled(under(rows, labels)), expected)


def under(rows, labels):
    samples = as_samples(X[rows], labels)
    return replace(samples, classes=np.arange(3), labels=torch.as_tensor(np.asarray(labels)))


def with_copies(labels):
    """Return an index of data whose rows 20 and 41 are copies of row 4, with these three labels, and the data."""
    data, all_labels = X.copy(), LABELS.copy()
    data[[20, 41]], all_labels[[4, 20, 41]] = data[4], labels
    return index_of(data, all_labels), data, all_labels


def test_a_copy_at_its_own_position_is_itself_whatever_its_label():
    index, data, _ = with_copies([0, 1, 2])
    np.testing.assert_array_equal(find(index, data), np.arange(N))
    jitter = 1 + 1e-7 * np.random.default_rng(1).uniform(-1, 1, data.shape)
    np.testing.assert_array_equal(find(index, data * jitter), np.arange(N))
    assert index.are_first(as_unlabelled(data[:25]))
    assert not index.are_first(as_unlabelled(data[1:25]))


@pytest.mark.parametrize("rows", [[4], [20], range(30), range(N - 1, -1, -1)], ids=["own", "single", "start", "back"])
def test_a_copy_among_other_labels_is_refused_away_from_the_whole(rows):
    index, data, _ = with_copies([0, 1, 1])
    listed = [i for i, row in enumerate(rows) if row in (4, 20, 41)]
    message = (
        rf"X holds {len(listed)} row\(s\) found several times .*different labels: {', '.join(map(str, listed))}\. "
    )
    with pytest.raises(ValueError, match=message):
        find(index, data[rows])


def test_copies_with_one_label_are_the_first_of_them_away_from_their_position():
    index, data, _ = with_copies([1, 1, 1])
    np.testing.assert_array_equal(find(index, data[[41, 20, 7]]), [4, 4, 7])
    np.testing.assert_array_equal(find(index, data[:30]), np.arange(30))  # each at its own position
    np.testing.assert_array_equal(find(index, np.roll(data, 1, axis=0))[[5, 21, 42]], 4)


def test_a_label_tells_copies_apart():
    index, data, labels = with_copies([0, 1, 1])
    np.testing.assert_array_equal(index.find_labelled(under([4, 4, 4, 4], [1, 0, 2, 1])), [20, 4, -1, 20])
    np.testing.assert_array_equal(index.find_labelled(as_samples(data, labels)), np.arange(N))
    assert (index.find_labelled(as_samples(data + 1, labels)) == -1).all()


@pytest.mark.parametrize("far", [1e-3, 1.0, 1e6], ids=lambda far: f"{far:g}")
def test_rows_never_fitted_are_refused_by_row(far):
    wanted = X[[0, 30, 31, 2]].copy()
    wanted[[1, 3], 0] += far
    with pytest.raises(ValueError, match=r"X holds 2 row\(s\) not among the rows .* fitted: 1, 3\. .*fit\s+again"):
        find(index_of(), wanted)
    with pytest.raises(ValueError, match=r"X holds 60 row\(s\) .*: 0, 1, 2, 3, 4, \.\.\.\. "):
        find(index_of(), X + far)


def test_samples_of_another_shape_are_refused_with_both_shapes():
    with pytest.raises(ValueError, match=r"X has samples of shape \(1,\), .* fitted on samples of shape \(5,\)"):
        find(index_of(), DATA["one column"])


def test_many_copies_of_few_rows_are_found_in_the_memory_of_the_rows():
    data = np.tile(np.eye(2, dtype=np.float32), (20_000, 1))  # copies of copies would be 800 million
    index = index_of(data, np.tile([0, 1], 20_000))
    np.testing.assert_array_equal(find(index, data[1:]), np.tile([1, 0], 20_000)[:-1])


def _digest(X=X, y=LABELS):
    return digest_of(as_samples(X, y))


SAME = {
    "float64": (X.astype(np.float64), LABELS),
    "dataset": (TensorDataset(torch.tensor(X), torch.tensor(LABELS)), None),
    "fortran": (np.asfortranarray(X), LABELS),
}


@pytest.mark.parametrize(("data", "labels"), SAME.values(), ids=SAME)
@pytest.mark.parametrize("chunk", [1, 4 * 5 * 7, 10**9])
def test_neither_the_holder_of_the_data_nor_its_chunks_change_a_digest(monkeypatch, data, labels, chunk):
    expected = _digest()
    monkeypatch.setattr(room, "_DIGESTED_BYTES", chunk)
    assert _digest(data, labels) == expected


def test_what_changes_is_told_apart():
    nudged = X.copy()
    nudged[33, 3] += 1e-3
    whole = as_samples(X, LABELS)
    assert digest_of(whole.only(torch.arange(N))) == _digest()
    for other in (nudged, X.reshape(N, 5, 1)):
        assert _digest(other)["X"] != _digest()["X"]
        assert _digest(other)["y"] == _digest()["y"]
    assert digest_of(whole.only(torch.arange(N - 1)))["X"] != _digest()["X"]
    for labels in (np.roll(LABELS, 1), LABELS + 1, LABELS.astype(str)):
        assert _digest(y=labels)["X"] == _digest()["X"]
        assert _digest(y=labels)["y"] != _digest()["y"]


@pytest.mark.filterwarnings("ignore:X yields another input")
def test_of_a_random_dataset_the_shape_counts_and_no_generator_moves():
    with untouched_rng():
        assert digest_of(as_samples(RandomItems())) == digest_of(as_samples(RandomItems()))

"""Digests follow the data as the network receives it, however it is held."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

from curvdetect.data import digest
from curvdetect.data.digest import digest_of
from curvdetect.data.sources import Part, as_samples
from tests.cases import RandomItems, digits, untouched_rng

X, Y = digits(50)


def _digest(X=X, y=Y):
    return digest_of(as_samples(X, y))


SAME = {
    "float64": (X.astype(np.float64), Y),
    "dataset": (TensorDataset(torch.tensor(X), torch.tensor(Y)), None),
    "fortran": (np.asfortranarray(X), Y),
}


@pytest.mark.parametrize(("data", "labels"), SAME.values(), ids=SAME)
def test_the_holder_of_the_data_does_not_matter(data, labels):
    assert _digest(data, labels) == _digest()


@pytest.mark.parametrize("chunk", [1, 4 * 64 * 7, 10**9])
def test_chunks_do_not_matter(monkeypatch, chunk):
    expected = _digest()
    monkeypatch.setattr(digest, "_CHUNK_BYTES", chunk)
    assert _digest() == expected


def test_what_changes_is_told_apart():
    nudged = X.copy()
    nudged[33, 7] += 1e-3
    assert _digest(nudged)["y"] == _digest()["y"]
    assert _digest(nudged)["X"] != _digest()["X"]
    assert _digest(X.reshape(50, 8, 8))["X"] != _digest()["X"]
    for labels in (np.roll(Y, 1), Y + 1, Y.astype(str)):
        assert _digest(y=labels)["X"] == _digest()["X"]
        assert _digest(y=labels)["y"] != _digest()["y"]


def test_a_part_is_not_the_whole():
    whole = as_samples(X, Y)
    assert digest_of(Part(whole, torch.arange(50))) == digest_of(whole)
    assert digest_of(Part(whole, torch.arange(49)))["X"] != digest_of(whole)["X"]


@pytest.mark.filterwarnings("ignore:X yields another input")
def test_of_a_random_dataset_the_shape_counts_and_no_generator_moves():
    with untouched_rng():
        assert digest_of(as_samples(RandomItems())) == digest_of(as_samples(RandomItems()))

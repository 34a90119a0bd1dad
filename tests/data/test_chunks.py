"""Samples are walked through in chunks, by processes of their own where these have something to do."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from curvdetect.data.chunks import in_chunks, read_ahead
from curvdetect.data.sources import LazySamples, Part, as_samples
from tests.cases import untouched_rng

X = np.arange(9.0)[:, None] + np.array([0.0, 0.25])


class Signed(Dataset):
    """Items that tell, in their last column, which process read them."""

    def __len__(self):
        return 9

    def __getitem__(self, index):
        return torch.tensor([*X[index], os.getpid()])


def lazily(n_workers):
    samples = LazySamples(Signed(), np.arange(9) % 3)
    samples.n_workers = n_workers
    return samples


READERS = {
    "in this process": (lambda: lazily(0), 0),
    "by a worker": (lambda: lazily(1), 1),
    "by two workers": (lambda: lazily(2), 2),
    "a part, by a worker": (lambda: Part(lazily(1), torch.arange(8)), 1),
}


@pytest.mark.parametrize(("make", "n_workers"), READERS.values(), ids=READERS)
def test_chunks_come_in_order_whoever_reads_them(make, n_workers):
    with untouched_rng():
        read = list(read_ahead(make(), torch.arange(8).tensor_split(3)))
    assert [index.tolist() for index, _ in read] == [[0, 1, 2], [3, 4, 5], [6, 7]]
    x = torch.cat([x for _, x in read])
    assert torch.equal(x[:, :2], torch.from_numpy(X[:8]).float())
    readers = set(x[:, 2].tolist())
    assert len(readers) == max(1, n_workers)
    assert (float(os.getpid()) in readers) is (n_workers == 0)


def test_what_is_in_memory_needs_no_worker(monkeypatch):
    samples = as_samples(X, np.arange(9) % 3, n_workers=2)
    monkeypatch.setattr("curvdetect.data.chunks.by_workers", lambda *args: pytest.fail("processes for nothing"))
    assert torch.equal(torch.cat(list(in_chunks(samples, 1))), torch.from_numpy(X).float())


@pytest.mark.parametrize(("n_bytes", "sizes"), [(1, [1] * 9), (24, [2, 2, 2, 2, 1]), (10**6, [9])])
def test_chunks_hold_so_many_bytes_and_one_sample_at_least(n_bytes, sizes):
    assert [len(x) for x in in_chunks(lazily(0), n_bytes)] == sizes

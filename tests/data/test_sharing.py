"""Every batch is shared out among the processes: nothing twice, nothing left out."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, SequentialSampler

from curvdetect.data.loading import BatchLoader, IndexedLoader
from curvdetect.data.sharing import Share, SharedBatches, shared_loader
from curvdetect.data.sources import as_samples


def samples(n, shape=(3,)):
    X = np.arange(n * int(np.prod(shape)), dtype=np.float32).reshape(n, *shape)
    return as_samples(X, np.arange(n) % 2)


@given(st.integers(0, 40), st.integers(1, 7))
def test_shares_are_contiguous_equal_up_to_one_and_make_up_the_whole(n, size):
    shares = [Share(rank, size).of(torch.arange(n)) for rank in range(size)]
    assert torch.equal(torch.cat(shares), torch.arange(n))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


LOADERS = {
    "our own": (BatchLoader, {"batch_size": 7}),
    "our own, augmented": (BatchLoader, {"batch_size": 7, "augment": True}),
    "torch's, shuffled": (DataLoader, {"batch_size": 7, "shuffle": True}),
    "torch's, in order": (DataLoader, {"batch_size": 7}),
    "torch's, drop_last": (DataLoader, {"batch_size": 7, "shuffle": True, "drop_last": True}),
    "torch's, last of one": (DataLoader, {"batch_size": 11, "shuffle": True}),
}


def walk(loader, options, n, seed, share=None, shape=(1, 8, 8)):
    """Return ``(index, x, y, size of the share, size of the batch)`` of every batch."""
    noted = []
    more = {} if share is None else {"share": share, "on_share": lambda *sizes: noted.append(sizes)}
    indices = []
    walked = IndexedLoader(samples(n, shape), loader=loader, on_index=indices.append, **more, **options)
    found = []
    for epoch in range(2):
        torch.manual_seed(seed + epoch)
        for x, y in walked:
            mine, whole = noted[-1] if noted else (len(x), len(x))
            found.append((indices[-1], x, y, mine, whole))
    return found


@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("n", [34, 12, 2])
def test_shares_of_a_batch_are_the_batch_of_one_process(name, size, n):
    loader, options = LOADERS[name]
    alone = walk(loader, options, n, seed=5)
    shared = [walk(loader, options, n, seed=5, share=Share(rank, size)) for rank in range(size)]
    assert {len(batches) for batches in shared} == {len(alone)}
    for whole, *parts in zip(alone, *shared, strict=True):
        assert torch.equal(torch.cat([index for index, *_ in parts]), whole[0])
        assert torch.equal(torch.cat([x[:mine] for _, x, _, mine, _ in parts]), whole[1])
        assert torch.equal(torch.cat([y[:mine] for _, _, y, mine, _ in parts]), whole[2])
        assert all(total == len(whole[0]) for *_, total in parts)
        assert all(len(x) == max(1, mine) for _, x, _, mine, _ in parts)  # nobody is left without a batch


def test_a_walk_that_was_broken_off_leaves_nothing_to_the_next():
    noted = []
    walked = IndexedLoader(
        samples(20),
        loader=DataLoader,
        on_index=lambda index: None,
        share=Share(0, 2),
        batch_size=6,
        on_share=lambda *sizes: noted.append(sizes),
    )
    next(iter(walked))
    noted.clear()
    assert len(list(walked)) == 4
    assert noted == [(3, 6), (3, 6), (3, 6), (1, 2)]


@pytest.mark.parametrize("sampler", [SequentialSampler, RandomSampler])
def test_a_sampler_of_batches_is_shared_too(sampler):
    n, sizes = 10, deque()
    batches = BatchSampler(sampler(range(n)), 4, drop_last=False)
    torch.manual_seed(0)
    whole = list(batches)
    torch.manual_seed(0)
    mine = list(SharedBatches(batches, Share(1, 2), sizes))
    assert mine == [batch[-(len(batch) // 2) :] for batch in whole]
    assert list(sizes) == [(2, 4), (2, 4), (1, 2)]


class Unbatched(DataLoader):
    def __init__(self, dataset, batch_size):
        super().__init__(dataset, batch_size=None)


class Fixed(DataLoader):
    def __init__(self, dataset, batch_size):
        super().__init__(dataset, batch_size=batch_size)


@pytest.mark.parametrize(
    ("loader", "message"),
    [(Unbatched, "makes no batches of indices"), (Fixed, "can't be given its batches"), (list, "makes no batches")],
)
def test_a_loader_whose_batches_can_not_be_shared_is_refused_with_a_way_out(loader, message):
    options = {} if loader is list else {"batch_size": 4}
    with pytest.raises(ValueError, match=f"{message}.*or train in one process"):
        shared_loader(loader, samples(10), Share(0, 2), deque(), options)

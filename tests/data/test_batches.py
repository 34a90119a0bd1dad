"""Batches cover the samples, know which ones they hold, are augmented as promised, and are shared out as a whole."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler, SubsetRandomSampler, default_collate

from curvdetect.data import batches
from curvdetect.data.batches import BatchLoader, IndexedLoader, Share, crop_and_flip, draw_shifts
from curvdetect.data.samples import as_samples


def numbered(n, shape=(3,)):
    """Return samples whose first number tells which they are."""
    X = np.random.default_rng(0).random((n, *shape), dtype=np.float32)
    X.reshape(n, -1)[:, 0] = np.arange(n)
    return as_samples(X, np.arange(n) % 3)


@settings(max_examples=40)
@given(n=st.integers(1, 70), batch_size=st.integers(1, 80), shuffle=st.booleans())
def test_batches_cover_every_sample_once_in_sizes_that_differ_by_at_most_one(n, batch_size, shuffle):
    samples = numbered(n)
    loader = BatchLoader(samples, batch_size=batch_size, shuffle=shuffle)
    batches = list(loader.indexed())
    sizes = [len(index) for index, _, _ in batches]
    order = torch.cat([index for index, _, _ in batches])
    assert len(batches) == len(loader)
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1
    assert (order.sort().values if shuffle else order).tolist() == list(range(n))
    for index, x, y in batches:
        assert torch.equal(x[:, 0], index.float())
        assert torch.equal(y, samples.labels[index])


def test_batches_come_in_an_order_that_changes_each_epoch_and_follows_torchs_seed():
    loader = BatchLoader(numbered(50), batch_size=20)

    def two_epochs():
        torch.manual_seed(3)
        return [torch.cat([x[:, 0] for x, _ in loader]).tolist() for _ in range(2)]

    first, second = two_epochs()
    assert first != second
    assert [first, second] == two_epochs()


def doubled(items):
    x, y = default_collate(items)
    return 2 * x, y


class Backwards(DataLoader):
    """A loader of the user's own."""

    def __init__(self, dataset, **options):
        super().__init__(dataset, sampler=range(len(dataset) - 1, -1, -1), **options)


LOADERS = {
    "BatchLoader": (BatchLoader, {"batch_size": 4}, range(11)),
    "DataLoader": (DataLoader, {"batch_size": 4}, range(11)),
    "shuffled": (DataLoader, {"batch_size": 4, "shuffle": True, "num_workers": 0}, range(11)),
    "last batch dropped": (DataLoader, {"batch_size": 4, "drop_last": True}, range(8)),
    "sampler": (DataLoader, {"batch_size": 3, "sampler": SubsetRandomSampler([9, 2, 5, 7])}, [2, 5, 7, 9]),
    "sampler with repeats": (DataLoader, {"batch_size": 2, "sampler": torch.tensor([6, 1, 6])}, [1, 6, 6]),
    "batch_sampler": (DataLoader, {"batch_sampler": BatchSampler(SequentialSampler(range(5)), 2, False)}, range(5)),
    "collate_fn": (DataLoader, {"batch_size": 4, "collate_fn": doubled}, range(11)),
    "subclass": (Backwards, {"batch_size": 4}, range(11)),
}


@pytest.mark.parametrize(("loader", "options", "expected"), LOADERS.values(), ids=LOADERS)
def test_the_index_of_each_batch_is_reported_before_it_is_yielded(loader, options, expected):
    samples, reported = numbered(11), []
    walked = IndexedLoader(samples, loader=loader, on_index=reported.append, **options)
    for count, (x, y) in enumerate(walked, start=1):
        assert len(reported) == count
        assert torch.equal(x[:, 0], (2 if options.get("collate_fn") else 1) * reported[-1].float())
        assert torch.equal(y, samples.labels[reported[-1]])
    assert count == len(walked)
    assert sorted(torch.cat(reported).tolist()) == list(expected)


def augment(x, seed=0):
    torch.manual_seed(seed)
    return crop_and_flip(x, draw_shifts(x.shape[1:], len(x)))


def shifts_and_mirrors(picture):
    """Return every picture that `crop_and_flip` may make of one, by shifting it entry by entry."""
    height, width = picture.shape[-2:]
    pad = max(1, height // 8), max(1, width // 8)
    results = []
    for down, right in itertools.product(range(-pad[0], pad[0] + 1), range(-pad[1], pad[1] + 1)):
        shifted = torch.zeros_like(picture)
        for i, j in itertools.product(range(height), range(width)):
            if 0 <= i - down < height and 0 <= j - right < width:
                shifted[..., i, j] = picture[..., i - down, j - right]
        results += [shifted, shifted.flip(-1)]
    return results


@pytest.mark.parametrize(
    "shape",
    [(20, 3, 8, 8), (10, 1, 9, 16), (10, 7, 5), (10, 2, 2, 4, 4)],
    ids=["colour", "oblong", "no channels", "frames"],
)
def test_every_augmented_picture_is_a_shift_or_mirror_of_its_own(shape):
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0)) + 0.1
    before, augmented = x.clone(), augment(x)
    assert augmented.shape == x.shape
    assert torch.equal(x, before)
    for picture, result in zip(x, augmented, strict=True):
        assert any(torch.equal(result, candidate) for candidate in shifts_and_mirrors(picture))


def test_every_shift_and_mirror_is_about_equally_frequent():
    picture, n = torch.arange(1.0, 65).reshape(1, 8, 8), 3600
    augmented = augment(picture.expand(n, 1, 8, 8))
    counts = [(augmented == candidate).flatten(1).all(1).sum().item() for candidate in shifts_and_mirrors(picture)]
    assert sum(counts) == n
    assert len(counts) == 18
    assert max(abs(count - n / 18) for count in counts) < 5 * (n / 18) ** 0.5


def test_augmentation_follows_torchs_seed_on_every_device(device):
    x = torch.rand(16, 3, 8, 8)
    assert torch.equal(augment(x.to(device), 5).cpu(), augment(x, 5))
    assert not torch.equal(augment(x, 6), augment(x, 5))


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(n=st.integers(1, 60), batch_size=st.integers(1, 70), at_once=st.integers(1, 2**13), size=st.integers(0, 3))
def test_batches_read_together_are_those_read_one_by_one(n, batch_size, at_once, size, monkeypatch):
    def walked(at_once):
        monkeypatch.setattr(batches, "AT_ONCE", at_once)
        share = Share(size - 1, size) if size else None
        return walk(BatchLoader, {"batch_size": batch_size, "augment": True}, n, share=share)

    for together, apart in zip(walked(at_once), walked(0), strict=True):
        assert all(torch.equal(mine, theirs) for mine, theirs in zip(together[:3], apart[:3], strict=True))
        assert together[3:] == apart[3:]


def test_a_batch_may_be_changed_in_place_by_weights_that_learn():
    weights = torch.ones(3, requires_grad=True)
    for x, _ in BatchLoader(numbered(12), batch_size=5):
        assert not x.requires_grad
        x += weights
        x.sum().backward()
    assert weights.grad.tolist() == [12.0, 12.0, 12.0]


def test_a_batch_may_be_changed_in_place_while_an_earlier_one_waits_for_its_backward_pass():
    weights, losses = torch.ones(3, requires_grad=True), []
    for x, y in BatchLoader(numbered(12), batch_size=5):
        x += 1
        y += 1
        losses.append((x * weights).sum() + (y.float() * weights[0]).sum())
    sum(losses).backward()
    assert weights.grad is not None


def test_an_augmenting_loader_changes_the_pictures():
    samples = numbered(12, (1, 8, 8))
    loader = BatchLoader(samples, batch_size=5, augment=True)
    assert not any(torch.equal(x, samples.batch(index)) for index, x, _ in loader.indexed())


@settings(max_examples=30)
@given(st.integers(0, 40), st.integers(1, 7))
def test_shares_are_contiguous_equal_up_to_one_and_make_up_the_whole(n, size):
    shares = [Share(rank, size).of(torch.arange(n)) for rank in range(size)]
    assert torch.equal(torch.cat(shares), torch.arange(n))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def walk(loader, options, n, share=None):
    """Return ``(index, x, y, size of the share, size of the batch)`` of every batch of two epochs."""
    noted, indices, found = [], [], []
    more = {} if share is None else {"share": share, "on_share": lambda *sizes: noted.append(sizes)}
    walked = IndexedLoader(numbered(n, (1, 8, 8)), loader=loader, on_index=indices.append, **more, **options)
    if share is not None:
        next(iter(walked))  # a walk that is broken off leaves nothing to the next
    for epoch in range(2):
        torch.manual_seed(epoch)
        for x, y in walked:
            found.append((indices[-1], x, y, *(noted[-1] if noted else (len(x), len(x)))))
    return found


SHARED = {
    "our own": (BatchLoader, {"batch_size": 7}),
    "our own, augmented": (BatchLoader, {"batch_size": 7, "augment": True}),
    "torch's, shuffled": (DataLoader, {"batch_size": 7, "shuffle": True}),
    "torch's, in order": (DataLoader, {"batch_size": 7}),
    "torch's, drop_last": (DataLoader, {"batch_size": 2, "shuffle": True, "drop_last": True}),
    "torch's, of batches": (DataLoader, {"batch_sampler": [[1, 0], [0], [1, 1, 0]]}),
}


@pytest.mark.parametrize("name", SHARED)
@pytest.mark.parametrize(("size", "n"), [(2, 12), (3, 34), (3, 2)])
def test_shares_of_a_batch_are_the_batch_of_one_process(name, size, n):
    loader, options = SHARED[name]
    alone = walk(loader, options, n)
    shared = [walk(loader, options, n, share=Share(rank, size)) for rank in range(size)]
    assert {len(batches) for batches in shared} == {len(alone)}
    for whole, *parts in zip(alone, *shared, strict=True):
        assert torch.equal(torch.cat([index for index, *_ in parts]), whole[0])
        assert torch.equal(torch.cat([x[:mine] for _, x, _, mine, _ in parts]), whole[1])
        assert torch.equal(torch.cat([y[:mine] for _, _, y, mine, _ in parts]), whole[2])
        assert all(total == len(whole[0]) for *_, total in parts)
        assert all(len(x) == max(1, mine) for _, x, _, mine, _ in parts)  # every process has a batch

"""Batches cover the samples, know which ones they hold, and are augmented as promised."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler, SubsetRandomSampler, default_collate

from curvdetect.data.loading import BatchLoader, IndexedLoader, WithIndex, crop_and_flip
from curvdetect.data.sources import as_samples


def numbered(n):
    """Return samples whose input tells their number."""
    X = np.arange(n)[:, None] + np.array([0.0, 0.25, 0.5])
    return as_samples(X, np.arange(n) % 3)


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


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("wrong", [11, -1])
def test_a_sampler_made_for_other_data_is_named_with_a_way_out(wrong, workers):
    options = {"sampler": [3, wrong], "num_workers": workers, "batch_size": 2}
    walked = IndexedLoader(numbered(11), loader=DataLoader, on_index=lambda index: None, **options)
    with pytest.raises(ValueError, match=rf"asks for sample {wrong} of 11\..*iterator_train__shuffle=True"):
        list(walked)


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
    "BatchLoader": (BatchLoader, {"batch_size": 4}, 1, range(11)),
    "BatchLoader in order": (BatchLoader, {"batch_size": 4, "shuffle": False}, 1, range(11)),
    "DataLoader": (DataLoader, {"batch_size": 4}, 1, range(11)),
    "shuffled": (DataLoader, {"batch_size": 4, "shuffle": True, "num_workers": 0}, 1, range(11)),
    "last batch dropped": (DataLoader, {"batch_size": 4, "drop_last": True}, 1, range(8)),
    "sampler": (DataLoader, {"batch_size": 3, "sampler": SubsetRandomSampler([9, 2, 5, 7])}, 1, [2, 5, 7, 9]),
    "sampler with repeats": (DataLoader, {"batch_size": 2, "sampler": [6, 1, 6]}, 1, [1, 6, 6]),
    "sampler of tensors": (DataLoader, {"batch_size": 2, "sampler": torch.tensor([4, 0, 8])}, 1, [0, 4, 8]),
    "batch_sampler": (
        DataLoader,
        {"batch_sampler": BatchSampler(SequentialSampler(range(5)), 2, drop_last=False)},
        1,
        range(5),
    ),
    "collate_fn": (DataLoader, {"batch_size": 4, "collate_fn": doubled}, 2, range(11)),
    "collate_fn of None": (DataLoader, {"batch_size": 4, "collate_fn": None}, 1, range(11)),
    "subclass": (Backwards, {"batch_size": 4}, 1, range(11)),
}


@pytest.mark.parametrize(("loader", "options", "factor", "expected"), list(LOADERS.values()), ids=list(LOADERS))
def test_the_index_of_each_batch_is_reported_before_it_is_yielded(loader, options, factor, expected):
    samples, reported = numbered(11), []
    walked = IndexedLoader(samples, loader=loader, on_index=reported.append, **options)
    for count, (x, y) in enumerate(walked, start=1):
        assert len(reported) == count
        assert torch.equal(x[:, 0], factor * reported[-1].float())
        assert torch.equal(y, samples.labels[reported[-1]])
    assert count == len(walked)
    assert sorted(torch.cat(reported).tolist()) == list(expected)


def test_items_with_index_are_the_same_one_by_one_and_as_a_list():
    samples = numbered(6)
    dataset = WithIndex(samples)
    assert len(dataset) == 6
    for index, (number, (x, y)) in zip([4, 1], dataset.__getitems__([4, 1]), strict=True):
        assert number == index == dataset[index][0]
        assert torch.equal(x, dataset[index][1][0])
        assert y == dataset[index][1][1] == index % 3


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
    [(40, 3, 8, 8), (30, 1, 9, 16), (30, 7, 5), (20, 2, 2, 4, 4), (1, 3, 8, 8)],
    ids=["colour", "oblong", "no channels", "frames", "single"],
)
def test_every_augmented_picture_is_a_shift_or_mirror_of_its_own(shape):
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0)) + 0.1
    before = x.clone()
    torch.manual_seed(0)
    augmented = crop_and_flip(x)
    assert augmented.shape == x.shape
    assert torch.equal(x, before)
    for picture, result in zip(x, augmented, strict=True):
        assert any(torch.equal(result, candidate) for candidate in shifts_and_mirrors(picture))


def test_every_shift_and_mirror_is_about_equally_frequent():
    picture = torch.arange(1.0, 65).reshape(1, 8, 8)
    torch.manual_seed(0)
    n = 3600
    augmented = crop_and_flip(picture.expand(n, 1, 8, 8))
    counts = [(augmented == candidate).flatten(1).all(1).sum().item() for candidate in shifts_and_mirrors(picture)]
    assert sum(counts) == n
    assert len(counts) == 18
    assert max(abs(count - n / 18) for count in counts) < 5 * (n / 18) ** 0.5


def test_augmentation_follows_torchs_seed():
    x = torch.rand(16, 3, 8, 8)
    torch.manual_seed(5)
    first = crop_and_flip(x)
    other = crop_and_flip(x)
    torch.manual_seed(5)
    assert torch.equal(crop_and_flip(x), first)
    assert not torch.equal(other, first)


def test_augmentation_is_the_same_on_every_device(device):
    x = torch.rand(16, 3, 8, 8)
    torch.manual_seed(5)
    here = crop_and_flip(x)
    torch.manual_seed(5)
    assert torch.equal(crop_and_flip(x.to(device)).cpu(), here)


@pytest.mark.parametrize("augment", [False, True], ids=["plain", "augmented"])
def test_only_an_augmenting_loader_changes_the_pictures(augment):
    X = np.random.default_rng(0).random((12, 1, 8, 8), dtype=np.float32)
    samples = as_samples(X, np.arange(12) % 2)
    torch.manual_seed(0)
    loader = BatchLoader(samples, batch_size=5, augment=augment)
    same = [torch.equal(x, samples.batch(index)) for index, x, _ in loader.indexed()]
    assert same == [not augment] * 3

"""Batches that know which samples they hold.

A network is trained on ``(x, y)``; signals need the index beside it. `IndexedLoader` walks any loader over indexed
samples, hands on ``(x, y)`` and leaves the index of the current batch where the tracker finds it. `BatchLoader` is
our own loader, for samples in memory, which need no collating item by item.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from curvdetect.data.sources import Samples


class BatchLoader:
    """Shuffled batches of nearly equal size, optionally cropped and flipped.

    Sizes differ by at most one, so that no batch of a single sample upsets BatchNorm. Shuffling and augmentation
    draw from torch's global generator, as a ``DataLoader`` does.

    Parameters
    ----------
    dataset : Samples
        Samples that can be read by a tensor of indices.
    batch_size : int, default=128
        Largest batch.
    shuffle : bool, default=True
        Whether to draw a new order in each epoch.
    augment : bool, default=False
        Whether to crop (after padding by an eighth) and flip pictures at random.
    """

    def __init__(self, dataset: Samples, batch_size: int = 128, shuffle: bool = True, augment: bool = False) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.augment = augment

    def __len__(self) -> int:
        return math.ceil(len(self.dataset) / self.batch_size)

    def indexed(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield ``(index, x, y)``."""
        n = len(self.dataset)
        order = torch.randperm(n) if self.shuffle else torch.arange(n)
        # to the device at once, rather than a batch at a time
        order, labels = order.to(self.dataset.device), self.dataset.labels.to(self.dataset.device)
        for index in order.tensor_split(len(self)):
            x = self.dataset.batch(index)
            yield index, crop_and_flip(x) if self.augment else x, labels[index]

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for _, x, y in self.indexed():
            yield x, y


def is_ours(loader: Any) -> bool:
    """Say whether a loader is `BatchLoader` or a kind of it."""
    return isinstance(loader, type) and issubclass(loader, BatchLoader)


class WithIndex(Dataset[tuple[int, Any]]):
    """Items of a dataset together with their index.

    Parameters
    ----------
    dataset : Samples
        Samples that can be read by a list of indices.
    """

    def __init__(self, dataset: Samples) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[int, Any]:
        self._check([index])
        return index, self.dataset[index]

    def _check(self, indices: list[int]) -> None:
        """Raise where a sampler was made for other data than the loader is asked to walk."""
        beyond = [index for index in indices if not 0 <= index < len(self)]
        if beyond:
            raise ValueError(
                f"the sampler of the net's iterator_train asks for sample {beyond[0]} of {len(self)}. Second-split "
                "forgetting and cross-validation train on some of the samples at a time, for which a sampler of all is "
                "no use. Leave it out (iterator_train__shuffle=True), or pass as iterator_train a DataLoader class "
                "that makes one for the dataset it is given."
            )

    def __getitems__(self, indices: list[int]) -> list[tuple[int, Any]]:
        self._check(indices)
        return list(zip(indices, self.dataset.__getitems__(indices), strict=True))


class IndexedLoader:
    """Walk a loader over indexed samples and report the index of every batch before yielding it.

    Parameters
    ----------
    dataset : Samples
        What is walked.
    loader : type
        `BatchLoader`, or any class with the signature of ``torch.utils.data.DataLoader``.
    on_index : callable
        Called with the indices of each batch, a tensor of shape (batch,).
    **options
        What the loader is made with.
    """

    def __init__(self, dataset: Samples, *, loader: Any, on_index: Callable[[Tensor], None], **options: Any) -> None:
        self.on_index = on_index
        self.ours = is_ours(loader)
        if self.ours:
            self.loader = loader(dataset, **options)
        else:
            collate = options.pop("collate_fn", None) or default_collate
            self.loader = loader(WithIndex(dataset), collate_fn=_CollateIndexed(collate), **options)

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        for index, x, y in self.loader.indexed() if self.ours else self.loader:
            self.on_index(index)
            yield x, y


class _CollateIndexed:
    """Collate ``(index, (x, y))`` items with a collate function for ``(x, y)``; picklable for worker processes."""

    def __init__(self, collate: Callable[[list[Any]], Any]) -> None:
        self.collate = collate

    def __call__(self, items: list[tuple[int, Any]]) -> tuple[Tensor, Any, Any]:
        x, y = self.collate([item for _, item in items])
        return torch.tensor([index for index, _ in items]), x, y


def crop_and_flip(x: Tensor) -> Tensor:
    """Return pictures shifted at random by up to an eighth of their side, and mirrored with an even chance.

    Parameters
    ----------
    x : Tensor of shape (batch, ..., height, width)
        Pictures; what a shift uncovers is zero.

    Returns
    -------
    Tensor
        Of the same shape; every picture is shifted and mirrored on its own.
    """
    if x.ndim < 3:
        raise ValueError(f"augment=True crops and flips pictures, and X has samples of shape {tuple(x.shape[1:])}.")
    n, height, width = len(x), x.shape[-2], x.shape[-1]
    pad = max(1, height // 8), max(1, width // 8)
    padded = torch.nn.functional.pad(x, (pad[1], pad[1], pad[0], pad[0]))
    top = torch.randint(2 * pad[0] + 1, (n, 1)).to(x.device)
    left = torch.randint(2 * pad[1] + 1, (n, 1)).to(x.device)
    mirrored = (torch.rand(n, 1) < 0.5).to(x.device)
    rows = top + torch.arange(height, device=x.device)
    across = torch.arange(width, device=x.device)
    columns = left + torch.where(mirrored, width - 1 - across, across)
    flat = padded.reshape(n, -1, height + 2 * pad[0], width + 2 * pad[1])
    sample = torch.arange(n, device=x.device)[:, None, None]
    cut = flat[sample, :, rows[:, :, None], columns[:, None, :]]
    return cut.movedim(-1, 1).reshape(x.shape)

"""Batches that know which samples they hold.

A network is trained on ``(x, y)``; signals need the index beside it. `IndexedLoader` walks any loader over indexed
samples, hands on ``(x, y)`` and leaves the index of the current batch where the tracker finds it. `BatchLoader` is
our own loader, for samples in memory, which need no collating item by item.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from curvdetect.data.sharing import Share, shared_loader
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
        self.share: Share | None = None
        self.sizes: deque[tuple[int, int]] = deque()

    def __len__(self) -> int:
        return math.ceil(len(self.dataset) / self.batch_size)

    def indexed(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield ``(index, x, y)``: of every batch the share of this process, where there are several."""
        n = len(self.dataset)
        order = torch.randperm(n) if self.shuffle else torch.arange(n)
        # to the device at once, rather than a batch at a time
        order, labels = order.to(self.dataset.device), self.dataset.labels.to(self.dataset.device)
        views = self._views([len(index) for index in order.tensor_split(len(self))]) if self.augment else None
        for place in torch.arange(n, device=order.device).tensor_split(len(self)):
            if self.share is not None:
                mine = self.share.of(place)
                self.sizes.append((len(mine), len(place)))
                place = mine if len(mine) else place[:1]
            index = order[place]
            x = self.dataset.batch(index)
            yield index, crop_and_flip(x, views.only(place)) if views else x, labels[index]

    def _views(self, sizes: Sequence[int]) -> Views:
        """Draw the views of an epoch, one batch after the other: for all of each, whoever reads which part of it."""
        each = [Views.draw(self.dataset.shape, size) for size in sizes]
        return Views(*(torch.cat(parts).to(self.dataset.device) for parts in zip(*each, strict=True)))

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
    share : Share, optional
        Which process this is, where several share each batch.
    on_share : callable, optional
        Called then, after ``on_index``, with the size of this process's share, and that of the whole batch.
    **options
        What the loader is made with.
    """

    def __init__(
        self,
        dataset: Samples,
        *,
        loader: Any,
        on_index: Callable[[Tensor], None],
        share: Share | None = None,
        on_share: Callable[[int, int], None] = lambda mine, whole: None,
        **options: Any,
    ) -> None:
        self.on_index, self.on_share = on_index, on_share
        self.ours = is_ours(loader)
        self.sizes: deque[tuple[int, int]] | None = None if share is None else deque()
        if self.ours:
            self.loader = loader(dataset, **options)
            if share is not None and self.sizes is not None:
                self.loader.share, self.loader.sizes = share, self.sizes
        else:
            collate = options.pop("collate_fn", None) or default_collate
            options["collate_fn"] = _CollateIndexed(collate)
            indexed = WithIndex(dataset)
            if share is not None and self.sizes is not None:
                self.loader = shared_loader(loader, indexed, share, self.sizes, options)
            else:
                self.loader = loader(indexed, **options)

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        if self.sizes is not None:
            self.sizes.clear()  # of a walk that was broken off
        for index, x, y in self.loader.indexed() if self.ours else self.loader:
            if self.sizes is None:
                self.on_index(index)
            else:
                mine, whole = self.sizes.popleft()
                self.on_index(index[:mine])
                self.on_share(mine, whole)
            yield x, y


class _CollateIndexed:
    """Collate ``(index, (x, y))`` items with a collate function for ``(x, y)``; picklable for worker processes."""

    def __init__(self, collate: Callable[[list[Any]], Any]) -> None:
        self.collate = collate

    def __call__(self, items: list[tuple[int, Any]]) -> tuple[Tensor, Any, Any]:
        x, y = self.collate([item for _, item in items])
        return torch.tensor([index for index, _ in items]), x, y


class Views(NamedTuple):
    """How each picture of a batch is shifted, and whether it is mirrored."""

    top: Tensor
    left: Tensor
    mirrored: Tensor

    @classmethod
    def draw(cls, shape: Sequence[int], n: int) -> Views:
        """Draw those of ``n`` pictures: shifts of up to an eighth of the side, and an even chance to be mirrored."""
        if len(shape) < 2:
            raise ValueError(f"augment=True crops and flips pictures, and X has samples of shape {tuple(shape)}.")
        most = [2 * _pad(side) + 1 for side in shape[-2:]]
        return cls(torch.randint(most[0], (n, 1)), torch.randint(most[1], (n, 1)), torch.rand(n, 1) < 0.5)

    def only(self, rows: Tensor) -> Views:
        """Return those of some of the pictures."""
        return Views(self.top[rows], self.left[rows], self.mirrored[rows])


def _pad(side: int) -> int:
    return max(1, side // 8)


def crop_and_flip(x: Tensor, views: Views | None = None) -> Tensor:
    """Return pictures shifted and mirrored, each on its own; what a shift uncovers is zero.

    Parameters
    ----------
    x : Tensor of shape (batch, ..., height, width)
        Pictures.
    views : Views, optional
        How; by default drawn at random.

    Returns
    -------
    Tensor
        Of the same shape.
    """
    top, left, mirrored = (part.to(x.device) for part in (Views.draw(x.shape[1:], len(x)) if views is None else views))
    n, height, width = len(x), x.shape[-2], x.shape[-1]
    pad = _pad(height), _pad(width)
    padded = torch.nn.functional.pad(x, (pad[1], pad[1], pad[0], pad[0]))
    rows = top + torch.arange(height, device=x.device)
    across = torch.arange(width, device=x.device)
    columns = left + torch.where(mirrored, width - 1 - across, across)
    flat = padded.reshape(n, -1, height + 2 * pad[0], width + 2 * pad[1])
    sample = torch.arange(n, device=x.device)[:, None, None]
    cut = flat[sample, :, rows[:, :, None], columns[:, None, :]]
    return cut.movedim(-1, 1).reshape(x.shape)

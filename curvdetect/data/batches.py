"""Batches that know which samples they hold, in one process or in several that share each batch.

A network is trained on ``(x, y)``; signals need the index beside it. Several processes draw the same batches, since
their generators are in the same state, and each reads its share of every batch.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeAlias, TypeGuard

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from curvdetect.data.samples import Samples

Item: TypeAlias = tuple[int, tuple[Tensor, int]]
Collate: TypeAlias = Callable[[list[tuple[Tensor, int]]], tuple[object, object]]
#: What a loader that is given its batches can't be given too, and what matters only where it reads.
_MAKES_BATCHES = ("batch_size", "shuffle", "sampler", "batch_sampler", "drop_last")
_OF_WORKERS = ("num_workers", "persistent_workers", "prefetch_factor")
_SHARING = (
    "Several processes share the batches of a torch.utils.data.DataLoader with a batch_size or a batch_sampler: pass "
    "that class as iterator_train, or train in one process."
)

#: Numbers of small batches that are read together, and shown to signals together, at most: 1 MiB.
AT_ONCE = 2**18


class Share(NamedTuple):
    """One of several processes."""

    rank: int
    """Number of this process, from 0."""
    size: int
    """Number of processes."""

    def of(self, index: Tensor) -> Tensor:
        """Return the part of ``index`` that is this one's; parts are contiguous, and equal up to one."""
        return index.tensor_split(self.size)[self.rank]


class BatchLoader:
    """Shuffled batches of samples in memory; their sizes differ by one at most, so that none upsets BatchNorm."""

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
        """Yield ``(index, x, y)`` of every batch, or of this process's share of it."""
        n, device = len(self.dataset), self.dataset.device
        order = torch.randperm(n) if self.shuffle else torch.arange(n)
        # to the device at once, rather than a batch at a time
        order, labels = order.to(device), self.dataset.labels.to(device)
        places = list(torch.arange(n, device=device).tensor_split(len(self)))
        # all of each batch, even where it is shared
        drawn = [draw_shifts(self.dataset.shape, len(place)) for place in places] if self.augment else []
        shifts = torch.cat(drawn).to(device) if drawn else None
        if self.share is not None:
            mine = [self.share.of(place) for place in places]
            self.sizes.extend((len(part), len(place)) for part, place in zip(mine, places, strict=True))
            places = [part if len(part) else place[:1] for part, place in zip(mine, places, strict=True)]
        n_numbers = len(places[0]) * math.prod(self.dataset.shape)
        n_together = 1 if self.dataset.inputs.lazy else max(1, AT_ONCE // max(1, n_numbers))
        for start in range(0, len(places), n_together):
            together = places[start : start + n_together]
            place, sizes = torch.cat(together), [len(part) for part in together]
            index = order[place]
            x = self.dataset.batch(index)
            x = x if shifts is None else crop_and_flip(x, shifts[place])
            # parts of one tensor, each of which may be changed in place while others wait for a backward pass
            parts = (torch.unsafe_split_with_sizes(whole, sizes) for whole in (index, x, labels[index]))
            yield from zip(*parts, strict=True)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for _, x, y in self.indexed():
            yield x, y


def is_ours(loader: object) -> TypeGuard[Callable[..., BatchLoader]]:
    """Say whether a loader is `BatchLoader` or a kind of it."""
    return isinstance(loader, type) and issubclass(loader, BatchLoader)


class IndexedLoader:
    """Walk a loader, made of a class such as ``DataLoader``, and report the index of every batch before yielding it."""

    def __init__(
        self,
        dataset: Samples,
        *,
        loader: Callable[..., DataLoader[object]],
        on_index: Callable[[Tensor], None],
        share: Share | None = None,
        on_share: Callable[[int, int], None] = lambda mine, whole: None,
        **options: Any,
    ) -> None:
        self.on_index, self.on_share = on_index, on_share
        self.sizes: deque[tuple[int, int]] = deque()
        self.loader: BatchLoader | DataLoader[object]
        if is_ours(loader):
            self.loader = loader(dataset, **options)
            self.loader.share, self.loader.sizes = share, self.sizes
            return
        indexed = _WithIndex(dataset)
        options["collate_fn"] = partial(_collate_indexed, options.pop("collate_fn", None) or default_collate)
        if share is not None:
            # made once without workers, for its batches
            made = loader(indexed, **{name: value for name, value in options.items() if name not in _OF_WORKERS})
            batches: Any = made.batch_sampler if isinstance(made, DataLoader) else None
            if batches is None:
                raise ValueError(f"the net's iterator_train makes no batches of indices. {_SHARING}")
            options = {name: value for name, value in options.items() if name not in _MAKES_BATCHES}
            options["batch_sampler"] = _SharedBatches(batches, share, self.sizes)
        try:
            self.loader = loader(indexed, **options)
        except TypeError as error:
            if share is None:
                raise
            raise ValueError(f"the net's iterator_train can't be given its batches ({error}). {_SHARING}") from error

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[tuple[object, object]]:
        self.sizes.clear()  # of a walk that was broken off
        for index, x, y in self.loader.indexed() if isinstance(self.loader, BatchLoader) else self.loader:
            mine, whole = self.sizes.popleft() if self.sizes else (len(index), len(index))
            self.on_index(index[:mine])
            self.on_share(mine, whole)
            yield x, y


class _WithIndex(Dataset[Item]):
    """Samples together with their index."""

    def __init__(self, dataset: Samples) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Item:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: list[int]) -> list[Item]:
        beyond = [index for index in indices if not 0 <= index < len(self)]
        if beyond:
            raise ValueError(
                f"the sampler of the net's iterator_train yields sample {beyond[0]} of {len(self)}. Second-split "
                "forgetting and cross-validation train on some of the samples at a time, where a sampler made for all "
                "doesn't fit. Leave it out (iterator_train__shuffle=True), or pass as iterator_train a DataLoader "
                "class that makes one for the dataset it is given."
            )
        return list(zip(indices, self.dataset.__getitems__(indices), strict=True))


def _collate_indexed(collate: Collate, items: list[Item]) -> tuple[Tensor, object, object]:
    """Collate ``(index, (x, y))`` items by a function for ``(x, y)``."""
    x, y = collate([item for _, item in items])
    return torch.tensor([index for index, _ in items]), x, y


class _SharedBatches:
    """One share of each of another sampler's batches; the first sample of a batch that is too small for a share."""

    def __init__(self, batches: Collection[list[int]], share: Share, sizes: deque[tuple[int, int]]) -> None:
        self.batches, self.share, self.sizes = batches, share, sizes

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.batches:
            whole = list(batch)
            mine = self.share.of(torch.arange(len(whole))).tolist()
            self.sizes.append((len(mine), len(whole)))
            yield [whole[i] for i in mine] if mine else whole[:1]  # all processes make as many steps


def draw_shifts(shape: Sequence[int], n: int) -> Tensor:
    """Draw shifts down and right by up to an eighth of the side, and mirrorings, for ``n`` pictures; shape (n, 3)."""
    if len(shape) < 2:
        raise ValueError(f"augment=True crops and flips pictures, and X has samples of shape {tuple(shape)}.")
    moved = [torch.randint(2 * _pad(side) + 1, (n, 1)) for side in shape[-2:]]
    return torch.cat([*moved, torch.rand(n, 1) < 0.5], 1)


def _pad(side: int) -> int:
    return max(1, side // 8)


def crop_and_flip(x: Tensor, shifts: Tensor) -> Tensor:
    """Return pictures, shape (batch, ..., height, width), each shifted and mirrored; what a shift uncovers is zero."""
    top, left, mirrored = shifts.to(x.device)[:, :, None].unbind(1)
    n, height, width = len(x), x.shape[-2], x.shape[-1]
    pad = _pad(height), _pad(width)
    padded = torch.nn.functional.pad(x, (pad[1], pad[1], pad[0], pad[0]))
    rows = top + torch.arange(height, device=x.device)
    across = torch.arange(width, device=x.device)
    columns = left + torch.where(mirrored == 1, width - 1 - across, across)
    flat = padded.reshape(n, -1, height + 2 * pad[0], width + 2 * pad[1])
    sample = torch.arange(n, device=x.device)[:, None, None]
    cut = flat[sample, :, rows[:, :, None], columns[:, None, :]]
    return cut.movedim(-1, 1).reshape(x.shape)

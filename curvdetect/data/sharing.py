"""Batches of which each of several processes takes its part.

All of them draw the same batches, from generators that stand alike, and each reads a share of every one: together they
see what a single process would. How they agree on anything is not known here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader

#: What a loader that is given its batches can't be given too.
_MAKES_BATCHES = ("batch_size", "shuffle", "sampler", "batch_sampler", "drop_last")


class Share(NamedTuple):
    """One of several processes."""

    rank: int
    """Which, from 0."""
    size: int
    """Of how many."""

    def of(self, index: Tensor) -> Tensor:
        """Return the part of ``index`` that is this one's; parts are contiguous, and equal up to one."""
        return index.tensor_split(self.size)[self.rank]


class SharedBatches:
    """A batch sampler that yields one share of another's batches.

    A batch too small for a share of it yields its first sample, so that this process keeps step; `sizes` tells.

    Parameters
    ----------
    batches : iterable of list of int
        The whole batches.
    share : Share
        Whose part is yielded.
    sizes : deque
        Receives ``(size of the share, size of the batch)`` for each.
    """

    def __init__(self, batches: Any, share: Share, sizes: deque[tuple[int, int]]) -> None:
        self.batches, self.share, self.sizes = batches, share, sizes

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.batches:
            whole = list(batch)
            mine = self.share.of(torch.arange(len(whole))).tolist()
            self.sizes.append((len(mine), len(whole)))
            yield [whole[i] for i in mine] if mine else whole[:1]


def shared_loader(
    loader: Any, dataset: Any, share: Share, sizes: deque[tuple[int, int]], options: dict[str, Any]
) -> DataLoader[Any]:
    """Return a loader of the same kind that walks one share of its batches.

    Parameters
    ----------
    loader : type
        ``torch.utils.data.DataLoader``, or a kind of it.
    dataset : map-style Dataset
        What is walked.
    share, sizes
        As in `SharedBatches`.
    options : dict
        What the loader is made with.

    Raises
    ------
    ValueError
        Where it makes no batches of indices, or can't be given them.
    """
    way = (
        "Several processes share the batches of a torch.utils.data.DataLoader with a batch_size or a batch_sampler: "
        "pass that class as iterator_train, or train in one process."
    )
    # made once without workers, for the batches that it would draw
    single = {k: v for k, v in options.items() if k not in ("num_workers", "persistent_workers", "prefetch_factor")}
    whole = loader(dataset, **single)
    if not isinstance(whole, DataLoader) or whole.batch_sampler is None:
        raise ValueError(f"the net's iterator_train makes no batches of indices. {way}")
    rest = {name: value for name, value in options.items() if name not in _MAKES_BATCHES}
    try:
        return loader(dataset, batch_sampler=SharedBatches(whole.batch_sampler, share, sizes), **rest)
    except TypeError as error:
        raise ValueError(f"the net's iterator_train can't be given its batches ({error}). {way}") from error

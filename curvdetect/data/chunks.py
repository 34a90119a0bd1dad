"""Walking through samples chunk by chunk, with processes that read ahead what has to be made anew each time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset

from curvdetect.data.reading import by_workers
from curvdetect.data.sources import Samples


def read_ahead(samples: Samples, chunks: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the index and the inputs of each chunk in turn.

    Parameters
    ----------
    samples : Samples
        What is read, by its own number of workers where it has any use of them. No global generator is drawn from.
    chunks : sequence of Tensor
        Indices.
    """
    if samples.lazy and samples.n_workers:
        yield from by_workers(_Chunks(samples, chunks), samples.n_workers)
    else:
        for index in chunks:
            yield index, samples.batch(index)


def in_chunks(samples: Samples, n_bytes: int) -> Iterator[Tensor]:
    """Yield the inputs of all samples in their order, at most so many bytes at a time, but one sample at least."""
    rows = max(1, n_bytes // (4 * max(1, torch.Size(samples.shape).numel())))
    for _, x in read_ahead(samples, torch.split(torch.arange(len(samples)), rows)):
        yield x


class _Chunks(Dataset[tuple[Tensor, Tensor]]):
    """Chunks of samples, each read at once."""

    def __init__(self, samples: Samples, chunks: Sequence[Tensor]) -> None:
        self.samples, self.chunks = samples, chunks

    def __len__(self) -> int:
        return len(self.chunks)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        return self.chunks[number], self.samples.batch(self.chunks[number])

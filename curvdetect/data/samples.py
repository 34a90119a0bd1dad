"""The user's data as samples that are read by index.

`as_samples` makes `Samples` of validated arrays or of a map-style torch ``Dataset``: float32 inputs, labels encoded as
0..C-1, the original classes kept. Samples never change: a variant is another object, made by `dataclasses.replace`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.utils.data import Dataset, Subset

from curvdetect.data.choosing import spread
from curvdetect.data.datasets import by_workers, check_shape, read_dataset, read_like
from curvdetect.data.isolation import isolated_rng
from curvdetect.data.items import Items, is_dataset, read_item, training_view
from curvdetect.data.labels import encode
from curvdetect.data.mapped import MappedArray, is_mapped
from curvdetect.data.values import Columns, check_finite, columns_of, wanted_dtype, warn_of_columns

#: A dataset whose samples fit in this many bytes is read once and kept in memory.
RESIDENT_BYTES = 2 * 1024**3
#: A memory-mapped array whose rows lie all over the file is read once and kept in memory up to this size.
GATHERED_BYTES = 2**28


class Inputs:
    """Inputs by index, wherever they are."""

    #: Whether they are made anew each time they are read.
    lazy = False
    #: Where they are read; an index that lies there too is read without waiting.
    device = torch.device("cpu")

    def __len__(self) -> int:
        raise NotImplementedError

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Shape of one."""
        raise NotImplementedError

    def read(self, index: Tensor) -> Tensor:
        """Return some of them in one tensor, as they are stored."""
        raise NotImplementedError

    def to(self, device: torch.device) -> Inputs:
        """Return the same inputs, on ``device`` where they are in memory and fit comfortably."""
        return self

    @cached_property
    def columns(self) -> Columns | None:
        """Columns of at most 10,000 rows, of 256 where these are made anew; None where samples are no rows."""
        if len(self.shape) != 1:
            return None
        # fewer where rows are long: it takes two seconds at most
        most = min(256 if self.lazy else 10_000, max(64, 2**23 // max(1, self.shape[0])))
        with isolated_rng(torch.device("cpu")):  # a dataset may draw as it is read
            return columns_of(as_float(self.read(spread(len(self), most))).cpu())


class HeldInputs(Inputs):
    """Inputs in one tensor: bytes stay bytes, all else becomes float32."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor if tensor.dtype == torch.uint8 else tensor.float()
        self.shape, self.device = tuple(tensor.shape[1:]), tensor.device

    def __len__(self) -> int:
        return len(self.tensor)

    def read(self, index: Tensor) -> Tensor:
        """Return some of them."""
        return self.tensor[index.to(self.device)]

    def to(self, device: torch.device) -> Inputs:
        """Return them on ``device``."""
        return self if self.tensor.nbytes > RESIDENT_BYTES else HeldInputs(self.tensor.to(device))


class _Mapped(Inputs):
    """Inputs in a file, read through a memory map."""

    def __init__(self, array: MappedArray) -> None:
        self.array, self.shape = array, tuple(array.array.shape[1:])

    def __len__(self) -> int:
        return len(self.array)

    def read(self, index: Tensor) -> Tensor:
        return torch.from_numpy(self.array.read(index.cpu().numpy()))


class DatasetInputs(Inputs):
    """Inputs of a map-style dataset. Each is checked as it is read where the dataset is ``unread`` as a whole."""

    lazy = True

    def __init__(self, dataset: Items, *, unread: bool = False) -> None:
        self.dataset, self.unread = dataset, unread

    def __len__(self) -> int:
        return len(self.dataset)

    @cached_property
    def first(self) -> Tensor:
        """The first of them, which the others have to be like."""
        with isolated_rng(torch.device("cpu")):  # a dataset may draw as it is read
            return read_item(self.dataset, 0, False)[0]

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Shape of one."""
        return tuple(self.first.shape)

    def read(self, index: Tensor) -> Tensor:
        """Return some of them."""
        return read_like(self.dataset, index, self.first if self.unread else None)


class _Part(Inputs):
    """Some of other inputs, numbered anew."""

    def __init__(self, whole: Inputs, index: Tensor) -> None:
        self.whole, self.index = whole, index
        self.lazy, self.device, self.shape = whole.lazy, whole.device, whole.shape

    def __len__(self) -> int:
        return len(self.index)

    def read(self, index: Tensor) -> Tensor:
        return self.whole.read(self.index[index.to(self.index.device)])

    def to(self, device: torch.device) -> Inputs:
        # to another device goes the part alone, and no copy of the whole for each part
        if isinstance(self.whole, HeldInputs) and self.device.type != device.type:
            return HeldInputs(self.whole.read(self.index)).to(device)
        whole = self.whole.to(device)
        return _Part(whole, self.index.to(whole.device))

    @cached_property
    def columns(self) -> Columns | None:
        return self.whole.columns


@dataclass(frozen=True, eq=False, repr=False)
class Samples(Dataset[tuple[Tensor, int]]):
    """Indexed samples: float32 inputs by index, encoded labels at once. uint8 pictures are scaled to [0, 1]."""

    inputs: Inputs
    labels: Tensor
    """Positions in ``classes``, shape (n_samples,), int64."""
    classes: NDArray[Any]
    view: Items | None = None
    """A dataset of the same samples as they are trained on, where that is another one."""
    integral: bool = False
    """Whether inputs are whole numbers other than pixels, as a net that begins with an embedding wants them."""
    n_workers: int = 0
    """Processes that read ahead where inputs are made anew each time."""
    scored: Tensor | None = None
    """Positions of those that scoring passes visit, in rising order; all for None."""
    units: Tensor | None = None
    """Length of a step of one in each column, shape (n_features,); None where it is one everywhere."""

    @classmethod
    def of(cls, inputs: Inputs, labels: ArrayLike, **fields: Any) -> Samples:
        """Return samples with labels of any sortable kind."""
        classes, codes = encode(np.asarray(labels))
        return cls(inputs, torch.from_numpy(codes), classes, **fields)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.batch(torch.tensor([index]))[0], int(self.labels[index])

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[Tensor, int]]:
        chosen = torch.as_tensor(indices)
        return list(zip(self.batch(chosen), self.labels[chosen].tolist(), strict=True))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return self.inputs.shape

    @property
    def device(self) -> torch.device:
        """Where inputs are read."""
        return self.inputs.device

    @property
    def columns(self) -> Columns | None:
        """Center and deviation of each column; None where samples are no rows."""
        return self.inputs.columns

    @property
    def n_scored(self) -> int:
        """Number of samples that scoring passes visit."""
        return len(self) if self.scored is None else len(self.scored)

    @property
    def unread(self) -> bool:
        """Whether they are those of a dataset too large to be read as a whole."""
        return isinstance(self.inputs, DatasetInputs) and self.inputs.unread

    @property
    def trained(self) -> Samples:
        """The same samples under the same labels, as they are trained on."""
        if self.view is None:
            return self
        inputs = DatasetInputs(self.view)
        inputs.shape = self.shape
        return replace(self, inputs=inputs, view=None)

    def batch(self, index: Tensor) -> Tensor:
        """Return the inputs of ``index`` as one float32 tensor."""
        return as_float(self.inputs.read(index))

    def to(self, device: torch.device) -> Samples:
        """Return the same samples, with inputs on ``device`` where they are in memory and fit comfortably."""
        return replace(self, inputs=self.inputs.to(device))

    def only(self, index: Tensor) -> Samples:
        """Return some of the samples, numbered anew; all classes are kept."""
        view: Any = self.view
        view = None if view is None else Subset(view, index.tolist())
        inputs, labels = _Part(self.inputs, index), self.labels[index.cpu()]
        return replace(self, inputs=inputs, labels=labels, view=view, scored=None)

    def read_ahead(self, chunks: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the index and the inputs of each chunk in turn, read ahead by workers where there are any.

        No global generator is drawn from.
        """
        if self.inputs.lazy and self.n_workers:
            yield from by_workers(partial(self._chunk, chunks), len(chunks), self.n_workers)
        else:
            yield from (self._chunk(chunks, number) for number in range(len(chunks)))

    def _chunk(self, chunks: Sequence[Tensor], number: int) -> tuple[Tensor, Tensor]:
        return chunks[number], self.batch(chunks[number])

    def in_chunks(self, n_bytes: int) -> Iterator[Tensor]:
        """Yield the inputs of all samples in their order, at most ``n_bytes`` at a time, but one sample at least."""
        rows = max(1, n_bytes // (4 * max(1, torch.Size(self.shape).numel())))
        for _, x in self.read_ahead(torch.split(torch.arange(len(self)), rows)):
            yield x


def as_samples(X: Any, y: ArrayLike | None = None, *, n_workers: int = 0) -> Samples:
    """Return indexed samples of a validated array or of a map-style dataset, or raise why they can't be computed with.

    Labels beside a dataset take the place of its own; ``n_workers`` processes read it ahead. Samples are in memory
    where ``X`` is an array, or a dataset that yields the same inputs every time and fits. Those of a memory-mapped
    array and of any other dataset are read whenever they are asked for.
    """
    if not is_dataset(X):
        check_shape(X.shape[1:])
        return Samples.of(_of_array(X), np.asarray(y), integral=_are_integral(X.dtype.kind in "biu", X))
    read = read_dataset(X, y, RESIDENT_BYTES, n_workers)
    inputs: Inputs
    if read.inputs is not None:
        inputs = HeldInputs(read.inputs)
    else:
        inputs = DatasetInputs(X, unread=read.in_part)
        inputs.first = read.first
    integral = _are_integral(not read.first.dtype.is_floating_point, read.first[None])
    return Samples.of(inputs, read.labels, view=training_view(X), integral=integral, n_workers=n_workers)


def as_unlabelled(X: Any) -> Samples:
    """Return indexed samples of which only the inputs matter; a dataset is read whenever it is asked."""
    no_labels = np.zeros(len(X), dtype=int)
    return Samples.of(DatasetInputs(X), no_labels) if is_dataset(X) else as_samples(X, no_labels)


def as_float(x: Tensor) -> Tensor:
    """Return a float32 batch: pictures of bytes scaled to [0, 1], anything else as it is."""
    return x.float() / 255 if x.dtype == torch.uint8 and x.ndim >= 3 else x.float()


def _are_integral(whole: bool, inputs: NDArray[Any] | Tensor) -> bool:
    """Say whether inputs are whole numbers other than pixels."""
    return whole and not (str(inputs.dtype).endswith("uint8") and inputs.ndim >= 3)


def _of_array(X: NDArray[Any]) -> Inputs:
    """Return inputs that are read through their memory map, or a copy of them, which later changes can't reach."""
    if is_mapped(X):
        mapped = MappedArray(X)
        if not (mapped.is_scattered and mapped.nbytes <= GATHERED_BYTES):
            mapped.check_finite()
            return _Mapped(mapped)
    with np.errstate(over="ignore"):  # looked at below
        inputs = np.array(X, dtype=wanted_dtype(X), order="C")
    check_finite(inputs, X)
    warn_of_columns(np.asarray(X))
    return HeldInputs(torch.from_numpy(inputs))

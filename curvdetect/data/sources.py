"""Whatever the user has, as samples that can be read by index.

`as_samples` turns validated arrays or a map-style torch ``Dataset`` into `Samples`: float32 inputs, labels encoded
as 0..C-1, the original classes kept. It refuses to augment, to shuffle or to choose a device.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from curvdetect.data.choosing import spread
from curvdetect.data.columns import Columns, check_digits, check_missing, columns_of
from curvdetect.data.isolation import isolated_rng
from curvdetect.data.items import is_dataset, read_item
from curvdetect.data.labels import encode
from curvdetect.data.mapped import MappedArray, check_finite, is_mapped, wanted_dtype
from curvdetect.data.reading import check_shape, read_dataset
from curvdetect.data.streams import read_like
from curvdetect.data.views import part_of, training_view

#: A dataset whose samples fit in this many bytes is read once and kept in memory.
RESIDENT_BYTES = 2 * 1024**3
#: A memory-mapped array whose rows lie all over the file is read once and kept in memory up to this size.
GATHERED_BYTES = 2**28


class Samples(Dataset[tuple[Tensor, int]]):
    """Indexed samples: inputs by index, encoded labels at once.

    Parameters
    ----------
    labels : array of shape (n_samples,)
        Labels of any sortable kind.
    """

    shape: tuple[int, ...]
    #: A dataset of the same samples as they are trained on, where that is another one.
    view: Any = None
    #: Whether inputs have to be made anew each time they are asked for.
    lazy: bool = False
    #: Whether inputs are whole numbers, other than pixels: what a net that begins with an embedding wants them to be.
    integral: bool = False
    #: Processes that do so ahead.
    n_workers: int = 0
    #: Numbers of those that scoring passes visit, in rising order; all for None.
    scored: Tensor | None = None
    #: Length of a step of one in each column, shape (n_features,); None where it is one everywhere.
    units: Tensor | None = None

    def __init__(self, labels: NDArray[Any]) -> None:
        self.classes, codes = encode(np.asarray(labels))
        self.labels = torch.from_numpy(codes)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.batch(torch.tensor([index]))[0], int(self.labels[index])

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[Tensor, int]]:
        chosen = torch.as_tensor(indices)
        return list(zip(self.batch(chosen), self.labels[chosen].tolist(), strict=True))

    @property
    def device(self) -> torch.device:
        """Where inputs are read; an index that lies there too is read without waiting."""
        return torch.device("cpu")

    @property
    def n_scored(self) -> int:
        """Number of samples that scoring passes visit."""
        return len(self) if self.scored is None else len(self.scored)

    @cached_property
    def columns(self) -> Columns | None:
        """Center and deviation of each column, of 10,000 rows at most; of a dataset read as it is asked, of 256.

        None where samples are no rows.
        """
        if len(self.shape) != 1:
            return None
        # of rows that are long, fewer: it takes two seconds at most; and of those that are made anew each time
        most = min(256 if self.lazy else 10_000, max(64, 2**23 // max(1, self.shape[0])))
        with isolated_rng(torch.device("cpu")):  # a dataset may draw as it is read
            return columns_of(self.batch(spread(len(self), most)).cpu())

    @property
    def trained(self) -> Samples:
        """The same samples under the same labels, as they are trained on."""
        return self if self.view is None else _InView(self)

    def batch(self, index: Tensor) -> Tensor:
        """Return the inputs of ``index`` as one float32 tensor."""
        raise TypeError(f"{type(self).__name__} does not say how its inputs are read")

    def to(self, device: torch.device) -> Samples:
        """Return the same samples, with inputs on ``device`` where they are in memory and fit comfortably."""
        return self


class ResidentSamples(Samples):
    """Samples held in one tensor; uint8 pictures are scaled to [0, 1] as they are read.

    Parameters
    ----------
    inputs : Tensor of shape (n_samples, ...)
        Real numbers of any width; uint8 with three or more dimensions is taken as pixels.
    labels : array of shape (n_samples,)
        Labels of any sortable kind.
    """

    def __init__(self, inputs: Tensor, labels: NDArray[Any]) -> None:
        super().__init__(labels)
        self.inputs = inputs if inputs.dtype == torch.uint8 else inputs.float()
        self.shape = tuple(inputs.shape[1:])

    @property
    def device(self) -> torch.device:
        """Where the tensor is."""
        return self.inputs.device

    def batch(self, index: Tensor) -> Tensor:
        """Return the inputs of ``index`` as one float32 tensor."""
        return as_float(self.inputs[index.to(self.inputs.device)])

    def to(self, device: torch.device) -> ResidentSamples:
        """Return the same samples, with inputs on ``device`` where they fit comfortably."""
        if self.inputs.nbytes > RESIDENT_BYTES:
            return self
        moved = ResidentSamples.__new__(ResidentSamples)
        moved.__dict__.update(self.__dict__)
        moved.inputs = self.inputs.to(device)
        return moved

    def only(self, index: Tensor) -> ResidentSamples:
        """Return a copy of some of the samples; all classes are kept."""
        part = ResidentSamples.__new__(ResidentSamples)
        part.__dict__.update(self.__dict__)
        part.inputs, part.labels = self.inputs[index.to(self.inputs.device)], self.labels[index]
        part.view, part.scored = part_of(self.view, index), None
        return part


class MappedSamples(Samples):
    """Samples read from a file through a memory map whenever they are asked for, never all at once.

    Parameters
    ----------
    inputs : MappedArray of shape (n_samples, ...)
        Where they are read; uint8 with three or more dimensions is taken as pixels.
    labels : array of shape (n_samples,)
        Labels of any sortable kind.
    """

    def __init__(self, inputs: MappedArray, labels: NDArray[Any]) -> None:
        super().__init__(labels)
        self.inputs = inputs
        self.shape = tuple(inputs.array.shape[1:])

    def batch(self, index: Tensor) -> Tensor:
        """Return the inputs of ``index`` as one float32 tensor."""
        return as_float(torch.from_numpy(self.inputs.read(index.cpu().numpy())))


class LazySamples(Samples):
    """Samples read from a map-style dataset whenever they are asked for.

    Parameters
    ----------
    dataset : map-style Dataset
        Yields ``x`` or ``(x, y)``.
    labels : array of shape (n_samples,)
        Labels of any sortable kind; those of the dataset are not looked at again.
    first : Tensor, optional
        The first input, where it is known; otherwise it is read.
    unread : bool, default=False
        Whether nobody has read all of it: then each sample is looked at as it is read, and a whole reading avoided.
    """

    lazy = True

    def __init__(self, dataset: Any, labels: NDArray[Any], first: Tensor | None = None, unread: bool = False) -> None:
        super().__init__(labels)
        self.dataset, self.unread = dataset, unread
        first = read_item(dataset, 0, False)[0] if first is None else first
        self.shape, self.dtype = tuple(first.shape), first.dtype

    def batch(self, index: Tensor) -> Tensor:
        """Return the inputs of ``index`` as one float32 tensor."""
        return as_float(read_like(self.dataset, index, (self.shape, self.dtype) if self.unread else None))


class _InView(LazySamples):
    """Samples as they are trained on: inputs of another dataset, labels of their own."""

    def __init__(self, samples: Samples) -> None:
        self.dataset, self.shape, self.unread = samples.view, samples.shape, False
        self.classes, self.labels = samples.classes, samples.labels


class Part(Samples):
    """Some of the samples of another source, numbered anew; all its classes are kept.

    Parameters
    ----------
    whole : Samples
        What they are part of.
    index : Tensor of shape (n_part,), int64
        Their numbers there.
    """

    def __init__(self, whole: Samples, index: Tensor) -> None:
        self.whole, self.index = whole, index
        self.classes, self.labels, self.shape = whole.classes, whole.labels[index.cpu()], whole.shape
        self.view, self.lazy, self.n_workers = part_of(whole.view, index), whole.lazy, whole.n_workers
        self.integral = whole.integral
        self.units = whole.units

    @cached_property
    def columns(self) -> Columns | None:
        """Those of the whole."""
        return self.whole.columns

    @property
    def device(self) -> torch.device:
        """Where the whole is."""
        return self.whole.device

    def batch(self, index: Tensor) -> Tensor:
        """Return the inputs of ``index`` as one float32 tensor."""
        return self.whole.batch(self.index[index.to(self.index.device)])

    def to(self, device: torch.device) -> Samples:
        """Return the same samples, with inputs on ``device`` where they are in memory and fit comfortably.

        To another device goes the part alone, and a copy for each part is not one of the whole.
        """
        if isinstance(self.whole, ResidentSamples) and self.whole.inputs.device.type != device.type:
            return self.whole.only(self.index).to(device)
        whole = self.whole.to(device)
        return Part(whole, self.index.to(whole.device))


def as_samples(X: Any, y: Any = None, *, n_workers: int = 0) -> Samples:
    """Return indexed samples of arrays or of a map-style dataset.

    Parameters
    ----------
    X : array of shape (n_samples, ...) or map-style Dataset
        Arrays are expected to be validated already; one that lies in a file (``numpy.memmap``) need not be.
    y : array-like of shape (n_samples,), optional
        Labels. Beside a dataset they take the place of the labels it carries.
    n_workers : int, default=0
        Processes that read a dataset ahead, now and whenever it is walked through.

    Returns
    -------
    Samples
        In memory where it is an array, or a dataset that yields the same inputs every time and fits; read as it is
        asked for where it is a memory-mapped array, or any other dataset.
    """
    if is_dataset(X):
        read = read_dataset(X, y, RESIDENT_BYTES, n_workers)
        if read.inputs is None:
            samples: Samples = LazySamples(X, read.labels, read.first, read.in_part)
        else:
            samples = ResidentSamples(read.inputs, read.labels)
        samples.view, samples.n_workers = training_view(X), n_workers
        samples.integral = _are_integral(read.first[None])
        return samples
    check_shape(X.shape[1:])
    samples = _of_array(X, y)
    samples.integral = _are_integral(X)
    return samples


def _of_array(X: NDArray[Any], y: Any) -> Samples:
    """Return samples read through their memory map, or a copy of them."""
    if is_mapped(X):
        mapped = MappedArray(X)
        if not (mapped.is_scattered and mapped.nbytes <= GATHERED_BYTES):
            mapped.check_finite()
            return MappedSamples(mapped, np.asarray(y))
    with np.errstate(over="ignore"):  # looked at below
        # a copy: later changes can't reach it
        inputs = np.array(X, dtype=wanted_dtype(X), order="C")
    check_finite(inputs, X)
    check_digits(np.asarray(X))
    check_missing(np.asarray(X))
    return ResidentSamples(torch.from_numpy(inputs), np.asarray(y))


def as_unlabelled(X: Any) -> Samples:
    """Return indexed samples of which only the inputs matter; a dataset is read as it is asked."""
    no_labels = np.zeros(len(X), dtype=int)
    return LazySamples(X, no_labels) if is_dataset(X) else as_samples(X, no_labels)


def _are_integral(inputs: Any) -> bool:
    """Say whether inputs are whole numbers, other than pixels."""
    kind = inputs.dtype
    whole = not kind.is_floating_point if isinstance(kind, torch.dtype) else kind.kind in "biu"
    return bool(whole) and not (str(kind).endswith("uint8") and inputs.ndim >= 3)


def as_float(x: Tensor) -> Tensor:
    """Return a float32 batch: pictures of bytes scaled to [0, 1], anything else as it is."""
    return x.float() / 255 if x.dtype == torch.uint8 and x.ndim >= 3 else x.float()

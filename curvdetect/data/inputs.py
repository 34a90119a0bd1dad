"""Inputs by index, in memory or in a file: the network's numbers, and the center and deviation of their columns.

A file is read through a memory map, and what was read is given back after every few rows: data of any size is trained
on in the memory of a batch. The array is never copied as a whole, and never written to.
"""

from __future__ import annotations

import mmap
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from curvdetect.data.isolation import isolated_rng, spread
from curvdetect.data.types import Array, Record

#: Inputs up to this many bytes are kept in memory.
RESIDENT_BYTES = 2 * 1024**3
#: Most bytes of a map that are held before they are given back.
HELD_BYTES = 2**26
#: What the system maps around a value that is read, at most: a huge page.
_AROUND = 2**21
#: A column that varies by less than this share of its size holds rounding, and counts as constant.
CONSTANT = 1e-6
#: Numbers that are sorted at once; torch's quantiles take 16 million at most.
_SORTED = 2**22
#: The distance between the quartiles of a normal distribution, in standard deviations.
_NORMAL = 1.3489795003921634


class Columns(NamedTuple):
    """Center and deviation of the columns of a table, by which networks and steps don't depend on their units."""

    center: Tensor
    """Median of each column, shape (n_features,), float64; the mean where half of the values or more are one."""
    deviation: Tensor
    """Deviation of each, as `columns_of` measures it; zero of a constant one."""


class Inputs(ABC):
    """Inputs by index, wherever they are."""

    #: Whether they are made anew each time they are read.
    lazy = False
    #: Where they are read; an index that lies there too is read without waiting.
    device = torch.device("cpu")

    @abstractmethod
    def __len__(self) -> int: ...

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Shape of one."""
        raise NotImplementedError

    @abstractmethod
    def read(self, index: Tensor) -> Tensor:
        """Return some of them in one tensor, as they are stored."""

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

    @cached_property
    def deviation(self) -> float:
        """Standard deviation of all values of at most 100 of them, of 16 where these are made anew."""
        with isolated_rng(torch.device("cpu")):  # a dataset may draw as it is read
            return float(as_float(self.read(spread(len(self), 16 if self.lazy else 100))).double().std())


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


class MappedInputs(Inputs):
    """Rows of a ``numpy.memmap``, or of a view on one, which must not change meanwhile."""

    def __init__(self, array: Array) -> None:
        self.array, self.shape = array.view(np.ndarray), array.shape[1:]
        self._map, self._private = _map_under(array)
        #: Bytes from the first value of a row to the last.
        self._span = sum((n - 1) * abs(step) for n, step in zip(array.shape[1:], array.strides[1:], strict=True))
        self._held = 0

    def __len__(self) -> int:
        return len(self.array)

    @property
    def is_scattered(self) -> bool:
        """Whether the values of a row lie all over the file, as those of a map in Fortran order do."""
        size = int(np.prod(self.shape)) * self.array.itemsize
        return self._span > max(16 * size, 2**16)

    def read(self, index: Tensor) -> Tensor:
        """Return some of them; infinite where a value is too large for float32."""
        number = index.cpu().numpy()
        rows = np.empty((len(number), *self.shape), wanted_dtype(self.array))
        with np.errstate(over="ignore"):
            for some, columns in self._pieces(number):
                rows[some, columns] = self.array[number[some], columns]
                self._hold(number[some])
        return torch.from_numpy(rows)

    def check_finite(self) -> None:
        """Raise where a value is not finite; reads the file once, a part at a time."""
        row = int(np.prod(self.shape)) * wanted_dtype(self.array).itemsize
        for index in torch.split(torch.arange(len(self)), max(1, HELD_BYTES // (16 * max(1, row)))):
            start, stop = int(index[0]), int(index[-1]) + 1
            check_finite(self.read(index).numpy(), self.array[start:stop], first=start)
        self.give_back()

    def give_back(self) -> None:
        """Let the system have the memory of what was read, which can be read from the file again."""
        self._held = 0
        # what was written to a private map is nowhere else
        if self._map is not None and not self._private and hasattr(mmap, "MADV_DONTNEED"):
            with suppress(OSError, ValueError):
                self._map.madvise(mmap.MADV_DONTNEED)

    def _pieces(self, index: NDArray[np.int64]) -> Iterator[tuple[slice, slice]]:
        """Yield rows and columns that are read without giving anything back."""
        if self.is_scattered:
            each = max(1, HELD_BYTES // (len(index) * _AROUND))
            yield from ((slice(None), slice(at, at + each)) for at in range(0, self.shape[0], each))
        else:
            # of rows that lie side by side, what the system maps around one is another
            apart = int(np.abs(np.diff(index)).max(initial=1)) * abs(self.array.strides[0])
            each = max(1, HELD_BYTES // max(1, self._span, min(apart, self._span + _AROUND)))
            yield from ((slice(at, at + each), slice(None)) for at in range(0, len(index), each))

    def _hold(self, index: NDArray[np.int64]) -> None:
        """Count what was just read, and give it back where it is too much."""
        between = (int(index.max()) - int(index.min())) * abs(self.array.strides[0])
        self._held += min(len(index) * (self._span + _AROUND), between + self._span + _AROUND)
        if self.is_scattered or self._held >= HELD_BYTES:
            self.give_back()

    def __getstate__(self) -> Record:
        """Return where the rows lie rather than the rows: another process opens the file for itself."""
        state = {**self.__dict__, "_map": None, "_held": 0}
        root = _root_of(self.array)
        if root is None or root.filename is None or self._private:
            return state
        offset = root.offset + _address(self.array) - _address(root)
        del state["array"]
        return {**state, "_at": (root.filename, self.array.dtype, self.array.shape, offset, self.array.strides)}

    def __setstate__(self, state: Record) -> None:
        """Open the file again."""
        at = state.pop("_at", None)
        self.__dict__.update(state)
        if at is not None:
            name, dtype, shape, offset, strides = at
            whole = np.memmap(name, np.uint8, mode="r")
            self.array = np.ndarray(shape, dtype, buffer=whole, offset=offset, strides=strides)
            self._map, self._private = _map_under(whole)


class PartOfInputs(Inputs):
    """Some of other inputs, numbered anew."""

    def __init__(self, whole: Inputs, index: Tensor) -> None:
        self.whole, self.index = whole, index
        self.lazy, self.device, self.shape = whole.lazy, whole.device, whole.shape

    def __len__(self) -> int:
        return len(self.index)

    def read(self, index: Tensor) -> Tensor:
        """Return some of them."""
        return self.whole.read(self.index[index.to(self.index.device)])

    def to(self, device: torch.device) -> Inputs:
        """Return them on ``device``: to another one goes the part alone, and no copy of the whole for each part."""
        if isinstance(self.whole, HeldInputs) and self.device.type != device.type:
            return HeldInputs(self.whole.read(self.index)).to(device)
        whole = self.whole.to(device)
        return PartOfInputs(whole, self.index.to(whole.device))

    @cached_property
    def columns(self) -> Columns | None:
        """Columns of the whole."""
        return self.whole.columns


def is_mapped(X: object) -> bool:
    """Say whether ``X`` is an array that lies in a file, or a view on one."""
    return isinstance(X, np.ndarray) and _root_of(X) is not None


def _root_of(array: Array) -> np.memmap[Any, Any] | None:
    """Return the memory map that an array is a view on."""
    at: Any = array
    while isinstance(at, np.ndarray):
        if isinstance(at, np.memmap) and isinstance(at.base, mmap.mmap):
            return at
        at = at.base
    return None


def _map_under(array: Array) -> tuple[mmap.mmap | None, bool]:
    """Return the system's map under an array, and whether what is written to it stays out of the file."""
    root: Any = _root_of(array)
    return (None, False) if root is None else (root.base, root.mode == "c")


def _address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])


def wanted_dtype(array: Array) -> np.dtype[np.generic]:
    """Return what an array is read as: bytes stay bytes, all else becomes float32."""
    return np.dtype(np.uint8 if array.dtype == np.uint8 else np.float32)


def as_float(x: Tensor) -> Tensor:
    """Return a float32 batch: pictures of bytes scaled to [0, 1], anything else as it is."""
    return x.float() / 255 if x.dtype == torch.uint8 and x.ndim >= 3 else x.float()


def check_finite(rows: Array, original: Array, name: str = "X", first: int | None = None) -> None:
    """Raise where rows are not finite as they were read; say which one, counted from ``first``, and if it ever was."""
    if rows.dtype.kind != "f" or np.isfinite(rows).all():
        return

    def place(wrong: Array) -> str:
        if first is None:
            return ""
        row = np.flatnonzero(wrong.reshape(len(wrong), -1).any(1))[0]
        return f", the first of them in row {first + row} (counted from 0)"

    for what, of, wrong in (("NaN", rows, np.isnan), ("infinity", original, np.isinf)):
        if (found := wrong(of)).any():
            raise ValueError(f"Input {name} contains {what}{place(found)}. Remove or impute such values.")
    raise ValueError(
        f"{name} holds values too large for float32, the precision of the network{place(np.isinf(rows))}. Scale its "
        "columns first."
    )


def columns_of(rows: Tensor) -> Columns:
    """Return the center and the deviation of each column, which a few extreme values don't change."""
    found = [_columns_of(part.double()) for part in torch.split(rows, max(1, _SORTED // max(1, len(rows))), 1)]
    return Columns(*(torch.cat(parts) for parts in zip(*found, strict=True)))


def _columns_of(rows: Tensor) -> tuple[Tensor, Tensor]:
    variance, mean = torch.var_mean(rows, 0, correction=0)
    share = torch.tensor([0.25, 0.5, 0.75], dtype=rows.dtype)
    low, median, high = torch.quantile(rows, share, dim=0, interpolation="midpoint")
    width, deviation = (high - low) / _NORMAL, variance.sqrt()
    robust = width > CONSTANT * torch.maximum(low.abs(), high.abs())
    varies = deviation > CONSTANT * rows.abs().amax(0)
    return torch.where(robust, median, mean), torch.where(robust, width, torch.where(varies, deviation, 0.0))

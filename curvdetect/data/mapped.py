"""Arrays that lie in a file: rows read through a memory map, whose pages are then given back.

A map costs no memory until it is read, and what was read counts as the process's own until the system wants it. Here
it is given back after every few rows, so that data of any size is trained on in the memory of a batch. The array is
never copied as a whole, and never written to.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curvdetect.data.values import check_finite, wanted_dtype

#: Most bytes of a map that are held before they are given back.
HELD_BYTES = 2**26
#: What the system maps around a value that is read, at most: a huge page.
_AROUND = 2**21


class MappedArray:
    """Rows of a ``numpy.memmap``, or of a view on one, as the network's numbers. The file must not change meanwhile."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.array = array.view(np.ndarray)
        self.dtype = wanted_dtype(array)
        self.nbytes = array.size * self.dtype.itemsize
        self._map, self._private = _map_under(array)
        #: Bytes from the first value of a row to the last.
        self._span = sum((n - 1) * abs(step) for n, step in zip(array.shape[1:], array.strides[1:], strict=True))
        self._held = 0

    def __len__(self) -> int:
        return len(self.array)

    @property
    def is_scattered(self) -> bool:
        """Whether the values of a row lie all over the file, as those of a map in Fortran order do."""
        size = int(np.prod(self.array.shape[1:])) * self.array.itemsize
        return self._span > max(16 * size, 2**16)

    def read(self, index: NDArray[np.int64]) -> NDArray[Any]:
        """Return some rows, float32 or uint8; infinite where a value is too large for float32."""
        rows = np.empty((len(index), *self.array.shape[1:]), self.dtype)
        with np.errstate(over="ignore"):
            for some, columns in self._pieces(len(index)):
                rows[some, columns] = self.array[index[some], columns]
                self._hold(index[some])
        return rows

    def check_finite(self) -> None:
        """Raise where a value is not finite; reads the file once, a part at a time."""
        each = max(1, HELD_BYTES // (2 * max(1, self.nbytes // len(self))))
        for start in range(0, len(self), each):
            part = self.array[start : start + each]
            check_finite(self.read(np.arange(start, start + len(part))), part)
        self.give_back()

    def give_back(self) -> None:
        """Let the system have the memory of what was read, which can be read from the file again."""
        self._held = 0
        # what was written to a private map is nowhere else
        if self._map is not None and not self._private and hasattr(mmap, "MADV_DONTNEED"):
            with suppress(OSError, ValueError):
                self._map.madvise(mmap.MADV_DONTNEED)

    def _pieces(self, n: int) -> Iterator[tuple[slice, slice]]:
        """Yield rows and columns that are read without giving anything back."""
        if self.is_scattered:
            each = max(1, HELD_BYTES // (n * _AROUND))
            yield from ((slice(None), slice(at, at + each)) for at in range(0, self.array.shape[1], each))
        else:
            each = max(1, HELD_BYTES // (self._span + _AROUND))
            yield from ((slice(at, at + each), slice(None)) for at in range(0, n, each))

    def _hold(self, index: NDArray[np.int64]) -> None:
        """Count what was just read, and give it back where it is too much."""
        between = (int(index.max()) - int(index.min())) * abs(self.array.strides[0])
        self._held += min(len(index) * (self._span + _AROUND), between + self._span + _AROUND)
        if self.is_scattered or self._held >= HELD_BYTES:
            self.give_back()

    def __getstate__(self) -> dict[str, Any]:
        """Return where the rows lie rather than the rows: another process opens the file for itself."""
        state = {**self.__dict__, "_map": None, "_held": 0}
        root = _root_of(self.array)
        if root is None or root.filename is None or self._private:
            return state
        offset = root.offset + _address(self.array) - _address(root)
        del state["array"]
        return {**state, "_at": (root.filename, self.array.dtype, self.array.shape, offset, self.array.strides)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Open the file again."""
        at = state.pop("_at", None)
        self.__dict__.update(state)
        if at is not None:
            name, dtype, shape, offset, strides = at
            whole = np.memmap(name, np.uint8, mode="r")
            self.array = np.ndarray(shape, dtype, buffer=whole, offset=offset, strides=strides)
            self._map, self._private = _map_under(whole)


def is_mapped(X: object) -> bool:
    """Say whether ``X`` is an array that lies in a file, or a view on one."""
    return isinstance(X, np.ndarray) and _root_of(X) is not None


def _root_of(array: NDArray[Any]) -> np.memmap[Any, Any] | None:
    """Return the memory map that an array is a view on."""
    at: Any = array
    while isinstance(at, np.ndarray):
        if isinstance(at, np.memmap) and isinstance(at.base, mmap.mmap):
            return at
        at = at.base
    return None


def _map_under(array: NDArray[Any]) -> tuple[mmap.mmap | None, bool]:
    """Return the system's map under an array, and whether what is written to it stays out of the file."""
    root: Any = _root_of(array)
    return (None, False) if root is None else (root.base, root.mode == "c")


def _address(array: NDArray[Any]) -> int:
    return int(array.__array_interface__["data"][0])

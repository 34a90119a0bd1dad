"""The user's data as samples that are read by index.

Samples never change: a variant is another object, made by `dataclasses.replace`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.utils.data import Dataset, Subset

from curvdetect.data.datasets import DatasetInputs, by_workers, check_shape, read_dataset
from curvdetect.data.inputs import (
    RESIDENT_BYTES,
    Columns,
    HeldInputs,
    Inputs,
    MappedInputs,
    PartOfInputs,
    as_float,
    check_finite,
    is_mapped,
    wanted_dtype,
)
from curvdetect.data.items import Items, is_dataset, training_view
from curvdetect.data.labels import encode
from curvdetect.data.types import Array
from curvdetect.data.wording import named, warn

#: A memory-mapped array whose rows lie all over the file is read once and kept in memory up to this size.
GATHERED_BYTES = 2**28
#: Columns whose numbers differ by less than this share of their size keep fewer than eight bits in float32.
FEW_DIGITS = 2.0**-16
#: Rows in which a value that stands for missing numbers is looked for, at most.
_SEEN = 2000
#: Such a value lies this many widths of all other numbers beyond them, in two columns at least.
_BEYOND = 10


@dataclass(frozen=True, eq=False, repr=False)
class Samples(Dataset[tuple[Tensor, int]]):
    """Indexed samples: float32 inputs by index, encoded labels at once. uint8 pictures are scaled to [0, 1]."""

    inputs: Inputs
    labels: Tensor
    """Positions in ``classes``, shape (n_samples,), int64."""
    classes: Array
    view: Items | None = None
    """A dataset of the same samples as they are trained on, where that is another one."""
    integral: bool = False
    """Whether inputs are whole numbers other than pixels, as a net that begins with an embedding needs them."""
    n_workers: int = 0
    """Processes that read ahead where inputs are made anew each time."""
    scored: Tensor | None = None
    """Positions of those that scoring passes visit, in rising order; all for None."""
    units: Tensor | None = None
    """Length of a step of one in each column, shape (n_features,); None where it is one everywhere."""
    pred_probs: NDArray[np.float64] | None = None
    """What a model of the user's own says of each, shape (n_samples, n_classes); None where none was passed."""

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
        inputs, labels = PartOfInputs(self.inputs, index), self.labels[index.cpu()]
        pred_probs = None if self.pred_probs is None else self.pred_probs[index.cpu().numpy()]
        return replace(self, inputs=inputs, labels=labels, view=view, scored=None, pred_probs=pred_probs)

    def read_ahead(self, chunks: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the index and the inputs of each chunk; workers, where there are any, draw from no global generator."""
        lazy = self.inputs.lazy and self.n_workers
        read = by_workers(self.batch, chunks, self.n_workers) if lazy else map(self.batch, chunks)
        yield from zip(chunks, read, strict=True)

    def in_chunks(self, n_bytes: int) -> Iterator[Tensor]:
        """Yield the inputs of all samples in their order, at most ``n_bytes`` at a time, but one sample at least."""
        rows = max(1, n_bytes // (4 * max(1, torch.Size(self.shape).numel())))
        for _, x in self.read_ahead(torch.split(torch.arange(len(self)), rows)):
            yield x


def as_samples(X: Any, y: ArrayLike | None = None, *, n_workers: int = 0) -> Samples:
    """Return samples of a validated array or a map-style dataset, or raise why they can't be computed with."""
    if not is_dataset(X):
        check_shape(X.shape[1:])
        pixels = X.dtype == np.uint8 and X.ndim >= 3
        return Samples.of(_of_array(X), np.asarray(y), integral=X.dtype.kind in "biu" and not pixels)
    inputs, labels, first = read_dataset(X, y, RESIDENT_BYTES, n_workers)
    pixels = first.dtype == torch.uint8 and first.ndim >= 2
    integral = not first.is_floating_point() and not pixels
    return Samples.of(inputs, labels, view=training_view(X), integral=integral, n_workers=n_workers)


def as_unlabelled(X: Any) -> Samples:
    """Return indexed samples of which only the inputs matter; a dataset is read whenever it is asked."""
    no_labels = np.zeros(len(X), dtype=int)
    return Samples.of(DatasetInputs(X), no_labels) if is_dataset(X) else as_samples(X, no_labels)


def _of_array(X: Array) -> Inputs:
    """Return inputs that are read through their memory map, or a copy of them, which later changes can't reach."""
    if is_mapped(X):
        mapped = MappedInputs(X)
        if not mapped.is_scattered or X.size * wanted_dtype(X).itemsize > GATHERED_BYTES:
            mapped.check_finite()
            return mapped
    with np.errstate(over="ignore"):  # looked at below
        inputs = np.array(X, dtype=wanted_dtype(X), order="C")
    check_finite(inputs, X, first=0)
    warn_of_columns(np.asarray(X))
    return HeldInputs(torch.from_numpy(inputs))


def warn_of_columns(X: Array) -> None:
    """Warn where single precision merges the numbers of a column, and where one value stands for missing numbers."""
    if X.ndim == 2 and X.size and X.dtype.kind in "fiu":
        _warn_of_few_digits(X)
        _warn_of_stand_ins(X)


def _warn_of_few_digits(X: Array) -> None:
    """Warn where numbers of double precision in a column differ by less than single precision can hold."""
    if X.dtype.itemsize < 8:
        return
    low, high = X.min(0).astype(np.float64), X.max(0).astype(np.float64)
    size, width = np.maximum(abs(low), abs(high)), high - low
    rounding = 8 * np.finfo(np.float64).eps * size  # a column that varies by no more is constant
    lost = np.flatnonzero((width > rounding) & (width < FEW_DIGITS * size))
    if len(lost):
        at = lost[0]
        warn(
            f"X holds {len(lost)} column(s) whose numbers lie close together and far from zero, the first of them "
            f"column {at}, from {low[at]:.10g} to {high[at]:.10g}: networks compute in single precision, which hardly "
            "tells them apart. Subtract the mean first, by scikit-learn's StandardScaler, say; renumber ids from 0."
        )


def _warn_of_stand_ins(X: Array) -> None:
    """Warn where one value, far beyond all others in several columns, seems to stand for missing ones, as -999 does."""
    if X.dtype.itemsize < 2:  # bytes are pictures
        return
    step = -(-len(X) // min(_SEEN, max(100, 2**22 // X.shape[1])))
    rows = X[::step].astype(np.float64)
    for sign in (1, -1):
        found = _stand_in(sign * rows)
        if found is not None:
            value, columns, share = found
            warn(
                f"X holds {sign * value:.10g} in {share:.1%} of the rows of columns {named(columns.tolist())}, far "
                "from all their other numbers: it seems to stand for missing ones, and a network takes it as it is. "
                f"Impute it first, by scikit-learn's SimpleImputer(missing_values={sign * value:.10g}), then scale the "
                "columns."
            )


def _stand_in(rows: NDArray[np.float64]) -> tuple[float, NDArray[np.intp], float] | None:
    """Return the highest value that stands for missing numbers, its columns and its share of their rows."""
    top = rows.max(0)
    n_top = (rows == top).sum(0)
    often = np.flatnonzero((top != 0) & (n_top >= max(5, len(rows) / 200)) & (n_top <= len(rows) / 2))
    top = top[often]
    rest = np.ma.masked_equal(rows[:, often] - top, 0)
    gap, width = -rest.max(0).filled(0), np.ma.ptp(rest, 0).filled(0)
    # a value that stands among or close to other numbers in any column is one of them, as the white of pictures is
    close, far = gap <= 3 * rest.std(0).filled(0), gap > _BEYOND * width
    for value in np.unique(top[far]):
        same = top == value
        if close[same].any():
            continue
        measured = [at for at in often[same & far] if len(np.unique(rows[:, at])) > 5]  # not a few categories
        if len(measured) > 1:
            return value, often[same], float(n_top[often[same]].mean() / len(rows))
    return None

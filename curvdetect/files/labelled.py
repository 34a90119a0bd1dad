"""What a file of labelled samples is to all that read one, rank its samples and write labels back.

A format is a subclass of `LabelledFile` and a line in ``registry.py``.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from curvdetect.data.isolation import drawn
from curvdetect.data.squares import Pictures
from curvdetect.data.types import Array
from curvdetect.data.wording import short
from curvdetect.detectors.inputs import rows_of

#: How many skipped samples are named.
_NAMED = 5
#: The name of a sample without one, where not all rows of a file were read: see `row_name`.
ROW = re.compile("row [0-9]+")


@dataclass(frozen=True)
class Asked:
    """The arguments of `read_data`."""

    label: str | None = None
    drop: tuple[str, ...] = ()
    pictures: str | None = None
    root: str | None = None
    labels: str | None = None
    samples: str | None = None
    split: str | None = None
    size: int | None = None
    limit: int | None = None
    features: str | None = None

    def given(self) -> list[str]:
        """Return the names of those that were given and not every format takes."""
        return [name for name, value in vars(self).items() if value not in (None, ()) and name not in ("size", "limit")]


@dataclass
class LabelledData:
    """Samples and labels, as `read_data` returns them."""

    X: Any
    """What a detector is fitted on: an array, or a frame of numbers."""
    y: Array
    """The labels."""
    label: str | None = None
    """Column of the labels, where there is one."""
    file: str | None = None
    """File in the folder that the labels are from, where there is one."""
    shown: Any = None
    """The samples as a person looks at them, where that is not X."""
    paths: list[str] | None = None
    """What each sample is called: the file of a picture, relative to what was read, with slashes."""
    rows: NDArray[np.int64] | None = None
    """Places in the file, counted from 0, where the samples are not all of them in their order."""
    skipped: dict[str, str] = field(default_factory=dict)
    """What was not read, and why: broken pictures first."""
    columns: dict[str, list[object]] = field(default_factory=dict)
    """What else the file says of each sample, by the name of a column of the results, such as its number there."""
    gaps: list[str] = field(default_factory=list)
    """Columns of a table in which entries are missing; in ``X`` they are filled."""
    pred_probs: NDArray[np.float64] | None = None
    """Probabilities of the classes of ``y``, shape (n_samples, n_classes), where some were passed."""
    alone: bool = False
    """Whether there are labels and no samples, so that ``X`` are the probabilities."""

    def called(self) -> list[str] | None:
        """Return what each sample is called where its position alone doesn't tell: its path, or its row."""
        return self.paths if self.rows is None or self.paths is not None else [*map(row_name, self.rows.tolist())]

    def at(self, index: NDArray[np.int64]) -> LabelledData:
        """Return the samples at these positions, in their order."""
        paths = None if self.paths is None else [self.paths[i] for i in index]
        rows = index if self.rows is None else self.rows[index]
        shown = self.shown
        if isinstance(shown, Pictures):
            shown = shown.only(index)
        elif shown is not None:
            shown = rows_of(shown, index)
        columns = {name: [values[i] for i in index] for name, values in self.columns.items()}
        said = None if self.pred_probs is None else self.pred_probs[index]
        X, y = rows_of(self.X, index), self.y[index]
        return replace(self, X=X, y=y, paths=paths, rows=rows, shown=shown, columns=columns, pred_probs=said)

    def skipped_lines(self, more: str) -> list[str]:
        """Return the first few that were skipped, and the number of the others in the words of ``more``."""
        lines = [f"{short(path)} ({short(why, 100)})" for path, why in self.skipped.items()]
        return lines if len(lines) <= _NAMED else [*lines[:_NAMED], more.format(len(lines) - _NAMED)]


class LabelledFile(ABC):
    """A file, or folder, of samples with labels."""

    #: What it is, as a line of an error lists it.
    kind: ClassVar[str]
    #: The arguments of `Asked` that it understands beside ``size`` and ``limit``.
    takes: ClassVar[frozenset[str]] = frozenset()
    #: Ends of the name of a corrected copy; none where that is a folder.
    copies: ClassVar[tuple[str, ...]]

    #: Whether it holds labels and no samples.
    alone: bool = False

    def __init__(self, path: Path, asked: Asked) -> None:
        self.path, self.asked = path, asked

    @property
    def holder(self) -> Path:
        """The file that the labels stand in."""
        return self.path

    @classmethod
    def opened(cls, path: Path, asked: Asked) -> LabelledFile:
        """Return a file that fits as what its content says it is."""
        return cls(path, asked)

    @classmethod
    @abstractmethod
    def fits(cls, path: Path) -> bool:
        """Say whether a file is of this format."""

    @cached_property
    @abstractmethod
    def labels(self) -> Array:
        """The labels of all samples, in the order of the file."""

    @cached_property
    def names(self) -> list[str] | None:
        """What the samples are called, where each has a name by which it is known again."""
        return None

    @abstractmethod
    def read(self, rows: NDArray[np.int64] | None) -> LabelledData:
        """Return the samples in these places of the file, in rising order, or all of them; broken ones are skipped."""

    @abstractmethod
    def write(self, target: Path, labels: Array) -> None:
        """Write a copy with other labels, each of them one of those given; all else stays as it was."""

    def chosen(self) -> NDArray[np.int64] | None:
        """Return the places of the samples that ``limit`` chooses, None for all."""
        return drawn(len(self.labels), self.asked.limit)


def row_name(row: int) -> str:
    """Return the name of a sample that has no other: by it `apply` knows the sample again, whatever else is read."""
    return f"row {row}"


def sources(given: Array, labels: Array) -> NDArray[np.int64]:
    """Return for each row where its label stands: in the row itself, or in the first that was given this label."""
    source = np.arange(len(given))
    first = dict(zip(given[::-1].tolist(), source[::-1].tolist(), strict=True))
    changed = labels != given
    source[changed] = [first[value] for value in labels[changed].tolist()]
    return source

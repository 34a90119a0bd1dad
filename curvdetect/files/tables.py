"""A table as numbers and labels, and a copy of it with other labels."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from curvdetect.data.labels import plain_labels
from curvdetect.data.types import Array
from curvdetect.data.wording import ArgumentError, ContentError, listed, short, spelled
from curvdetect.files.arrow import PARQUET
from curvdetect.files.columns import as_numbers, rising_in, texts_of
from curvdetect.files.json_lines import JsonLines
from curvdetect.files.labelled import LabelledData, LabelledFile, sources
from curvdetect.files.parquet_table import ParquetFile
from curvdetect.files.text_table import TextFile

if TYPE_CHECKING:
    from curvdetect.files.text_table import Column

Table: TypeAlias = TextFile | JsonLines | ParquetFile
#: What reads tables, and the ends of their names; a copy has one of the same group.
READERS: dict[tuple[str, ...], type[Table]] = {
    (".csv", ".tsv"): TextFile,
    (".csv.gz", ".tsv.gz"): TextFile,
    (".jsonl", ".ndjson"): JsonLines,
    (".jsonl.gz", ".ndjson.gz"): JsonLines,
    PARQUET: ParquetFile,
}
#: Names by which a column of labels is known.
_LABELS = ("label", "labels", "target", "y", "class")
#: How many columns an error lists, at most.
_SHOWN = 10


class TableFile(LabelledFile):
    """A table with a column of labels."""

    kind = "a table, .csv, .tsv, .jsonl (also .gz) or .parquet, with a column of labels"
    takes = frozenset({"label", "drop", "features"})

    @classmethod
    def fits(cls, path: Path) -> bool:
        """Say whether a file is of this format."""
        return path.name.lower().endswith(tuple(chain(*READERS)))

    @property
    def copies(self) -> tuple[str, ...]:  # type: ignore[override]
        """Ends of the name of a corrected copy."""
        return next(ends for ends in READERS if self.path.name.lower().endswith(ends))

    @cached_property
    def labels(self) -> Array:
        """The labels; the other columns may hold anything."""
        return _labels(self.table, self.label, self.path)

    @cached_property
    def label(self) -> str:
        """The name of the column of labels, which is none to drop."""
        if self.asked.label is not None and self.asked.label in self.asked.drop:
            raise ArgumentError("drop", f"'{short(self.asked.label)}' holds the labels.")
        coded = self.table.coded if isinstance(self.table, ParquetFile) else []
        return label_column(self.candidates(), self.asked.label, self.path, self.table, coded=coded)

    def candidates(self) -> list[str]:
        """Return the columns that may hold the labels."""
        drop = self.asked.drop
        with readable(self.path):
            columns = self.table.columns
        unknown = [name for name in drop if name not in columns]
        if unknown:
            raise ArgumentError(
                "drop", f"there is no column {listed(unknown)} in '{short(self.path)}', which has {listed(columns)}."
            )
        return [name for name in columns if name not in drop]

    @cached_property
    def alone(self) -> bool:  # type: ignore[override]
        """Whether no column beside the labels is left to train on, but for those that number the rows."""
        others = self._frame.drop(columns=[self.label, *self.asked.drop], errors="ignore")
        return len(rising_in(others)) == others.shape[1]

    @cached_property
    def _frame(self) -> pd.DataFrame:
        with readable(self.path):
            return self.table.frame()

    def read(self, rows: NDArray[np.int64] | None) -> LabelledData:
        """Return the columns that are not to drop as numbers, standardized; the page shows all of them as they are."""
        name, drop = self.label, self.asked.drop
        frame = self._frame
        if not len(frame):  # every column would count as text
            raise ContentError(f"'{short(self.path)}' has names of columns and no rows.")
        data = LabelledData(frame.drop(columns=[name, *drop]), self.labels, label=name, shown=frame.drop(columns=name))
        data = data if rows is None else data.at(rows)
        _refuse_pictures(data.X, self.path)
        data.gaps = [str(column) for column, entries in data.X.items() if entries.isna().any()]
        X = as_numbers(data.X, self.path, self.asked.features)
        if rows is not None:
            X.index = pd.Index(rows)
        # in double precision: single would lose the digits of columns far from zero
        data.X = StandardScaler().set_output(transform="pandas").fit_transform(X)
        texts = texts_of(data.shown)
        data.shown = data.shown if texts is None else texts
        return data

    def write(self, target: Path, labels: Array) -> None:
        """Write a copy of the table with other labels; all other cells stay as they were."""
        with readable(self.path):
            self.table.rewrite(target, self.label, sources(self.labels, labels))

    @cached_property
    def table(self) -> Table:
        """What reads the columns."""
        with readable(self.path):
            return READERS[self.copies](self.path)


def is_label(column: object) -> bool:
    """Say whether a column of this name holds labels."""
    return str(column).strip().lower() in _LABELS


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Raise what keeps a table from being read as one line."""
    try:
        yield
    except ContentError:
        raise
    except UnicodeDecodeError as error:
        raise ContentError(f"'{short(path)}' is no UTF-8 text ({error.reason}). Save it as UTF-8.") from error
    except (ValueError, OSError, EOFError, zlib.error) as error:
        reason = short(" ".join(str(error).split()), 200)
        way = ". Put quotes around cells that hold a separator." if re.search(r"Expected \d+ fields", reason) else ""
        raise ContentError(f"'{short(path)}' can't be read as a table: {reason}{way}") from error


def label_column(
    columns: list[str], label: str | None, path: Path, table: Table | None = None, *, coded: Sequence[str] = ()
) -> str:
    """Return the name of the column of labels: one that is named so, or else one whose classes are named in the file.

    The names of the columns are a row where the table is ``headless``.
    """
    if label is not None and label in columns:
        return label
    if label is not None and len(bare := [name for name in columns if str(name).strip() == label.strip()]) == 1:
        return bare[0]
    found = list(filter(is_label, columns)) or [name for name in columns if name in coded]
    if not columns:
        raise ContentError(f"'{short(path)}' has no column left that may hold the labels.")
    if label is None and len(found) == 1:
        return str(found[0])
    if isinstance(table, TextFile) and len(table.columns) == 1:
        raise ContentError(
            f"'{short(path)}' has one column, '{short(columns[0])}'. Part columns by commas, semicolons or tabs; "
            f"where this one holds labels, pass {spelled('label', short(columns[0]))}."
        )
    if table is not None and table.headless and not found:
        raise _without_header(columns, path)
    if label is not None:
        problem = f"there is no column '{short(label)}' in '{short(path)}'"
    else:
        problem = f"'{short(path)}' has {f'several: {listed(found)}' if found else 'no column named like a label'}"
    if len(columns) > _SHOWN:  # which would hide the likely ones
        columns = list(dict.fromkeys([*found, columns[-1], *columns]))
    raise ArgumentError("label", f"{problem}. Choose one of {listed(columns)}.")


def _labels(table: Table, name: str, path: Path) -> Array:
    """Return the labels; raise where some are missing."""
    with readable(path):
        labels = table.labels(name)
    labels = complete(labels, name)
    if isinstance(table, TextFile) and table.names.count(name) > 1:  # the others would be trained on
        raise ContentError(f"'{short(path)}' has several columns '{short(name)}'. Give each a name of its own.")
    if isinstance(table, TextFile):
        _refuse_second_header(table, name, labels, path)
    if table.headless and name in map(str, labels):
        raise _without_header(table.columns, path)
    return labels


def _refuse_second_header(table: TextFile, name: str, labels: Array, path: Path) -> None:
    """Raise where a row is the line of the names again, as in files that were joined: it would be a class."""
    rows = np.flatnonzero([_bare(label) == _bare(name) for label in labels])
    others = [other for other in table.columns if other != name]
    for row in rows:
        if others and _bare(table.labels(others[0])[row]) == _bare(others[0]):
            raise ContentError(
                f"row {row} (counted from 0) of '{short(path)}' is the line of names again, as where files were "
                "joined. Leave it out."
            )


def _bare(cell: object) -> str:
    """Return the text of a cell without blanks around it, and without the mark that some programs begin a file with."""
    return str(cell).strip("\ufeff \t")


def complete(labels: Array | Column, name: str) -> Array:
    """Return the labels of a column as an array; raise where some are missing."""
    missing = np.flatnonzero(pd.isna(labels))
    if len(missing):
        raise ContentError(
            f"column '{short(name)}' has no label in {len(missing)} of {len(labels)} rows, the first of them row "
            f"{missing[0]} (counted from 0). Fill them in, or leave these rows out."
        )
    return np.asarray(plain_labels(labels))


def _without_header(columns: list[str], path: Path) -> ContentError:
    return ContentError(
        f"'{short(path)}' seems to have no header: its first line is {listed(columns, 100)}. Write a line of names "
        f"above it; where these are names, choose the column of labels with {spelled('label')}."
    )


def _refuse_pictures(columns: pd.DataFrame, path: Path) -> None:
    """Raise where a column holds files, which would be pictures in another format."""
    for name, column in columns.items():
        first = next(iter(column.dropna()), None)
        if isinstance(first, dict) and "bytes" in first:
            raise ContentError(
                f"column '{short(name)}' of '{short(path.name)}' holds contents of files, and the first of "
                f"them are no pictures. Leave the column out ({spelled('drop', [str(name)])})."
            )

"""CSV and Parquet tables: which column is the label, numbers of the others, and a copy with other labels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from curvdetect.cli.columns import as_numbers
from curvdetect.cli.console import Failure, listed, short
from curvdetect.cli.parquet import ParquetTable
from curvdetect.cli.text_tables import TextTable
from curvdetect.data.labels import plain_labels

#: Names that a column of labels goes by.
LABELS = ("label", "labels", "target", "y", "class")
TEXT, PARQUET = (".csv", ".tsv"), (".parquet", ".pq")


@dataclass
class Table:
    """Numbers and labels of a table."""

    X: pd.DataFrame
    y: NDArray[Any]
    label: str
    """Column of the labels."""
    shown: pd.DataFrame
    """All other columns as they are in the file, those that are left out as well."""


def read_table(path: Path, label: str | None, drop: tuple[str, ...]) -> Table:
    """Return the numbers and the labels of a table.

    Parameters
    ----------
    path : Path
        CSV, with tabs or semicolons too, or Parquet.
    label : str or None
        Column of the labels; None takes the one that is named like it.
    drop : tuple of str
        Columns to leave out.
    """
    if label is not None and label in drop:
        raise click.BadParameter(f"'{short(label)}' holds the labels.", param_hint="--drop")
    with _readable(path):
        table = _opened(path)
        frame = table.frame()
    name = label_of([column for column in frame.columns if column not in drop], label, path, table.headless)
    if not len(frame):  # of which every column would count as text
        raise Failure(f"'{short(path)}' has names of columns and no rows.")
    unknown = [column for column in drop if column not in frame.columns]
    if unknown:
        raise click.BadParameter(
            f"there is no column {listed(unknown)} in '{short(path)}', which has {listed(frame.columns)}.",
            param_hint="--drop",
        )
    labels = _labels(table, name, path)
    columns = frame.drop(columns=[name, *drop])
    X = pd.DataFrame(as_numbers(columns, path), columns=columns.columns.astype(str))
    return Table(X, labels, name, frame.drop(columns=name))


def read_labels(path: Path, label: str | None) -> tuple[NDArray[Any], str]:
    """Return the labels of a table, whatever its other columns hold, and the name of their column."""
    with _readable(path):
        table = _opened(path)
        columns = table.columns
    name = label_of(columns, label, path, table.headless)
    return _labels(table, name, path), name


def label_of(columns: list[Any], label: str | None, path: Path, headless: bool = False) -> str:
    """Return the name of the column of labels.

    Parameters
    ----------
    columns : list
        Names of all columns.
    label : str or None
        What was asked for.
    path : Path
        Of the table, for what is said.
    headless : bool, default=False
        Whether the names of the columns read as a row.
    """
    if label is not None and label in columns:
        return label
    found = [name for name in columns if str(name).lower() in LABELS]
    if label is None and len(found) == 1:
        return str(found[0])
    if len(columns) == 1 and path.suffix.lower() in TEXT:
        raise Failure(
            f"'{short(path)}' has one column, '{short(columns[0])}'. Part columns by commas, semicolons or tabs."
        )
    if headless and not found:
        raise _without_header(columns, path)
    if label is not None:
        problem = f"there is no column '{short(label)}' in '{short(path)}'"
    else:
        problem = f"'{short(path)}' has {f'several: {listed(found)}' if found else 'no column named like a label'}"
    raise click.BadParameter(f"{problem}. Choose one of {listed(columns)}.", param_hint="--label")


def rewrite(path: Path, target: Path, label: str, given: NDArray[Any], cleaned: NDArray[Any]) -> None:
    """Write a copy of a table with other labels; every other cell stays as it was.

    Parameters
    ----------
    path, target : Path
        The table, and the copy.
    label : str
        Column of the labels.
    given, cleaned : array of shape (n_samples,)
        Labels of all rows, before and after, which have to be among those before.
    """
    source = np.arange(len(given))
    example = dict(zip(given[::-1].tolist(), source[::-1].tolist(), strict=True))  # the first row of each label
    changed = cleaned != given
    source[changed] = [example[value] for value in cleaned[changed].tolist()]
    with _readable(path):
        _opened(path).rewrite(target, label, source)


def _opened(path: Path) -> TextTable | ParquetTable:
    return ParquetTable(path) if path.suffix.lower() in PARQUET else TextTable(path)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Raise what keeps a table from being read as one line."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise Failure(f"'{short(path)}' is no UTF-8 text ({error.reason}). Save it as UTF-8.") from error
    except (ValueError, OSError) as error:
        reason = short(" ".join(str(error).split()), 200)
        raise Failure(f"'{short(path)}' can't be read as a table: {reason}") from error


def _labels(table: TextTable | ParquetTable, name: str, path: Path) -> NDArray[Any]:
    """Return the labels; raise where some are missing."""
    with _readable(path):
        labels = table.labels(name)
    missing = np.flatnonzero(pd.isna(labels))
    if len(missing):
        raise Failure(
            f"column '{short(name)}' has no label in {len(missing)} of {len(labels)} rows, the first of them row "
            f"{missing[0]} (counted from 0). Fill them in, or leave these rows out."
        )
    if table.headless and name in map(str, labels):
        raise _without_header(table.columns, path)
    return np.asarray(plain_labels(labels))


def _without_header(columns: list[Any], path: Path) -> Failure:
    return Failure(
        f"'{short(path)}' seems to have no header: its first line is {listed(columns, 100)}. Write a line of names "
        "above it; where these are names, choose the column of labels with --label."
    )

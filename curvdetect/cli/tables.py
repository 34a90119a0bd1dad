"""CSV and Parquet tables: which column is the label, which are numbers, and a copy with other labels.

Nothing is guessed about text, dates and missing numbers: such columns are named, to be left out or made numbers.
"""

from __future__ import annotations

import csv
import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from curvdetect.cli.console import Failure, listed, safe, short
from curvdetect.data.labels import plain_labels
from curvdetect.training.checkpoints import write_whole

#: Names that a column of labels goes by.
LABELS = ("label", "labels", "target", "y", "class")
TEXT, PARQUET = (".csv", ".tsv"), (".parquet", ".pq")
_SEPARATORS = ",;\t"


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
    frame = _frame(path)
    if label is not None and label in drop:
        raise click.BadParameter(f"'{short(label)}' holds the labels.", param_hint="--drop")
    name = label_of([column for column in frame.columns if column not in drop], label, path)
    if not len(frame):  # of which every column would count as text
        raise Failure(f"'{short(path)}' has names of columns and no rows.")
    unknown = [column for column in drop if column not in frame.columns]
    if unknown:
        raise click.BadParameter(
            f"there is no column {listed(unknown)} in '{short(path)}', which has {listed(frame.columns)}.",
            param_hint="--drop",
        )
    labels = _labels(path, name, frame)
    columns = frame.drop(columns=[name, *drop])
    _refuse_words(columns)
    X = columns.to_numpy(np.float64, na_value=np.nan)
    _refuse_gaps(columns, X)
    _warn_of_row_numbers(columns)
    return Table(pd.DataFrame(X, columns=columns.columns.astype(str)), labels, name, frame.drop(columns=name))


def read_labels(path: Path, label: str | None) -> tuple[NDArray[Any], str]:
    """Return the labels of a table, whatever its other columns hold, and the name of their column."""
    frame = _frame(path)
    name = label_of(list(frame.columns), label, path)
    return _labels(path, name, frame), name


def label_of(columns: list[Any], label: str | None, path: Path) -> str:
    """Return the name of the column of labels.

    Parameters
    ----------
    columns : list
        Names of all columns.
    label : str or None
        What was asked for.
    path : Path
        Of the table, for what is said.
    """
    if label is not None and label in columns:
        return label
    found = [name for name in columns if str(name).lower() in LABELS]
    if label is None and len(found) == 1:
        return str(found[0])
    if label is not None:
        problem = f"there is no column '{short(label)}' in '{short(path)}'"
    else:
        problem = f"'{short(path)}' has {f'several: {listed(found)}' if found else 'no column named like a label'}"
    raise click.BadParameter(f"{problem}. Choose one of {listed(columns, 20)}.", param_hint="--label")


def rewrite(path: Path, target: Path, label: str, given: NDArray[Any], cleaned: NDArray[Any]) -> None:
    """Write a copy of a table with other labels; every other cell stays as it was.

    Parameters
    ----------
    path, target : Path
        The table, and the copy.
    label : str
        Column of the labels.
    given, cleaned : array of shape (n_samples,)
        Labels of all rows, before and after.
    """
    if path.suffix.lower() in PARQUET:
        frame = _frame(path)
        column = frame[label].astype(object)
        changed = np.flatnonzero(cleaned != given)
        column.iloc[changed] = cleaned[changed]
        try:
            frame[label] = column.astype(frame[label].dtype)
        except (TypeError, ValueError):
            frame[label] = column
        frame.to_parquet(target)
        return
    separator, spelled = _separator(path), dict[Any, str]()
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.reader(file, delimiter=separator))
    place = rows[0].index(label)
    body = [row for row in rows[1:] if row]
    for row, value in zip(body, given.tolist(), strict=True):
        spelled.setdefault(value, row[place])  # 03 stays 03
    for row, before, after in zip(body, given.tolist(), cleaned.tolist(), strict=True):
        if before != after:
            row[place] = spelled.get(after, str(after))
    bare = any("\r" in cell for row in body for cell in row)  # which not every version of csv puts in quotes
    content = io.StringIO()
    writer = csv.writer(
        content, delimiter=separator, lineterminator="\n", quoting=csv.QUOTE_ALL if bare else csv.QUOTE_MINIMAL
    )
    writer.writerows([rows[0], *body])
    write_whole(target, content.getvalue().encode())


def _frame(path: Path) -> pd.DataFrame:
    """Return all columns of a table."""
    try:
        if path.suffix.lower() in PARQUET:
            return pd.read_parquet(path)
        return pd.read_csv(path, sep=_separator(path), encoding="utf-8-sig", low_memory=False)
    except ImportError as error:
        raise Failure("Parquet needs pyarrow: python -m pip install pyarrow.") from error
    except UnicodeDecodeError as error:
        raise Failure(f"'{path}' is no UTF-8 text ({error.reason}). Save it as UTF-8.") from error
    except (ValueError, OSError, csv.Error) as error:
        reason = " ".join(str(error).split())
        raise Failure(f"'{path}' can't be read as a table: {reason}") from error


def _separator(path: Path) -> str:
    """Return what stands between the columns: the commonest of comma, semicolon and tab in the first line."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        first = file.readline()
    return max(_SEPARATORS, key=first.count)


def _labels(path: Path, name: str, frame: pd.DataFrame) -> NDArray[Any]:
    """Return the labels, of which ``NA`` and ``None`` may be names."""
    column = frame[name]
    if path.suffix.lower() not in PARQUET:
        column = pd.read_csv(
            path,
            sep=_separator(path),
            encoding="utf-8-sig",
            usecols=[name],
            keep_default_na=False,
            na_values=[""],
            low_memory=False,
        )[name]
    missing = np.flatnonzero(column.isna().to_numpy())
    if len(missing):
        raise Failure(
            f"column '{safe(name)}' has no label in {len(missing)} of {len(column)} rows, the first of them row "
            f"{missing[0]} (counted from 0). Fill them in, or leave these rows out."
        )
    return np.asarray(plain_labels(column))


def _refuse_words(columns: pd.DataFrame) -> None:
    """Raise where a column is no number."""
    kinds: dict[str, list[str]] = {}
    seen: dict[str, list[str]] = {}
    for name, column in columns.items():
        if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_complex_dtype(column):
            continue
        dates = pd.api.types.is_datetime64_any_dtype(column) or pd.api.types.is_timedelta64_dtype(column)
        kind = "dates" if dates else "text"
        kinds.setdefault(kind, []).append(str(name))
        seen.setdefault(kind, []).append(f"'{short(name)}'{_first_word(column)}")
    if kinds:
        found = " and ".join(
            f"{kind} in {', '.join(names[:10])}{f' and {len(names) - 10} more' if len(names) > 10 else ''}"
            for kind, names in seen.items()
        )
        every = " ".join(f"--drop '{short(name)}'" for names in kinds.values() for name in names[:3])
        raise Failure(f"there is {found}, and a network takes numbers. Leave them out ({every}), or make them numbers.")
    if not len(columns.columns):
        raise Failure("no column is left beside the labels.")


def _first_word(column: pd.Series) -> str:
    """Return the first entry of a column that is no number, to be shown behind the column's name."""
    is_word = column.notna() & pd.to_numeric(column.astype(str), errors="coerce").isna()
    return f" ('{short(column[is_word].iloc[0], 20)}')" if is_word.any() else ""


def _refuse_gaps(columns: pd.DataFrame, X: NDArray[np.float64]) -> None:
    """Raise where a number is missing or infinite."""
    bad = ~np.isfinite(X)
    if bad.any():
        names = [name for name, column in zip(columns.columns, bad.T, strict=True) if column.any()]
        raise Failure(
            f"{int(bad.any(axis=1).sum())} of {len(X)} rows have missing or infinite numbers, in {listed(names)}. Fill "
            f"them in, leave the rows out, or the columns (--drop '{short(names[0])}')."
        )


def _warn_of_row_numbers(columns: pd.DataFrame) -> None:
    """Warn of whole numbers of which each is larger than the last: by them a network memorizes rows."""
    names = [name for name, column in columns.items() if pd.api.types.is_integer_dtype(column) and _rises(column)]
    if names:
        every = " ".join(f"--drop '{short(name)}'" for name in names[:3])
        warnings.warn(
            f"whole numbers in {listed(names)} seem to number the rows, and a network memorizes by them. Leave them "
            f"out ({every}) where they say nothing else.",
            UserWarning,
            stacklevel=3,
        )


def _rises(column: pd.Series) -> bool:
    """Say whether each number is larger than the last, in more rows than would do so by chance."""
    return len(column) >= 10 and column.is_unique and column.is_monotonic_increasing

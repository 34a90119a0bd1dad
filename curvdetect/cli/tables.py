"""A table as numbers and labels, and a copy of it with other labels.

Columns that are no numbers, or have gaps, are named with the way out: nothing is guessed.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate, islice, product
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_complex_dtype, is_integer_dtype, is_numeric_dtype

from curvdetect.cli.console import Failure, joined, listed, safe, short
from curvdetect.cli.table_files import ParquetFile, TextFile
from curvdetect.data.folders import suffixes
from curvdetect.data.labels import plain_labels
from curvdetect.data.types import Array

if TYPE_CHECKING:
    from curvdetect.cli.table_files import Column

TEXT, PARQUET = (".csv", ".tsv"), (".parquet", ".pq")
#: Names by which a column of labels is known.
_LABELS = ("label", "labels", "target", "y", "class")
#: How many folders beside a table are searched for a picture.
_FOLDERS = 100


def read_table(
    path: Path, label: str | None, drop: tuple[str, ...] = ()
) -> tuple[pd.DataFrame, Array, str, pd.DataFrame]:
    """Return the numbers of a table, its labels, the name of their column, and all other columns as they are.

    Numbers are those of the columns that are not to ``drop``.
    """
    if label is not None and label in drop:
        raise click.BadParameter(f"'{short(label)}' holds the labels.", param_hint="--drop")
    table, name = _opened(path, label, drop)
    with _readable(path):
        frame = table.frame()
    if not len(frame):  # every column would count as text
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
    return X, labels, name, frame.drop(columns=name)


def read_labels(path: Path, label: str | None) -> tuple[Array, str]:
    """Return the labels of a table and the name of their column; the other columns may hold anything."""
    table, name = _opened(path, label)
    return _labels(table, name, path), name


def rewrite(path: Path, target: Path, label: str, given: Array, cleaned: Array) -> None:
    """Write a copy of a table with other labels, each of them one of those given; all other cells stay as they were."""
    source = np.arange(len(given))
    example = dict(zip(given[::-1].tolist(), source[::-1].tolist(), strict=True))  # the first row of each label
    changed = cleaned != given
    source[changed] = [example[value] for value in cleaned[changed].tolist()]
    table, _ = _opened(path, label)
    with _readable(path):
        table.rewrite(target, label, source)


def _opened(path: Path, label: str | None, drop: tuple[str, ...] = ()) -> tuple[TextFile | ParquetFile, str]:
    """Return a table and the name of its column of labels, which is none to ``drop``."""
    with _readable(path):
        table = ParquetFile(path) if path.suffix.lower() in PARQUET else TextFile(path)
        columns = [name for name in table.columns if name not in drop]
    return table, _label_column(columns, label, path, table.headless)


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


def _label_column(columns: list[str], label: str | None, path: Path, headless: bool) -> str:
    """Return the name of the column of labels; the names are a row where the file is ``headless``."""
    if label is not None and label in columns:
        return label
    found = [name for name in columns if str(name).lower() in _LABELS]
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


def _labels(table: TextFile | ParquetFile, name: str, path: Path) -> Array:
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


def _without_header(columns: list[str], path: Path) -> Failure:
    return Failure(
        f"'{short(path)}' seems to have no header: its first line is {listed(columns, 100)}. Write a line of names "
        "above it; where these are names, choose the column of labels with --label."
    )


def as_numbers(columns: pd.DataFrame, path: Path) -> NDArray[np.float64]:
    """Return columns as numbers; raise where one is none, or has gaps."""
    if not len(columns.columns):
        raise Failure("no column is left beside the labels.")
    words = [name for name, column in columns.items() if not is_numeric_dtype(column) or is_complex_dtype(column)]
    numbers = columns.drop(columns=words)
    # in more rows than would rise by chance
    rising = [
        name
        for name, column in numbers.items()
        if is_integer_dtype(column) and len(column) >= 10 and column.is_unique and column.is_monotonic_increasing
    ]
    _refuse_pictures(columns[[*words, *rising]], path)
    X = numbers.to_numpy(np.float64, na_value=np.nan)
    _refuse_the_rest(numbers, X, columns[words], path)
    if rising:
        warnings.warn(
            f"whole numbers in {listed(rising)} seem to number the rows, and a network memorizes by them. Leave them "
            f"out ({_dropping(rising)}) where they say nothing else.",
            UserWarning,
            stacklevel=3,
        )
    return X


def _refuse_the_rest(numbers: pd.DataFrame, X: NDArray[np.float64], words: pd.DataFrame, path: Path) -> None:
    """Raise where a column is no number, or a number is missing or infinite, all in one message."""
    bad = ~np.isfinite(X)
    gaps = [name for name, column in zip(numbers, bad.T, strict=True) if column.any()]
    found = []
    if len(words.columns):
        others = [f"'{short(name, 24)}'{_example(column)}" for name, column in words.items()]
        found.append(f"something else than numbers in {joined(others, 80)}")
    if gaps:
        named = joined([f"'{short(name, 24)}'" for name in gaps], 60)
        found.append(f"missing or infinite numbers in {bad.any(axis=1).sum()} of {len(X)} rows of {named}")
    if not found:
        return
    ways = [] if len(gaps) == len(numbers.columns) else [f"leave these columns out ({_dropping([*words, *gaps])})"]
    ways += ["leave the rows out", "fill the gaps"] if gaps and not len(words.columns) else ["make them numbers"]
    way = ", or ".join(ways)
    if len(ways) == 1:
        way += ", such as embeddings of texts: in a table, or an .npz file of arrays X and y"
    raise Failure(f"'{short(path.name, 30)}' has {' and '.join(found)}. A network takes numbers: {way}.")


def _example(column: Column) -> str:
    """Return the first entry that is no number, to be shown behind the name of its column."""
    texts = column.dropna().astype(str)
    words = texts[pd.to_numeric(texts, errors="coerce").isna()] if len(texts) else texts
    first = next(iter(words), next(iter(texts), None))
    return "" if first is None else f" ('{short(first, 20)}')"


def _dropping(names: Sequence[object]) -> str:
    """Return the options that leave columns out: only the first few where there are many, or their names are long."""
    options = [f"--drop '{safe(name)}'" for name in names]
    shown = [option for option, length in zip(options, accumulate(map(len, options)), strict=True) if length < 80][:3]
    return " ".join(shown or ["--drop"]) + (" and so on" if 0 < len(shown) < len(options) else "")


def _refuse_pictures(columns: pd.DataFrame, path: Path) -> None:
    """Raise where a column names pictures, or holds them."""
    for name, column in columns.items():
        example = _picture(column.dropna(), path.parent)
        if example is not None:
            raise Failure(
                f"column '{short(name)}' of '{short(path.name)}' {example}, and a table of pictures can't be read yet. "
                "Put the pictures into folders by class, as in photos/cat/1.png, and scan the folder above, photos. In "
                "Python, fit takes a dataset that yields them."
            )


def _picture(entries: Column, beside: Path) -> str | None:
    """Return what shows that a column is of pictures: its content, endings of its names, or files beside the table."""
    first = next(iter(entries), b"")
    if isinstance(first, dict):
        return "holds pictures" if "bytes" in first else None
    if isinstance(first, bytes | list | np.ndarray):
        return None
    names = entries.iloc[:100].astype(str)
    named = bool(names.str.lower().str.endswith(tuple(suffixes())).all())
    if named or all(_lies_beside(str(name), beside) for name in (first, entries.iloc[-1])):
        return f"names pictures ('{short(first, 30)}')"
    return None


def _lies_beside(name: str, beside: Path) -> bool:
    """Say whether a picture of this name, without its ending, lies beside a table or in a folder there."""
    if not re.fullmatch(r"[\w./\\-]{1,100}", name):
        return False
    try:
        folders = [beside, *islice((place for place in beside.iterdir() if place.is_dir()), _FOLDERS)]
        return any((folder / f"{name}{suffix}").is_file() for folder, suffix in product(folders, suffixes()))
    except OSError:  # a folder that may not be looked into
        return False

"""Columns of a table as numbers. Those that are none, or have gaps, are named, with the way out: nothing is guessed."""

from __future__ import annotations

import re
import warnings
from itertools import accumulate, islice, product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from curvdetect.cli.console import Failure, joined, listed, safe, short
from curvdetect.data.finding import suffixes

#: Folders beside a table in which a picture is looked for.
_FOLDERS = 100


def as_numbers(columns: pd.DataFrame, path: Path) -> NDArray[np.float64]:
    """Return columns as numbers; raise where one is none, or has gaps.

    Parameters
    ----------
    columns : DataFrame
        All but the labels.
    path : Path
        The table, beside which pictures may lie.
    """
    if not len(columns.columns):
        raise Failure("no column is left beside the labels.")
    is_number = [_is_number(column) for _, column in columns.items()]
    numbers, words = columns.loc[:, is_number], columns.loc[:, np.logical_not(is_number)]
    rising = [name for name, column in numbers.items() if pd.api.types.is_integer_dtype(column) and _rises(column)]
    _refuse_pictures(columns[[*words, *rising]], path)
    X = numbers.to_numpy(np.float64, na_value=np.nan)
    _refuse_the_rest(numbers, X, words, path)
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


def _dropping(names: list[Any]) -> str:
    """Return the options that leave columns out: of many, or of long names, the first few."""
    options = [f"--drop '{safe(name)}'" for name in names]
    shown = [option for option, length in zip(options, accumulate(map(len, options)), strict=True) if length < 80][:3]
    return " ".join(shown or ["--drop"]) + (" and so on" if 0 < len(shown) < len(options) else "")


def _is_number(column: pd.Series[Any]) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_complex_dtype(column)


def _example(column: pd.Series[Any]) -> str:
    """Return the first entry that is no number, to be shown behind the name of its column."""
    texts = column.dropna().astype(str)
    words = texts[pd.to_numeric(texts, errors="coerce").isna()] if len(texts) else texts
    first = next(iter(words), next(iter(texts), None))
    return "" if first is None else f" ('{short(first, 20)}')"


def _rises(column: pd.Series[Any]) -> bool:
    """Say whether each number is larger than the last, in more rows than would do so by chance."""
    return len(column) >= 10 and column.is_unique and column.is_monotonic_increasing


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


def _picture(entries: pd.Series[Any], beside: Path) -> str | None:
    """Return how a column is one of pictures: by what it holds, how names end, or what lies beside the table."""
    if not len(entries):
        return None
    first = entries.iloc[0]
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
    """Say whether a picture of this name, less its ending, lies beside a table or in a folder there."""
    if not re.fullmatch(r"[\w./\\-]{1,100}", name):
        return False
    try:
        folders = [beside, *islice((place for place in beside.iterdir() if place.is_dir()), _FOLDERS)]
        return any((folder / f"{name}{suffix}").is_file() for folder, suffix in product(folders, suffixes()))
    except OSError:  # a folder that may not be looked into
        return False

"""Columns of a table as numbers without gaps: words, dates and categories by skrub, lists one number a column."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, filterfalse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import infer_dtype, is_complex_dtype, is_integer_dtype, is_numeric_dtype, is_scalar

from curvdetect.data.wording import ArgumentError, ContentError, joined, listed, short, spelled, warn
from curvdetect.features.texts import ColumnOfWords, encoder_of
from curvdetect.files.written_numbers import numbers_in

if TYPE_CHECKING:
    from curvdetect.files.text_table import Column

#: Different words from which a column is one of names or texts rather than of categories, as skrub has it.
_MANY = 40
#: Rows from which a column can be seen to number or name them, and characters of the longest name.
_ENOUGH, _LONGEST = 10, 64


def as_numbers(columns: pd.DataFrame, path: Path, model: str | None = None) -> pd.DataFrame:
    """Return columns as finite numbers; raise where one holds something else than numbers, words and dates.

    A missing number becomes the median of its column, and a column beside it says where. ``model`` embeds columns of
    many different words.
    """
    if not len(columns.columns):
        raise ContentError(
            "no column is left beside the labels. Labels alone are ranked by the probabilities of a model of your own: "
            f"pass {spelled('probs')}."
        )
    if rising := rising_in(columns):
        _warn_of_names(f"whole numbers in {listed(rising)} seem to number the rows", rising)
    columns = columns.set_axis(_different(columns.columns), axis=1)
    if model is None and all(_is_number(column) for _, column in columns.items()):
        X = columns.to_numpy(np.float64, na_value=np.nan)
        if np.isfinite(X).all():
            return pd.DataFrame(X, columns=columns.columns)
    fields = _parts(columns)
    parts = {name: part for name, part in fields.items() if isinstance(part, pd.DataFrame)}
    words = {name: part for name, part in fields.items() if isinstance(part, pd.Series)}
    _refuse_what_is_no_word(words, path)
    if words:
        encoded, many = _encoded(pd.DataFrame(words), model, max(3, min(_MANY, len(columns) // 2)))
        if model is not None and not many:  # few different texts are texts, too
            encoded, many = _encoded(pd.DataFrame(words), model, 1)
        parts |= encoded
        named = [name for name in many if _name_rows(words[name])]
        if named and len(fields) > len(named):
            _warn_of_names(f"words in {listed(named)} are others in each row, as names of rows are", named)
        model = None if many else model
    if model is not None:
        raise ArgumentError("features", f"'{short(path)}' has no column of words, from which they come. Leave it out.")
    return _filled({name: parts[name] for name in fields})


def rising_in(columns: pd.DataFrame) -> list[object]:
    """Return the names of columns of whole numbers that rise from row to row, in more rows than would by chance."""
    return [
        name
        for name, column in columns.items()
        if is_integer_dtype(column) and len(column) >= _ENOUGH and column.is_unique and column.is_monotonic_increasing
    ]


def _parts(columns: pd.DataFrame) -> dict[str, pd.DataFrame | Column]:
    """Return the numbers of columns, in a frame for each; anything else than numbers, and lists of them, as it is."""
    parts: dict[str, pd.DataFrame | Column] = {}
    among: dict[str, list[str]] = {}
    fields = list(_fields(columns))
    for name, (_, column) in zip(_different(name for name, _ in fields), fields, strict=True):
        if _is_number(column):
            parts[name] = pd.DataFrame({name: column.to_numpy(np.float64, na_value=np.nan)})
        elif (rows := _lists(column)) is not None:
            parts[name] = pd.DataFrame(rows, columns=[f"{name}_{i}" for i in range(rows.shape[1])])
        elif _has_words(column) and (found := numbers_in(column)) is not None:
            parts[name] = found[0].to_frame(name)
            if found[1]:
                among[name] = found[1]
        else:
            parts[name] = column
    if among:
        example = next(iter(among.values()))[0]
        warn(f"words among the numbers in {listed(among)} ('{short(example, 20)}') count as missing numbers.")
    return parts


def _fields(columns: pd.DataFrame) -> Iterator[tuple[str, Column]]:
    """Yield names and columns; of a column of records, each field as a column."""
    for name, column in columns.items():
        # not every skrub knows these kinds of dates
        if isinstance(column.dtype, pd.ArrowDtype):
            column = column.array.__arrow_array__().to_pandas()
        if column.dtype == object and infer_dtype(column, skipna=True) == "date":
            column = pd.to_datetime(column, errors="coerce")
        column = column.reset_index(drop=True)
        if isinstance(_first(column), dict):
            records = [entry if isinstance(entry, dict) else {} for entry in column]
            yield from ((f"{name}.{field}", values) for field, values in pd.json_normalize(records).items())
        else:
            yield str(name), column


def texts_of(frame: pd.DataFrame) -> list[str] | None:
    """Return the texts of a table of one column of text; None of any other."""
    if frame.shape[1] != 1 or not isinstance(_first(frame.iloc[:, 0]), str):
        return None
    return frame.iloc[:, 0].astype(object).fillna("").astype(str).tolist()


def _lists(column: Column) -> NDArray[np.float64] | None:
    """Return a column of lists of numbers, equally long, as rows, missing where there is none; else None."""
    entries = column.dropna()
    first = _first(column)
    try:
        if isinstance(first, str) and first.startswith("["):  # as pandas writes a list into a text file
            entries = entries.map(json.loads)
        elif not isinstance(first, list | tuple | np.ndarray):
            return None
        found = np.stack([np.asarray(entry, dtype=np.float64).ravel() for entry in entries])
    except (TypeError, ValueError):  # lists of words, or of different lengths
        return None
    rows = np.full((len(column), found.shape[1]), np.nan)
    rows[column.notna()] = found
    return rows


def _refuse_what_is_no_word(columns: dict[str, Column], path: Path) -> None:
    """Raise where an entry is neither a number, a word, a date nor a truth value."""
    strange = {}
    for name, column in columns.items():
        if not isinstance(column.dtype, pd.StringDtype):
            entries = column.cat.categories if isinstance(column.dtype, pd.CategoricalDtype) else column.dropna()
            if odd := list(filterfalse(_is_plain, entries)):
                strange[name] = odd[0]
    if strange:
        shown = joined([f"'{short(name, 24)}' ('{short(entry, 20)}')" for name, entry in strange.items()], 80)
        raise ContentError(
            f"'{short(path.name, 30)}' has something else than numbers, words, dates and lists of equal length in "
            f"{shown}. Leave these columns out ({_dropping(strange)}), or make them numbers."
        )


def _is_plain(entry: object) -> bool:
    return is_scalar(entry) and not isinstance(entry, bytes | complex | np.complexfloating)


def _encoded(words: pd.DataFrame, model: str | None, many: int) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Return columns of words, dates, categories and truth values as numbers, and the names of those of many words."""
    from skrub import TableVectorizer

    vectorizer = TableVectorizer(
        cardinality_threshold=many,
        high_cardinality=ColumnOfWords(None if model is None else encoder_of(model)),
    )
    # numbers as names: skrub would tell results of one name apart by letters drawn at random
    found = vectorizer.fit_transform(words.set_axis(list(map(str, range(words.shape[1]))), axis=1))
    parts = {}
    for i, name in enumerate(map(str, words)):
        of_column = found[[output for output in vectorizer.input_to_outputs_[str(i)] if output in found]]
        parts[name] = of_column.set_axis([f"{name}{output.removeprefix(str(i))}" for output in of_column], axis=1)
    return parts, [words.columns[int(i)] for i in vectorizer.kind_to_columns_["high_cardinality"]]


def _filled(parts: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return columns of numbers side by side, gaps filled and marked; those that hold nothing are left out."""
    found = []
    for name, part in parts.items():
        part = part.astype(np.float64).replace([np.inf, -np.inf], np.nan)
        gaps = part.isna()
        if not gaps.all(axis=None):
            found.append(part.fillna(part.median()).fillna(0.0))
            if gaps.any(axis=None):
                found.append(gaps.any(axis=1).astype(np.float64).to_frame(f"{name}_missing"))
    if not found:
        raise ContentError("no column is left beside the labels: there is nothing in the others.")
    X = pd.concat(found, axis=1)
    return X.set_axis(_different(X.columns), axis=1)


def _name_rows(column: Column) -> bool:
    """Say whether each row has a word of its own."""
    words = column.astype(str)
    return (
        len(column) >= _ENOUGH
        and bool(column.notna().all())
        and column.is_unique
        and int(words.str.len().max()) <= _LONGEST
        and not words.str.contains(r"\s").any()
    )


def _warn_of_names(what: str, names: Sequence[object]) -> None:
    warn(f"{what}, and a network memorizes by them. Leave them out ({_dropping(names)}) where they say nothing else.")


def _dropping(names: Iterable[object]) -> str:
    """Return the argument that leaves columns out: only the first few where there are many, or their names are long."""
    names = list(map(str, names))
    lengths = accumulate(len(spelled("drop", name)) for name in names)
    shown = [name for name, length in zip(names, lengths, strict=True) if length < 70][:3]
    return spelled("drop", shown or None) + (" and so on" if 0 < len(shown) < len(names) else "")


def _is_number(column: Column) -> bool:
    return is_numeric_dtype(column) and not is_complex_dtype(column)


def _has_words(column: Column) -> bool:
    return not isinstance(column.dtype, pd.CategoricalDtype) and any(isinstance(entry, str) for entry in column)


def _first(column: Column) -> object:
    return next(iter(column.dropna()), None)


def _different(names: Iterable[object]) -> list[str]:
    """Return names as text, each of its own."""
    taken: dict[str, None] = {}
    for name in map(str, names):
        while name in taken:
            name += "_"
        taken[name] = None
    return list(taken)

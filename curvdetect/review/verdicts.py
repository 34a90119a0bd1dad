"""Verdicts of people on suspects, put into the labels."""

from __future__ import annotations

import csv
import os
from numbers import Real
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from curvdetect.data.labels import plain_labels
from curvdetect.data.types import Array
from curvdetect.review.texts import label_texts, unprotected

_VERDICTS = ("right", "wrong", "unsure")
_NEEDED = ("index", "verdict", "new_label")


def apply_verdicts(y: ArrayLike, verdicts: str | os.PathLike[str] | pd.DataFrame) -> Array | pd.Series:
    """Return labels in which those that a person found wrong are replaced.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Given labels, of any kind; they stay as they are.
    verdicts : str, Path or DataFrame
        The CSV file that the page of `write_report` exports, or such a table: ``index`` (position in ``y``),
        ``verdict`` (``"right"``, ``"wrong"`` or ``"unsure"``) and ``new_label``, one of the classes of ``y`` where the
        verdict is ``"wrong"``. A column ``given``, if there is one, is compared with ``y``. ``pandas.concat`` puts
        the files of several persons together. ValueError is raised where the table doesn't belong to ``y``, contradicts
        itself or has an unknown verdict or label; it names the row as a spreadsheet counts it (the header is row 1).

    Returns
    -------
    array or Series of shape (n_samples,)
        A Series where ``y`` is one. Labels that are right, unsure or not in the table are kept.

    Examples
    --------
    >>> import pandas as pd
    >>> from curvdetect import apply_verdicts
    >>> said = pd.DataFrame({"index": [0, 2], "verdict": ["wrong", "unsure"], "new_label": ["dog", ""]})
    >>> apply_verdicts(["cat", "dog", "cat"], said).tolist()
    ['dog', 'dog', 'cat']
    """
    given = np.asarray(plain_labels(y)).ravel()
    texts = label_texts(given)
    table, name = columns_of(verdicts)
    lacking = [column for column in _NEEDED if column not in table]
    if lacking:
        raise ValueError(
            f"{name} has no column {lacking[0]!r}; it has {', '.join(map(repr, table))}. Pass what the page exported, "
            "with its columns index, verdict and new_label."
        )
    cleaned = given.copy()
    example = {text: i for i, text in enumerate(texts)}  # where a label of this text stands
    said: dict[int, tuple[object, str]] = {}
    for row, (where, verdict, new) in enumerate(zip(*(table[column] for column in _NEEDED), strict=True)):
        at = f"{name}, row {row + 2}"
        i = _position(where, len(given), at)
        if verdict not in _VERDICTS:
            raise ValueError(f"{at}: the verdict is {verdict!r}, and must be 'right', 'wrong' or 'unsure'.")
        if "given" in table and _text(table["given"][row], example, at) != texts[i]:
            raise ValueError(
                f"{at}: the given label of sample {i} is {table['given'][row]!r} there and {texts[i]!r} in y. Pass the "
                "labels that the detector was fitted on, in the same order."
            )
        label = _text(new, example, at) if verdict == "wrong" else ""
        if said.setdefault(i, (verdict, label)) != (verdict, label):
            raise ValueError(f"{at}: sample {i} is {verdict!r} here and {said[i][0]!r} above. Leave one of them out.")
        if verdict == "wrong":
            if label not in example:
                way = "Fill it in, or make the verdict 'unsure'" if label == "" else "Take one of the classes of y"
                raise ValueError(f"{at}: the new label of sample {i} is {label!r}, which no sample of y has. {way}.")
            cleaned[i] = given[example[label]]
    if isinstance(y, pd.Series):
        return pd.Series(cleaned, index=y.index, name=y.name).astype(y.dtype)
    return cleaned


def columns_of(verdicts: str | os.PathLike[str] | pd.DataFrame) -> tuple[dict[str, list[object]], str]:
    """Return the columns of a table as plain values, and what an error calls it."""
    if isinstance(verdicts, pd.DataFrame):
        return {str(column): verdicts[column].tolist() for column in verdicts}, "verdicts"
    if not isinstance(verdicts, str | os.PathLike):
        raise TypeError(f"verdicts must be the path of a CSV file or a DataFrame, got {type(verdicts).__name__}.")
    # as text to the last character: pandas would read a class called NA as missing, and 007 as 7
    with Path(verdicts).open(encoding="utf-8-sig", newline="") as file:
        separator = max(",;\t", key=file.readline().count)  # a spreadsheet saves by the customs of its country
        file.seek(0)
        lines = [line for line in csv.reader(file, delimiter=separator) if line]
    name = f"verdicts={str(verdicts)!r}"
    header, rows = (lines[0], lines[1:]) if lines else ([], [])
    for row, line in enumerate(rows, 2):
        if len(line) != len(header):
            raise ValueError(
                f"{name}, row {row}: {len(line)} cells below {len(header)} columns. Save it with commas between cells."
            )
    return {column: [unprotected(line[i]) for line in rows] for i, column in enumerate(header)}, name


def _position(where: object, n_samples: int, at: str) -> int:
    """Return a position in the labels, or raise."""
    i = -1
    if isinstance(where, str) and where.strip().isdecimal():
        i = int(where)
    elif isinstance(where, Real) and float(where).is_integer():
        i = int(float(where))
    if not 0 <= i < n_samples:
        raise ValueError(f"{at}: the index is {where!r}, and must be a whole number from 0 to {n_samples - 1}.")
    return i


def _text(label: object, known: dict[str, int], at: str) -> str:
    """Return a label of the table as text; pandas reads whole numbers as real ones where some are missing."""
    if label is None or label is pd.NA or (isinstance(label, float) and np.isnan(label)):
        return ""
    if isinstance(label, str):
        return label if label in known else unprotected(label)
    alike = [text for text in known if _reads_as(text, label)]
    if len(alike) > 1:
        raise ValueError(
            f"{at}: {label!r} may be any of the labels {', '.join(map(repr, alike[:5]))}. Read the table as text: "
            "pandas.read_csv(path, dtype=str, keep_default_na=False)."
        )
    text = label_texts(np.array([label]))[0]
    whole = isinstance(label, float) and label.is_integer()
    return f"{label:.0f}" if whole and text not in known else text


def _reads_as(text: str, label: object) -> bool:
    """Say whether a reader of tables makes this number or truth value of a text."""
    if isinstance(label, bool | np.bool_):
        return text.lower() == str(label).lower()
    try:
        return isinstance(label, Real) and float(text) == label
    except ValueError:
        return False

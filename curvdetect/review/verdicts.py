"""Verdicts of people on suspects, put into the labels."""

from __future__ import annotations

import os
from collections.abc import Iterator
from numbers import Real
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from curvdetect.data.labels import plain_labels
from curvdetect.data.types import Array
from curvdetect.data.wording import warn
from curvdetect.review.agreement import Agreement, Verdict, merged
from curvdetect.review.exports.reading import TAKEN, read_verdicts
from curvdetect.review.texts import label_texts, unprotected

_VERDICTS = ("right", "wrong", "unsure")
_NEEDED = ("index", "verdict", "new_label")
_TAKEN_IF_THERE = ("given", "annotator", "path")


#: Verdicts of one or several people: a file, or a table.
Verdicts: TypeAlias = str | os.PathLike[str] | pd.DataFrame


def apply_verdicts(
    y: ArrayLike, verdicts: Verdicts | list[Verdicts], *, only_agreed: bool = False
) -> Array | pd.Series:
    """Return labels in which those that people found wrong are replaced.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Given labels, of any kind; they stay as they are.
    verdicts : str, Path or DataFrame, or a list of these
        The CSV file that the page of `write_report` exports, or such a table: ``index`` (position in ``y``),
        ``verdict`` (``"right"``, ``"wrong"`` or ``"unsure"``) and ``new_label``, one of the classes of ``y`` where the
        verdict is ``"wrong"``. A column ``given``, if there is one, is compared with ``y``. A column ``annotator``
        tells several people apart. What Label Studio, FiftyOne and Argilla export is taken as well, if ``curvdetect
        scan`` wrote the suspects for them. Each entry of a list is by other people. ValueError is raised where a table
        doesn't belong to ``y``, contradicts itself or has an unknown verdict or label; it names the row as a
        spreadsheet counts it (the header is row 1).
    only_agreed : bool, default=False
        Whether to change a label only if at least two people found it right or wrong, and all of them say the same. By
        default the verdict of more than half of them counts, and the label is kept if there is none. Those who are
        unsure don't count.

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
    >>> other = pd.DataFrame({"index": [0, 2], "verdict": ["right", "wrong"], "new_label": ["", "dog"]})
    >>> apply_verdicts(["cat", "dog", "cat"], [said, other]).tolist()
    ['cat', 'dog', 'dog']
    """
    return cleaned_by(y, verdicts, only_agreed=only_agreed)[0]


def cleaned_by(
    y: ArrayLike, verdicts: Verdicts | list[Verdicts], *, only_agreed: bool = False
) -> tuple[Array | pd.Series, Agreement]:
    """Return what `apply_verdicts` does, and how far people agree."""
    given = np.asarray(plain_labels(y)).ravel()
    texts = label_texts(given)
    example = {text: i for i, text in enumerate(texts)}  # where a label of this text stands
    votes: dict[int, dict[object, Verdict]] = {}
    for number, one in enumerate(verdicts if isinstance(verdicts, list | tuple) else [verdicts]):
        for i, person, verdict in _votes(one, texts, example):
            votes.setdefault(i, {})[number, person] = verdict
    said, agreement = merged(votes, only_agreed=only_agreed)
    cleaned = given.copy()
    for i, (found, label) in said.items():
        if found == "wrong":
            cleaned[i] = given[example[label]]
    if isinstance(y, pd.Series):
        return pd.Series(cleaned, index=y.index, name=y.name).astype(y.dtype), agreement
    return cleaned, agreement


def _votes(verdicts: Verdicts, texts: list[str], example: dict[str, int]) -> Iterator[tuple[int, object, Verdict]]:
    """Yield the position, the person and the verdict of each row; raise where one makes no sense."""
    table, name = columns_of(verdicts)
    lacking = [column for column in _NEEDED if column not in table]
    if lacking:
        has = ", ".join(repr(column) for column in [*table][:6] if column != "at") or "none"
        raise ValueError(f"{name} has no column {lacking[0]!r}; it has {has}. {TAKEN}")
    if not table["index"]:
        warn(f"{name} holds no verdict: nobody has judged a suspect in it. Pass what was exported after that.")
    said: dict[tuple[int, object], Verdict] = {}
    for row, (where, verdict, new) in enumerate(zip(*(table[column] for column in _NEEDED), strict=True)):
        at = f"{name}, {table['at'][row] if 'at' in table else f'row {row + 2}'}"
        i = _position(where, len(texts), at)
        if verdict not in _VERDICTS:
            raise ValueError(f"{at}: the verdict is {verdict!r}, and must be 'right', 'wrong' or 'unsure'.")
        if "given" in table and _text(table["given"][row], example, at) != texts[i]:
            raise ValueError(
                f"{at}: the given label of sample {i} is {table['given'][row]!r} there and {texts[i]!r} in y. Pass the "
                "labels that the detector was fitted on, in the same order."
            )
        label = _text(new, example, at) if verdict == "wrong" else ""
        person = str(table["annotator"][row]) if "annotator" in table else ""
        earlier = said.setdefault((i, person), (str(verdict), label))
        if earlier != (verdict, label):
            raise ValueError(
                f"{at}: sample {i} is {verdict!r} here and {earlier[0]!r} above. Leave one of them out, or pass the "
                "verdicts of several people as a list."
            )
        if verdict == "wrong" and label not in example:
            way = "Fill it in, or make the verdict 'unsure'" if label == "" else "Take one of the classes of y"
            raise ValueError(f"{at}: the new label of sample {i} is {label!r}, which no sample of y has. {way}.")
        yield i, person, (str(verdict), label)


def columns_of(verdicts: Verdicts) -> tuple[dict[str, list[object]], str]:
    """Return the columns of a table as plain values, and what an error calls it."""
    if isinstance(verdicts, pd.DataFrame):
        table, name = verdicts.drop(columns="at", errors="ignore"), "verdicts"
    elif isinstance(verdicts, str | os.PathLike):
        table, name = read_verdicts(Path(verdicts)), f"verdicts={str(verdicts)!r}"
    else:
        raise TypeError(
            f"verdicts must be the path of a file, a DataFrame or a list of these, got {type(verdicts).__name__}."
        )
    again = table.columns.duplicated()  # a spreadsheet may save empty columns without names
    twice = [column for column in table.columns[again] if column in (*_NEEDED, *_TAKEN_IF_THERE)]
    if twice:
        raise ValueError(f"{name} has two columns {twice[0]!r}. Leave one of them out.")
    table = table.loc[:, ~again]
    return {str(column): table[column].tolist() for column in table}, name


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

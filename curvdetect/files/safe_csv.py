"""CSV files that are safe to open.

A file stays well formed whatever names it holds, and a spreadsheet finds no formula in it: a path that begins like one
is written with ``./`` before it, any other text with an apostrophe.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from curvdetect.training.checkpoints import write_whole

#: Beginnings that a spreadsheet takes for those of a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def write_csv(target: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table in UTF-8, its text in quotes, in one step."""
    content = io.StringIO()
    writer = csv.writer(content, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    # the name of a file may have bytes that are no UTF-8
    write_whole(target, content.getvalue().encode("utf-8", "backslashreplace"))


def inert_path(path: str) -> str:
    """Return a relative path that no spreadsheet takes for a formula, and no program for an option."""
    return f"./{path}" if path.startswith(FORMULA) else path


def inert(value: object) -> object:
    """Return text that no spreadsheet takes for a formula; numbers, in text as well, as they are."""
    if not isinstance(value, str) or not value.startswith(FORMULA):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value

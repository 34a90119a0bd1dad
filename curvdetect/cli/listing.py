"""Lists of all samples with what is known of them, and of files that were skipped.

Whatever is in a name, a file stays well formed, and a spreadsheet that opens it finds no formula: a path that begins
like one is written with ``./`` before it, any other text with an apostrophe.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from curvdetect.cli.console import say, short
from curvdetect.cli.reading import Data
from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.training.checkpoints import write_whole

#: Files that are named.
TOP = 5
#: What a spreadsheet takes for the beginning of a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def write_suspects(detector: BaseNoiseDetector, data: Data, target: Path) -> None:
    """Write the whole ranking, most suspect first.

    Parameters
    ----------
    detector : BaseNoiseDetector
        Fitted.
    data : Data
        What it was fitted on.
    target : Path
        The file.
    """
    table = detector.ranking()
    order = table["index"].to_numpy()
    columns: dict[str, Iterable[Any]] = {"index": order.tolist()}
    if data.rows is not None:
        columns["row"] = data.rows[order].tolist()
    if data.paths is not None:
        columns["path"] = [inert_path(data.paths[i]) for i in order]
    columns |= {name: [inert(value) for value in table[name].tolist()] for name in ("given", "suggested")}
    columns |= {name: table[name].tolist() for name in ("score", "rank", "flagged")}
    columns |= {name: scores[order].tolist() for name, scores in detector.signal_scores_.items()}
    write_csv(target, list(columns), zip(*columns.values(), strict=True))


def say_skipped(data: Data, among: str = "") -> None:
    """Say which files are not among the samples: the first few by name, how many more, and where all are listed."""
    for path, why in list(data.skipped.items())[:TOP]:
        say(f"skipped: {short(path)} ({short(why, 100)})")
    if len(data.skipped) > TOP:
        say(f"skipped: {len(data.skipped) - TOP} more{among}")


def note_of(data: Data) -> str | None:
    """Return what the page says of the files that are not among the samples."""
    if not data.skipped:
        return None
    named = [f"{short(path)} ({short(why, 100)})" for path, why in data.skipped.items()][:TOP]
    more = "" if len(data.skipped) <= TOP else f", and {len(data.skipped) - TOP} more"
    return f"Skipped: {len(data.skipped)} file(s), {', '.join(named)}{more}"


def write_csv(target: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table in UTF-8, text in quotes, such that it is there as a whole or not at all."""
    content = io.StringIO()
    writer = csv.writer(content, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    # a name of no known encoding holds what UTF-8 doesn't
    write_whole(target, content.getvalue().encode("utf-8", "backslashreplace"))


def inert_path(path: str) -> str:
    """Return a relative path that no spreadsheet takes for a formula, and no program for an option."""
    return f"./{path}" if path.startswith(FORMULA) else path


def inert(value: Any) -> Any:
    """Return text that no spreadsheet takes for a formula; numbers, in text as well, as they are."""
    if not isinstance(value, str) or not value.startswith(FORMULA):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value

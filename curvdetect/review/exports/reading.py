"""Files of verdicts: the CSV of the page, and what other tools export, told apart by what is in them."""

from __future__ import annotations

import csv
import json
from dataclasses import fields
from pathlib import Path

import pandas as pd

from curvdetect.data.types import Record
from curvdetect.review.exports import TOOLS
from curvdetect.review.exports.suspects import INDEX
from curvdetect.review.exports.tool import Said, tool_named
from curvdetect.review.texts import unprotected

#: The content of a folder that FiftyOne or Argilla exported.
_IN_FOLDERS = ("samples.json", "records.json")
#: What is taken, in errors.
TAKEN = (
    "Pass what the page exported (CSV), or what Label Studio (JSON, JSON-MIN or CSV), FiftyOne (a FiftyOneDataset) or "
    "Argilla (JSON) exported of the suspects that were written for it."
)


def read_verdicts(path: Path) -> pd.DataFrame:
    """Return a table of verdicts, all of it text, with a column ``at`` that says where in the file each stands.

    A file of the page keeps its columns. One of another tool gets ``index``, ``given``, ``verdict``, ``new_label``,
    ``annotator`` and ``path``. ValueError is raised where a file is of none.
    """
    name = f"verdicts={str(path)!r}"
    if path.is_dir():
        found = [path / part for part in _IN_FOLDERS if (path / part).is_file()]
        if not found:
            raise ValueError(f"{name} is a folder without {' or '.join(_IN_FOLDERS)}. {TAKEN}")
        path = found[0]
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} is no text in UTF-8 ({error.reason}). {TAKEN}") from error
    if text.lstrip().startswith(("{", "[")):
        records = _records(text, name)
    else:
        header, rows = _table(path, text, name)
        if INDEX not in header:
            at = [f"row {row}" for row in range(2, len(rows) + 2)]
            return pd.DataFrame([[*map(unprotected, row)] for row in rows], columns=header, dtype=object).assign(at=at)
        records = [dict(zip(header, row, strict=True)) for row in rows]
    tool = next((tool for tool in map(tool_named, TOOLS) if any(map(tool.knows, records))), None)
    if tool is None:
        keys = ", ".join(repr(key) for key in list(records[0])[:6]) if records else "nothing"
        raise ValueError(f"{name} holds records of {keys}, without the {INDEX!r} of a suspect. {TAKEN}")
    judged = (one for record in records if tool.knows(record) for one in tool.said(record))
    said = pd.DataFrame(map(vars, judged), columns=[one.name for one in fields(Said)], dtype=object)
    said = said.sort_values("when", kind="stable")
    # a person may have judged a sample anew
    again = said.duplicated(["index", "annotator"], keep="last") & (said["when"] != "")
    return said[~again].reset_index(drop=True)


def _records(text: str, name: str) -> list[Record]:
    """Return the records of JSON, or of JSON lines."""
    try:
        content = json.loads(text)
    except ValueError as error:
        try:
            content = [json.loads(line) for line in text.split("\n") if line.strip()]
        except ValueError:
            raise ValueError(f"{name} is torn JSON ({error}). Export it again.") from error
    if isinstance(content, dict):
        samples = content.get("samples")
        content = samples if isinstance(samples, list) else [content]
    return [record for record in content if isinstance(record, dict)]


def _table(path: Path, text: str, name: str) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of a CSV file: as text, since pandas reads a class called NA as missing."""
    limit = csv.field_size_limit(max(len(text), 1))  # a picture within a cell is longer than most
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            separator = max(",;\t", key=file.readline().count)  # a spreadsheet saves by the customs of its country
            file.seek(0)
            lines = [line for line in csv.reader(file, delimiter=separator) if line]
    finally:
        csv.field_size_limit(limit)
    header, rows = (lines[0], lines[1:]) if lines else ([], [])
    for row, line in enumerate(rows, 2):
        if len(line) != len(header):
            raise ValueError(
                f"{name}, row {row}: {len(line)} cells below {len(header)} columns. Save it with commas between cells."
            )
    return header, rows

"""``curvdetect apply``: verdicts of the page become cleaned labels."""

from __future__ import annotations

import csv
from pathlib import Path

import click
import numpy as np

from curvdetect.cli.console import Failure, safe, say, short, tell
from curvdetect.cli.options import READING, chosen
from curvdetect.cli.output import FORMULA, inert_path, write_csv
from curvdetect.cli.source import read_data, rewrite_arrays
from curvdetect.cli.tables import PARQUET, TEXT, read_labels, rewrite
from curvdetect.data.isolation import drawn
from curvdetect.data.types import Array
from curvdetect.review.verdicts import apply_verdicts, unprotected
from curvdetect.training.checkpoints import write_whole


def apply(verdicts: Path, source: Path, out: Path, overwrite: bool, quiet: bool, **options: object) -> None:
    """Write the labels of data with the verdicts of the page."""
    _check_target(source, out, overwrite)
    reading = chosen(READING, options)
    if source.is_dir():
        data = read_data(source, **reading)
        data.say_skipped()
        given, cleaned = data.y, _list_pictures(verdicts, data.y, data.paths or [], out)
    else:
        given, cleaned = _copy_rows(verdicts, source, out, reading["label"], reading["limit"])
    tell(f"{safe(out)}: {int((cleaned != given).sum())} of {len(given)} labels changed")


def _check_target(source: Path, out: Path, overwrite: bool) -> None:
    kinds = [(".npz",), PARQUET, TEXT]
    wanted = next((kind for kind in kinds if not source.is_dir() and source.suffix.lower() in kind), TEXT[:1])
    if out.is_dir():
        why = "is a folder. Pass the name of a file."
    elif out.exists() and out.samefile(source):
        why = "is PATH itself. Pass another."
    elif out.exists() and not overwrite:
        why = "is there already. Pass another, or --overwrite."
    elif out.suffix.lower() not in wanted:
        why = f"must end in {' or '.join(wanted)}."
    else:
        return
    raise click.BadParameter(f"'{short(out)}' {why}", param_hint="--out")


def _list_pictures(verdicts: Path, given: Array, paths: list[str], out: Path) -> Array:
    """Write a list of pictures and cleaned labels; return the labels."""
    with verdicts.open(newline="", encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):  # `apply_verdicts` compares the labels
            index, path = row.get("index") or "", unprotected(row.get("path") or "")
            if path and index.isdigit() and paths[int(index) : int(index) + 1] != [path]:
                raise Failure(
                    f"the verdict on '{short(path)}' is about picture {index} of a scan, which is another one now. "
                    "Pass what was scanned, unchanged, and --limit as it was; or scan again."
                )
    cleaned = np.asarray(apply_verdicts(given, verdicts))
    write_csv(out, ["path", "label"], zip(map(inert_path, paths), cleaned.tolist(), strict=True))
    if any(str(label).startswith(FORMULA) for label in cleaned.tolist()):
        say("warning: some labels begin as a formula does; don't open the file in a spreadsheet")
    return cleaned


def _copy_rows(verdicts: Path, source: Path, out: Path, label: str | None, limit: int | None) -> tuple[Array, Array]:
    """Write a copy of a table or of arrays with cleaned labels; return those that were scanned, before and after."""
    column = None
    if source.suffix.lower() == ".npz":
        whole = read_data(source, label=label).y
    else:
        whole, column = read_labels(source, label)  # the other columns may hold anything
    rows = drawn(len(whole), limit)
    given = whole if rows is None else whole[rows]
    cleaned = np.asarray(apply_verdicts(given, verdicts))
    labels = whole.astype(np.result_type(whole, cleaned))
    labels[slice(None) if rows is None else rows] = cleaned
    if np.array_equal(whole, labels):
        write_whole(out, source.read_bytes())
    elif column is not None:
        rewrite(source, out, column, whole, labels)
    else:
        rewrite_arrays(source, out, labels)
    return given, cleaned

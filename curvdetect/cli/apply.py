"""``curvdetect apply``: verdicts of the page become cleaned labels."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from curvdetect.cli.console import Failure, safe, say, short, tell
from curvdetect.cli.options import PRINTING, READING, chosen, existing
from curvdetect.cli.output import FORMULA, inert_path, write_csv
from curvdetect.cli.source import read_data, rewrite_arrays
from curvdetect.cli.tables import PARQUET, TEXT, read_labels, rewrite
from curvdetect.data.isolation import drawn
from curvdetect.review.verdicts import apply_verdicts, unprotected
from curvdetect.training.checkpoints import write_whole

#: Columns to drop don't matter, since only labels are changed.
_READING = tuple(option for option in READING if option.name != "drop")


@click.command(
    params=[
        click.Argument(["verdicts"], metavar="VERDICTS.csv", type=existing(dir_okay=False)),
        click.Option(["--to", "source"], required=True, metavar="PATH", type=existing(), help="What was scanned."),
        click.Option(
            ["--out"], required=True, metavar="NEW", type=click.Path(path_type=Path), help="The file to write."
        ),
        *_READING,
        click.Option(["--overwrite"], is_flag=True, help="Replace NEW where it is there already."),
        *PRINTING,
    ]
)
def apply(verdicts: Path, source: Path, out: Path, overwrite: bool, quiet: bool, **options: Any) -> None:
    """Write the labels of PATH with the verdicts of the page.

    For a table NEW is a copy with other labels where the verdict is "wrong", every other cell as it was; for an .npz
    file the same arrays with another y; for a folder of pictures a CSV file of path and label. Pictures are never moved
    or deleted, and PATH stays as it is. Pass --limit where the scan had it.

    NEW is data for a program: labels are written as they are, whatever a spreadsheet makes of them.
    """
    _check_target(source, out, overwrite)
    write = _list_pictures if source.is_dir() else _copy_rows
    given, cleaned = write(verdicts, source, out, **chosen(_READING, options))
    tell(f"{safe(out)}: {int((cleaned != given).sum())} of {len(given)} labels changed")


def _check_target(source: Path, out: Path, overwrite: bool) -> None:
    if out.exists() and (out.is_dir() or not overwrite or out.samefile(source)):
        if out.is_dir():
            why = "is a folder. Pass the name of a file."
        elif out.samefile(source):
            why = "is PATH itself. Pass another."
        else:
            why = "is there already. Pass another, or --overwrite."
        raise click.BadParameter(f"'{short(out)}' {why}", param_hint="--out")
    kinds = [(".npz",), PARQUET, TEXT]
    wanted = next((kind for kind in kinds if not source.is_dir() and source.suffix.lower() in kind), TEXT[:1])
    if out.suffix.lower() not in wanted:
        raise click.BadParameter(f"'{short(out)}' must end in {' or '.join(wanted)}.", param_hint="--out")


def _list_pictures(verdicts: Path, source: Path, out: Path, **reading: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Write a list of pictures and cleaned labels; return the labels before and after."""
    data = read_data(source, **reading)
    data.say_skipped()
    paths = data.paths or []
    _check_same_pictures(verdicts, paths)
    cleaned = np.asarray(apply_verdicts(data.y, verdicts))
    write_csv(out, ["path", "label"], zip(map(inert_path, paths), cleaned.tolist(), strict=True))
    if any(str(label).startswith(FORMULA) for label in cleaned.tolist()):
        say("warning: some labels begin as a formula does; don't open the file in a spreadsheet")
    return data.y, cleaned


def _copy_rows(
    verdicts: Path, source: Path, out: Path, *, label: str | None, limit: int | None, **reading: Any
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Write a copy of a table or of arrays with cleaned labels; return those that were scanned, before and after."""
    column = None
    if source.suffix.lower() == ".npz":
        whole = read_data(source, label=label, **reading).y
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


def _check_same_pictures(verdicts: Path, paths: list[str]) -> None:
    """Raise where a verdict is about a picture in another place than now; `apply_verdicts` compares the labels."""
    with verdicts.open(newline="", encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            index, path = row.get("index") or "", unprotected(row.get("path") or "")
            if path and index.isdigit() and paths[int(index) : int(index) + 1] != [path]:
                raise Failure(
                    f"the verdict on '{short(path)}' is about picture {index} of a scan, which is another one now. "
                    "Pass what was scanned, unchanged, and --limit as it was; or scan again."
                )

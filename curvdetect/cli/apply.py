"""``curvdetect apply``: verdicts of the page become cleaned labels."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from curvdetect.cli.arrays import rewrite_arrays
from curvdetect.cli.console import Failure, safe, say, short, tell
from curvdetect.cli.listing import FORMULA, inert_path, say_skipped, write_csv
from curvdetect.cli.options import data_options, existing, talking_options
from curvdetect.cli.reading import Data, read_data
from curvdetect.cli.tables import PARQUET, TEXT, read_labels, rewrite
from curvdetect.data.choosing import drawn
from curvdetect.review.verdicts import apply_verdicts, unprotected
from curvdetect.training.checkpoints import write_whole


@click.command()
@click.argument("verdicts", metavar="VERDICTS.csv", type=existing(dir_okay=False))
@click.option("--to", "source", required=True, metavar="PATH", type=existing(), help="What was scanned.")
@click.option("--out", required=True, metavar="NEW", type=click.Path(path_type=Path), help="The file to write.")
@data_options(drop=False)
@click.option("--overwrite", is_flag=True, help="Replace NEW where it is there already.")
@talking_options
def apply(
    verdicts: Path,
    source: Path,
    out: Path,
    label: str | None,
    size: int,
    limit: int | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Write the labels of PATH with the verdicts of the page.

    Of a table NEW is a copy with other labels where the verdict is "wrong", every other cell as it was; of an .npz file
    the same arrays with another y; of a folder of pictures a CSV file of path and label. Pictures are never moved or
    deleted, and PATH stays as it is. Pass --limit where the scan had it.

    NEW is data for a program: labels are written as they are, whatever a spreadsheet makes of them.
    """
    _check_target(source, out, overwrite)
    data = _labels_of(source, label, size, limit)
    say_skipped(data)
    _check_same_data(verdicts, data)
    cleaned = np.asarray(apply_verdicts(data.y, verdicts))
    changed = int((cleaned != data.y).sum())
    if data.paths is not None:
        write_csv(out, ["path", "label"], zip(map(inert_path, data.paths), cleaned.tolist(), strict=True))
        if any(str(name).startswith(FORMULA) for name in set(cleaned.tolist())):
            say("warning: some labels begin as a formula does; don't open the file in a spreadsheet")
    else:
        whole, rows = _whole(source, label), slice(None) if data.rows is None else data.rows
        labels = whole.copy().astype(np.result_type(whole, cleaned))
        labels[rows] = cleaned
        _write(source, out, data.label, whole, labels)
    tell(f"{safe(out)}: {changed} of {len(data.y)} labels changed")


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


def _labels_of(source: Path, label: str | None, size: int, limit: int | None) -> Data:
    """Return the labels that were scanned, and what was scanned of the rest."""
    if source.is_dir() or source.suffix.lower() == ".npz":
        return read_data(source, label=label, size=size, limit=limit)
    # whatever the other columns hold: only labels are changed
    labels, name = read_labels(source, label)
    rows = drawn(len(labels), limit)
    labels = labels if rows is None else labels[rows]
    return Data("table", np.empty((len(labels), 0)), labels, label=name, rows=rows)


def _whole(source: Path, label: str | None) -> NDArray[Any]:
    """Return the labels of the whole file, also those that were not scanned."""
    return read_data(source).y if source.suffix.lower() == ".npz" else read_labels(source, label)[0]


def _check_same_data(verdicts: Path, data: Data) -> None:
    """Raise where a verdict is about a picture that stands elsewhere now; labels are compared by `apply_verdicts`."""
    if data.paths is None:
        return
    with verdicts.open(newline="", encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            index, path = row.get("index") or "", unprotected(row.get("path") or "")
            if path and index.isdigit() and data.paths[int(index) : int(index) + 1] != [path]:
                raise Failure(
                    f"the verdict on '{short(path)}' is about picture {index} of a scan, which is another one now. "
                    "Pass what was scanned, unchanged, and --limit as it was; or scan again."
                )


def _write(source: Path, out: Path, label: str | None, whole: NDArray[Any], labels: NDArray[Any]) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    if np.array_equal(whole, labels):
        write_whole(out, source.read_bytes())
    elif label is not None:
        rewrite(source, out, label, whole, labels)
    else:
        rewrite_arrays(source, out, labels)

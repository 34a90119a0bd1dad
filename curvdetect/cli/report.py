"""``curvdetect report``: the page of a scan, made again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from curvdetect.cli.console import Failure, safe, short, tell
from curvdetect.cli.listing import note_of
from curvdetect.cli.options import existing, talking_options
from curvdetect.cli.output import DETECTOR, PAGE, Output
from curvdetect.cli.reading import Data, read_data
from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.detectors.cleaning import rows_of
from curvdetect.detectors.inputs import rows_fitted
from curvdetect.review.report import write_report
from curvdetect.review.storage import load


@click.command()
@click.argument("directory", metavar="DIR", type=existing(file_okay=False))
@click.option("--data", "source", metavar="PATH", type=existing(), help="The data. Default: where it was scanned.")
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path), help="The page. Default: DIR/report.html.")
@click.option("--k", type=click.IntRange(min=1), help="How many suspects to show. Default: those that are flagged.")
@click.option("--title", help="Heading of the page.")
@talking_options
def report(
    directory: Path, source: Path | None, out: Path | None, k: int | None, title: str | None, quiet: bool
) -> None:
    """Render the page of the scan in DIR again, without training.

    The detector holds scores and no data, so PATH is read again; it may have moved, and pictures or rows may stand in
    another order: they are recognised. Replaces the page that is there.
    """
    output = Output(directory)
    noted = output.record()
    output.check_finished()
    detector = load(directory / DETECTOR)
    path = source if source is not None else Path(noted.get("path", ""))
    if source is None and (not noted.get("path") or not path.exists()):
        raise click.UsageError("the data is not where it was scanned: pass --data PATH.")
    is_table = noted.get("label") is not None
    data = read_data(
        path,
        label=noted.get("label"),
        drop=tuple(noted.get("drop", ())) if is_table else (),
        size=int(noted.get("size", 32)),
        limit=noted.get("limit"),
    )
    data = in_order(detector, data)
    target = out if out is not None else output / PAGE
    write_report(
        detector,
        data.X,
        target,
        X_display=data.shown,
        paths=data.paths,
        k=k,
        title=title or title_of(path),
        note=note_of(data),
    )
    tell(f"{safe(target)}: the suspects, to look at")


def in_order(detector: BaseNoiseDetector, data: Data) -> Data:
    """Return data in the order in which a detector was fitted on it.

    Parameters
    ----------
    detector : BaseNoiseDetector
        Fitted.
    data : Data
        The same samples in any order.
    """
    index = rows_fitted(detector, data.X)
    n_fitted = len(detector.scores_)
    missing = n_fitted - len(np.unique(index))
    if missing or len(index) != n_fitted:
        raise Failure(
            f"PATH has {len(index)} samples, and {missing} of the {n_fitted} that were scanned are not among them (or "
            "are copies of others, in another order). Pass --data with what was scanned, or scan again."
        )
    place = np.argsort(index)
    paths = None if data.paths is None else [data.paths[i] for i in place]
    rows = None if data.rows is None else data.rows[place]
    shown = None if data.shown is None else rows_of(data.shown, place)
    return replace(data, X=rows_of(data.X, place), y=data.y[place], paths=paths, rows=rows, shown=shown)


def title_of(path: Path) -> str:
    """Return the heading of the page."""
    return f"Suspects in {short(path.name)}"

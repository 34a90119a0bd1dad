"""``curvdetect report``: the page of a scan, made again."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from curvdetect.cli.console import Failure, safe, short, tell
from curvdetect.cli.options import PRINTING, READING, chosen, existing
from curvdetect.cli.output import DETECTOR, PAGE, Output
from curvdetect.cli.source import Data, read_data
from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.detectors.inputs import rows_fitted
from curvdetect.review.report import write_report
from curvdetect.review.storage import load


@click.command(
    params=[
        click.Argument(["directory"], metavar="DIR", type=existing(file_okay=False)),
        click.Option(
            ["--data", "source"], metavar="PATH", type=existing(), help="The data. Default: where it was scanned."
        ),
        click.Option(
            ["--out"], metavar="FILE", type=click.Path(path_type=Path), help="The page. Default: DIR/report.html."
        ),
        click.Option(
            ["--k"], type=click.IntRange(min=1), help="How many suspects to show. Default: those that are flagged."
        ),
        click.Option(["--title"], help="Heading of the page."),
        *PRINTING,
    ]
)
def report(
    directory: Path, source: Path | None, out: Path | None, k: int | None, title: str | None, quiet: bool
) -> None:
    """Render the page of the scan in DIR again, without training.

    The detector holds scores and no data, so PATH is read again. It may have moved, and its pictures or rows may be in
    another order: they are recognised. The page that is there is replaced.
    """
    output = Output(directory)
    recorded = output.record()
    output.check_finished()
    detector = load(directory / DETECTOR)
    path = source if source is not None else Path(recorded.get("path", ""))
    if source is None and (not recorded.get("path") or not path.exists()):
        raise click.UsageError("the data is not where it was scanned: pass --data PATH.")
    data = _in_order(detector, read_data(path, **chosen(READING, recorded)))
    target = out if out is not None else output / PAGE
    write_page(detector, data, path, target, k=k, title=title)
    tell(f"{safe(target)}: the suspects, to look at")


def write_page(
    detector: BaseNoiseDetector,
    data: Data,
    source: Path,
    target: Path,
    *,
    k: int | None = None,
    title: str | None = None,
) -> None:
    """Write the page of a detector that was fitted on ``data``, which was read from ``source``."""
    write_report(
        detector,
        data.X,
        target,
        X_display=data.shown,
        paths=data.paths,
        k=k,
        title=title or f"Suspects in {short(source.name)}",
        note=data.note(),
    )


def _in_order(detector: BaseNoiseDetector, data: Data) -> Data:
    """Return data in the order in which a detector was fitted on it."""
    index = rows_fitted(detector, data.X)
    n_fitted = len(detector.scores_)
    missing = n_fitted - len(np.unique(index))
    if missing or len(index) != n_fitted:
        raise Failure(
            f"PATH has {len(index)} samples, and {missing} of the {n_fitted} that were scanned are not among them (or "
            "are copies of others, in another order). Pass --data with what was scanned, or scan again."
        )
    return data.at(np.argsort(index))

"""``curvdetect scan``: from PATH to a ranking, a saved detector and a page to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

from curvdetect.cli.console import Failure, safe, say, short, tell
from curvdetect.cli.detectors import DETECTORS
from curvdetect.cli.listing import inert_path, note_of, say_skipped, write_csv, write_suspects
from curvdetect.cli.options import data_options, existing, share, talking_options, training_options
from curvdetect.cli.output import CHECKPOINTS, DETECTOR, PAGE, SKIPPED, SUSPECTS, Output
from curvdetect.cli.reading import Data, read_data
from curvdetect.cli.report import title_of
from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.review.report import write_report
from curvdetect.review.storage import save

#: Suspects in the last lines.
TOP = 5


@click.command()
@click.argument("path", type=existing())
@click.option("--out", "out", required=True, metavar="DIR", type=click.Path(path_type=Path), help="Where results go.")
@click.option(
    "--q",
    type=share,
    metavar="SHARE",
    default="0.1",
    show_default=True,
    help="How many to flag: a share (0.05 or 5%), a count (200), or auto, as many as are estimated to be wrong, for "
    "one more training. Changes no score.",
)
@click.option(
    "--detector",
    "name",
    type=click.Choice(list(DETECTORS)),
    default="fused",
    show_default=True,
    help="What ranks. fused takes the signals that rank best at its training accuracy, which finds most in the "
    "project's own tables, and records the curvature beside it, for half of a training. curvature ranks by that of "
    "the label against the best other one, plain-curvature by the paper's score. loss and margin cost least, ssft, "
    "curv-ssft and confident several trainings.",
)
@data_options()
@training_options
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same scores on the same machine.")
@click.option("--resume", is_flag=True, help="Go on with the scan in DIR that was stopped or killed.")
@click.option("--overwrite", is_flag=True, help="Replace what an earlier scan left in DIR; other files stay.")
@talking_options
def scan(
    path: Path,
    out: Path,
    q: Any,
    name: str,
    label: str | None,
    drop: tuple[str, ...],
    size: int,
    limit: int | None,
    net: str | None,
    epochs: int | None,
    device: str,
    seed: int,
    resume: bool,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Rank the samples of PATH by how suspect their labels are.

    PATH is a folder of pictures with one subfolder a class, a table (.csv, .tsv, .parquet) with a column of labels
    and numbers in all others, or an .npz file with arrays X and y. Numbers of tables are standardized.

    \b
    DIR gets
      suspects.csv  every sample, most suspect first, with every signal
      report.html   one page to look through the suspects, by any browser
      detector/     the fitted detector, for curvdetect.load
      skipped.csv   files that are not among the samples, and why, where there are some
      checkpoints/  what --resume goes on from; may be deleted

    Nothing in PATH is ever changed. In the CSV files text that a spreadsheet would take for a formula has an
    apostrophe before it, and a path "./".
    """  # noqa: D301
    output = Output(out)
    output.check(path, resume=resume, overwrite=overwrite)
    data = read_data(path, label=label, drop=drop, size=size, limit=limit)
    _say_what_was_read(data, quiet)
    output.make(
        {
            "path": str(path.resolve()),
            "label": data.label,
            "drop": list(drop),
            "size": size,
            "limit": limit,
            "detector": name,
            "net": net,
            "epochs": epochs,
            "seed": seed,
        },
        resume=resume,
        overwrite=overwrite,
    )
    if data.skipped:
        write_csv(output / SKIPPED, ["path", "why"], ([inert_path(one), why] for one, why in data.skipped.items()))
    detector = DETECTORS[name](
        net,
        q=q,
        max_epochs=epochs,
        device=device,
        random_state=seed,
        checkpoint_dir=output / CHECKPOINTS,
        verbose=0 if quiet else 1,
    )
    _fit(detector, data, output)
    write_suspects(detector, data, output / SUSPECTS)
    # DIR may move, and a detector that was loaded is to write nothing there
    save(detector.set_params(checkpoint_dir=None, verbose=0), output / DETECTOR, overwrite=True)
    if not quiet:
        say("writing the page ...")
    write_report(
        detector,
        data.X,
        output / PAGE,
        X_display=data.shown,
        paths=data.paths,
        title=title_of(path),
        note=note_of(data),
    )
    _tell_what_was_found(detector, data, output)


def _say_what_was_read(data: Data, quiet: bool) -> None:
    say_skipped(data, f", all listed in {SKIPPED}")
    if not quiet:
        what = "pictures" if data.kind == "folder" else "rows"
        label = f", labels in column '{short(data.label)}'" if data.label else ""
        say(f"{len(data.y)} {what} of {len(np.unique(data.y))} classes{label}")


def _fit(detector: BaseNoiseDetector, data: Data, output: Output) -> None:
    """Fit; where that is cut short, say what is left of it."""
    try:
        detector.fit(data.X, data.y)
    except KeyboardInterrupt as error:
        kept = [f"The same command with --resume goes on from {output / CHECKPOINTS}."]
        if hasattr(detector, "scores_"):
            write_suspects(detector, data, output / SUSPECTS)
            epochs = getattr(detector, "n_iter_", None)  # of trainings on folds there is no one number
            by = "trainings" if epochs is None else f"{epochs} epochs"
            kept.insert(0, f"{output / SUSPECTS} ranks by the {by} that were complete.")
        raise KeyboardInterrupt(" ".join(kept)) from error
    except ValueError as error:
        if str(error).startswith("checkpoint_dir="):
            raise Failure(f"{error} Here: --overwrite starts anew.") from error
        raise


def _tell_what_was_found(detector: BaseNoiseDetector, data: Data, output: Output) -> None:
    n_flagged = int(detector.labels_.sum())
    rate = getattr(detector, "noise_rate_", np.nan)
    if np.isfinite(rate):
        low, high = detector.noise_rate_interval_
        tell(
            f"Some {100 * rate:.2g} % of the labels are estimated to be wrong ({100 * low:.2g} to {100 * high:.2g} %)."
        )
    tell(f"{n_flagged} of {len(data.y)} labels are flagged. The most suspect:")
    top = detector.ranking(min(TOP, len(data.y)))
    for i, rank, given, suggested in zip(*(top[name] for name in ("index", "rank", "given", "suggested")), strict=True):
        where = data.paths[i] if data.paths is not None else f"row {i if data.rows is None else data.rows[i]}"
        tell(f"{rank:>3}. {short(where)}: {short(given, 30)}, rather {short(suggested, 30)}")
    for name, what in (
        (SUSPECTS, "all samples, ranked"),
        (PAGE, "the suspects, to look at"),
        (DETECTOR, "the detector"),
    ):
        tell(f"{safe(output / name)}: {what}")
    if data.skipped:
        tell(f"{safe(output / SKIPPED)}: {len(data.skipped)} file(s) that are not among the samples, and why")

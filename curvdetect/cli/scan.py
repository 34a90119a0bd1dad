"""``curvdetect scan``: from PATH to a ranking, a saved detector and a page to look at."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import numpy as np

from curvdetect.cli.console import Failure, safe, say, short, tell
from curvdetect.cli.detectors import DETECTORS
from curvdetect.cli.options import PRINTING, READING, TRAINING, chosen, existing, share
from curvdetect.cli.output import (
    CHECKPOINTS,
    DETECTOR,
    PAGE,
    SKIPPED,
    SUSPECTS,
    Output,
    inert,
    inert_path,
    write_csv,
)
from curvdetect.cli.report import write_page
from curvdetect.cli.source import Data, read_data
from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.review.storage import save

#: How many suspects are printed.
_TOP = 5
#: Arguments of the detector.
FITTING = (
    click.Option(
        ["--q"],
        type=share,
        metavar="SHARE",
        default="0.1",
        show_default=True,
        help="How many to flag: a share (0.05 or 5%), a count (200), or auto, the estimated number of wrong labels, "
        "for one more training. Changes no score.",
    ),
    *TRAINING,
    click.Option(
        ["--seed", "random_state"],
        type=int,
        default=0,
        show_default=True,
        help="Same seed, same scores on the same machine.",
    ),
)
#: Options that may differ when a scan is resumed: they change no score, or only by rounding.
_FREE = ("q", "device")


@click.command(
    params=[
        click.Argument(["path"], type=existing()),
        click.Option(
            ["--out"], required=True, metavar="DIR", type=click.Path(path_type=Path), help="Directory for the results."
        ),
        click.Option(
            ["--detector", "name"],
            type=click.Choice(list(DETECTORS)),
            default="fused",
            show_default=True,
            help="What ranks. fused takes the signals that rank best at its training accuracy, which finds most in the "
            "project's own tables, and records the curvature beside it, for half of a training. curvature ranks by "
            "that of the label against the best other one, plain-curvature by the paper's score. loss and margin cost "
            "least, ssft, curv-ssft and confident several trainings.",
        ),
        *FITTING,
        *READING,
        click.Option(["--resume"], is_flag=True, help="Go on with the scan in DIR that was stopped or killed."),
        click.Option(["--overwrite"], is_flag=True, help="Replace what an earlier scan left in DIR; other files stay."),
        *PRINTING,
    ]
)
def scan(path: Path, out: Path, name: str, resume: bool, overwrite: bool, quiet: bool, **options: Any) -> None:
    """Rank the samples of PATH by how suspect their labels are.

    PATH is a folder of pictures with one subfolder a class, a table (.csv, .tsv, .parquet) with a column of labels
    and numbers in all others, or an .npz file with arrays X and y. Numbers of tables are standardized.

    \b
    DIR gets
      suspects.csv  every sample, most suspect first, with every signal
      report.html   one page to look through the suspects, in any browser
      detector/     the fitted detector, for curvdetect.load
      skipped.csv   files that are not among the samples, and why, where there are some
      checkpoints/  what --resume goes on from; may be deleted

    Nothing in PATH is ever changed. In the CSV files text that a spreadsheet would take for a formula has an
    apostrophe before it, and a path "./".
    """  # noqa: D301
    output = Output(out)
    output.check(path, resume=resume, overwrite=overwrite)
    reading, fitting = chosen(READING, options), chosen(FITTING, options)
    data = read_data(path, **reading)
    _say_what_was_read(data, quiet)
    fixed = {
        option.opts[0].removeprefix("--"): fitting[str(option.name)] for option in FITTING if option.name not in _FREE
    }
    record = {**reading, "label": data.label, "detector": name, **fixed}
    output.make(path, record, resume=resume, overwrite=overwrite)
    if data.skipped:
        write_csv(output / SKIPPED, ["path", "why"], ([inert_path(one), why] for one, why in data.skipped.items()))
    detector = DETECTORS[name](**fitting, checkpoint_dir=output / CHECKPOINTS, verbose=0 if quiet else 1)
    _fit(detector, data, output)
    _write_suspects(detector, data, output / SUSPECTS)
    # DIR may move, and the detector must not write there once it is loaded
    save(detector.set_params(checkpoint_dir=None, verbose=0), output / DETECTOR, overwrite=True)
    if not quiet:
        say("writing the page ...")
    write_page(detector, data, path, output / PAGE)
    _tell_what_was_found(detector, data, output)


def _say_what_was_read(data: Data, quiet: bool) -> None:
    data.say_skipped(f", all listed in {SKIPPED}")
    if not quiet:
        what = "rows" if data.paths is None else "pictures"
        label = f", labels in column '{short(data.label)}'" if data.label else ""
        say(f"{len(data.y)} {what} of {len(np.unique(data.y))} classes{label}")


def _fit(detector: BaseNoiseDetector, data: Data, output: Output) -> None:
    """Fit; where that is interrupted, keep the ranking so far and say how to go on."""
    try:
        detector.fit(data.X, data.y)
    except KeyboardInterrupt as error:
        kept = [f"The same command with --resume goes on from {output / CHECKPOINTS}."]
        if hasattr(detector, "scores_"):
            _write_suspects(detector, data, output / SUSPECTS)
            epochs = getattr(detector, "n_iter_", None)  # trainings on folds have no one number
            by = "trainings" if epochs is None else f"{epochs} epochs"
            kept.insert(0, f"{output / SUSPECTS} ranks by the {by} that were complete.")
        raise KeyboardInterrupt(" ".join(kept)) from error
    except ValueError as error:
        if str(error).startswith("checkpoint_dir="):
            raise Failure(f"{error} Here: --overwrite starts anew.") from error
        raise


def _write_suspects(detector: BaseNoiseDetector, data: Data, target: Path) -> None:
    """Write the whole ranking, most suspect first."""
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


def _tell_what_was_found(detector: BaseNoiseDetector, data: Data, output: Output) -> None:
    rate = getattr(detector, "noise_rate_", np.nan)
    if np.isfinite(rate):
        low, high = detector.noise_rate_interval_
        tell(
            f"Some {100 * rate:.2g} % of the labels are estimated to be wrong ({100 * low:.2g} to {100 * high:.2g} %)."
        )
    tell(f"{int(detector.labels_.sum())} of {len(data.y)} labels are flagged. The most suspect:")
    for suspect in detector.ranking(min(_TOP, len(data.y))).to_dict("records"):
        i = suspect["index"]
        where = data.paths[i] if data.paths is not None else f"row {i if data.rows is None else data.rows[i]}"
        given, suggested = (short(suspect[name], 30) for name in ("given", "suggested"))
        tell(f"{suspect['rank']:>3}. {short(where)} is labelled {given}, looks like {suggested}")
    for name, what in (
        (SUSPECTS, "all samples, ranked"),
        (PAGE, "the suspects, to look at"),
        (DETECTOR, "the detector"),
    ):
        tell(f"{safe(output / name)}: {what}")
    if data.skipped:
        tell(f"{safe(output / SKIPPED)}: {len(data.skipped)} file(s) that are not among the samples, and why")

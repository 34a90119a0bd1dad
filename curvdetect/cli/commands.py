"""The command ``curvdetect`` and its subcommands: what they take, what their help says, and how they end.

What a command does is a function of the same name, which is imported when the command runs: the help needs no torch.
"""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable
from contextvars import copy_context
from pathlib import Path
from pkgutil import resolve_name

import click

from curvdetect.cli.console import Failure, Stopped, explained, warnings_as_lines
from curvdetect.cli.options import COUNT, DEBUG, EXISTING, FEATURES, FILE, FITTING, PRINTING, READING, TRAINING, share
from curvdetect.data.wording import COMMAND, ArgumentError, safe, short
from curvdetect.detectors.registry import scanned
from curvdetect.review.exports import TOOLS

#: What detectors of several trainings cost, in plain trainings.
_COSTS = {name: float(entry.trainings) for name, entry in scanned().items() if entry.apart}


class Commands(click.Group):
    """A group whose commands end with one line and an exit code, whatever error they raise."""

    def invoke(self, ctx: click.Context) -> object:
        """Run a command."""
        try:
            with warnings_as_lines():
                return copy_context().run(_invoked, super().invoke, ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except (Exception, KeyboardInterrupt) as error:
            if ctx.meta.get(DEBUG):
                click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
            if isinstance(error, KeyboardInterrupt):
                raise Stopped(f"stopped. {error}".strip()) from error  # the message says what was kept
            if isinstance(error, ArgumentError):
                hint = "PATH" if error.argument == "path" else f"--{error.argument}"
                raise click.BadParameter(safe(error), param_hint=hint) from error
            raise Failure(explained(error)) from error


def _invoked(invoke: Callable[[click.Context], object], ctx: click.Context) -> object:
    """Run a command, whose messages spell arguments as its options."""
    COMMAND.set(True)
    return invoke(ctx)


def _rate(text: str) -> float:
    """Return 0.05 for ``0.05`` and ``5%``."""
    rate = share(text)
    if not isinstance(rate, float) or not 0 < rate < 1:
        raise click.BadParameter(f"'{short(text)}' is no share between 0 and 1, such as 0.05 or 5%.")
    return rate


def _run(function: str, options: dict[str, object]) -> None:
    """Call a function of this package by name."""
    from curvdetect.data.devices import launched_together

    if launched_together():
        raise click.UsageError(
            "a command runs in one process, and a launcher started several. Call it without torchrun; to train in "
            "several processes, write the three lines of Python: docs/past-one-machine.md."
        )
    _loaded(f"curvdetect.cli.{function}")(**options)


def _loaded(name: str) -> Callable[..., object]:
    """Return a function by its full name.

    The libraries that it loads make a million objects, which all stay. A search for garbage among them meanwhile takes
    long and finds nothing.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        return resolve_name(name)
    finally:
        if enabled:
            gc.enable()


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "show_default": True},
    epilog="Start with: curvdetect scan PATH --out DIR, and open DIR/report.html in a browser.",
)
@click.version_option(package_name="curvdetect", prog_name="curvdetect")
def main() -> None:
    """Find wrong labels by watching a network memorize them.

    Exit codes: 0 done, 1 something in the data or in the training, 2 wrong usage, 130 Ctrl-C.
    """


@main.command(
    params=[
        click.Argument(["path"], type=EXISTING),
        click.Option(["--out"], required=True, metavar="DIR", type=FILE, help="Directory for the results."),
        click.Option(
            ["--detector", "name"],
            type=click.Choice(list(scanned())),
            metavar="NAME",
            help="What ranks. Default: fused, or confident where PATH holds labels alone. fused takes a training that "
            "ends early and what all other samples say of the label, which finds most in the project's own tables. "
            "curvature ranks by that of the label against the best other one, plain-curvature by the paper's score, "
            "for a quarter of a training more, or up to a half on rows. loss and margin cost one training, ssft, "
            "curv-ssft and confident several; confident ranks by --probs without any. leave-one-out, and out-of-bag "
            "for tables, train nothing.",
        ),
        FEATURES,
        *FITTING,
        *READING,
        click.Option(
            ["--for", "tools"],
            type=click.Choice(list(TOOLS)),
            multiple=True,
            help="Write the flagged samples for another tool as well, in which people judge them; may be repeated. "
            "`apply` takes what it exports.",
        ),
        click.Option(
            ["--also"],
            type=click.Choice(["parquet"]),
            multiple=True,
            help="Write the ranking in another format as well.",
        ),
        click.Option(["--resume"], is_flag=True, help="Go on with the scan in DIR that was stopped or killed."),
        click.Option(["--overwrite"], is_flag=True, help="Replace what an earlier scan left in DIR; other files stay."),
        *PRINTING,
    ]
)
def scan(**options: object) -> None:
    """Rank the samples of PATH by how suspect their labels are.

    PATH is a folder of pictures with one subfolder a class or with a list of their labels; a table (.csv, .tsv, .jsonl,
    each also .gz, or .parquet) with a column of labels and one that names pictures, or numbers, words, dates or texts
    in the others; an .npz file with arrays of samples and labels; an .npy file of samples with --labels; pictures in
    Parquet files, in a folder that save_to_disk wrote, or in .tar shards of webdataset; or boxes on pictures, in a COCO
    file (.json) or a YOLO folder. With --probs it may be labels alone.

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
    _run("scan:scan", options)


@main.command(
    params=[
        click.Argument(["directory"], metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path)),
        click.Option(
            ["--data", "source"], metavar="PATH", type=EXISTING, help="The data. Default: where it was scanned."
        ),
        click.Option(["--out"], metavar="FILE", type=FILE, help="The page. Default: DIR/report.html."),
        click.Option(["--k"], type=COUNT, help="How many suspects to show. Default: those that are flagged."),
        click.Option(["--title"], help="Heading of the page."),
        *PRINTING,
    ]
)
def report(**options: object) -> None:
    """Render the page of the scan in DIR again, without training.

    The detector holds no samples to show, so PATH is read again. It may have moved, and its pictures or rows may be in
    another order: they are recognised. The page that is there is replaced.
    """
    _run("scan:report", options)


@main.command(
    params=[
        click.Argument(["verdicts"], metavar="VERDICTS...", type=EXISTING, nargs=-1, required=True),
        click.Option(["--to", "source"], required=True, metavar="PATH", type=EXISTING, help="What was scanned."),
        click.Option(["--out"], required=True, metavar="NEW", type=FILE, help="The file, or folder, to write."),
        # only labels are changed: columns to drop and probabilities don't matter
        *(option for option in READING if option.name not in ("drop", "probs")),
        click.Option(
            ["--only-agreed"],
            is_flag=True,
            help="Change a label only if at least two people judged it and all of them say the same. Default: what "
            "more than half of them say.",
        ),
        click.Option(["--overwrite"], is_flag=True, help="Replace NEW where it is there already."),
        *PRINTING,
    ]
)
def apply(**options: object) -> None:
    """Write the labels of PATH with the verdicts of the page, or of another tool.

    VERDICTS are files by different people: what the page exports, or what Label Studio, FiftyOne or Argilla export of
    the suspects that a scan wrote --for them.

    For a table, or the list of a folder, NEW is a copy with other labels where the verdict is "wrong", every other cell
    as it was; for an .npz file the same arrays with other labels; for --labels a copy of that file; for a folder of
    classes a CSV file of path and label; for pictures in Parquet or .tar files a copy, which is a new folder where PATH
    is one or has braces; for a COCO file a copy with other categories; for a YOLO folder a new folder of the label
    files that change. Pictures are never moved or deleted, and PATH stays as it is. Pass --limit, --label, --pictures
    and --split where the scan had them.

    NEW is data for a program: labels are written as they are, whatever a spreadsheet makes of them.
    """
    _run("apply:apply", options)


@main.command(
    params=[
        click.Argument(["path"], type=EXISTING),
        click.Option(
            ["--rate", "rates"],
            type=_rate,
            metavar="SHARE",
            multiple=True,
            default=("0.05",),
            help="Share of the labels of each class to replace; may be repeated, one column each.",
        ),
        click.Option(
            ["--kind"],
            type=click.Choice(["uniform", "pair"]),
            default="uniform",
            help="Replace by any other class, or always by the next one, which is harder to see.",
        ),
        click.Option(["--seeds"], type=COUNT, default=1, help="Number of repeats, each with trainings of its own."),
        click.Option(["--seed"], type=int, default=0, help="Seed of the first repeat."),
        click.Option(
            ["--also"],
            type=click.Choice(list(_COSTS)),
            multiple=True,
            help="Score that needs trainings of its own. In plain trainings, "
            f"{', '.join(f'{name} costs {cost:.2g}' for name, cost in _COSTS.items())}.",
        ),
        FEATURES,
        *TRAINING,
        *(option for option in READING if option.name != "probs"),
        click.Option(
            ["--csv", "target"], type=click.Path(path_type=Path, dir_okay=False), help="Write each number to a file."
        ),
        *PRINTING,
    ]
)
def compare(**options: object) -> None:
    """Print how well each score finds wrong labels planted in PATH.

    Some labels are replaced in memory, a network is trained on them, and every score is graded by AUROC: how often a
    planted label is ranked above another one, in percent; 50 is chance. One training for each rate and seed, and a
    shorter one for fused, which a scan takes too; with --net or --epochs one for all. Scores that are left out come
    from a ridge regression and a forest that have not seen the sample.

    The table compares scores and settings on your data. It does not estimate how many of the wrong labels in it are
    found. Planted labels are random, and real mistakes seldom are: those between classes that look alike are harder to
    see. Labels that were wrong before count as right here, and pull every number down a little.
    """
    _run("compare:compare", options)

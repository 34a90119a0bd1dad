"""The command ``curvdetect`` itself: its subcommands, its version and its exit codes."""

from __future__ import annotations

import traceback
from importlib.metadata import version
from typing import Any

import click

from curvdetect.cli.apply import apply
from curvdetect.cli.compare import compare
from curvdetect.cli.console import Failure, Stopped, explained, warnings_as_lines
from curvdetect.cli.options import DEBUG
from curvdetect.cli.report import report
from curvdetect.cli.scan import scan
from curvdetect.training.ranks import launched_together


class Commands(click.Group):
    """A group whose commands end with one line and an exit code, whatever error they raise."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        if launched_together():
            raise click.UsageError(
                "a command runs in one process, and a launcher started several. Call it without torchrun; to train in "
                "several processes, write the three lines of Python: docs/past-one-machine.md."
            )
        try:
            with warnings_as_lines():
                return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except KeyboardInterrupt as error:
            _show_where(ctx, error)
            raise Stopped(f"stopped. {error}".strip()) from error  # the message says what was kept
        except Exception as error:
            _show_where(ctx, error)
            raise Failure(explained(error)) from error


def _show_where(ctx: click.Context, error: BaseException) -> None:
    if ctx.meta.get(DEBUG):
        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with: curvdetect scan PATH --out DIR, and open DIR/report.html in a browser.",
)
@click.version_option(version("curvdetect"), prog_name="curvdetect")
def main() -> None:
    """Find wrong labels by watching a network memorize them.

    Exit codes: 0 done, 1 something in the data or in the training, 2 wrong usage, 130 Ctrl-C.
    """


for command in (scan, report, apply, compare):
    main.add_command(command)

"""The options that commands share, in groups.

An option is named like the argument that it becomes, so that a command passes its group on as a whole: a new one needs
its definition here, and its use where the argument arrives.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from curvdetect.training.nets import NAMED

#: The entry of a context's ``meta`` that says whether to show tracebacks.
DEBUG = "curvdetect.debug"

#: Arguments of `read_data`.
READING = (
    click.Option(
        ["--label"],
        metavar="COLUMN",
        help="Column of a table with the labels. Default: the one named label, labels, target, y or class.",
    ),
    click.Option(
        ["--drop"], metavar="COLUMN", multiple=True, help="Column of a table not to train on; may be repeated."
    ),
    click.Option(
        ["--size"],
        type=click.IntRange(min=1),
        default=32,
        show_default=True,
        help="Side of the square, in pixels, to which pictures are resized and cropped.",
    ),
    click.Option(
        ["--limit"],
        type=click.IntRange(min=2),
        help="Number of samples to read, chosen at random, the same in every call. Default: all.",
    ),
)

#: Arguments of a detector.
TRAINING = (
    click.Option(
        ["--net"],
        metavar="NAME",
        help=f"Network: {' or '.join(NAMED)}, the paper's, for pictures. Default: one sized from the data.",
    ),
    click.Option(
        ["--epochs", "max_epochs"],
        type=click.IntRange(min=1),
        help="Length of the training. Default: that of the net, 30.",
    ),
    click.Option(
        ["--device"], default="auto", show_default=True, metavar="NAME", help="auto, cpu, cuda, cuda:1 or mps."
    ),
)

#: Options that have other names than their arguments, by which warnings call them.
RENAMED = {str(option.name): option.opts[0] for option in TRAINING if f"--{option.name}" not in option.opts}

#: What a command prints.
PRINTING = (
    click.Option(["--quiet"], is_flag=True, help="Print results, warnings and errors only."),
    click.Option(
        ["--debug"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=lambda ctx, param, value: ctx.meta.__setitem__(DEBUG, value),
        help="Show the traceback of an error.",
    ),
)


def chosen(group: Iterable[click.Option], values: dict[str, Any]) -> dict[str, Any]:
    """Return those values that are of a group of options."""
    return {name: values[name] for name in (str(option.name) for option in group) if name in values}


def existing(**kinds: Any) -> click.Path:
    """Return the type of a path that must exist."""
    return click.Path(exists=True, path_type=Path, **kinds)


def share(text: str) -> Any:
    """Return 0.05 for ``0.05`` and ``5%``, 20 for ``20``, and any other text as it is, for the detector to judge."""
    text = text.strip()
    for read in (int, float, lambda text: float(text.removesuffix("%")) / 100):
        try:
            return read(text)
        except ValueError:
            continue
    return text

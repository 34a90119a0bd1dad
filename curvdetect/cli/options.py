"""Options that commands share, and what they are read as."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from curvdetect.training.nets import NAMED

#: Where a context keeps whether tracebacks are to be shown.
DEBUG = "curvdetect.debug"

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def share(text: str) -> Any:
    """Return 0.05 for ``0.05`` and ``5%``, 20 for ``20``, and any other text as it is, for the detector to judge."""
    text = text.strip()
    for read in (int, float, lambda text: float(text.removesuffix("%")) / 100):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def existing(**kinds: Any) -> click.Path:
    """Return the type of a path that has to be there."""
    return click.Path(exists=True, path_type=Path, **kinds)


def grouped(*options: Decorator) -> Decorator:
    """Return options as one decorator, in their order in the help."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def data_options(*, drop: bool = True) -> Decorator:
    """Return the options that say how PATH is read."""
    label = click.option(
        "--label",
        metavar="COLUMN",
        help="Column of a table with the labels. Default: the one named label, labels, target, y or class.",
    )
    dropped = click.option(
        "--drop", metavar="COLUMN", multiple=True, help="Column of a table not to train on; may be repeated."
    )
    size = click.option(
        "--size",
        type=click.IntRange(min=1),
        default=32,
        show_default=True,
        help="Side of the square, in pixels, that pictures are resized and cropped to.",
    )
    limit = click.option(
        "--limit",
        type=click.IntRange(min=2),
        help="Read a random choice of so many samples, the same in every call.",
    )
    return grouped(*((label, dropped, size, limit) if drop else (label, size, limit)))


training_options = grouped(
    click.option(
        "--net",
        metavar="NAME",
        help=f"Network: {' or '.join(NAMED)}, the paper's, for pictures. Default: one sized from the data.",
    ),
    click.option("--epochs", type=click.IntRange(min=1), help="Length of the training. Default: that of the net, 30."),
    click.option("--device", default="auto", show_default=True, metavar="NAME", help="auto, cpu, cuda, cuda:1 or mps."),
)

talking_options = grouped(
    click.option("--quiet", is_flag=True, help="No progress and no messages: results, warnings and errors only."),
    click.option(
        "--debug",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=lambda ctx, param, value: ctx.meta.__setitem__(DEBUG, value),
        help="Show the traceback of an error.",
    ),
)

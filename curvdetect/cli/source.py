"""PATH as samples and labels, and what is said of those that were not read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from curvdetect.cli.console import say
from curvdetect.data.types import Record
from curvdetect.data.wording import safe, short
from curvdetect.features.texts import names_model
from curvdetect.files.labelled import LabelledData
from curvdetect.files.pictures import SIDE
from curvdetect.files.registry import read_data

#: Side of pictures where a pretrained network looks at them, in pixels.
EMBEDDED_SIDE = 224


def read(path: Path, reading: Record, features: str | None, quiet: bool) -> LabelledData:
    """Return samples and labels; texts as features, if these are of a model of texts.

    ``reading`` gets the size of pictures, where it has none.
    """
    reading["size"] = reading["size"] or (EMBEDDED_SIDE if features else SIDE)
    if not names_model(features):
        return read_data(path, **reading)
    if not quiet:
        say(f"embedding the texts by {safe(features)} ...")
    return read_data(path, **reading, features=features)


def say_skipped(data: LabelledData, where: str = "") -> None:
    """Name the first few samples that were skipped, and count the others, which are listed ``where``."""
    for line in data.skipped_lines("{} more" + where):
        say(f"skipped: {line}")


def note(data: LabelledData) -> str | None:
    """Return the same as a line for the page."""
    lines = ", ".join(data.skipped_lines("and {} more"))
    return f"Skipped: {len(data.skipped)} file(s), {lines}" if lines else None


def embedded(
    data: LabelledData, model: str | None, device: str, quiet: bool, folder: Path | None = None
) -> LabelledData:
    """Return pictures as features of a pretrained network, if one is named; the pictures are then shown.

    ``folder`` is where the features are kept.
    """
    if model is None or names_model(model):
        return data
    if data.X.ndim < 3:
        raise click.UsageError(
            f"--features {short(model)} embeds pictures, and PATH holds rows: leave it out, or embed texts by "
            "model2vec:NAME or sentence-transformers:NAME."
        )
    from curvdetect.features.embedder import ImageEmbedder

    embedder = ImageEmbedder(model, device=device, cache_dir=folder, verbose=0 if quiet else 1)
    return replace(data, X=embedder.transform(data.X), shown=data.X if data.shown is None else data.shown)

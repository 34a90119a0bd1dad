"""What a scan writes beside its own results: the ranking in other formats, and the suspects for other tools."""

from __future__ import annotations

import io
from pathlib import Path

import click
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from curvdetect.cli.output import PARQUET
from curvdetect.data.types import Array, Record
from curvdetect.files.labelled import LabelledData, row_name
from curvdetect.review.exports.suspects import Suspects
from curvdetect.review.exports.tool import tool_named
from curvdetect.review.shown import display_as, samples_shown
from curvdetect.training.checkpoints import write_whole

#: Pixels of all suspects together, where the file of another tool holds them, which is no page to be sent around.
PIXELS = 400_000_000
_NONE = np.empty(0, dtype=np.int64)


def check(tools: tuple[str, ...], also: tuple[str, ...], data: LabelledData) -> None:
    """Raise, before the training, where something that is asked for can't be written."""
    pictures = not tools or _shown(data, np.arange(1))["kind"] == "pictures"
    for name in tools:
        if tool_named(name).PICTURES_ONLY and not pictures:
            raise click.UsageError(f"--for {name} takes pictures, and PATH holds none. Choose another tool.")
    if also:
        try:
            import pyarrow  # noqa: F401
        except ImportError as error:
            raise ImportError("Parquet needs pyarrow: python -m pip install pyarrow.") from error


def write(
    ranked: dict[str, list[object]],
    classes: Array,
    data: LabelledData,
    source: Path,
    target: Path,
    tools: tuple[str, ...],
    also: tuple[str, ...],
) -> dict[str, str]:
    """Write into the directory of a scan, whose columns are ``ranked``; return what each file is, by its name."""
    ranking, whats = pd.DataFrame(ranked), {}
    if also:
        kinds = {name: pd.api.types.infer_dtype(column) for name, column in ranking.items()}
        mixed = {str(name): str for name, kind in kinds.items() if kind.startswith("mixed")}
        content = io.BytesIO()
        ranking.astype(mixed).to_parquet(content, index=False)
        write_whole(target / PARQUET, content.getbuffer())
        whats[PARQUET] = "the same, with the type of each column"
    if tools:
        shown = _shown(data, ranking["index"].to_numpy()[ranking["flagged"].to_numpy()])
        if "path" not in ranking and "row" in ranking:
            ranking["path"] = ranking["row"].map(row_name)
        suspects = Suspects(ranking, classes, shown, root=source if source.is_dir() else source.parent)
        for name in tools:
            tool = tool_named(name)
            tool.write(suspects, target)
            whats[tool.LEFT[0]] = f"the suspects, for {tool.NAME}"
    return whats


def _shown(data: LabelledData, index: NDArray[np.int64]) -> Record:
    """Return what a person sees of some samples."""
    return samples_shown(display_as(data.X if data.shown is None else data.shown), index, _NONE, PIXELS)

"""Tables, read in one call."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from curvdetect.files.labelled import Asked
from curvdetect.files.tables import TableFile


def read_table(path: Path, label: str | None, drop: tuple[str, ...] = ()):
    """Return the numbers of a table before they are standardized, its labels, their name, and what is shown."""
    data = TableFile(path, Asked(label=label, drop=drop)).read(None)
    numbers = pd.DataFrame({name: data.shown[name].astype(float) for name in data.X}) if len(data.X) else data.X
    return numbers, data.y, data.label, data.shown


def read_labels(path: Path, label: str | None):
    """Return the labels of a table and the name of their column."""
    file = TableFile(path, Asked(label=label))
    return file.labels, file.label


def rewrite(path: Path, target: Path, label: str, given, cleaned) -> None:
    """Write a copy with other labels."""
    TableFile(path, Asked(label=label)).write(target, cleaned)

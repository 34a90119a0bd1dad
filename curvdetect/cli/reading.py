"""PATH as samples and labels: a folder of pictures, a table, or an .npz file."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.preprocessing import StandardScaler

from curvdetect.cli.arrays import read_arrays
from curvdetect.cli.console import short
from curvdetect.cli.tables import PARQUET, TEXT, read_table
from curvdetect.data.choosing import drawn
from curvdetect.data.folders import load_image_folder
from curvdetect.detectors.cleaning import rows_of


@dataclass
class Data:
    """What was read."""

    kind: str
    """``"folder"``, ``"table"`` or ``"npz"``."""
    X: Any
    """An array, or a frame of a table's numbers."""
    y: NDArray[Any]
    paths: list[str] | None = None
    """Of pictures, from the folder on, with slashes."""
    label: str | None = None
    """Column of the labels."""
    rows: NDArray[np.int64] | None = None
    """Where a choice was read of a table or an array: which rows of it."""
    shown: Any = None
    """Rows as they are in the file."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Pictures that can't be read and files that were passed over, and why; the latter last."""


def read_data(
    path: Path, *, label: str | None = None, drop: tuple[str, ...] = (), size: int = 32, limit: int | None = None
) -> Data:
    """Return samples and labels.

    Parameters
    ----------
    path : Path
        ``root`` of ``root/<class>/<picture>``, or a file ending in .csv, .tsv, .parquet, .pq or .npz.
    label : str, optional
        Column of a table with the labels.
    drop : tuple of str
        Columns of a table to leave out.
    size : int, default=32
        Side of the square that pictures are made.
    limit : int, optional
        Read so many samples, chosen at random.
    """
    suffix = path.suffix.lower()
    if (label is not None or drop) and (path.is_dir() or suffix == ".npz"):
        raise click.UsageError("--label and --drop name columns of a table, and PATH is none.")
    if path.is_dir():
        return _folder(path, size, limit)
    if suffix in (*TEXT, *PARQUET):
        table = read_table(path, label, drop)
        data = Data("table", table.X, table.y, label=table.label, shown=table.shown)
    elif suffix == ".npz":
        X, y = read_arrays(path)
        data = Data("npz", X, y, shown=X if X.ndim == 2 else None)
    else:
        raise click.BadParameter(
            f"'{short(path)}' is neither a folder with one subfolder of pictures a class, nor a file that ends in "
            f"{', '.join((*TEXT, *PARQUET))} or .npz.",
            param_hint="PATH",
        )
    data.rows = drawn(len(data.y), limit)
    if data.rows is not None:
        data.X, data.y = rows_of(data.X, data.rows), data.y[data.rows]
        data.shown = None if data.shown is None else rows_of(data.shown, data.rows)
    if data.X.ndim == 2:
        # in double precision, since single would lose what columns far from zero hold
        scaler = StandardScaler()
        data.X = (scaler.set_output(transform="pandas") if data.kind == "table" else scaler).fit_transform(data.X)
    return data


def _folder(root: Path, size: int, limit: int | None) -> Data:
    with warnings.catch_warnings():
        # a picture of a few hundred bytes may unfold to gigabytes
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        warnings.filterwarnings("ignore", message=".*(can't be read and are left out|are passed over)")
        loaded = load_image_folder(root, size=size, limit=limit)
    skipped = {_below(root, path): why for path, why in {**loaded.broken, **loaded.passed_over}.items()}
    paths = [_below(root, path) for path in loaded.paths]
    labels = np.asarray([_spelled(label) for label in loaded.y.tolist()])
    return Data("folder", loaded.X, labels, paths, skipped=skipped)


def _below(root: Path, path: str) -> str:
    return _spelled(os.path.relpath(path, root).replace(os.sep, "/"))


def _spelled(name: str) -> str:
    """Return a file's name with the bytes that are no UTF-8 spelled out: neither a CSV file nor pandas holds them."""
    return name.encode("utf-8", "backslashreplace").decode()

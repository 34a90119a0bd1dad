"""PATH as samples and labels: a folder of pictures, a table, or an ``.npz`` file of arrays."""

from __future__ import annotations

import copy
import io
import os
import shutil
import warnings
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.preprocessing import StandardScaler

from curvdetect.cli.console import Failure, listed, say, short
from curvdetect.cli.tables import PARQUET, TEXT, read_table
from curvdetect.data.folders import load_image_folder
from curvdetect.data.isolation import drawn
from curvdetect.data.labels import plain_labels
from curvdetect.data.types import Array
from curvdetect.detectors.inputs import rows_of
from curvdetect.training.checkpoints import write_whole

#: Side of pictures by default, in pixels, and where a pretrained network looks at them.
SIDE, EMBEDDED_SIDE = 32, 224
#: How many skipped files are named.
_NAMED = 5


@dataclass
class Data:
    """Samples and labels."""

    X: Any
    """An array, or a frame of the numbers of a table."""
    y: Array
    label: str | None = None
    """Column of the labels in a table."""
    shown: Any = None
    """Rows as they are in the file."""
    paths: list[str] | None = None
    """Files of pictures, relative to the folder, with slashes."""
    rows: NDArray[np.int64] | None = None
    """Rows of the table or array, where these are not all of them in their order."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Files that were not read, and why: broken pictures first."""

    def at(self, index: NDArray[np.int64]) -> Data:
        """Return the samples at these positions, in their order."""
        paths = None if self.paths is None else [self.paths[i] for i in index]
        rows = index if self.rows is None else self.rows[index]
        shown = None if self.shown is None else rows_of(self.shown, index)
        return replace(self, X=rows_of(self.X, index), y=self.y[index], paths=paths, rows=rows, shown=shown)

    def say_skipped(self, where: str = "") -> None:
        """Name the first few files that were skipped, and count the others, which are listed ``where``."""
        for line in self._skipped("{} more" + where):
            say(f"skipped: {line}")

    def note(self) -> str | None:
        """Return the same as a line for the page."""
        lines = ", ".join(self._skipped("and {} more"))
        return f"Skipped: {len(self.skipped)} file(s), {lines}" if lines else None

    def _skipped(self, more: str) -> list[str]:
        """Return the first few files that were skipped, and the number of the others in the words of ``more``."""
        lines = [f"{short(path)} ({short(why, 100)})" for path, why in self.skipped.items()]
        return lines if len(lines) <= _NAMED else [*lines[:_NAMED], more.format(len(lines) - _NAMED)]


def read_data(
    path: Path,
    *,
    label: str | None = None,
    drop: tuple[str, ...] = (),
    size: int | None = None,
    limit: int | None = None,
) -> Data:
    """Return samples and labels. The arguments are described where they are options: ``READING`` in options.py."""
    suffix = path.suffix.lower()
    if (label is not None or drop) and (path.is_dir() or suffix == ".npz"):
        raise click.UsageError("--label and --drop name columns of a table, and PATH is none.")
    if path.is_dir():
        return _read_folder(path, size or SIDE, limit)
    if suffix in (*TEXT, *PARQUET):
        data = Data(*read_table(path, label, drop))
    elif suffix == ".npz":
        X, y = _read_arrays(path)
        data = Data(X, y, shown=X if X.ndim == 2 else None)
    else:
        raise click.BadParameter(
            f"'{short(path)}' is neither a folder with one subfolder of pictures a class, nor a file that ends in "
            f"{', '.join((*TEXT, *PARQUET))} or .npz.",
            param_hint="PATH",
        )
    rows = drawn(len(data.y), limit)
    data = data if rows is None else data.at(rows)
    if data.X.ndim == 2:
        # in double precision: single would lose the digits of columns far from zero
        scaler = StandardScaler().set_output(transform="default" if suffix == ".npz" else "pandas")
        data.X = scaler.fit_transform(data.X)
    return data


def embedded(data: Data, model: str | None, device: str, quiet: bool, folder: Path | None = None) -> Data:
    """Return the samples as features of a pretrained network, if one is named; their pictures are then shown.

    ``folder`` is where the features are kept.
    """
    if model is None:
        return data
    if data.X.ndim < 3:
        raise click.UsageError("--features embeds pictures, and PATH holds rows of numbers: leave it out.")
    from curvdetect.features.embedder import ImageEmbedder

    embedder = ImageEmbedder(model, device=device, cache_dir=folder, verbose=0 if quiet else 1)
    return replace(data, X=embedder.transform(data.X), shown=data.X)


def _read_folder(root: Path, size: int, limit: int | None) -> Data:
    with warnings.catch_warnings():
        # a picture of a few hundred bytes may unfold to gigabytes
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        warnings.filterwarnings("ignore", message=".*(can't be read and are left out|are passed over)")
        loaded = load_image_folder(root, size=size, limit=limit)

    def named(path: str) -> str:
        """Return a path with bytes that are not UTF-8 escaped: neither a CSV file nor pandas can hold them."""
        return Path(path).as_posix().encode("utf-8", "backslashreplace").decode()

    def below(path: str) -> str:
        return named(os.path.relpath(path, root))

    skipped = {below(path): why for path, why in {**loaded.broken, **loaded.passed_over}.items()}
    labels = np.asarray(list(map(named, loaded.y.tolist())))
    return Data(loaded.X, labels, paths=list(map(below, loaded.paths)), skipped=skipped)


def _read_arrays(path: Path) -> tuple[Array, Array]:
    """Return the array X of an ``.npz`` file, and the array y as one label a sample; nothing is unpickled."""
    name = short(path)
    if not zipfile.is_zipfile(path):  # numpy would take it for a pickle, and tell how to load that
        raise Failure(f"'{name}' can't be read as an .npz of plain arrays: it is torn, or not what np.savez writes.")
    try:
        with np.load(path, allow_pickle=False) as stored:
            if not {"X", "y"} <= set(stored):
                raise Failure(
                    f"'{name}' holds {listed(stored)}: it needs an array X of samples and an array y of labels."
                )
            X, y = stored["X"], np.asarray(plain_labels(stored["y"])).ravel()
    except (zipfile.BadZipFile, EOFError, AttributeError, ValueError) as error:
        way = " Save text as text: y=np.array(labels, dtype=str)." if "Object arrays" in str(error) else ""
        raise Failure(f"'{name}' can't be read as an .npz of plain arrays: {error}.{way}") from error
    if len(X) != len(y):
        raise Failure(f"'{name}' has {len(X)} samples in X and {len(y)} labels in y.")
    return X, y


def rewrite_arrays(path: Path, target: Path, cleaned: Array) -> None:
    """Write a copy of an ``.npz`` file with other labels; every other array, of any name, stays as it was."""
    with np.load(path, allow_pickle=False) as stored:
        labels = cleaned.reshape(stored["y"].shape)
    content = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(content, "w") as new:
        for member in old.infolist():
            with old.open(member) as before, new.open(copy.copy(member), "w", force_zip64=True) as after:
                if member.filename in ("y", "y.npy"):
                    np.lib.format.write_array(after, labels, allow_pickle=False)
                else:
                    shutil.copyfileobj(before, after)
    write_whole(target, content.getbuffer())

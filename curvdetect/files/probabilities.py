"""Files of probabilities that a model of the user's own gave, beside the samples or the labels that they are of."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from curvdetect.data.types import Array
from curvdetect.data.wording import ArgumentError, ContentError, listed, short, spelled
from curvdetect.detectors.probabilities import check_probabilities
from curvdetect.files.label_files import mapped
from curvdetect.files.labelled import Asked, LabelledData, LabelledFile
from curvdetect.files.tables import TableFile, readable

#: Names of the array in an ``.npz`` file.
_NAMES = ("pred_probs", "probs", "probabilities")


def with_probabilities(file: LabelledFile, path: Path) -> LabelledData:
    """Return the samples of a file with the probabilities of each; where it holds labels alone, these are the samples.

    There are probabilities for all samples in the file, whichever are read.
    """
    classes, rows = np.unique(file.labels), file.chosen()
    name = f"{spelled('probs')} '{short(path.name, 30)}'"
    said = check_probabilities(_read(path, classes), len(file.labels), classes, name)
    if not file.alone:
        data = file.read(rows)
        return replace(data, pred_probs=_of_classes(said[_places(file, data)], classes, data.y))
    y = file.labels if rows is None else file.labels[rows]
    said = _of_classes(said if rows is None else said[rows], classes, y)
    X = pd.DataFrame(said, columns=[str(label) for label in np.unique(y).tolist()])
    return LabelledData(X, y, label=getattr(file, "label", None), rows=rows, pred_probs=said, alone=True)


def _places(file: LabelledFile, data: LabelledData) -> NDArray[np.int64]:
    """Return where in the file the samples are that were read."""
    if data.rows is not None:
        return data.rows
    if len(data.y) == len(file.labels):
        return np.arange(len(data.y))
    assert data.paths is not None  # of pictures that don't count by their places
    assert file.names is not None
    place = {name: i for i, name in enumerate(file.names)}
    return np.array([place[path] for path in data.paths])


def _of_classes(said: NDArray[np.float64], classes: Array, labels: Array) -> NDArray[np.float64]:
    """Return the probabilities of those classes that are among the labels."""
    there = np.isin(classes, labels)
    if there.all():
        return said
    part = said[:, there] + np.finfo(np.float64).tiny  # the model may rule out all of them
    found: NDArray[np.float64] = part / part.sum(1, keepdims=True)
    return found


def _read(path: Path, classes: Array) -> Array | pd.DataFrame:
    """Return what a file of probabilities holds; of a table the columns of the classes, where it has them all."""
    suffix = path.suffix.lower()
    if not path.is_file():
        raise ArgumentError("probs", f"'{short(path)}' is no file.")
    if suffix == ".npy":
        return mapped(path)
    if suffix == ".npz":
        return _of_arrays(path)
    if not TableFile.fits(path):
        raise ArgumentError("probs", f"'{short(path)}' is none of .npy, .npz, .csv, .tsv, .jsonl and .parquet.")
    table = TableFile(path, Asked()).table
    with readable(path):
        if table.headless:
            return pd.read_csv(path, header=None, sep=None, engine="python")
        frame = table.frame()
    names = [str(column) for column in frame.columns]
    wanted = [str(label) for label in classes.tolist()]
    return frame.iloc[:, [names.index(label) for label in wanted]] if set(wanted) <= set(names) else frame


def _of_arrays(path: Path) -> Array:
    """Return the array of a usual name, or the only one."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            names = [name for name in _NAMES if name in stored] or list(stored)
            found: dict[str, Array] = {name: stored[name] for name in names} if len(names) == 1 else {}
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, AttributeError) as error:
        raise ContentError(f"'{short(path)}' can't be read as an .npz of plain arrays: {error}.") from error
    if not found:
        raise ContentError(f"'{short(path)}' holds {listed(names) or 'nothing'}: name one of them pred_probs.")
    return found[names[0]]

"""``.npz`` files: samples and labels of one, and a copy with other labels."""

from __future__ import annotations

import copy
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curvdetect.cli.console import Failure, listed, short
from curvdetect.data.labels import plain_labels


def read_arrays(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the array X, and the array y as one label a sample.

    Parameters
    ----------
    path : Path
        Of plain arrays: nothing is unpickled.
    """
    name = short(path)
    if not zipfile.is_zipfile(path):  # which numpy takes for a pickle, and says how to load that all the same
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


def rewrite_arrays(path: Path, target: Path, cleaned: NDArray[Any]) -> None:
    """Write a copy with other labels; every other array stays as it was, whatever it is called.

    Parameters
    ----------
    path, target : Path
        The file, and the copy.
    cleaned : array of shape (n_samples,)
        The labels.
    """
    with np.load(path, allow_pickle=False) as stored:
        labels = cleaned.reshape(stored["y"].shape)
    draft = target.with_name(f"{target.name}.{os.getpid()}.draft")
    try:
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(draft, "w") as new:
            for member in old.infolist():
                is_y = member.filename in ("y", "y.npy")
                with old.open(member) as source, new.open(copy.copy(member), "w", force_zip64=True) as sink:
                    if is_y:
                        np.lib.format.write_array(sink, labels, allow_pickle=False)
                    else:
                        shutil.copyfileobj(source, sink)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)

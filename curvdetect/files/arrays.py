"""An ``.npz`` file with arrays X and y."""

from __future__ import annotations

import copy
import io
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from curvdetect.data.labels import plain_labels
from curvdetect.data.types import Array
from curvdetect.data.wording import ContentError, listed, short
from curvdetect.detectors.inputs import rows_of
from curvdetect.files.labelled import LabelledData, LabelledFile
from curvdetect.training.checkpoints import write_whole


class ArraysFile(LabelledFile):
    """An ``.npz`` file with arrays X and y; nothing is unpickled."""

    kind = "an .npz file with arrays X and y"
    copies = (".npz",)

    @classmethod
    def fits(cls, path: Path) -> bool:
        """Say whether a file is of this format."""
        return path.suffix.lower() == ".npz"

    @cached_property
    def labels(self) -> Array:
        """The array y as one label a sample."""
        with self._arrays() as stored:
            return np.asarray(plain_labels(stored["y"])).ravel()

    def read(self, rows: NDArray[np.int64] | None) -> LabelledData:
        """Return samples; rows of numbers are standardized."""
        with self._arrays() as stored:
            X = stored["X"]
        y = self.labels
        if len(X) != len(y):
            raise ContentError(f"'{short(self.path)}' has {len(X)} samples in X and {len(y)} labels in y.")
        if rows is not None:
            X, y = rows_of(X, rows), y[rows]
        if X.ndim != 2:
            return LabelledData(X, y, rows=rows)
        return LabelledData(StandardScaler().fit_transform(X), y, shown=X, rows=rows)

    def write(self, target: Path, labels: Array) -> None:
        """Write a copy with another y; every other array, of any name, stays as it was."""
        with np.load(self.path, allow_pickle=False) as stored:
            labels = labels.reshape(stored["y"].shape)
        content = io.BytesIO()
        with zipfile.ZipFile(self.path) as old, zipfile.ZipFile(content, "w") as new:
            for member in old.infolist():
                with old.open(member) as before, new.open(copy.copy(member), "w", force_zip64=True) as after:
                    if member.filename in ("y", "y.npy"):
                        np.lib.format.write_array(after, labels, allow_pickle=False)
                    else:
                        shutil.copyfileobj(before, after)
        write_whole(target, content.getbuffer())

    @contextmanager
    def _arrays(self) -> Iterator[np.lib.npyio.NpzFile]:
        """Open the file, or raise what is wrong with it."""
        name = short(self.path)
        if not zipfile.is_zipfile(self.path):  # numpy would take it for a pickle, and tell how to load that
            raise ContentError(
                f"'{name}' can't be read as an .npz of plain arrays: it is torn, or not what np.savez writes."
            )
        try:
            with np.load(self.path, allow_pickle=False) as stored:
                if not {"X", "y"} <= set(stored):
                    raise LookupError(
                        f"'{name}' holds {listed(stored)}: it needs an array X of samples and an array y of labels."
                    )
                yield stored
        except LookupError as error:
            raise ContentError(error.args[0]) from None
        except (zipfile.BadZipFile, EOFError, AttributeError, ValueError) as error:
            way = " Save text as text: y=np.array(labels, dtype=str)." if "Object arrays" in str(error) else ""
            raise ContentError(f"'{name}' can't be read as an .npz of plain arrays: {error}.{way}") from error

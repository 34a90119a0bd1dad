"""Arrays in ``.npz`` and ``.npy`` files: samples and labels in one file, or the labels in another."""

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
from curvdetect.data.shapes import is_channels_last
from curvdetect.data.types import Array
from curvdetect.data.wording import ArgumentError, ContentError, short, spelled
from curvdetect.detectors.inputs import rows_of
from curvdetect.files.array_names import chosen_names, shapes_of
from curvdetect.files.label_files import LabelArray, array_bytes, as_stored, labels_in, mapped, no_samples
from curvdetect.files.labelled import LabelledData, LabelledFile
from curvdetect.training.checkpoints import write_whole


class _Arrays(LabelledFile):
    """Files of arrays, whose labels may be in another file."""

    @property
    def holder(self) -> Path:
        """The file that the labels stand in."""
        return self.path if self._apart is None else self._apart.path

    @property
    def copies(self) -> tuple[str, ...]:  # type: ignore[override]
        """Ends of the name of a corrected copy."""
        return (self.path.suffix.lower(),) if self._apart is None else self._apart.copies

    @cached_property
    def _apart(self) -> LabelledFile | None:
        """The file of labels, where there is one."""
        return None if self.asked.labels is None else labels_in(Path(self.asked.labels), self.asked.label)

    def _data(self, X: Array, name: str, rows: NDArray[np.int64] | None) -> LabelledData:
        """Return samples and their labels; ``name`` says what the samples are."""
        y = self.labels
        if X.ndim < 2 or len(X) != len(y):
            of = "" if self._apart is None else f" in '{short(self._apart.path)}'"
            what = f"{len(X)} samples" if X.ndim > 1 else "no samples"
            raise ContentError(f"'{short(self.path)}' has {what} in {name} and {len(y)} labels{of}.")
        if X.dtype.kind not in "biuf":
            raise ContentError(f"'{short(self.path)}' has samples in {name} that are no numbers ({X.dtype}).")
        if is_channels_last(X.shape[1:]):
            X = np.moveaxis(X, -1, 1)
        return LabelledData(X, y) if rows is None else LabelledData(rows_of(X, rows), y[rows], rows=rows)


class ArraysFile(_Arrays):
    """An ``.npz`` file with an array of samples, and one of labels unless these are elsewhere; nothing is unpickled."""

    kind = "an .npz file of arrays, such as X and y"
    takes = frozenset({"label", "labels", "samples", "split"})

    @classmethod
    def fits(cls, path: Path) -> bool:
        """Say whether a file is of this format."""
        return path.suffix.lower() == ".npz"

    @cached_property
    def alone(self) -> bool:  # type: ignore[override]
        """Whether it holds one array, of labels."""
        shapes = list(self._shapes.values())
        return len(shapes) == 1 and self._apart is None and shapes[0][1:] in ((), (1,))

    @cached_property
    def labels(self) -> Array:
        """The array of labels as one label a sample."""
        if self._apart is not None:
            return self._apart.labels
        with self._arrays() as stored:
            found = stored[self._names[1]]
        return np.asarray(plain_labels(found)).ravel()

    def read(self, rows: NDArray[np.int64] | None) -> LabelledData:
        """Return samples; rows of numbers are standardized, and channels go first."""
        if self.alone:
            raise no_samples(self.path)
        with self._arrays() as stored:
            X = stored[self._names[0]]
        data = self._data(X, self._names[0], rows)
        if data.X.ndim == 2:
            data.X, data.shown = StandardScaler().fit_transform(data.X), data.X
        return data

    def write(self, target: Path, labels: Array) -> None:
        """Write a copy with other labels; every other array, of any name, stays as it was."""
        if self._apart is not None:
            self._apart.write(target, labels)
            return
        name = self._names[1]
        with self._arrays() as stored:
            changed = array_bytes(as_stored(labels, stored[name]))
        content = io.BytesIO()
        with zipfile.ZipFile(self.path) as old, zipfile.ZipFile(content, "w") as new:
            for member in old.infolist():
                with old.open(member) as before, new.open(copy.copy(member), "w", force_zip64=True) as after:
                    if member.filename in (name, f"{name}.npy"):
                        after.write(changed)
                    else:
                        shutil.copyfileobj(before, after)
        write_whole(target, content.getbuffer())

    @cached_property
    def _shapes(self) -> dict[str, tuple[int, ...]]:
        with self._arrays():
            return shapes_of(self.path)

    @cached_property
    def _names(self) -> tuple[str, str]:
        """The names of the samples and of the labels, empty of those that are not there."""
        return ("", next(iter(self._shapes))) if self.alone else chosen_names(self._shapes, self.asked, self.path)

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
                yield stored
        except ContentError:
            raise
        except (zipfile.BadZipFile, EOFError, AttributeError, ValueError) as error:
            way = " Save text as text: y=np.array(labels, dtype=str)." if "Object arrays" in str(error) else ""
            raise ContentError(f"'{name}' can't be read as an .npz of plain arrays: {error}.{way}") from error


class ArrayFile(_Arrays):
    """An ``.npy`` file of samples, read as needed, with labels in a file of their own; or one of labels."""

    kind = "an .npy file of samples"
    takes = frozenset({"label", "labels"})

    @classmethod
    def fits(cls, path: Path) -> bool:
        """Say whether a file is of this format."""
        return path.suffix.lower() == ".npy"

    @cached_property
    def alone(self) -> bool:  # type: ignore[override]
        """Whether the array is of labels."""
        return self._apart is None and self._stored.ndim > 0 and self._stored.size == len(self._stored)

    @cached_property
    def labels(self) -> Array:
        """The labels, of the file of labels where there is one."""
        if self._apart is not None:
            return self._apart.labels
        if not self.alone:
            raise ArgumentError(
                "labels",
                f"'{short(self.path)}' holds an array of shape {self._stored.shape} and no labels. Pass their file, a "
                f"table or an .npy, by {spelled('labels')}.",
            )
        return LabelArray(self.path, self.asked).labels

    def read(self, rows: NDArray[np.int64] | None) -> LabelledData:
        """Return samples as they are in the file; channels go first."""
        if self.alone:
            raise no_samples(self.path)
        return self._data(self._stored, f"shape {self._stored.shape}", rows)

    def write(self, target: Path, labels: Array) -> None:
        """Write a copy of the labels with others."""
        (self._apart or LabelArray(self.path, self.asked)).write(target, labels)

    @cached_property
    def _stored(self) -> Array:
        return mapped(self.path)

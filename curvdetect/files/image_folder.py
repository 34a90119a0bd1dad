"""A folder with one subfolder of pictures a class."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curvdetect.data.folders import doubts_of_classes, pictures_in
from curvdetect.data.squares import Pictures, files
from curvdetect.data.types import Array
from curvdetect.data.wording import warn
from curvdetect.files.labelled import LabelledData
from curvdetect.files.pictures import PicturesFile, as_text
from curvdetect.files.safe_csv import FORMULA, inert_path, write_csv


class ImageFolder(PicturesFile):
    """A folder with one subfolder of pictures a class, whose corrected labels are a list: no picture is moved."""

    kind = "a folder with one subfolder of pictures a class"
    copies = (".csv",)
    numbered = False

    @classmethod
    def fits(cls, path: Path) -> bool:
        """Say whether a path is of this format."""
        return path.is_dir()

    @cached_property
    def labels(self) -> Array:
        """The names of the subfolders."""
        return np.asarray([as_text(label) for label, paths in self._found[0].items() for _ in paths])

    @cached_property
    def pictures(self) -> Pictures:
        """All pictures, class by class."""
        paths = [path for of_class in self._found[0].values() for path in of_class]
        return files(paths, list(map(self._below, paths)))

    def passed_over(self) -> dict[str, str]:
        """Return what is no picture of a class, and why."""
        return {as_text(self._below(Path(path))): why for path, why in self._found[1].items()}

    def read(self, rows: NDArray[np.int64] | None) -> LabelledData:
        """Return the pictures that can be read."""
        for message in doubts_of_classes(self.path, self._found[0]):
            warn(message)
        return super().read(rows)

    def write(self, target: Path, labels: Array) -> None:
        """Write a list of pictures and labels."""
        write_csv(target, ["path", "label"], zip(map(inert_path, self.names), labels.tolist(), strict=True))
        if any(str(label).startswith(FORMULA) for label in labels.tolist()):
            warn("some labels begin as a formula does; don't open the file in a spreadsheet")

    @cached_property
    def _found(self) -> tuple[dict[str, list[Path]], dict[str, str]]:
        return pictures_in(self.path)

    def _below(self, path: Path) -> str:
        return Path(os.path.relpath(path, self.path)).as_posix()

"""A folder with one subfolder of pictures a class."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curvdetect.data.folders import doubts_of_classes, pictures_in
from curvdetect.data.squares import Pictures, files
from curvdetect.data.types import Array
from curvdetect.data.wording import ContentError, short, warn
from curvdetect.files.coco import CocoFile
from curvdetect.files.pictures import PicturesFile, as_text
from curvdetect.files.safe_csv import FORMULA, inert_path, write_csv
from curvdetect.files.shards import shards_in
from curvdetect.files.tables import READERS

#: Where a folder of pictures has COCO files, as COCO itself and Roboflow have them.
_COCO = ("annotations/*.json", "*/_annotations*.json", "*.json")

#: How messages of `load_image_folder` begin, whose argument has another name here.
_ROOT = "root="


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
        return files(self.files, list(map(self._below, self.files)))

    @cached_property
    def files(self) -> list[Path]:
        """The files of the pictures."""
        return [path for of_class in self._found[0].values() for path in of_class]

    def passed_over(self) -> dict[str, str]:
        """Return what is no picture of a class, and why."""
        return {as_text(self._below(Path(path))): why for path, why in self._found[1].items()}

    def doubts(self, places: NDArray[np.int64]) -> Iterator[str]:
        """Yield what to warn of about the subfolders, and boxes beside them."""
        yield from (doubt.removeprefix(_ROOT) for doubt in doubts_of_classes(self.path, self._found[0]))
        files = chain.from_iterable(map(self.path.glob, _COCO))
        if coco := next(filter(CocoFile.fits, files), None):
            yield (
                f"'{short(self.path)}' has boxes in the COCO file '{short(self._below(coco))}', and its subfolders are "
                "read as classes. Pass that file to rank its boxes."
            )

    def write(self, target: Path, labels: Array) -> None:
        """Write a list of pictures and labels."""
        write_list(target, self.names, labels)

    @cached_property
    def _found(self) -> tuple[dict[str, list[Path]], dict[str, str]]:
        try:
            return pictures_in(self.path)
        except FileNotFoundError as error:
            if not (tables := shards_in(self.path, tuple(chain(*READERS)))):
                raise FileNotFoundError(str(error).removeprefix(_ROOT)) from error
            some = ", ".join(f"'{short(table)}'" for table in tables[:2])
            raise ContentError(
                f"'{short(self.path)}' has no pictures and {len(tables)} table(s), of which one is read at a time. "
                f"Pass it: {some}{', ...' if len(tables) > 2 else ''}."
            ) from error

    def _below(self, path: Path) -> str:
        return Path(os.path.relpath(path, self.path)).as_posix()


def write_list(target: Path, names: list[str], labels: Array) -> None:
    """Write pictures and their labels as a table."""
    write_csv(target, ["path", "label"], zip(map(inert_path, names), labels.tolist(), strict=True))
    if any(str(label).startswith(FORMULA) for label in labels.tolist()):
        warn("some labels begin as a formula does; don't open the file in a spreadsheet")

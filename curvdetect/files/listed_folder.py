"""A folder of pictures with a list of their labels in it, as in Hugging Face's imagefolder and most competitions."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import chain, product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curvdetect.data.folders import folders_in, holds_pictures, pictures_below
from curvdetect.data.wording import ContentError, listed, short, warn
from curvdetect.files.labelled import Asked, LabelledData, LabelledFile
from curvdetect.files.picture_table import PictureTable
from curvdetect.files.pictures import as_text
from curvdetect.files.tables import READERS

#: Names of lists, without their ends. The first that names pictures is taken.
_LISTS = ("labels", "metadata", "train")


class ListedFolder(PictureTable):
    """A folder of pictures with a list of their labels; a corrected copy is one of the list."""

    kind = "a folder of pictures with their labels in labels.csv, metadata.csv or the like"

    def __init__(self, path: Path, asked: Asked) -> None:
        found = _list_in(path)
        super().__init__(path if found is None else found, asked)

    @classmethod
    def opened(cls, path: Path, asked: Asked) -> LabelledFile:
        """Return the folder, or raise if its list names no pictures."""
        file = cls(path, asked)
        if file.column is None:
            raise file.without_pictures()
        return file

    @classmethod
    def fits(cls, path: Path) -> bool:
        """Say whether a path is of this format."""
        return path.is_dir() and _list_in(path) is not None

    def read(self, rows: NDArray[np.int64] | None) -> LabelledData:
        """Return the pictures that can be read; those that the list leaves out are counted in a warning."""
        named, folder = set(map(os.path.normpath, self.files)), Path(self.asked.root or self.path.parent)
        others = [
            os.path.relpath(path, folder) for path in pictures_below(folder) if os.path.normpath(path) not in named
        ]
        if others:
            first = listed(map(as_text, sorted(others)), 100)
            warn(
                f"{len(others)} pictures in '{short(folder)}' are not in '{self.path.name}', and are left out: {first}."
            )
        return replace(super().read(rows), file=self.path.name)


def _list_in(folder: Path) -> Path | None:
    """Return the first list that names pictures; or the first one, if subfolders of pictures are no classes."""
    named = (folder / f"{name}{end}" for name, end in product(_LISTS, chain(*READERS)))
    lists = [path for path in named if path.is_file()]
    found = next(filter(_names_pictures, lists), None)
    if found is None and lists and sum(map(holds_pictures, folders_in(folder))) < 2:
        return lists[0]
    return found


def _names_pictures(path: Path) -> bool:
    """Say whether a list names pictures that are there."""
    try:
        return any(there for _, there in PictureTable(path, Asked()).found.values())
    except (ContentError, ImportError):
        return False

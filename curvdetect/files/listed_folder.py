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
from curvdetect.files.tables import READERS, is_label, readable

#: Names of lists, without their ends. The first that names pictures is taken.
_LISTS = ("labels", "metadata", "train")
#: Names of columns that say which part of the data a picture is in.
_PARTS = ("split", "part", "fold", "subset")
#: Rows by which captions are told from labels, at most.
_LOOKED_AT = 1000


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
    """Return the first list that names pictures; or the first one, if subfolders of pictures are no classes.

    Beside folders of classes, a list counts that has labels by name, or else one column of few texts.
    """
    named = (folder / f"{name}{end}" for name, end in product(_LISTS, chain(*READERS)))
    lists = [path for path in named if path.is_file()]
    found = next(filter(_names_pictures, lists), None)
    if found is None and not lists:
        return None
    classes = sum(map(holds_pictures, folders_in(folder))) >= 2
    if found is None:
        return None if classes else lists[0]
    return found if not classes or _holds_labels(found) else None


def _holds_labels(path: Path) -> bool:
    """Say whether a list has a column named as labels are, or one beside that of pictures, of a few different texts.

    The parts of the data are none of labels.
    """
    table = PictureTable(path, Asked())
    try:
        others = table.candidates()
        if any(map(is_label, others)) or len(others) != 1 or others[0].strip().lower() in _PARTS:
            return any(map(is_label, others))
        with readable(path):
            entries = table.table.head(_LOOKED_AT)[others[0]].map(str)
    except ContentError:  # which is raised again by what reads the list
        return True
    return len(entries) < 3 or 1 < entries.nunique() <= len(entries) / 2


def _names_pictures(path: Path) -> bool:
    """Say whether a list names pictures that are there."""
    try:
        return any(there for _, there in PictureTable(path, Asked()).found.values())
    except (ContentError, ImportError):
        return False

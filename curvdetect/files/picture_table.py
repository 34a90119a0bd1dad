"""A table with a column that names pictures."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from curvdetect.data.folders import suffixes
from curvdetect.data.squares import Pictures, files
from curvdetect.data.wording import ArgumentError, ContentError, listed, short, spelled
from curvdetect.files.labelled import Asked, LabelledData, LabelledFile
from curvdetect.files.picture_places import PicturePlaces
from curvdetect.files.pictures import PicturesFile, as_text
from curvdetect.files.tables import TableFile, is_label, readable

if TYPE_CHECKING:
    from curvdetect.files.text_table import Column

#: How many rows are looked at, and of how many of them a picture is looked for in each column.
_FEW, _TRIED = 100, 20
#: From so many rows on, whole numbers may name pictures: fewer could be found by chance.
_ENOUGH = 10
_NUMBER = re.compile(r"[+-]?[0-9]*[.,]?[0-9]+([eE][+-]?[0-9]+)?")


class PictureTable(PicturesFile, TableFile):
    """A table with a column that names pictures, and one of labels."""

    takes = frozenset({"label", "drop", "pictures", "root"})

    @classmethod
    def opened(cls, path: Path, asked: Asked) -> LabelledFile:
        """Return a table of pictures, or one of numbers if no column names pictures."""
        file = cls(path, asked)
        if file.column is not None:
            return file
        if asked.root is not None:
            raise file.without_pictures()
        numbers = TableFile(path, asked)
        numbers.table = file.table
        return numbers

    @cached_property
    def column(self) -> str | None:
        """The column that names pictures, if there is one: known by its content."""
        asked = self.asked.pictures
        if asked is not None:
            return self._asked_for(asked)
        best = [name for name, seen in self.found.items() if seen == max(self.found.values())]
        if len(best) > 1:
            raise ArgumentError(
                "pictures", f"{listed(best)} of '{short(self.path)}' name pictures. Choose one of them."
            )
        return best[0] if best else None

    @cached_property
    def found(self) -> dict[str, tuple[bool, int]]:
        """The columns that seem to name pictures: whether by the ends of names, and how many of the first are there."""
        label, drop = self.asked.label, self.asked.drop
        try:
            with readable(self.path):
                head = self.table.head(_FEW)
        except ContentError:  # which is raised again by what needs the columns
            return {}
        others = {
            str(name): column
            for name, column in head.items()
            if name not in drop and not (is_label(name) if label is None else name == label)
        }
        seen = {name: self._seen(column) for name, column in others.items()}
        return {name: by for name, by in seen.items() if by is not None}

    @cached_property
    def label(self) -> str:
        """The name of the column of labels, which needs no name where it is the only one beside that of pictures."""
        others = self.candidates()
        return others[0] if self.asked.label is None and len(others) == 1 else super().label

    @cached_property
    def names(self) -> list[str]:
        """The cells; a name that stands twice gets the number of its row."""
        names: dict[str, None] = {}
        for row, cell in enumerate(self._cells):
            name = as_text(cell) or f"row {row}, where none is named"
            while name in names:
                name += f" (row {row})"
            names[name] = None
        return list(names)

    @cached_property
    def files(self) -> list[Path]:
        """The files of the pictures; at least one is there."""
        cells = self._cells
        few = dict.fromkeys(cells[i] for i in np.linspace(0, len(cells) - 1, _FEW).astype(int) if cells[i])
        found = self._places.find(cells, few)
        if not any(map(os.path.isfile, found)):
            raise self._all_missing(found[0])
        return found

    @cached_property
    def pictures(self) -> Pictures:
        """All pictures, in the order of the rows."""
        return files(self.files, self.names)

    def read(self, rows: NDArray[np.int64] | None) -> LabelledData:
        """Return the pictures that can be read; the other columns say nothing."""
        return replace(super().read(rows), label=self.label)

    def candidates(self) -> list[str]:
        """Return the columns that may hold the labels."""
        return [name for name in super().candidates() if name != self.column]

    def without_pictures(self) -> ArgumentError:
        """Return the error where no column names pictures."""
        with readable(self.path):
            columns = self.table.columns
        return ArgumentError(
            "pictures",
            f"no column of '{short(self.path)}' names pictures in '{short(self._places.root)}' or in a folder there. "
            f"Choose one of {listed(columns)}.",
        )

    @cached_property
    def _cells(self) -> list[str]:
        """The cells of the column, as they are spelled; empty ones are empty."""
        with readable(self.path):
            cells = self.table.labels(str(self.column))
        return ["" if pd.isna(cell) else str(cell) for cell in cells]

    @cached_property
    def _places(self) -> PicturePlaces:
        root = self.asked.root
        if root is not None and not Path(root).is_dir():
            raise ArgumentError("root", f"'{short(root)}' is no folder.")
        return PicturePlaces(self.path.parent if root is None else Path(root), self.path.name.split(".")[0])

    def _asked_for(self, column: str) -> str:
        """Return a column that is asked for, or raise why it names no pictures."""
        if column in (*self.asked.drop, self.asked.label):
            raise ArgumentError("pictures", f"'{short(column)}' is to drop, or holds the labels.")
        with readable(self.path):
            columns = self.table.columns
        if column in columns:
            return column
        raise ArgumentError(
            "pictures", f"there is no column '{short(column)}' in '{short(self.path)}', which has {listed(columns)}."
        )

    def _seen(self, column: Column) -> tuple[bool, int] | None:
        """Return whether a column names pictures by endings, and how many are there; None if it names none at all."""
        cells = [cell for cell in column if isinstance(cell, str | int | np.integer) and not isinstance(cell, bool)]
        names = [str(cell).strip() for cell in cells if cell != ""]
        different = list(dict.fromkeys(names))
        if not names or len(cells) < column.notna().sum():
            return None
        by_name = False
        if all(map(_NUMBER.fullmatch, different)):  # they may number pictures if they are no measurement
            if not all(map(str.isdigit, different)) or len(different) < max(_ENOUGH, len(names)):
                return None
        else:
            ends = tuple(suffixes())
            by_name = all(name.lower().endswith(ends) for name in different)
            if not by_name and 2 * len(different) < len(names):
                return None
        tried = different[:: max(1, len(different) // _TRIED)]
        there = len(set().union(*self._places.ways(tried).values()))
        return (by_name, there) if by_name or 2 * there >= len(tried) else None

    def _all_missing(self, first: Path) -> ContentError:
        """Return the error where no picture is there."""
        column, way = str(self.column), f"Pass the folder that they are relative to ({spelled('root')})"
        if re.match("[a-z]+://", self._cells[0]):
            way = "Download what is elsewhere, and name the files"
        return ContentError(
            f"none of the {len(self._cells)} pictures in column '{short(column)}' of '{short(self.path.name)}' is "
            f"there. The first would be '{short(first, 120)}'. {way}, or leave the column out "
            f"({spelled('drop', [column])})."
        )

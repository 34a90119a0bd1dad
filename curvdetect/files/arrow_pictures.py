"""Pictures in columns of Arrow: encoded bytes, or names of files, beside labels.

A picture is taken from its file when it is looked at: the encoded bytes of all of them are never in memory together.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from curvdetect.data.squares import Pictures, opened
from curvdetect.data.types import Array
from curvdetect.data.wording import ArgumentError, ContentError, listed, short, spelled
from curvdetect.files.arrow import class_names, coded_columns, feature_of, labels_in, pyarrow
from curvdetect.files.copies import copy_file, new_folder
from curvdetect.files.labelled import LabelledData, sources
from curvdetect.files.pictures import PicturesFile, opened_bytes
from curvdetect.files.shards import is_picture, splits_to_read
from curvdetect.files.tables import complete, label_column

#: How many groups of rows are kept: threads that read in order are rarely in more.
_KEPT = 2
#: How many cells show what a column holds.
_FIRST = 10


class Rows(ABC):
    """A file of rows, the only one or a shard."""

    def __init__(self, path: Path, split: str = "") -> None:
        self.path, self.split = path, split

    @property
    @abstractmethod
    def schema(self) -> Any:
        """Names and types of the columns."""

    @property
    @abstractmethod
    def lengths(self) -> list[int]:
        """Numbers of rows that are read together."""

    @abstractmethod
    def group(self, number: int, column: str) -> Any:
        """Return a column of the rows that are read together."""

    @abstractmethod
    def column(self, name: str) -> Any:
        """Return a column of small entries."""

    @abstractmethod
    def paths(self, name: str) -> Any:
        """Return the names of files in a column of pictures."""

    @abstractmethod
    def first(self, name: str) -> list[Any]:
        """Return a few of the first entries of a column."""

    @abstractmethod
    def rewrite(self, target: Path, name: str, column: Any) -> None:
        """Write a copy with another column, all else as it was."""


class ArrowPictures(PicturesFile):
    """Rows with a column of pictures and one of labels, in one file or several."""

    takes = frozenset({"label", "pictures", "root", "split"})

    @property
    @abstractmethod
    def shards(self) -> list[Rows]:
        """All files of rows, of all splits."""

    def beside(self) -> list[Path]:
        """Return the other files that a copy needs."""
        return []

    @cached_property
    def labels(self) -> Array:
        """The labels."""
        return complete(labels_in(self._labels, self._schema, self.label), self.label)

    @cached_property
    def label(self) -> str:
        """The name of the column of labels."""
        columns = [name for name in self._schema.names if name not in self._pictures]
        return label_column(columns, self.asked.label, self.path, coded=coded_columns(self._schema))

    @cached_property
    def pictures(self) -> Pictures:
        """All pictures, of the column that is asked for or the only one."""
        column = self.asked.pictures or self._pictures[0]
        if column not in self._pictures:
            problem = f"'{short(column)}' of '{short(self.path)}' is no column of pictures"
        elif self.asked.pictures is None and len(self._pictures) > 1:
            problem = f"'{short(self.path)}' has several columns of pictures"
        else:
            return Pictures(self._called, lambda row: self._opened(self._cell(row, column)))
        raise ArgumentError("pictures", f"{problem}. Choose one of {listed(self._pictures)}.")

    @cached_property
    def names(self) -> list[str]:
        """What the pictures are called."""
        return self._called

    def read(self, rows: NDArray[np.int64] | None) -> LabelledData:
        """Return the pictures that can be read."""
        data = super().read(rows)
        data.label = self.label
        return data

    def write(self, target: Path, labels: Array) -> None:
        """Write a copy of the file, or of the folder as a new one, with other labels."""
        source = sources(self.labels, labels)
        column = self._labels.take(pyarrow().array(source))
        if self.path.is_file():
            self._read[0].rewrite(target, self.label, column)
            return
        changed = source != np.arange(len(source))
        with new_folder(target) as folder:
            for path in (*self.beside(), *(shard.path for shard in self.shards if shard not in self._read)):
                copy_file(path, folder / path.relative_to(self.path))
            start = 0
            for shard in self._read:
                new, end = folder / shard.path.relative_to(self.path), start + sum(shard.lengths)
                if changed[start:end].any():
                    shard.rewrite(new, self.label, column.slice(start, end - start))
                else:
                    copy_file(shard.path, new)
                start = end

    @cached_property
    def _read(self) -> list[Rows]:
        """The files of the splits that are read."""
        splits = splits_to_read([shard.split for shard in self.shards], self.asked.split, self.path)
        shards = [shard for split in splits for shard in self.shards if shard.split == split]
        for shard in shards:
            if shard.schema.names != shards[0].schema.names:
                raise ContentError(
                    f"'{short(shard.path.name)}' has other columns than '{short(shards[0].path.name)}'. Pass a folder "
                    f"of files with the same columns, or {spelled('split')}."
                )
        return shards

    @property
    def _schema(self) -> Any:
        return self._read[0].schema

    @cached_property
    def _labels(self) -> Any:
        """The column of labels, of all files."""
        first, name, pa = self._read[0], self.label, pyarrow()
        chunks = []
        for shard in self._read:
            column = shard.column(name)
            kind = (column.type, class_names(shard.schema, name))
            if kind != (first.schema.field(name).type, class_names(first.schema, name)):
                raise ContentError(
                    f"column '{short(name)}' has another type, or other classes, in '{short(shard.path.name)}' than in "
                    f"'{short(first.path.name)}'. Pass one of them, or {spelled('split')}."
                )
            chunks += column.chunks
        return pa.chunked_array(chunks, first.schema.field(name).type)

    @cached_property
    def _pictures(self) -> list[str]:
        found = picture_columns(self._read)
        if not found:
            raise ContentError(f"'{short(self.path)}' has no rows with pictures. {spelled('split')} may choose others.")
        return found

    @cached_property
    def _called(self) -> list[str]:
        """The names of the pictures' files where each has another, or numbers of rows, with the split before them."""
        within: list[tuple[str, list[str | None]]] = []
        for split in dict.fromkeys(shard.split for shard in self._read):
            shards = [shard for shard in self._read if shard.split == split]
            paths = [path for shard in shards for path in self._paths(shard)]
            within.append((split, paths))
        several = len(within) > 1
        named = all(None not in paths and len(set(paths)) == len(paths) for _, paths in within)
        return [
            (f"{split}/" if several else "") + (str(path) if named else f"row {i}")
            for split, paths in within
            for i, path in enumerate(paths)
        ]

    def _paths(self, shard: Rows) -> list[str | None]:
        """Return the names of the files that the pictures of a shard were, or None for each."""
        name = self._pictures[0]
        if len(self._pictures) == 1 and has_paths(shard.schema.field(name).type):
            return [path or None for path in shard.paths(name).to_pylist()]
        return [None] * sum(shard.lengths)

    @cached_property
    def _groups(self) -> list[tuple[Rows, int]]:
        return [(shard, number) for shard in self._read for number in range(len(shard.lengths))]

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        """The first row of each group."""
        return np.cumsum([0, *(length for shard in self._read for length in shard.lengths)])[:-1]

    @cached_property
    def _lock(self) -> Lock:
        return Lock()

    @cached_property
    def _group(self) -> Any:
        def read(group: int, column: str) -> Any:
            shard, number = self._groups[group]
            return shard.group(number, column)

        return lru_cache(_KEPT)(read)

    def _cell(self, row: int, column: str) -> Any:
        """Return an entry of a column."""
        group = int(np.searchsorted(self._starts, row, "right")) - 1
        with self._lock:  # one thread reads a group for all
            cells = self._group(group, column)
        return cells[row - int(self._starts[group])].as_py()

    def _opened(self, cell: bytes | dict[str, Any] | None) -> Image.Image:
        """Open the picture in a cell."""
        content, path = (cell.get("bytes"), cell.get("path")) if isinstance(cell, dict) else (cell, None)
        if content is not None:
            return opened_bytes(content)
        if not path:
            raise ValueError("the cell is empty")
        beside = self.path.parent if self.path.is_file() else self.path
        return opened(Path(self.asked.root or beside, path))


def picture_columns(shards: Sequence[Rows]) -> list[str]:
    """Return the names of columns of pictures in files of the same columns, the first of which may have no rows."""
    rows = next((shard for shard in shards if sum(shard.lengths)), shards[0])
    schema, found = rows.schema, []
    for name in schema.names if len(set(schema.names)) == len(schema.names) else ():
        kind, noted = schema.field(name).type, feature_of(schema, name).get("_type", "Image")
        if (
            (_is_cell(kind) or _is_binary(kind))
            and noted in ("Image", "Value")
            and any(map(_is_picture, rows.first(name)))
        ):
            found.append(name)
    return found


def has_paths(kind: Any) -> bool:
    """Say whether the entries of a column name files."""
    pa = pyarrow()
    return _is_cell(kind) and kind.get_field_index("path") >= 0 and not pa.types.is_null(kind.field("path").type)


def _is_cell(kind: Any) -> bool:
    """Say whether a column holds pictures as Hugging Face's datasets have them."""
    types = pyarrow().types
    if not types.is_struct(kind) or kind.get_field_index("bytes") < 0:
        return False
    content = kind.field("bytes").type
    return _is_binary(content) or types.is_null(content)


def _is_binary(kind: Any) -> bool:
    types = pyarrow().types
    return types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind)


def _is_picture(cell: Any) -> bool:
    """Say whether a cell holds a picture, or names one."""
    content, path = (cell.get("bytes"), cell.get("path")) if isinstance(cell, dict) else (cell, None)
    if content is None:
        return is_picture(path or "")
    try:
        with opened_bytes(content):
            return True
    except Exception:  # decoders raise errors of any kind
        return False

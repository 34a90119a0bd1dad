"""Parquet files with pictures in them: one, or a folder of shards as the Hugging Face hub has them."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from curvdetect.files.arrow import PARQUET, open_parquet, pyarrow
from curvdetect.files.arrow_pictures import ArrowPictures, Rows, picture_columns
from curvdetect.files.parquet_copy import batches, rewrite_parquet
from curvdetect.files.shards import shards_in, split_of

#: Bytes of pictures that are read into memory in one piece; more go to a file, since no part of them is found alone.
_IN_MEMORY = 2**28
#: Rows that are read at a time.
_ROWS = 128
#: What a copy of a folder keeps beside its shards: the card of a data set, which names its splits.
_CARD = "README.md"


class ParquetRows(Rows):
    """A Parquet file."""

    def __init__(self, path: Path, split: str = "") -> None:
        super().__init__(path, split)
        self._unpacked: dict[tuple[int, str], Any] = {}
        with open_parquet(self.path) as file:
            self._schema, metadata = file.schema_arrow, file.metadata
        self._lengths = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]

    @property
    def schema(self) -> Any:
        """Names and types of the columns."""
        return self._schema

    @property
    def lengths(self) -> list[int]:
        """Numbers of rows in the groups that Parquet has."""
        return self._lengths

    def group(self, number: int, column: str) -> Any:
        """Return a column of a group of rows, mapped from a file where it is large."""
        pa, key = pyarrow(), (number, column)
        if key in self._unpacked:
            return self._unpacked[key]
        with open_parquet(self.path) as file:
            group, schema = file.metadata.row_group(number), pa.schema([self.schema.field(column)])
            chunks = (group.column(i) for i in range(group.num_columns))
            size = sum(c.total_uncompressed_size for c in chunks if c.path_in_schema.split(".")[0] == column)
            rows = batches(file, number, [column], _ROWS)
            if size <= _IN_MEMORY:
                return pa.Table.from_batches(rows, schema).column(0)
            with tempfile.TemporaryFile() as unpacked:  # which the system keeps for as long as it is mapped
                with pa.ipc.new_stream(unpacked, schema) as stream:
                    for some in rows:
                        stream.write_batch(some)
                mapped = pa.py_buffer(np.memmap(unpacked, np.uint8, "r"))
        self._unpacked[key] = pa.ipc.open_stream(mapped).read_all().column(0)
        return self._unpacked[key]

    def column(self, name: str) -> Any:
        """Return a column of small entries."""
        with open_parquet(self.path) as file:
            return file.read([name]).column(0)

    def paths(self, name: str) -> Any:
        """Return the names of files in a column of pictures."""
        return pyarrow().compute.struct_field(self.column(f"{name}.path"), "path")

    def first(self, name: str) -> list[Any]:
        """Return a few of the first entries of a column."""
        with open_parquet(self.path) as file:
            found = (cell.as_py() for some in file.iter_batches(1, columns=[name]) for cell in some.column(0))
            return list(islice((cell for cell in islice(found, 100) if cell is not None), 10))

    def rewrite(self, target: Path, name: str, column: Any) -> None:
        """Write a copy with another column, all else as it was."""
        rewrite_parquet(self.path, target, name, column)


class ParquetPictures(ArrowPictures):
    """Parquet files with a column of pictures and one of labels."""

    kind = "pictures in Parquet files"

    @classmethod
    def fits(cls, path: Path) -> bool:
        """Say whether a file or folder is of this format."""
        if path.is_dir():
            return any(map(_has_pictures, shards_in(path, PARQUET)))
        if path.suffix.lower() not in PARQUET:
            return False
        try:
            return _has_pictures(path)
        except ImportError:
            return False  # as a table it says what is missing

    @property
    def copies(self) -> tuple[str, ...]:  # type: ignore[override]
        """Ends of the name of a corrected copy."""
        return PARQUET if self.path.is_file() else ()

    @property
    def shards(self) -> list[Rows]:
        """All files of rows, of all splits."""
        return list(self._readable[0])

    def beside(self) -> list[Path]:
        """Return the other files that a copy needs: those that can't be read, too."""
        card = self.path / _CARD
        return [*self._readable[1], *([card] if card.is_file() else [])]

    def passed_over(self) -> dict[str, str]:
        """Return the files that can't be read, and why."""
        return {path.relative_to(self.path).as_posix(): why for path, why in self._readable[1].items()}

    @cached_property
    def _readable(self) -> tuple[list[ParquetRows], dict[Path, str]]:
        found, broken = [], {}
        folder = self.path if self.path.is_dir() else self.path.parent
        for path in shards_in(self.path, PARQUET) if self.path.is_dir() else [self.path]:
            try:
                found.append(ParquetRows(path, split_of(path.relative_to(folder))))
            except (ValueError, OSError) as error:
                broken[path] = f"{type(error).__name__}: {error}"
        return found, broken


def _has_pictures(path: Path) -> bool:
    """Say whether a Parquet file has a column of pictures."""
    with suppress(ValueError, OSError):
        return bool(picture_columns([ParquetRows(path)]))
    return False

"""Folders that ``save_to_disk`` of Hugging Face's datasets writes, of one data set or of several splits."""

from __future__ import annotations

import json
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from curvdetect.data.types import Record
from curvdetect.data.wording import ContentError, short
from curvdetect.files.arrow import pyarrow
from curvdetect.files.arrow_pictures import ArrowPictures, Rows, picture_columns
from curvdetect.training.checkpoints import whole_file

_SPLITS, _STATE, _INFO = "dataset_dict.json", "state.json", "dataset_info.json"


class MappedRows(Rows):
    """A stream of Arrow in a file, which is mapped: only what is looked at is read."""

    @property
    def schema(self) -> Any:
        """Names and types of the columns."""
        return self._table.schema

    @property
    def lengths(self) -> list[int]:
        """The number of rows."""
        return [len(self._table)]

    def group(self, number: int, column: str) -> Any:
        """Return a column."""
        return self._table.column(column)

    def column(self, name: str) -> Any:
        """Return a column of small entries."""
        return self._table.column(name)

    def paths(self, name: str) -> Any:
        """Return the names of files in a column of pictures."""
        return pyarrow().compute.struct_field(self._table.column(name), "path")

    def first(self, name: str) -> list[Any]:
        """Return a few of the first entries of a column."""
        found = (cell.as_py() for cell in self._table.column(name)[:100] if cell.is_valid)
        return list(islice(found, 10))

    def rewrite(self, target: Path, name: str, column: Any) -> None:
        """Write a copy with another column, all else as it was, in batches as they were."""
        pa = pyarrow()
        with pa.memory_map(str(self.path)) as file, pa.ipc.open_stream(file) as old, whole_file(target) as content:
            place, done = old.schema.get_field_index(name), 0
            with pa.ipc.new_stream(content, old.schema) as new:
                for batch in old:
                    labels = column.slice(done, len(batch)).combine_chunks()
                    new.write_batch(batch.set_column(place, old.schema.field(place), labels))
                    done += len(batch)

    @cached_property
    def _table(self) -> Any:
        pa = pyarrow()
        try:
            return pa.ipc.open_stream(pa.memory_map(str(self.path))).read_all()
        except (ValueError, OSError) as error:
            raise ContentError(f"'{short(self.path)}' can't be read as a stream of Arrow: {short(error)}.") from error


class SavedDataset(ArrowPictures):
    """A folder of a Hugging Face ``Dataset`` or ``DatasetDict`` with a column of pictures and one of labels."""

    kind = "a folder that save_to_disk of Hugging Face's datasets wrote"
    copies = ()

    @classmethod
    def fits(cls, path: Path) -> bool:
        """Say whether a folder is of this format."""
        return (path / _SPLITS).is_file() or all((path / name).is_file() for name in (_STATE, _INFO))

    @cached_property
    def shards(self) -> list[Rows]:
        """All files of rows, of all splits."""
        found: list[Rows] = []
        for split, folder in self._folders.items():
            state = _json(folder / _STATE)
            if state.get("_indices_data_files"):
                raise ContentError(
                    f"'{short(folder)}' has a choice of rows beside its rows, as old versions of datasets wrote it. "
                    "Load it and save it again."
                )
            names = [_plain(file["filename"], folder) for file in state["_data_files"]]
            found += [MappedRows(folder / name, split) for name in names]
        if not any(sum(shard.lengths) for shard in found):
            raise ContentError(f"'{short(self.path)}' has no rows.")
        if not picture_columns(found):
            raise ContentError(
                f"'{short(self.path)}' has no column of pictures. Write it as a table that can be read: "
                + (
                    'datasets.concatenate_datasets(list(load_from_disk(path).values())).to_parquet("table.parquet").'
                    if len(self._folders) > 1
                    else 'load_from_disk(path).to_parquet("table.parquet").'
                )
            )
        return found

    def beside(self) -> list[Path]:
        """Return the other files that a copy needs, and no file that datasets put there for themselves."""
        known = [self.path / _SPLITS, *(folder / name for folder in self._folders.values() for name in (_STATE, _INFO))]
        return [path for path in known if path.is_file()]

    @cached_property
    def _folders(self) -> dict[str, Path]:
        if not (self.path / _SPLITS).is_file():
            return {"": self.path}
        splits = _json(self.path / _SPLITS)["splits"]
        return {split: self.path / _plain(split, self.path) for split in splits}


def _json(path: Path) -> Record:
    """Return what a file of datasets' says, or raise where it is torn."""
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, OSError) as error:
        raise ContentError(f"'{short(path)}' can't be read: {short(error)}.") from error
    keys = {_SPLITS: "splits", _STATE: "_data_files"}
    if not isinstance(content, dict) or not isinstance(content.get(keys[path.name]), list):
        raise ContentError(f"'{short(path)}' is not what save_to_disk of Hugging Face's datasets writes.")
    return content


def _plain(name: object, folder: Path) -> str:
    """Return a name that leads to nowhere else than into the folder."""
    if not isinstance(name, str) or name in ("", ".", "..") or set(name) & set("/\\\0"):
        raise ContentError(f"'{short(folder)}' names a file that does not lie in it: '{short(name)}'.")
    return name

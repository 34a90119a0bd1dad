"""Tables in Parquet files: names of columns, all columns, labels, and a copy with other labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from curvdetect.data.types import Array
from curvdetect.training.checkpoints import write_whole

if TYPE_CHECKING:
    Column: TypeAlias = pd.Series[Any]


class ParquetFile:
    """A Parquet file, whose columns have types, and maybe names of classes as Hugging Face's datasets note them."""

    headless = False

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow.parquet as parquet
        except ImportError as error:
            raise ImportError("Parquet needs pyarrow: python -m pip install pyarrow.") from error
        with parquet.ParquetFile(path) as file:
            self._table = file.read()
            self._groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]

    @property
    def columns(self) -> list[str]:
        """Names of the columns, as pandas has them."""
        return list(self._table.slice(0, 0).to_pandas().columns)

    def head(self, rows: int) -> pd.DataFrame:
        """Return the first few rows."""
        return self._table.slice(0, rows).to_pandas()

    def frame(self) -> pd.DataFrame:
        """Return all columns."""
        return self._table.to_pandas()

    def labels(self, name: str) -> Array | Column:
        """Return a column; codes become the names of their classes where the file has them."""
        column = self._table.column(name).to_pandas()
        names = self._class_names(name)
        if not names or not pd.api.types.is_integer_dtype(column.dropna().convert_dtypes()):
            return column
        codes = column.fillna(-1).to_numpy(np.int64)  # as datasets write a missing one
        known = (codes >= -1) & (codes < len(names))
        return np.array([*names, None], dtype=object)[codes] if known.all() else column

    def rewrite(self, target: Path, name: str, source: NDArray[np.int64]) -> None:
        """Write a copy in which each label is that of row ``source``; all else stays as it was."""
        import pyarrow as pa
        import pyarrow.parquet as parquet

        place = self._table.schema.get_field_index(name)
        column = self._table.column(place).take(pa.array(source))
        table = self._table.set_column(place, self._table.schema.field(place), column)
        content = pa.BufferOutputStream()
        group = self._groups[0]
        parquet.write_table(
            table, content, compression=group.column(place).compression, row_group_size=max(1, group.num_rows)
        )
        write_whole(target, memoryview(content.getvalue()))

    def _class_names(self, column: str) -> list[str]:
        """Return the names of classes beside the schema, if any."""
        noted = (self._table.schema.metadata or {}).get(b"huggingface", b"{}")
        try:
            feature = json.loads(noted)["info"]["features"][column]
            names = [str(name) for name in feature["names"]] if feature["_type"] == "ClassLabel" else []
        except (ValueError, KeyError, TypeError):
            return []
        return names if len(set(names)) == len(names) else []

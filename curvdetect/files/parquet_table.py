"""Tables in Parquet files: names of columns, all columns, labels, and a copy with other labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from curvdetect.data.types import Array
from curvdetect.files.arrow import coded_columns, labels_in, open_parquet, pyarrow
from curvdetect.files.parquet_copy import rewrite_parquet

if TYPE_CHECKING:
    from curvdetect.files.arrow import Column


class ParquetFile:
    """A Parquet file, whose columns have types, and maybe names of classes as Hugging Face's datasets note them."""

    headless = False

    def __init__(self, path: Path) -> None:
        self._path = path
        with open_parquet(path) as file:
            self._table = file.read()

    @property
    def columns(self) -> list[str]:
        """Names of the columns, as pandas has them."""
        return list(self._table.slice(0, 0).to_pandas().columns)

    @property
    def coded(self) -> list[str]:
        """Columns of codes that stand for named classes."""
        return coded_columns(self._table.schema)

    def head(self, rows: int) -> pd.DataFrame:
        """Return the first few rows."""
        return self._table.slice(0, rows).to_pandas()

    def frame(self) -> pd.DataFrame:
        """Return all columns."""
        return self._table.to_pandas()

    def labels(self, name: str) -> Array | Column:
        """Return a column; codes become the names of their classes where the file has them."""
        return labels_in(self._table.column(name), self._table.schema, name)

    def rewrite(self, target: Path, name: str, source: NDArray[np.int64]) -> None:
        """Write a copy in which each label is that of row ``source``; all else stays as it was."""
        rewrite_parquet(self._path, target, name, self._table.column(name).take(pyarrow().array(source)))

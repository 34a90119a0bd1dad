"""What Parquet and Arrow files have in common: how they are read, and names of classes beside their schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

from curvdetect.data.types import Array, Record

if TYPE_CHECKING:
    Column: TypeAlias = pd.Series[Any]

#: Ends of the names of Parquet files.
PARQUET = (".parquet", ".pq")
#: Bytes that are read at a time.
_BUFFER = 2**20


def pyarrow() -> Any:
    """Return the package that reads these files, with its module for Parquet, or raise how to get it."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError("Parquet needs pyarrow: python -m pip install pyarrow.") from error
    return pyarrow


def open_parquet(path: Path) -> Any:
    """Open a Parquet file of which some is read at a time."""
    return pyarrow().parquet.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False)


def feature_of(schema: Any, column: str) -> Record:
    """Return what Hugging Face's datasets note of a column, if anything."""
    noted = (schema.metadata or {}).get(b"huggingface", b"{}")
    try:
        feature = json.loads(noted)["info"]["features"][column]
    except (ValueError, KeyError, TypeError):
        return {}
    return feature if isinstance(feature, dict) else {}


def class_names(schema: Any, column: str) -> list[str]:
    """Return the names of classes that codes in a column stand for, if any."""
    feature = feature_of(schema, column)
    names = feature.get("names") if feature.get("_type") == "ClassLabel" else None
    names = list(map(str, names)) if isinstance(names, list) else []
    return names if len(set(names)) == len(names) else []


def coded_columns(schema: Any) -> list[str]:
    """Return the columns whose codes stand for named classes."""
    return [name for name in schema.names if class_names(schema, name)]


def labels_in(column: Any, schema: Any, name: str) -> Array | Column:
    """Return a column; codes become the names of their classes where the file has them."""
    entries = column.to_pandas()
    names = class_names(schema, name)
    if not names or not pd.api.types.is_integer_dtype(entries.dropna().convert_dtypes()):
        return entries
    codes = entries.fillna(-1).to_numpy(np.int64)  # as datasets write a missing one
    known = (codes >= -1) & (codes < len(names))
    return np.array([*names, None], dtype=object)[codes] if known.all() else entries

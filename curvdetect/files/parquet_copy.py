"""A copy of a Parquet file with another column, written one group of rows at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from curvdetect.data.types import Record
from curvdetect.files.arrow import open_parquet, pyarrow
from curvdetect.training.checkpoints import whole_file

#: Rows that are read at a time. Arrow can't hold 2 GiB of pictures in one piece.
_ROWS = 1024


def rewrite_parquet(path: Path, target: Path, name: str, column: Any) -> None:
    """Write a copy with another column; types, notes, groups of rows, compression and other columns stay."""
    pa = pyarrow()
    with open_parquet(path) as old:
        schema = old.schema_arrow
        with whole_file(target) as file, pa.parquet.ParquetWriter(file, schema, **_settings(old.metadata)) as new:
            done = 0
            for group in range(old.num_row_groups):
                rows = pa.Table.from_batches(batches(old, group), schema)
                place = schema.get_field_index(name)
                rows = rows.set_column(place, schema.field(place), column.slice(done, len(rows)))
                new.write_table(rows, row_group_size=max(1, len(rows)))
                done += len(rows)
            noted, kept = old.metadata.metadata or {}, {b"ARROW:schema", *(schema.metadata or {})}
            new.add_key_value_metadata({key: value for key, value in noted.items() if key not in kept})


def batches(file: Any, group: int, columns: list[str] | None = None, size: int = _ROWS) -> Iterator[Any]:
    """Yield the rows of a group, ``size`` at a time."""
    yield from file.iter_batches(size, row_groups=[group], columns=columns)


def _settings(metadata: Any) -> Record:
    """Return how a file was written, as far as it says so."""
    if not metadata.num_row_groups:
        return {}
    group, noted = metadata.row_group(0), metadata.metadata or {}
    columns = {column.path_in_schema: column for column in map(group.column, range(group.num_columns))}
    settings: Record = {
        "version": metadata.format_version,
        "store_schema": b"ARROW:schema" in noted,
        "compression": {name: column.compression.replace("UNCOMPRESSED", "NONE") for name, column in columns.items()},
        "use_dictionary": [name for name, column in columns.items() if column.has_dictionary_page],
        "write_statistics": [name for name, column in columns.items() if column.is_stats_set],
        "write_page_index": any(column.has_column_index for column in columns.values()),
        "use_deprecated_int96_timestamps": any(column.physical_type == "INT96" for column in columns.values()),
        "use_compliant_nested_type": not any(".list.item" in name for name in columns),
    }
    if b"content_defined_chunking" in noted:  # as Hugging Face's datasets write, so that a push sends what changed
        settings["use_content_defined_chunking"] = json.loads(noted[b"content_defined_chunking"])
    return settings

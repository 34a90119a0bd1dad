"""Records of finished measurements: one line of JSON each, appended as they come, so that a run can be cut short."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tqdm import tqdm


class Records:
    """A file of records; two of one key are never both kept. A record has its environment where that changes."""

    def __init__(self, path: Path, key: tuple[str, ...]) -> None:
        self.path, self.key = path, key
        self.rows: dict[str, dict[str, Any]] = {}
        self._environment: Any = None
        if path.exists():
            for line in path.read_text().splitlines():
                try:
                    row = json.loads(line)
                except json.JSONDecodeError:  # a line cut short with the run; it is measured again
                    continue
                self._environment = row.setdefault("environment", self._environment)
                self.rows[self._key_of(row)] = row

    def __contains__(self, row: dict[str, Any]) -> bool:
        return self._key_of(row) in self.rows

    def add(self, row: dict[str, Any]) -> None:
        """Append a record to the file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        torn = self.path.exists() and not self.path.read_bytes().endswith(b"\n") and self.path.stat().st_size > 0
        with self.path.open("a") as file:
            short = {k: v for k, v in row.items() if k != "environment" or v != self._environment}
            file.write(("\n" if torn else "") + json.dumps(short) + "\n")
        self._environment = row["environment"]
        self.rows[self._key_of(row)] = row

    def measured(
        self, cells: list[dict[str, Any]], measure: Callable[[dict[str, Any]], dict[str, Any]], **more: Any
    ) -> list[dict[str, Any]]:
        """Measure the cells without a record, and return the records of all."""
        for cell in tqdm([cell for cell in cells if cell not in self], file=sys.stderr):
            self.add({**cell, **measure(cell), **more})
        return [self.matching(**cell)[0] for cell in cells]

    def matching(self, **wanted: Any) -> list[dict[str, Any]]:
        """Return the records whose entries are as given."""
        return [row for row in self.rows.values() if all(row[name] == value for name, value in wanted.items())]

    def _key_of(self, row: dict[str, Any]) -> str:
        return json.dumps([row[name] for name in self.key], sort_keys=True)

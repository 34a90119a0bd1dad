"""Tables in JSON lines: names of columns, all columns, labels, and a copy with other labels."""

from __future__ import annotations

import json
import re
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from curvdetect.data.types import Array, Record
from curvdetect.data.wording import ContentError, short
from curvdetect.files.gzipped import content_of, write_content
from curvdetect.files.json_spans import member

_MARK = "\ufeff"
_SPACE = re.compile(r"[ \t\r\ufeff]*")


class JsonLines:
    """A file in UTF-8 of one JSON object a line, whose keys are the columns."""

    headless = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines = content_of(path).decode().split("\n")  # other ends of lines may stand in text
        self._numbers = [i for i, line in enumerate(self._lines) if not _SPACE.fullmatch(line)]
        self._records = list(map(self._record, self._numbers))
        if not self._records:
            raise ContentError(f"'{short(path)}' holds no line.")

    @cached_property
    def columns(self) -> list[str]:
        """Names of the columns, in the order in which they come up."""
        return list(dict.fromkeys(chain.from_iterable(self._records)))

    def head(self, rows: int) -> pd.DataFrame:
        """Return the first few rows."""
        return pd.DataFrame(self._records[:rows], columns=self.columns)

    def frame(self) -> pd.DataFrame:
        """Return all columns; what a line leaves out is missing."""
        return pd.DataFrame(self._records, columns=self.columns)

    def labels(self, name: str) -> Array:
        """Return a column as it is: text, numbers or truth values."""
        return np.fromiter((record.get(name) for record in self._records), dtype=object, count=len(self._records))

    def rewrite(self, target: Path, name: str, source: NDArray[np.int64]) -> None:
        """Write a copy in which each label is spelled as that of row ``source``; every other byte stays as it was."""
        lines = self._lines.copy()
        for row in np.flatnonzero(source != np.arange(len(source))).tolist():
            line, other = (self._lines[self._numbers[i]] for i in (row, source[row]))
            (start, end), (first, last) = (member(text, text.index("{"), name) for text in (line, other))
            lines[self._numbers[row]] = line[:start] + other[first:last] + line[end:]
        write_content(target, "\n".join(lines).encode())

    def _record(self, number: int) -> Record:
        """Return the object of a line."""
        at = f"line {number + 1} of '{short(self.path)}'"
        try:
            record = json.loads(self._lines[number].removeprefix(_MARK))
        except ValueError as error:
            raise ContentError(f"{at} is no JSON: {short(error, 100)}.") from error
        if not isinstance(record, dict):
            raise ContentError(f'{at} is no JSON object, such as {{"a": 1.5, "label": "cat"}}.')
        return record

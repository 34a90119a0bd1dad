"""Tables in text files: names of columns, all columns, labels, and a copy with other labels."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from curvdetect.data.types import Array
from curvdetect.data.wording import ContentError, short
from curvdetect.files.gzipped import content_of, write_content

if TYPE_CHECKING:
    Column: TypeAlias = pd.Series[Any]

#: What may separate columns. The first is taken where several fit equally well: names of columns hold it least.
_SEPARATORS = (b"\t", b";", b",")
_MARK, _QUOTED = b"\xef\xbb\xbf", rb'"[^"]*+(?:""[^"]*+)*+"'
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,18}")
_NUMBER = re.compile(r"[+-]?[0-9]*[.,]?[0-9]+([eE][+-]?[0-9]+)?")
_WITH_COMMA, _THOUSANDS = r"\s*[+-]?[0-9]*(?:,[0-9]+)?(?:[eE][+-]?[0-9]+)?\s*", r"\s*[+-]?[1-9][0-9]{0,2},[0-9]{3}\s*"

#: A separator, the cells of the first two lines, and where the second begins.
Parted = tuple[bytes, list[list[bytes]], int]


class TextFile:
    """A file in UTF-8 of columns that are separated by commas, semicolons or tabs.

    pandas reads the numbers. The labels are read here, cell by cell: pandas makes 7 of ``007`` and nothing of ``NA``,
    and a copy needs their places. Both split lines into cells in the same way.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._content = content_of(path)
        self._separator, lines, self._body = max(map(self._parted, _SEPARATORS), key=_likely)
        self._header, first = ([_text(raw).decode(errors="replace") for raw in line] for line in [*lines, [], []][:2])
        more = len(first) - len(self._header)
        if more > 1:
            raise ContentError(
                f"'{short(path)}' has {len(self._header)} names of columns in its first line, and {len(first)} cells "
                "in its first row. Let its first line name each column."
            )
        # a cell more than names is the name of a row, or what follows a last separator: nothing
        rows = self._lines(_line(self._separator), self._body)
        self._ended = more == 1 and all(row["line"].endswith(self._separator) for row in rows)
        self._named_rows = int(more == 1 and not self._ended)

    @cached_property
    def columns(self) -> list[str]:
        """Names of the columns, as pandas has them."""
        return list(self._read(nrows=0).columns)

    @property
    def names(self) -> list[str]:
        """Names of the columns, as the file has them."""
        return self._header

    @property
    def headless(self) -> bool:
        """Whether the first line reads as a row: it holds a number with decimals, or one number twice."""
        numbers = [cell for cell in self._header if _NUMBER.fullmatch(cell)]
        return len(set(numbers)) < len(numbers) or any(not number.isdigit() for number in numbers)

    def head(self, rows: int) -> pd.DataFrame:
        """Return the first few rows, all cells as text."""
        return self._read(nrows=rows, dtype=str, keep_default_na=False)

    def frame(self) -> pd.DataFrame:
        """Return all columns, numbers as numbers, with decimal commas too."""
        frame = self._read()
        if not any(map(_has_decimal_commas, _words(frame))):
            return frame
        other = self._read(decimal=",")  # no numbers where there are points as well
        return other if len(_words(other)) < len(_words(frame)) else frame

    def labels(self, name: str) -> Array:
        """Return a column as text, or as numbers where all cells are whole numbers; empty cells are None."""
        return labels_of_text([_text(self._content[start:end]).decode() for start, end in self._places(name)])

    def rewrite(self, target: Path, name: str, source: NDArray[np.int64]) -> None:
        """Write a copy in which each label is spelled as that of row ``source``; every other byte stays as it was."""
        places = self._places(name)
        parts, done = [], 0
        for row in np.flatnonzero(source != np.arange(len(places))).tolist():
            (start, end), (other, other_end) = places[row], places[source[row]]
            parts += [self._content[done:start], self._content[other:other_end]]
            done = end
        write_content(target, *parts, self._content[done:])

    def _parted(self, separator: bytes) -> Parted:
        """Return a separator, the cells of the first two lines as it splits them, and where the second begins."""
        cells = re.compile(rb"(?:\A|%b)(?P<cell>%b)" % (separator, _cell(separator)))
        start = len(_MARK) if self._content.startswith(_MARK) else 0
        try:
            lines = list(islice(self._lines(_line(separator), start), 2))
        except ContentError:  # a quote isn't closed
            return separator, [], start
        parted = [[found["cell"] for found in cells.finditer(line["line"])] for line in lines]
        return separator, parted, lines[0].end() if lines else start

    def _places(self, name: str) -> list[tuple[int, int]]:
        """Return where each cell of a column begins and ends; both are the same where a row has none."""
        column = self.columns.index(name) + self._named_rows
        lines = self._lines(_line(self._separator, column), self._body)
        return [line.span("label") if line["label"] is not None else (line.end("line"),) * 2 for line in lines]

    def _lines(self, line: re.Pattern[bytes], place: int) -> Iterator[re.Match[bytes]]:
        """Yield the lines from a place on that are not blank."""
        while place < len(self._content):
            match = line.match(self._content, place)
            if match is None:
                seen = _text(self._content[place : place + 80]).decode(errors="replace")
                raise ContentError(
                    f"'{short(self.path)}' has a quote that isn't closed, in the line of '{short(seen)}'."
                )
            if match["line"] is not None:
                yield match
            place = match.end()

    def _read(self, **options: Any) -> pd.DataFrame:
        return pd.read_csv(
            io.BytesIO(self._content),
            sep=self._separator.decode(),
            encoding="utf-8-sig",
            low_memory=False,
            index_col=False if self._ended else None,
            # named where it is the only one: pandas would drop an empty first cell behind a blank line
            lineterminator="\r" if b"\r" in self._content and b"\n" not in self._content else None,
            **options,
        )


def labels_of_text(texts: list[str]) -> Array:
    """Return labels as text, or as numbers where all of them are whole numbers; empty ones are None."""
    if all(map(_WHOLE.fullmatch, texts)):
        with suppress(OverflowError):
            return np.array(list(map(int, texts)), dtype=np.int64)
    return np.array([text or None for text in texts], dtype=None if all(texts) else object)


def _likely(parted: Parted) -> tuple[bool, int, int]:
    """Return the key to choose a separator by: whether it splits no quoted cell, and how many cells it makes."""
    _, lines, _ = parted
    n_cells = [len(line) for line in lines] or [0]
    return not any(raw.count(b'"') % 2 for line in lines for raw in line), min(n_cells), max(n_cells)


def _cell(separator: bytes) -> bytes:
    """Return the pattern of a cell: quotes and all that follows them, or anything else, or nothing."""
    return rb'(?>%b[^%b\r\n]*+|[^"%b\r\n][^%b\r\n]*+|)' % (_QUOTED, *[separator] * 3)


def _line(separator: bytes, column: int = 0) -> re.Pattern[bytes]:
    """Return the pattern of a line: blank, or of cells, of which one is the label."""
    cell, end = _cell(separator), rb"(?:\r\n|\r|\n|\Z)"
    blank = rb"[ %b]*+" % (b"" if separator == b"\t" else b"\t")
    before = rb"(?:%b%b){%d}" % (cell, separator, column)
    cells = rb"(?>%b(?P<label>%b)|%b)(?:%b%b)*+" % (before, cell, cell, separator, cell)
    return re.compile(rb"(?>%b%b|(?P<line>%b)%b)" % (blank, end, cells, end))


def _text(raw: bytes) -> bytes:
    """Return the text of a cell without its quotes."""
    quoted = re.match(_QUOTED, raw)
    return raw if quoted is None else quoted[0][1:-1].replace(b'""', b'"') + raw[quoted.end() :]


def _words(frame: pd.DataFrame) -> list[Column]:
    """Return the columns that are no numbers."""
    return [column for _, column in frame.items() if not pd.api.types.is_numeric_dtype(column)]


def _has_decimal_commas(column: Column) -> bool:
    """Say whether a column holds numbers with commas only, and some of the commas can't mark thousands."""
    texts = column.dropna().astype(str)
    if not texts.str.fullmatch(_WITH_COMMA).all():
        return False
    return bool((texts.str.contains(",", regex=False) & ~texts.str.fullmatch(_THOUSANDS)).any())

"""Files of labels alone: a table, an ``.npy`` array or lines of text. Their samples are elsewhere."""

from __future__ import annotations

import io
import re
from contextlib import suppress
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curvdetect.data.labels import plain_labels
from curvdetect.data.types import Array
from curvdetect.data.wording import ArgumentError, ContentError, short, spelled
from curvdetect.files.labelled import Asked, LabelledData, LabelledFile
from curvdetect.files.tables import TableFile, is_label
from curvdetect.training.checkpoints import write_whole

_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,18}")
_LINE = re.compile(rb"([^\r\n]*)(\r\n|\r|\n|\Z)")
_MARK = b"\xef\xbb\xbf"


class LinesFile(LabelledFile):
    """A text file with one label a line."""

    kind = "a .txt file of labels"
    alone = True

    @classmethod
    def fits(cls, path: Path) -> bool:
        """Say whether a file is of this format: so is a table of one column without a name."""
        suffix = path.suffix.lower()
        return path.is_file() and (suffix == ".txt" or (suffix in (".csv", ".tsv") and _has_no_header(path)))

    @property
    def copies(self) -> tuple[str, ...]:  # type: ignore[override]
        """Ends of the name of a corrected copy."""
        return (self.path.suffix.lower(),)

    @cached_property
    def labels(self) -> Array:
        """The lines as text, or as numbers where all are whole numbers."""
        try:
            texts = [text.decode() for text, _ in self._lines[self._first :]]
        except UnicodeDecodeError as error:
            raise ContentError(f"'{short(self.path)}' is no UTF-8 text ({error.reason}). Save it as UTF-8.") from error
        if "" in texts:
            raise ContentError(
                f"'{short(self.path)}' has no label in {texts.count('')} of {len(texts)} lines, the first of them line "
                f"{texts.index('') + self._first + 1}. Fill them in."
            )
        if all(map(_WHOLE.fullmatch, texts)):
            with suppress(OverflowError):
                return np.array(list(map(int, texts)), dtype=np.int64)
        return np.array(texts)

    def read(self, rows: NDArray[np.int64] | None) -> LabelledData:
        """Raise: there are no samples."""
        raise no_samples(self.path)

    def write(self, target: Path, labels: Array) -> None:
        """Write a copy in which other labels are spelled as they are in another line."""
        given, lines = self.labels, list(self._lines)
        example = dict(zip(given.tolist(), [text for text, _ in lines[self._first :]], strict=True))
        for row in np.flatnonzero(labels != given).tolist():
            lines[self._first + row] = (example[labels[row].item()], lines[self._first + row][1])
        write_whole(target, self._before, *(part for line in lines for part in line), self._after)

    @cached_property
    def _lines(self) -> list[tuple[bytes, bytes]]:
        """The lines and what ends them, without blank ones behind the last."""
        content = self.path.read_bytes()
        self._before = _MARK if content.startswith(_MARK) else b""
        body = content[len(self._before) :]
        if b"\0" in body:
            raise ContentError(f"'{short(self.path)}' holds NUL bytes, as UTF-16 does. Save it as UTF-8.")
        end = len(body.rstrip(b"\r\n"))
        if not end:
            raise ContentError(f"'{short(self.path)}' is empty.")
        found, place = [], 0
        while place < end:
            line = _LINE.match(body, place)
            assert line is not None
            found.append((line[1], line[2]))
            place = line.end()
        self._after = body[place:]
        return found

    @cached_property
    def _first(self) -> int:
        """Number of the first line that is a label: the one above may say what they are."""
        texts = [text for text, _ in self._lines]
        return int(is_label(texts[0].decode(errors="replace")) and texts[0] not in texts[1:])


class LabelArray(LabelledFile):
    """An ``.npy`` file with one label a sample."""

    kind = "an .npy file of labels"
    copies = (".npy",)
    alone = True

    @classmethod
    def fits(cls, path: Path) -> bool:
        """Say whether a file is of this format."""
        return path.suffix.lower() == ".npy"

    @cached_property
    def labels(self) -> Array:
        """The labels."""
        stored = mapped(self.path)
        if stored.ndim == 0 or stored.size != len(stored):
            raise ContentError(
                f"'{short(self.path)}' has shape {stored.shape}, and labels are one for each sample. For one-hot "
                "labels or probabilities save their argmax(1)."
            )
        return np.array(plain_labels(np.array(stored))).ravel()

    def read(self, rows: NDArray[np.int64] | None) -> LabelledData:
        """Raise: there are no samples."""
        raise no_samples(self.path)

    def write(self, target: Path, labels: Array) -> None:
        """Write a copy with other labels."""
        stored = mapped(self.path)
        write_whole(target, array_bytes(as_stored(labels, stored)))


def labels_in(path: Path, label: str | None) -> LabelledFile:
    """Return a file of labels as what it is; a table may have other columns."""
    found = next((one for one in (LinesFile, LabelArray, TableFile) if one.fits(path)), None)
    if found is None or not path.is_file():
        kinds = "a table (.csv, .tsv, .jsonl, .parquet), an .npy file or a .txt file with one label a line"
        problem = "is no file" if not path.is_file() else "is none of these"
        raise ArgumentError("labels", f"'{short(path)}' {problem}: {kinds}.")
    if label is not None and found is not TableFile:
        raise ArgumentError("label", f"'{short(path)}' has no columns: leave {spelled('label')} out.")
    return found(path, Asked(label=label))


def no_samples(path: Path) -> ContentError:
    """Return the error about a file that holds labels alone."""
    return ContentError(
        f"'{short(path)}' holds labels and no samples. Pass the probabilities of a model of your own by "
        f"{spelled('probs')}, or the samples as PATH and this file by {spelled('labels')}."
    )


def mapped(path: Path) -> Array:
    """Return the array in an ``.npy`` file, read as needed; nothing is unpickled."""
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except (ValueError, EOFError, OSError) as error:
        way = " Save text as text: np.array(labels, dtype=str)." if "object" in str(error) else ""
        raise ContentError(
            f"'{short(path)}' can't be read as an .npy of plain numbers or text: {error}.{way}"
        ) from error


def as_stored(labels: Array, stored: Array) -> Array:
    """Return labels in the shape and, where it holds them, the type that others are stored in."""
    labels = labels.reshape(stored.shape)
    return labels.astype(stored.dtype) if np.array_equal(labels.astype(stored.dtype), labels) else labels


def array_bytes(array: Array) -> bytes:
    """Return the content of an ``.npy`` file."""
    content = io.BytesIO()
    np.lib.format.write_array(content, array, allow_pickle=False)
    return content.getvalue()


def _has_no_header(path: Path) -> bool:
    """Say whether a table has one column, whose first line is found again as a label."""
    with path.open("rb") as file:
        first = file.readline(10_000).removeprefix(_MARK).rstrip(b"\r\n")
        if not first or re.search(rb'[,;\t\r"]', first):
            return False
        return any(line.rstrip(b"\r\n") == first for line in file)

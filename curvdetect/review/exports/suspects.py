"""Suspects as other tools are handed them: labels as text, a score in (0, 1), and what a person looks at."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from curvdetect.data.types import Array, Record
from curvdetect.detectors.ranking import rank_share
from curvdetect.review.texts import label_texts, protected

#: Names under which a tool carries the position of a sample, and its labels, until `apply_verdicts` reads them.
INDEX, GIVEN, SUGGESTED = "curvdetect_index", "curvdetect_given", "curvdetect_suggested"
#: Who suggests, where a tool asks for a name.
AGENT = "curvdetect"


@dataclass(frozen=True)
class Suspect:
    """A sample that is flagged."""

    index: int
    """Position in the labels that were fitted."""
    given: str
    suggested: str
    score: float
    """Share of all samples that are less suspect, in (0, 1): one minus the quality of the label."""
    rank: int
    path: str | None
    """What the sample is called."""
    sample: str
    """What a person looks at: a data URI of a picture, or a text."""


class Suspects:
    """The flagged samples of a ranking, most suspect first.

    Parameters
    ----------
    ranking : DataFrame
        A row for each sample, as `ranking` of a detector returns: ``index``, ``given``, ``suggested``, ``score``,
        ``rank`` and ``flagged``; with ``path`` where samples have names, such as the files of pictures.
    classes : array of shape (n_classes,)
        The labels in order, ``classes_`` of a detector.
    shown : dict
        What the page shows of them: what `samples_shown` returns.
    root : Path, optional
        The folder of pictures that the paths are relative to.
    """

    def __init__(self, ranking: pd.DataFrame, classes: Array, shown: Record, *, root: Path | None = None) -> None:
        self._classes, self._shown, self._root = classes, shown, root
        shares = rank_share(ranking["score"].to_numpy(np.float64))
        self._rows = ranking.assign(share=shares)[ranking["flagged"].to_numpy(bool)]

    @property
    def are_pictures(self) -> bool:
        """Whether a person looks at pictures."""
        return bool(self._shown["kind"] == "pictures")

    def labels(self, escaped: str = "") -> list[str]:
        """Return all classes as text; ``escaped`` are characters that mean something to a tool."""
        return [protected(text, escaped) for text in label_texts(self._classes)]

    def each(self, escaped: str = "") -> Iterator[Suspect]:
        """Yield the suspects, their labels spelled as in `labels`."""
        names = self.labels(escaped)
        given, suggested = (np.searchsorted(self._classes, self._rows[name]) for name in ("given", "suggested"))
        paths = self._rows["path"].tolist() if "path" in self._rows else [None] * len(self._rows)
        numbers = zip(*(self._rows[name].tolist() for name in ("index", "share", "rank")), strict=True)
        for row, (index, share, rank) in enumerate(numbers):
            labels = names[given[row]], names[suggested[row]]
            yield Suspect(index, *labels, round(share, 6), rank, paths[row], self._sample(index))

    def file_of(self, suspect: Suspect) -> Path | None:
        """Return the file of a picture, where it has one of its own."""
        file = None if self._root is None or suspect.path is None else self._root / suspect.path
        return file if file is not None and file.is_file() else None

    def _sample(self, index: int) -> str:
        """Return what a person looks at; empty where there is nothing to see."""
        kind = self._shown["kind"]
        if kind == "nothing":
            return ""
        found = self._shown[kind].get(str(index)) or ""
        if kind == "rows":
            rest = self._shown["n_columns"] - len(self._shown["columns"])
            lines = [f"{name}: {cell}" for name, cell in zip(self._shown["columns"], found, strict=True)]
            found = "\n".join([*lines, *([f"and {rest} more columns"] if rest else [])])
        # neither UTF-8 nor a database can hold all characters
        return str(found).encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def picture_in(uri: str) -> tuple[str, bytes]:
    """Return the kind and the content of a picture in a data URI."""
    kind, content = uri.removeprefix("data:image/").split(";base64,")
    return kind, base64.b64decode(content)

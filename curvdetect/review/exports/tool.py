"""What a tool has to offer, a module each, and what a person said in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from curvdetect.data.types import Record
from curvdetect.review.exports import TOOLS
from curvdetect.review.exports.suspects import Suspects
from curvdetect.review.texts import unprotected


@dataclass(frozen=True)
class Said:
    """What one person said of one sample."""

    index: str
    """Position of the sample, as the tool carried it."""
    given: str
    verdict: str
    new_label: str
    annotator: str
    """Whatever tells the people of an export apart."""
    path: str
    at: str
    """Where it stands in the export."""
    when: str = ""
    """When it was said, as text that sorts, where the tool knows."""


class Tool(Protocol):
    """A module that writes suspects for a tool, and reads the tool's exports."""

    NAME: str
    """As the tool writes it."""
    LEFT: tuple[str, ...]
    """The files that `write` leaves, the one to import first."""
    PICTURES_ONLY: bool
    """Whether it shows nothing else."""

    def write(self, suspects: Suspects, folder: Path) -> None:
        """Write the suspects into a folder of a scan."""

    def knows(self, record: Record) -> bool:
        """Say whether a record of a file is of an export of suspects by this tool."""

    def said(self, record: Record) -> Iterator[Said]:
        """Yield what each person said in a record; nothing where nobody has judged it yet."""


def tool_named(name: str) -> Tool:
    """Return a tool by its name in ``TOOLS``."""
    return cast(Tool, import_module(TOOLS[name]))


def judged(given: object, chosen: object) -> tuple[str, str]:
    """Return the verdict, and the new label, of a person who chose labels: unsure, unless it is one label."""
    labels = [chosen] if isinstance(chosen, str) else chosen
    if not isinstance(labels, list) or len(labels) != 1 or not isinstance(labels[0], str):
        return "unsure", ""
    return ("right", "") if labels[0] == given else ("wrong", unprotected(labels[0]))

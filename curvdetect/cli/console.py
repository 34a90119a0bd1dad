"""What a terminal is shown: messages on the standard error, results on the standard output, each in lines of its own.

Names of files, classes and columns come from anywhere: none of them gets to a terminal with its control characters.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import Any

import click
from tqdm.auto import tqdm

#: Characters of a name that are shown.
WIDTH = 60
#: How a command is told what the library calls by another name.
_OPTIONS = {"max_epochs": "--epochs"}
#: What the library is sure enough of to say in a sentence of its own.
_SAID = (ValueError, TypeError, OSError, FloatingPointError, ImportError, MemoryError)


class Failure(click.ClickException):
    """What ends a command: one line."""

    exit_code = 1

    def format_message(self) -> str:
        """Return the line."""
        return safe(self.message)


class Stopped(Failure):
    """Ctrl-C."""

    exit_code = 130


def safe(text: Any) -> str:
    """Return text on one line, with whatever is no visible character spelled out, by its number."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def short(text: Any, width: int = WIDTH) -> str:
    """Return safe text of bounded length; of a long one, its two ends."""
    line = safe(text)
    end = (width - 1) // 2
    return line if len(line) <= width else f"{line[: width - 1 - end]}…{line[-end:]}"


def listed(names: Any, room: int = 150) -> str:
    """Return names in quotes with commas between them, the first few of many."""
    return joined([f"'{short(name)}'" for name in names], room)


def joined(parts: Sequence[str], room: int = 150) -> str:
    """Return parts with commas between them: at least one, and as many more, at most ten, as there is room for."""
    lengths = accumulate(len(part) + 2 for part in parts[:10])
    shown = max(1, sum(length <= room for length in lengths))
    return ", ".join(parts[:shown]) + (f" and {len(parts) - shown} more" if len(parts) > shown else "")


def tell(text: str = "") -> None:
    """Write a result to the standard output."""
    click.echo(_encodable(text, sys.stdout))


def say(text: str) -> None:
    """Write a message to the standard error, above a progress bar where there is one."""
    if sys.stderr is not None:
        tqdm.write(_encodable(text, sys.stderr), file=sys.stderr)


def _encodable(text: str, stream: Any) -> str:
    """Return text with whatever a stream can't write spelled out."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Show warnings as lines without the place in the code that they come from, each once."""
    seen: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        text = " ".join(str(message).split())
        for parameter, option in _OPTIONS.items():
            text = text.replace(parameter, option)
        line = f"warning: {safe(text)}"
        if line not in seen:
            seen.add(line)
            say(line)

    with warnings.catch_warnings():
        for ignored in (DeprecationWarning, PendingDeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", ignored)
        warnings.showwarning = show
        yield


def explained(error: BaseException) -> str:
    """Return what an error says on one line, and what to do where it says nothing of its own."""
    text = " ".join(" ".join([str(error), *getattr(error, "__notes__", [])]).split())
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        text = f"{error.strerror}: '{error.filename}'"
    if isinstance(error, MemoryError):
        text = f"the memory is full. {text}".strip()
    if isinstance(error, _SAID) and text:
        return text
    return f"{type(error).__name__}: {short(text, 500)} (--debug shows where)"

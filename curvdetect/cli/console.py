"""What a command prints: messages on the standard error, results on the standard output, each on lines of its own.

Names of files, classes and columns come from anywhere, so control characters in them are escaped.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import click
from tqdm.auto import tqdm

from curvdetect.cli.options import RENAMED
from curvdetect.data.wording import safe, short

#: Errors whose messages are sentences for users.
_EXPLAINED = (ValueError, TypeError, OSError, FloatingPointError, ImportError, MemoryError)


class Failure(click.ClickException):
    """An error that ends a command with one line."""

    def format_message(self) -> str:
        """Return the line."""
        return safe(self.message)


class Stopped(Failure):
    """The end of a command by Ctrl-C."""

    exit_code = 130


def tell(text: str) -> None:
    """Write a result to the standard output."""
    click.echo(_encodable(text, sys.stdout))


def say(text: str) -> None:
    """Write a message to the standard error, above a progress bar where there is one."""
    if sys.stderr is not None:
        tqdm.write(_encodable(text, sys.stderr), file=sys.stderr)


def _encodable(text: str, stream: TextIO) -> str:
    """Return text with the characters that a stream can't write escaped."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Print each warning once, as a line without its place in the code."""
    seen: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *place: object, **more: object) -> None:
        text = " ".join(str(message).split())
        for argument, flag in RENAMED.items():
            text = text.replace(argument, flag)
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
    """Return the message of an error on one line; where it is no sentence for users, its type and a way out as well."""
    text = " ".join(" ".join([str(error), *getattr(error, "__notes__", [])]).split())
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        text = f"{error.strerror}: '{error.filename}'"
    if isinstance(error, MemoryError):
        text = f"the memory is full. {text}".strip()
    if isinstance(error, _EXPLAINED) and text:
        return text
    return f"{type(error).__name__}: {short(text, 500)} (--debug shows where)"

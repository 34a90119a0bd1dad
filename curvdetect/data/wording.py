"""How errors and warnings show a user's values, and which line of the user's a warning is about."""

from __future__ import annotations

import inspect
import reprlib
import warnings
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from itertools import accumulate

#: Whether arguments are spelled as options of a command.
COMMAND: ContextVar[bool] = ContextVar("command", default=False)

_BRIEF = reprlib.Repr()
_BRIEF.maxstring = _BRIEF.maxother = 50
_BRIEF.maxlist = _BRIEF.maxtuple = _BRIEF.maxset = _BRIEF.maxarray = 5


def brief(value: object) -> str:
    """Return how a value is written in code, on one line: the ends of a long text, the first five of many items."""
    return " ".join(_BRIEF.repr(value).split())


def named(names: Iterable[object]) -> str:
    """Return the first five of names, with commas between them."""
    names = list(names)
    return ", ".join(map(brief, names[:5])) + (", ..." if len(names) > 5 else "")


def safe(text: object) -> str:
    """Return text on one line, with every character that is not printable escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def short(text: object, width: int = 60) -> str:
    """Return safe text of at most ``width`` characters: the two ends of a longer one."""
    line = safe(text)
    end = (width - 1) // 2
    return line if len(line) <= width else f"{line[: width - 1 - end]}…{line[-end:]}"


def listed(names: Iterable[object], room: int = 150) -> str:
    """Return names in quotes, joined."""
    return joined([f"'{short(name)}'" for name in names], room)


def joined(parts: Sequence[str], room: int) -> str:
    """Return parts with commas between them: from one to ten as there is room, and the number of the others."""
    lengths = accumulate(len(part) + 2 for part in parts[:10])
    shown = max(1, sum(length <= room for length in lengths))
    return ", ".join(parts[:shown]) + (f" and {len(parts) - shown} more" if len(parts) > shown else "")


class ContentError(ValueError):
    """What is wrong with the content of a file, in words for its owner."""


class ArgumentError(ContentError):
    """An argument that does not fit what is read with it."""

    def __init__(self, argument: str, text: str) -> None:
        super().__init__(text)
        self.argument = argument


def spelled(name: str, value: object = None) -> str:
    """Return an argument as the user writes it: in a call, or as the option of a command."""
    if not COMMAND.get():
        return f"{name}=" if value is None else f"{name}={value!r}"
    values = value if isinstance(value, list) else [] if value is None else [value]
    return " ".join(f"--{name} '{safe(one)}'" for one in values) or f"--{name}"


def callers_level() -> int:
    """Return the ``stacklevel`` of the line of the user's that a warning is about, however deep the call goes here."""
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith("curvdetect."):
        level, frame = level + 1, frame.f_back
    return max(1, level - 1)


def warn(text: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line of the user's that led here."""
    warnings.warn(text, category, stacklevel=callers_level())

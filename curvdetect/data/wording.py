"""How errors and warnings show a user's values, and which line of the user's a warning is about."""

from __future__ import annotations

import inspect
import reprlib
import warnings
from collections.abc import Iterable

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


def callers_level() -> int:
    """Return the ``stacklevel`` of the line of the user's that a warning is about, however deep the call goes here."""
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith("curvdetect."):
        level, frame = level + 1, frame.f_back
    return max(1, level - 1)


def warn(text: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line of the user's that led here."""
    warnings.warn(text, category, stacklevel=callers_level())

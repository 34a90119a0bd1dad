"""What a user's values look like in a message: as in code, and short, however long they are."""

from __future__ import annotations

import reprlib
from typing import Any

_BRIEF = reprlib.Repr()
_BRIEF.maxstring = _BRIEF.maxother = 50
_BRIEF.maxlist = _BRIEF.maxtuple = _BRIEF.maxset = _BRIEF.maxarray = 5


def brief(value: Any) -> str:
    """Return how a value is written, on one line; of a long one the two ends, of many the first five.

    Parameters
    ----------
    value : object
        Of the user's.

    Examples
    --------
    >>> from curvdetect.data.wording import brief
    >>> brief("x" * 1000), brief(list(range(1000)))
    ("'xxxxxxxxxxxxxxxxxxxxxx...xxxxxxxxxxxxxxxxxxxxxxx'", '[0, 1, 2, 3, 4, ...]')
    """
    return " ".join(_BRIEF.repr(value).split())


def named(names: Any) -> str:
    """Return the first five of names, with commas between them."""
    names = list(names)
    return ", ".join(map(brief, names[:5])) + (", ..." if len(names) > 5 else "")

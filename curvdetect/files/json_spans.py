"""Where values stand in a text of JSON, so that one of them is replaced and every other character stays."""

from __future__ import annotations

import json
import re

_decoded = json.JSONDecoder().raw_decode
_SPACE = re.compile(r"[ \t\n\r]*+")


def elements(text: str, key: str) -> list[int]:
    """Return where the elements of an array begin, which is the value of ``key`` in the object that is the whole text.

    The text is known to be JSON, and the value to be an array.
    """
    found: list[int] = []
    place = _after(text, _after(text, text.startswith("\ufeff")) + 1)
    while text[place] != "}":
        name, place = _named(text, place)
        if name == key:
            found, place = [], _after(text, place + 1)  # of several the last counts, as everywhere
            while text[place] != "]":
                found.append(place)
                place = _next(text, _end(text, place))
            place = _next(text, place + 1)
        else:
            place = _next(text, _end(text, place))
    return found


def member(text: str, start: int, key: str) -> tuple[int, int]:
    """Return where the value of ``key`` begins and ends in the object that begins at ``start``."""
    found = start, start
    place = _after(text, start + 1)
    while text[place] != "}":
        name, place = _named(text, place)
        end = _end(text, place)
        found = (place, end) if name == key else found
        place = _next(text, end)
    return found


def _named(text: str, place: int) -> tuple[str, int]:
    """Return the key that begins here, and where its value begins."""
    name, place = _decoded(text, place)
    return name, _after(text, _after(text, place) + 1)


def _end(text: str, place: int) -> int:
    """Return where the value that begins here ends."""
    return _decoded(text, place)[1]


def _after(text: str, place: int) -> int:
    """Return the first place from this one on that is no space."""
    return _SPACE.match(text, place).end()  # type: ignore[union-attr]


def _next(text: str, place: int) -> int:
    """Return the place behind a comma, if there is one, and spaces."""
    place = _after(text, place)
    return _after(text, place + 1) if text[place] == "," else place

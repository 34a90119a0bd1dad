"""The lines of a label file of YOLO's: a class and a box, or the corners of an outline, as shares of the picture."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple


class Line(NamedTuple):
    """A line that says a class and a box, or why it doesn't."""

    number: int
    """Counted from 1."""
    label: int
    corners: tuple[float, float, float, float]
    """Left, upper, right and lower end, as shares of the picture."""
    wrong: str | None = None


def lines_of(content: bytes, keypoints: bool = False) -> Iterator[Line]:
    """Yield the lines of a file that are not blank; with ``keypoints`` these follow the box."""
    for number, line in enumerate(content.splitlines(), 1):
        words = line.split()
        if not words:
            continue
        try:
            label, *numbers = map(float, words)
        except ValueError:
            numbers, label = [math.nan], math.nan
        if not all(map(math.isfinite, (label, *numbers))):
            yield _unusable(number, "a word of it is no number")
        elif label < 0 or label % 1:
            yield _unusable(number, f"it begins with {label:g}, which is the number of no class")
        elif len(numbers) == 4 or (keypoints and len(numbers) > 4):
            x, y, width, height = numbers[:4]
            yield _line(number, label, (x - width / 2, y - height / 2, x + width / 2, y + height / 2))
        elif len(numbers) >= 6 and len(numbers) % 2 == 0:
            xs, ys = numbers[::2], numbers[1::2]
            yield _line(number, label, (min(xs), min(ys), max(xs), max(ys)))
        else:
            yield _unusable(
                number, f"{len(numbers)} numbers behind the class are neither a box (4) nor corners (6, 8, ...)"
            )


def relabelled(content: bytes, labels: Mapping[int, int]) -> bytes:
    """Return a file with other classes in some lines, by their numbers; every other byte stays."""
    lines = content.splitlines(keepends=True)
    for number, label in labels.items():
        line = lines[number - 1]
        word = line.split(maxsplit=1)[0]
        before, _, behind = line.partition(word)
        lines[number - 1] = b"%b%d%b" % (before, label, behind)
    return b"".join(lines)


def _line(number: int, label: float, corners: tuple[float, float, float, float]) -> Line:
    if corners[0] >= corners[2] or corners[1] >= corners[3]:
        return _unusable(number, "its box has no area")
    return Line(number, int(label), corners)


def _unusable(number: int, why: str) -> Line:
    return Line(number, -1, (0, 0, 0, 0), why)

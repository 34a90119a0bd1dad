"""Boxes on pictures: what a file of them says, and each box as a picture, alone or with its surroundings."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from curvdetect.data.pictures import depth_of, eight_bits
from curvdetect.data.squares import Pictures, files
from curvdetect.data.types import Array
from curvdetect.data.wording import ContentError, short
from curvdetect.files.pictures import SIDE, PicturesFile, as_text

#: What is added on each side of a box, in its width or height: for the network, and for a person.
MARGIN, AROUND = 0.1, 0.5
#: Least pixels of a box, and longest side and least longest side of what a person is shown.
LEAST, LARGEST, SMALLEST = 4, 320, 160
#: Colours of the line around a box, and of those on both sides of it.
_LINE, _EDGE = (255, 0, 160), (255, 255, 255)

#: The number, or other id, of a class.
Class = TypeVar("Class")
#: Left, upper, right and lower end of a box, in pixels.
Corners = tuple[float, float, float, float]


@dataclass
class Boxes:
    """The boxes of a file that have a class, in their order."""

    labels: Array
    """The class of each."""
    names: list[str]
    """What each is called."""
    image: NDArray[np.int64]
    """The number of the picture that each lies on."""
    corners: NDArray[np.float64]
    """Left, upper, right and lower end of each, shape (n, 4): in pixels, or as shares of the picture."""
    columns: dict[str, list[object]]
    """What else the file says of each."""
    skipped: dict[str, str]
    """What is no box of a class, and why."""


class BoxesFile(PicturesFile):
    """A file, or folder, of boxes with classes on pictures; each box becomes a picture."""

    numbered = False
    #: Whether corners are shares of the picture.
    relative = False

    @cached_property
    @abstractmethod
    def boxes(self) -> Boxes:
        """What the file says; no picture is opened."""

    @cached_property
    @abstractmethod
    def images(self) -> list[Path]:
        """The pictures that boxes lie on."""

    def size_of(self, image: int) -> tuple[int, int] | None:
        """Return width and height of a picture where the file says them."""
        return None

    @cached_property
    def labels(self) -> Array:
        """The classes of the boxes."""
        if not len(self.boxes.labels):
            first = next((f"{short(name)}: {why}" for name, why in self.boxes.skipped.items()), "it lists none")
            raise ContentError(f"'{short(self.path)}' has no box with a class ({first}).")
        return self.boxes.labels

    @cached_property
    def names(self) -> list[str]:
        """What the boxes are called."""
        return self.boxes.names

    @property
    def columns(self) -> dict[str, list[object]]:
        """What else the file says of each box."""
        return self.boxes.columns

    def passed_over(self) -> dict[str, str]:
        """Return what is no box of a class, and why."""
        return self.boxes.skipped

    @cached_property
    def pictures(self) -> Pictures:
        """The boxes as squares: a box that is not square is squeezed, so that none of it is lost."""
        side = self.asked.size or SIDE
        return self._opened(lambda whole, corners: _cut(whole, corners, MARGIN).resize((side, side)))

    @cached_property
    def displayed(self) -> Pictures:
        """The boxes as a person looks at them: outlined, with their surroundings."""
        return self._opened(outlined)

    def _opened(self, made: Callable[[Image.Image, Corners], Image.Image]) -> Pictures:
        """Return pictures of boxes; the picture of a box is kept for the next box that the same thread looks at."""
        kept, image, whole = threading.local(), self.boxes.image, files(self.images, list(map(str, self.images)))

        def box(number: int) -> Image.Image:
            place = int(image[number])
            if getattr(kept, "place", None) != place:
                kept.place = None
                with whole.open(place) as picture:
                    kept.picture, kept.place = _as_said(picture, self.size_of(place)), place
            return made(kept.picture, self._corners(number, kept.picture))

        return Pictures(self.names, box, lambda number: int(image[number]))

    def _corners(self, number: int, whole: Image.Image) -> Corners:
        """Return the part of a box that lies within its picture; raise where that shows nothing."""
        width, height = whole.size
        left, upper, right, lower = self.boxes.corners[number] * ([width, height] * 2 if self.relative else 1)
        inside = max(0.0, left), max(0.0, upper), min(right, width), min(lower, height)
        if inside[0] >= inside[2] or inside[1] >= inside[3]:
            raise ValueError(f"the box lies outside of its picture of {width} x {height} pixels")
        if min(inside[2] - inside[0], inside[3] - inside[1]) < LEAST:
            raise ValueError(
                f"a box of {inside[2] - inside[0]:.3g} x {inside[3] - inside[1]:.3g} pixels is too small: it needs "
                f"{LEAST} a side"
            )
        return inside


def distinct(names: Mapping[Class, str]) -> dict[Class, str]:
    """Return the names of classes, by their numbers, with the number behind names that several have."""
    # numpy drops what is cut off here
    texts = {number: as_text(name).rstrip("\0") for number, name in names.items()}
    times = Counter(texts.values())
    made = {number: f"{name} ({number})" if times[name] > 1 else name for number, name in texts.items()}
    if len(set(made.values())) < len(made):  # one was called so before
        made = {number: f"{name} ({number})" for number, name in texts.items()}
    return made


def outlined(whole: Image.Image, corners: Corners) -> Image.Image:
    """Return a box with its surroundings, a line around it."""
    left, upper, *_ = _around(whole, corners, AROUND)
    shown = _cut(whole, corners, AROUND).convert("RGB")
    longest = max(shown.size)
    times = LARGEST / longest if longest > LARGEST else max(1.0, SMALLEST / longest)
    shown = shown.resize([max(1, round(times * side)) for side in shown.size])
    ends = [round(times * (end - start)) for end, start in zip(corners, (left, upper) * 2, strict=True)]
    draw = ImageDraw.Draw(shown)
    for out, colour, width in ((4, _EDGE, 4), (3, _LINE, 2)):
        # outside, so that nothing of what is in the box is covered, but for a box that ends with its picture
        start = [max(4 - out, end - out) for end in ends[:2]]
        stop = [min(side - 5 + out, end + out - 1) for end, side in zip(ends[2:], shown.size, strict=True)]
        draw.rectangle((*start, *stop), outline=colour, width=width)
    return shown


def _cut(whole: Image.Image, corners: Corners, margin: float) -> Image.Image:
    return whole.crop(_around(whole, corners, margin))


def _around(whole: Image.Image, corners: Corners, margin: float) -> tuple[int, int, int, int]:
    """Return the ends of a box, in whole pixels, with a margin where the picture has one."""
    left, upper, right, lower = corners
    x, y = margin * (right - left), margin * (lower - upper)
    return (
        max(0, int(np.floor(left - x))),
        max(0, int(np.floor(upper - y))),
        min(whole.width, int(np.ceil(right + x))),
        min(whole.height, int(np.ceil(lower + y))),
    )


def _as_said(picture: Image.Image, size: tuple[int, int] | None) -> Image.Image:
    """Return a picture upright, or else as it is stored, by which of them has the size that the file says."""
    depth = depth_of(picture)
    bits, cut = (16, False) if depth is None else (depth.used, depth.cut)
    made = eight_bits(picture, bits, cut)
    if size not in (None, made.size):
        upright, made = made, eight_bits(picture, bits, cut, upright=False)
        if made.size != size:
            raise ValueError(
                f"the picture has {upright.width} x {upright.height} pixels, and should have {size[0]} x {size[1]}"
            )
    return made

"""PIL pictures of any mode as bytes that a network can be shown: upright, and as bright as they were.

Those of 16 bits become as bright as the range says that all of them use.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image
from torch import Tensor

_GREY = ("1", "L", "LA", "La")
#: What makes a picture of each EXIF orientation upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Depth(NamedTuple):
    """How a picture uses its 16 bits."""

    used: int
    """Bits that its brightest value takes, at least 8."""
    cut: bool
    """Whether Pillow keeps the upper 8 of the 16 alone, as it does of colours."""


def depth_of(picture: Image.Image) -> Depth | None:
    """Return how a picture uses its 16 bits, None where it has 8. What Pillow cuts is known before it is loaded."""
    if picture.mode.startswith("I"):
        return Depth(max(8, int(_numbers(picture).max()).bit_length()), cut=False)
    # as the file has them, such as RGB;16B; the 16 bits of BGR;16 are those of three colours
    if not any(re.search(r";16[BLN]\b", str(tile)) for tile in getattr(picture, "tile", ())):
        return None
    return Depth(8 + int(np.asarray(_bytes(picture)).max()).bit_length(), cut=True)


def eight_bits(picture: Image.Image, bits: int = 16, cut: bool = False, upright: bool = True) -> Image.Image:
    """Return a picture in mode ``"L"`` or ``"RGB"``, by default upright; ``cut``: Pillow drops 8 of its 16 bits."""
    picture.load()  # by which TIFF is turned already, and its orientation dropped
    turn = _turn_of(picture) if upright else None
    if picture.mode.startswith("I"):
        # Pillow's own conversion cuts off at 255
        made = Image.fromarray((_numbers(picture) * np.float32(255 / (2**bits - 1))).round().astype(np.uint8))
    else:
        made = _bytes(picture)
        if cut and 8 < bits < 16:
            white = 2 ** (bits - 8) - 1
            made = made.point([min(255, round(255 * value / white)) for value in range(256)] * len(made.getbands()))
    # ImageOps.exif_transpose writes all of the EXIF anew, and fails where any other part of it is damaged
    return made if turn is None else made.transpose(turn)


def as_pixels(picture: Image.Image, bits: int = 16) -> Tensor:
    """Return a picture as a uint8 tensor of shape (1 or 3, height, width)."""
    return _as_tensor(eight_bits(picture, bits))


def stacked(pictures: Sequence[Image.Image], name: str) -> NDArray[np.uint8]:
    """Return pictures as an array of shape (n, 1 or 3, height, width), or raise where ``name`` is of several sizes."""
    depths = [depth_of(picture) for picture in pictures]
    bits = max((depth.used for depth in depths if depth), default=16)
    made = [
        eight_bits(picture, bits, depth is not None and depth.cut)
        for picture, depth in zip(pictures, depths, strict=True)
    ]
    if any(one.mode == "RGB" for one in made):
        made = [one.convert("RGB") for one in made]
    for i, one in enumerate(made):
        if one.size != made[0].size:
            raise ValueError(
                f"{name}[{i}] is a picture of {one.width} x {one.height} pixels and {name}[0] of {made[0].width} x "
                f"{made[0].height}. Make all of them of one size: [picture.resize((32, 32)) for picture in {name}]."
            )
    return torch.stack([_as_tensor(one) for one in made]).numpy()


def _turn_of(picture: Image.Image) -> Image.Transpose | None:
    """Return what makes a picture upright, None where it is upright or says nothing that can be read."""
    try:
        return _TURNS.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # its EXIF is nonsense, and the picture is whole
        return None


def _numbers(picture: Image.Image) -> NDArray[np.integer]:
    """Return the values of a picture of more than 8 bits."""
    values = np.asarray(picture)
    if values.min() < 0 or values.max() >= 2**16:
        raise ValueError(f"a picture of mode {picture.mode!r} holds numbers beyond 16 bits, of no known brightness")
    return values


def _bytes(picture: Image.Image) -> Image.Image:
    """Return any other picture in mode ``"L"`` or ``"RGB"``."""
    if picture.mode == "F":
        raise ValueError("a picture of mode 'F' holds real numbers, of no known brightness")
    if picture.mode in _GREY:
        return picture.convert("L")
    if picture.mode == "P" and "transparency" in picture.info:
        picture = picture.convert("RGBA")
    return picture.convert("RGB")


def _as_tensor(picture: Image.Image) -> Tensor:
    pixels = np.array(picture)
    return torch.from_numpy(pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1)))

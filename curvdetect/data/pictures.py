"""PIL pictures of any mode as bytes that a network can be shown."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

_GREY = ("1", "L", "LA", "La")


def eight_bits(picture: Image.Image) -> Image.Image:
    """Return a picture in mode ``"L"`` or ``"RGB"``: grey stays grey, 16 bits become 8, transparency is dropped.

    Parameters
    ----------
    picture : PIL.Image.Image
        Of any mode; of several frames the current one counts.
    """
    if picture.mode.startswith("I"):
        # Pillow's own conversion cuts off at 255
        values = np.asarray(picture).astype(np.int64)
        if values.min() < 0 or values.max() >= 2**16:
            raise ValueError(f"a picture of mode {picture.mode!r} holds numbers beyond 16 bits, of no known brightness")
        return Image.fromarray((values / 257).round().astype(np.uint8))
    if picture.mode == "F":
        raise ValueError("a picture of mode 'F' holds real numbers, of no known brightness")
    if picture.mode in _GREY:
        return picture.convert("L")
    if picture.mode == "P" and "transparency" in picture.info:
        picture = picture.convert("RGBA")
    return picture.convert("RGB")


def as_pixels(picture: Image.Image) -> Tensor:
    """Return a picture as a uint8 tensor of shape (1 or 3, height, width)."""
    pixels = np.array(eight_bits(picture))
    return torch.from_numpy(pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1)))

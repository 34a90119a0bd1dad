"""Pictures of every mode become bytes, as bright as they were."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from curvdetect.data.pictures import as_pixels

RAMP = np.linspace(0, 255, 24).astype(np.uint8).reshape(4, 6)
COLOURS = np.stack([RAMP, 255 - RAMP, RAMP // 2], axis=2)
GREY, RGB = Image.fromarray(RAMP), Image.fromarray(COLOURS)


def _palette():
    picture = Image.fromarray(RAMP % 4, mode=None)
    picture = picture.convert("P")
    picture.putpalette([value for i in range(256) for value in (i * 10 % 256, 0, 255 - i)])
    return picture


MODES = {
    "grey": (GREY, RAMP[None]),
    "colours": (RGB, COLOURS.transpose(2, 0, 1)),
    "black_and_white": (Image.fromarray(RAMP > 127), np.where(RAMP > 127, 255, 0)[None]),
    "grey_with_transparency": (Image.merge("LA", [GREY, GREY]), RAMP[None]),
    "transparency": (Image.merge("RGBA", [*RGB.split(), GREY]), COLOURS.transpose(2, 0, 1)),
    "palette": (_palette(), np.array(_palette().convert("RGB")).transpose(2, 0, 1)),
    "cmyk": (RGB.convert("CMYK"), COLOURS.transpose(2, 0, 1)),
    "16_bit": (Image.fromarray(RAMP.astype(np.uint16) * 257), RAMP[None]),
    "32_bit_of_16": (Image.fromarray(RAMP.astype(np.int32) * 257), RAMP[None]),
}


@pytest.mark.parametrize(("picture", "expected"), MODES.values(), ids=MODES)
def test_pictures_of_any_mode_become_bytes(picture, expected):
    pixels = as_pixels(picture)
    assert pixels.dtype == torch.uint8
    assert np.array_equal(pixels.numpy(), expected)


def test_transparent_palettes_are_read_without_a_warning(tmp_path, recwarn):
    picture = _palette()
    picture.info["transparency"] = bytes([0, 128, 255, 255])
    picture.save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as read:
        assert as_pixels(read).shape == (3, 4, 6)
    assert not recwarn.list


@pytest.mark.parametrize(
    "values", [RAMP.astype(np.int32) * 2**20, RAMP.astype(np.int32) - 1, RAMP.astype(np.float32)], ids=["I", "I<0", "F"]
)
def test_numbers_of_no_known_brightness_are_refused(values):
    with pytest.raises(ValueError, match="of no known brightness"):
        as_pixels(Image.fromarray(values))

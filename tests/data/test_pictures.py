"""Pictures of every mode become bytes, as bright as they were."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from datasets import Dataset, Features
from datasets import Image as PictureColumn
from PIL import Image, ImageOps
from torchvision.datasets import ImageFolder

from curvdetect.data.items import read_item
from curvdetect.data.labels import plain
from curvdetect.data.pictures import as_pixels
from curvdetect.data.samples import as_samples
from curvdetect.review.shown import shown_as
from tests.cases import Items

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


def turned():
    """Return colours of a camera that is held otherwise."""
    picture = RGB.transpose(Image.Transpose.ROTATE_90)
    exif = picture.getexif()
    exif[0x112] = 6
    picture.info["exif"] = exif.tobytes()
    return picture


def test_pictures_are_turned_once_as_their_exif_says(tmp_path):
    assert np.array_equal(as_pixels(turned()), COLOURS.transpose(2, 0, 1))
    (tmp_path / "a").mkdir()
    turned().save(tmp_path / "a" / "0.png", exif=turned().info["exif"])
    column = Dataset.from_dict({"image": [str(tmp_path / "a" / "0.png")]}, Features({"image": PictureColumn()}))
    for dataset in (ImageFolder(tmp_path), column, [ImageOps.exif_transpose(turned())]):
        assert np.array_equal(read_item(dataset, 0, False)[0], COLOURS.transpose(2, 0, 1))


def test_lists_of_pictures_are_read_as_the_pictures_that_they_are():
    deep = Image.fromarray(RAMP.astype(np.uint16) * 16)
    array = plain([turned(), GREY, deep, RGB])
    assert array.shape == (4, 3, 4, 6)
    assert np.array_equal(array[0], array[3])
    assert np.abs(array[2].astype(int) - array[1]).max() <= 1
    assert shown_as([GREY, GREY]).shape == (1, 4, 6)
    with pytest.raises(ValueError, match=r"X\[1\] is a picture of 4 x 6 pixels and X\[0\] of 6 x 4"):
        plain([RGB, RGB.transpose(Image.Transpose.ROTATE_90)])


@pytest.mark.parametrize("bits", [8, 9, 12, 15])
def test_datasets_of_16_bits_that_use_fewer_are_warned_of(bits):
    dim, bright = (Image.fromarray(RAMP.astype(np.uint16) << 8 >> 16 - used) for used in (bits, 16))
    with pytest.warns(UserWarning, match=rf"PIL pictures of 16 bits, .* use {bits} of them.*/ {2**bits - 1}"):
        as_samples(Items([(dim, 0), (GREY, 1)] * 9))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        as_samples(Items([(dim, 0), (bright, 1)] * 9))

"""Pictures as cameras and instruments write them become the plain ones' bytes: of any mode, upright, and as bright."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from datasets import Dataset, Features
from datasets import Image as PictureColumn
from PIL import Image, ImageOps
from torchvision.datasets import ImageFolder

from curvdetect import load_image_folder
from curvdetect.data.items import read_item
from curvdetect.data.labels import plain
from curvdetect.data.pictures import as_pixels
from curvdetect.data.samples import as_samples
from tests.cases import Items
from tests.written import write_deep_png

RAMP = np.add.outer(np.arange(20) * 12, np.arange(9) * 3).astype(np.uint8)
"""Grey, no side like another, and of no symmetry."""
PIXELS = np.stack([RAMP, 255 - RAMP, RAMP // 2], axis=2)
GREY, COLOURS = Image.fromarray(RAMP), Image.fromarray(PIXELS)
DEEP = Image.fromarray(RAMP.astype(np.uint16) * 257)
ORIENTATION = 0x112
#: How a camera that is held otherwise writes what is upright.
STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def _palette(**info):
    picture = Image.fromarray(RAMP % 4).convert("P")
    picture.info |= info
    picture.putpalette([value for i in range(256) for value in (i * 10 % 256, 0, 255 - i)])
    return picture


MODES = {
    "grey": (GREY, RAMP),
    "colours": (COLOURS, PIXELS),
    "black_and_white": (Image.fromarray(RAMP > 127), np.where(RAMP > 127, 255, 0)),
    "grey_with_transparency": (Image.merge("LA", [GREY, GREY]), RAMP),
    "transparency": (Image.merge("RGBA", [*COLOURS.split(), GREY]), PIXELS),
    "palette": (_palette(), np.array(_palette().convert("RGB"))),
    "transparent_palette": (
        _palette(transparency=bytes([0, 128, 255, 255])),
        np.array(_palette().convert("RGB")),
    ),
    "cmyk": (COLOURS.convert("CMYK"), PIXELS),
    "16_bit": (DEEP, RAMP),
    "32_bit_of_16": (Image.fromarray(RAMP.astype(np.int32) * 257), RAMP),
}


@pytest.mark.parametrize(("picture", "expected"), MODES.values(), ids=MODES)
def test_pictures_of_any_mode_become_bytes(picture, expected, recwarn):
    pixels = as_pixels(picture)
    assert not recwarn.list
    assert pixels.dtype == torch.uint8
    assert np.array_equal(pixels.numpy(), expected[None] if expected.ndim == 2 else expected.transpose(2, 0, 1))


def test_lists_of_pictures_are_read_as_the_pictures_that_they_are():
    array = plain([COLOURS, GREY, Image.fromarray(RAMP.astype(np.uint16) * 16)])
    assert array.shape == (3, 3, 20, 9)
    assert np.array_equal(array[0], PIXELS.transpose(2, 0, 1))
    assert np.abs(array[2].astype(int) - array[1]).max() <= 1
    assert plain([GREY, GREY]).shape == (2, 1, 20, 9)


@pytest.mark.parametrize("bits", [8, 12, 15])
def test_datasets_of_16_bits_that_use_fewer_are_warned_of(bits):
    dim, bright = (Image.fromarray(RAMP.astype(np.uint16) << 8 >> 16 - used) for used in (bits, 16))
    with pytest.warns(UserWarning, match=rf"PIL pictures of 16 bits, .* use {bits} of them.*/ {2**bits - 1}"):
        as_samples(Items([(dim, 0), (GREY, 1)] * 9))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        as_samples(Items([(dim, 0), (bright, 1)] * 9))


def stored(picture, path, orientation, **options):
    """Save a picture as one that is held otherwise, and say how."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    turned = picture.transpose(STORED[orientation]) if orientation in STORED else picture
    turned.save(path, exif=options.pop("exif", exif.tobytes()), **options)


def read(root):
    """Return what is read, by name, and no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        X, _, paths = load_image_folder(root, size=8)
    return {path.rsplit("/", 1)[1]: x.astype(int) for path, x in zip(paths, X, strict=True)}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a").mkdir()
    return tmp_path / "a"


def test_pictures_are_turned_once_as_their_exif_says(folder):
    for orientation in (*STORED, 0, 1, 9):
        stored(COLOURS, folder / f"{orientation}.png", orientation)
        stored(COLOURS, folder / f"{orientation}.tif", orientation)
        stored(DEEP, folder / f"grey {orientation}.png", orientation)
    stored(COLOURS, folder / "6.webp", 6, lossless=True)
    stored(COLOURS, folder / "packed 6.tif", 6, compression="tiff_lzw")
    (folder.parent / "b").mkdir()
    COLOURS.save(folder.parent / "b" / "colours.png")
    GREY.save(folder.parent / "b" / "grey.png")
    found = read(folder.parent)
    colours, grey = found.pop("colours.png"), found.pop("grey.png")
    assert not np.array_equal(colours, colours[:, ::-1])
    for name, x in found.items():
        assert np.array_equal(x, grey if name.startswith("grey") else colours), name
    column = Dataset.from_dict({"image": [str(folder / "6.png")]}, Features({"image": PictureColumn()}))
    with Image.open(folder / "6.png") as picture:
        upright = ImageOps.exif_transpose(picture)
    pictures_of = ImageFolder(folder.parent)
    number = [name for name, _ in pictures_of.samples].index(str(folder / "6.png"))
    for dataset, at in ((column, 0), ([upright], 0), (pictures_of, number)):
        assert np.array_equal(read_item(dataset, at, False)[0], PIXELS.transpose(2, 0, 1))


def test_exif_that_is_damaged_elsewhere_still_says_what_is_up(folder):
    exif = Image.Exif()
    exif[ORIENTATION], exif[0x100] = 6, 9
    # the width as text rather than as a number, which Pillow can't write again
    damaged = exif.tobytes().replace(b"\x01\x00\x00\x04\x00\x00\x00\x01", b"\x01\x00\x00\x02\x00\x00\x00\x01")
    stored(COLOURS, folder / "damaged.png", 6, exif=damaged)
    with Image.open(folder / "damaged.png") as picture, pytest.raises(Exception, match="integer"):
        ImageOps.exif_transpose(picture)
    stored(COLOURS, folder / "nonsense.png", 1, exif=b"Exif\0\0nonsense")
    COLOURS.save(folder / "plain.png")
    found = read(folder.parent)
    assert all(np.array_equal(x, found["plain.png"]) for x in found.values())


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_16_bits_are_read_by_the_range_that_the_folder_uses(folder, bits):
    values = np.round(RAMP / 255 * (2**bits - 1)).astype(np.uint16)
    # the brightest comes last, and is the only one that needs all the bits
    dim, bright = Image.fromarray(values // 2), Image.fromarray(values)
    for name, picture in {"0.png": dim, "1.tif": dim, "2.png": bright, "3.tif": bright}.items():
        picture.save(folder / name)
    Image.fromarray(RAMP // 2).save(folder / "plain 0.png")
    GREY.save(folder / "plain 1.png")
    assert RAMP.max() > 128
    found = read(folder.parent)
    for name, same in {"0.png": 0, "1.tif": 0, "2.png": 1, "3.tif": 1}.items():
        assert np.abs(found[name] - found[f"plain {same}.png"]).max() <= (bits > 8), name  # 8 bits stay as they are


def test_other_ranges_beside_that_of_the_folder_are_warned_of(folder):
    for i, bits in enumerate([12] * 3 + [16] * 4):
        Image.fromarray((RAMP.astype(np.uint16) << 8) >> (16 - bits)).save(folder / f"{i}.png")
    with pytest.warns(
        UserWarning, match=r"3 of the 7 pictures of 16 bits .* which use 16, and are dark: a/0\.png, a/1"
    ):
        load_image_folder(folder.parent)
    for i in range(3):
        (folder / f"{i}.png").write_bytes((folder / "3.png").read_bytes())
    assert len(read(folder.parent)) == 7


def test_colours_of_which_pillow_drops_the_lower_bits_are_warned_of(folder):
    pixels = PIXELS.astype(np.uint16)
    write_deep_png(folder / "12.png", pixels * 16)
    COLOURS.save(folder / "8.png")
    with pytest.warns(
        UserWarning, match=r"1 pictures .* 16 bits a colour and use 12 of them, of which Pillow reads 4: a/12"
    ):
        data = load_image_folder(folder.parent, size=8)
    assert np.abs(np.subtract(*data.X.astype(int))).max() <= 17  # sixteen shades are left
    write_deep_png(folder / "12.png", pixels * 257)
    found = read(folder.parent)
    assert np.array_equal(found["12.png"], found["8.png"])

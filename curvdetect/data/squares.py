"""Files of pictures as equal squares, those of 16 bits as bright as the range says that all of them use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from curvdetect.data.pictures import Depth, depth_of, eight_bits

#: A picture is dark that leaves so many bits unused, and worth a word where it is one of so few.
_UNUSED, _ONE_OF = 2, 10
#: Formats whose frames are a preview or the layers of one picture.
_ONE_PICTURE = ("MPO", "PSD")


class Squares:
    """Pictures read one by one into an array, resized by the shorter side and cropped to the centre.

    How many of their 16 bits pictures use is known when all are read. Each is read by what those before it used, and
    the few that turn out to be read by too small a range are read once more at the end.

    Parameters
    ----------
    most : int
        How many pictures there may be.
    size : int
        Side of the squares.

    Attributes
    ----------
    paths : list of str
        The files that were read.
    bits : int
        How many bits those of 16 bits use.
    depths : dict
        From the numbers of those of 16 bits to how each uses them.
    several : list of str
        The files that hold several frames.
    """

    def __init__(self, most: int, size: int) -> None:
        self._X = np.empty((most, 3, size, size), dtype=np.uint8)
        self._size = size
        self._read_by: dict[int, int] = {}
        self.paths: list[str] = []
        self.bits = 8
        self.depths: dict[int, Depth] = {}
        self.several: list[str] = []

    def add(self, path: Path) -> None:
        """Read a picture; raise whatever a decoder makes of what it is given."""
        number = len(self.paths)
        with _opened(path) as picture:
            depth = depth_of(picture)
            bits = self.bits if depth is None else max(self.bits, depth.used)
            self._read(picture, number, bits, depth)
            several = _has_several(picture)
        self.bits = bits
        self.paths.append(str(path))
        if depth is not None:
            self.depths[number], self._read_by[number] = depth, bits
        if several:
            self.several.append(str(path))

    def finished(self) -> NDArray[np.uint8]:
        """Return the pictures, shape (n_pictures, 3, size, size), all by the range that is known now."""
        for number, bits in self._read_by.items():
            if bits < self.bits:
                with _opened(Path(self.paths[number])) as picture:
                    self._read(picture, number, self.bits, self.depths[number])
                self._read_by[number] = self.bits
        return self._X[: len(self.paths)]

    def dark(self) -> list[str]:
        """Return the files that use much less of their 16 bits than others, where these are more than a few."""
        dark = [self.paths[number] for number, depth in self.depths.items() if self.bits - depth.used >= _UNUSED]
        return dark if _ONE_OF * len(dark) >= len(self.depths) else []

    def coarse(self) -> list[str]:
        """Return the files in colour of which Pillow drops the lower bits though the upper ones are not all used."""
        cut = {number: depth.used for number, depth in self.depths.items() if depth.cut}
        return [self.paths[number] for number in cut] if max(cut.values(), default=16) < 16 else []

    def _read(self, picture: Image.Image, number: int, bits: int, depth: Depth | None) -> None:
        from torchvision.transforms.functional import center_crop, pil_to_tensor, resize

        shown = eight_bits(picture, bits, depth is not None and depth.cut).convert("RGB")
        self._X[number] = pil_to_tensor(center_crop(resize(shown, self._size), self._size)).numpy()


def _has_several(picture: Image.Image) -> bool:
    """Say whether a file goes on with another picture."""
    try:
        return picture.format not in _ONE_PICTURE and bool(getattr(picture, "is_animated", False))
    except Exception:  # what follows is damaged
        return False


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    if path.exists() and not path.is_file():
        raise OSError("no regular file")  # reading a pipe would wait forever
    with Image.open(path) as picture:
        yield picture

"""Pictures in files or within one, read one at a time when they are looked at, or all at once as equal squares."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from curvdetect.data.pictures import Depth, depth_of, eight_bits

#: A picture that leaves two of its bits unused is dark; it is warned of where a tenth of those of 16 bits are.
_UNUSED, _ONE_OF = 2, 10
#: Formats whose frames are a preview or the layers of one picture.
_ONE_PICTURE = ("MPO", "PSD")
#: Threads that decode pictures at a time, and bytes of squares that are kept in memory rather than in a file.
_THREADS, _IN_MEMORY = min(8, os.cpu_count() or 1), 2**29

#: Pixels of the shorter side that are left of a picture that is looked at, at least.
LOOKED_AT = 320
#: How many pictures a warning names.
_FEW = 5

#: Opens one of several pictures, by its number.
Opener = Callable[[int], Image.Image]


class Pictures(Sequence[Image.Image]):
    """Pictures of any size, each opened when it is looked at; a large JPEG is then read at a fraction of its size.

    ``source`` tells what a picture is a part of: one thread reads all parts of a whole, one after another.
    """

    def __init__(self, names: Sequence[str], opener: Opener, source: Callable[[int], int] | None = None) -> None:
        self.names = names
        self.open = opener
        self.source = source or (lambda number: number)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Image.Image:  # type: ignore[override]
        picture = self.open(range(len(self))[index])
        picture.draft(None, (LOOKED_AT, LOOKED_AT))
        return picture

    def only(self, index: Iterable[int]) -> Pictures:
        """Return some of the pictures, in the order of ``index``."""
        chosen = list(map(int, index))
        return Pictures(
            [self.names[i] for i in chosen],
            lambda number: self.open(chosen[number]),
            lambda number: self.source(chosen[number]),
        )


def files(paths: Sequence[Path], names: Sequence[str]) -> Pictures:
    """Return the pictures in files, and what each is called."""
    return Pictures(names, lambda number: opened(paths[number]))


def opened(path: Path) -> Image.Image:
    """Open the picture in a file."""
    if path.exists() and not path.is_file():
        raise OSError("no regular file")  # reading a pipe would wait forever
    return Image.open(path)


class Squares:
    """Pictures as equal squares: each is read by the range of 16 bits known so far, a few again at the end.

    Several threads read. Those that can't be read are left out.
    """

    def __init__(self, pictures: Pictures, size: int) -> None:
        self._pictures, self._size = pictures, size
        n = len(pictures)
        shape = (n, 3, size, size)
        if np.prod(shape, dtype=float) <= _IN_MEMORY:
            self._X: NDArray[np.uint8] = np.empty(shape, np.uint8)
        else:
            with tempfile.TemporaryFile() as file:  # which the system keeps for as long as it is mapped
                self._X = np.memmap(file, np.uint8, "w+", shape=shape)
        self._read_by: dict[int, int] = {}
        #: The bits that those of 16 bits use together, and from their numbers to how each uses them.
        self.bits = 8
        self._depths: dict[int, Depth] = {}
        self._several: set[int] = set()
        self._broken: dict[int, str] = {}
        self._run(range(n))
        self.bits = max((depth.used for depth in self._depths.values()), default=8)  # threads may have lowered it
        self._run([i for i, bits in self._read_by.items() if bits < self.bits])
        #: Numbers of the pictures that were read, and these pictures, shape (n_read, 3, size, size).
        self.kept = np.setdiff1d(np.arange(n), list(self._broken))
        for place, number in enumerate(self.kept.tolist()) if self._broken else ():
            self._X[place] = self._X[number]  # a copy of all might not fit
        self.X = self._X[: len(self.kept)]

    @property
    def broken(self) -> dict[int, str]:
        """Numbers of the pictures that can't be read, and why."""
        return dict(sorted(self._broken.items()))

    def doubts(self, where: str) -> Iterator[str]:
        """Yield what to warn of about the pictures that were read; ``where`` says where they are."""
        n_read = len(self.kept)
        if self._several:
            yield (
                f"{len(self._several)} of {n_read} pictures {where} have several frames, of which the first is read: "
                f"{self._few(self._several)}."
            )
        if dark := self._dark():
            yield (
                f"{len(dark)} of the {len(self._depths)} pictures of 16 bits {where} use far less of them than others, "
                f"which use {self.bits}, and are dark: {self._few(dark)}. Where they were written in another range, "
                "scale them to one."
            )
        if coarse := self._coarse():
            used = max(self._depths[number].used for number in coarse)
            yield (
                f"{len(coarse)} pictures {where} have 16 bits a colour and use {used} of them, of which Pillow reads "
                f"{used - 8}: {self._few(coarse)}. Scale their colours to 8 bits and save them again."
            )

    def _dark(self) -> list[int]:
        """Return the pictures that use much less of their 16 bits than others, where these are more than a few."""
        dark = [i for i, depth in self._depths.items() if self.bits - depth.used >= _UNUSED]
        return dark if _ONE_OF * len(dark) >= len(self._depths) else []

    def _coarse(self) -> list[int]:
        """Return the pictures in colour of which Pillow drops the lower bits though the upper ones are not all used."""
        cut = {number: depth.used for number, depth in self._depths.items() if depth.cut}
        return list(cut) if max(cut.values(), default=16) < 16 else []

    def _few(self, numbers: Collection[int]) -> str:
        """Return the names of the first few of some pictures."""
        names = [self._pictures.names[i] for i in sorted(numbers)[:_FEW]]
        return f"{', '.join(names)}{', ...' if len(numbers) > _FEW else ''}"

    def _run(self, numbers: Iterable[int]) -> None:
        wholes: dict[int, list[int]] = {}
        for number in numbers:
            wholes.setdefault(self._pictures.source(number), []).append(number)
        with ThreadPoolExecutor(_THREADS) as threads:
            try:
                for _ in threads.map(self._read_all, wholes.values()):
                    pass
            except BaseException:
                threads.shutdown(cancel_futures=True)
                raise

    def _read_all(self, numbers: list[int]) -> None:
        for number in numbers:
            self._read(number)

    def _read(self, number: int) -> None:
        """Read one picture, or note why it can't be read."""
        from torchvision.transforms.functional import center_crop, resize

        try:
            with self._pictures.open(number) as picture:
                depth = depth_of(picture)
                bits = self.bits if depth is None else max(self.bits, depth.used)
                shown = eight_bits(picture, bits, depth is not None and depth.cut).convert("RGB")
                square = center_crop(resize(shown, self._size), self._size)
                self._X[number] = np.asarray(square).transpose(2, 0, 1)
                if depth is not None:
                    self._depths[number], self._read_by[number], self.bits = depth, bits, bits
                if _has_several(picture):
                    self._several.add(number)
        except Exception as error:  # decoders raise errors of any kind
            self._broken[number] = f"{type(error).__name__}: {_why(error)}"


def _why(error: Exception) -> object:
    """Return what an error says, without the folder of the file or an address in memory."""
    if isinstance(error, UnidentifiedImageError):
        return "cannot identify image file"
    return getattr(error, "strerror", None) or error


def _has_several(picture: Image.Image) -> bool:
    """Say whether a file goes on with another picture."""
    try:
        return picture.format not in _ONE_PICTURE and bool(getattr(picture, "is_animated", False))
    except Exception:  # what follows is damaged
        return False

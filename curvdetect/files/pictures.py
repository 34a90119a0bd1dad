"""What files of pictures have in common: broken ones are skipped, the others become equal squares."""

from __future__ import annotations

import io
import warnings
from abc import abstractmethod
from collections.abc import Iterator
from functools import cache, cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from curvdetect.data.folders import formats
from curvdetect.data.squares import Pictures, Squares
from curvdetect.data.wording import ContentError, short, warn
from curvdetect.files.labelled import LabelledData, LabelledFile

#: Side of pictures by default, in pixels.
SIDE = 32


class PicturesFile(LabelledFile):
    """A file, or folder, of pictures."""

    #: Whether places in the file mean something to a person, as rows of a table do.
    numbered: ClassVar[bool] = True
    alone = False

    @cached_property
    @abstractmethod
    def pictures(self) -> Pictures:
        """All pictures, none of them opened yet."""

    @cached_property
    def names(self) -> list[str]:
        """What the pictures are called."""
        return [as_text(name) for name in self.pictures.names]

    @property
    def displayed(self) -> Pictures:
        """The pictures as a person looks at them."""
        return self.pictures

    @property
    def columns(self) -> dict[str, list[object]]:
        """What else the file says of each picture."""
        return {}

    def passed_over(self) -> dict[str, str]:
        """Return what is no picture of a class, and why."""
        return {}

    def doubts(self, places: NDArray[np.int64]) -> Iterator[str]:
        """Yield what to warn of before the pictures in these places are read."""
        yield from ()

    def read(self, rows: NDArray[np.int64] | None) -> LabelledData:
        """Return the pictures that can be read."""
        places = np.arange(len(self.pictures)) if rows is None else rows
        for message in self.doubts(places):
            warn(message)
        with warnings.catch_warnings():
            # a picture of a few hundred bytes may unfold to gigabytes
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            squares = Squares(self.pictures.only(places), self.asked.size or SIDE)
        broken = {self.names[places[i]]: why for i, why in squares.broken.items()}
        if not len(squares.kept):
            first = next(iter(broken.values()), "there is none")
            raise ContentError(
                f"{len(broken)} of {len(places)} pictures in '{short(self.path)}' can't be read, the first because of "
                f"{first}."
            )
        for message in squares.doubts(f"in '{short(self.path)}'"):
            warn(message)
        kept = places[squares.kept]
        all_of_them = len(kept) == len(self.pictures)
        return LabelledData(
            squares.X,
            self.labels[kept],
            shown=self.displayed.only(kept),
            paths=[self.names[i] for i in kept],
            rows=kept if self.numbered and not all_of_them else None,
            skipped={**broken, **self.passed_over()},
            columns={name: [values[i] for i in kept] for name, values in self.columns.items()},
        )


def opened_bytes(content: bytes) -> Image.Image:
    """Open a picture whose file is within another one."""
    return Image.open(io.BytesIO(content), formats=_formats())


@cache
def _formats() -> list[str]:
    return formats()


def as_text(name: str) -> str:
    """Return a name with bytes that are not UTF-8 escaped: neither a CSV file nor pandas can hold them."""
    return name.encode("utf-8", "backslashreplace").decode()

"""A folder of pictures, one subfolder a class, as arrays that any detector takes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from numbers import Integral
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from curvdetect.data.choosing import drawn
from curvdetect.data.finding import few, not_hidden, pictures_in
from curvdetect.data.squares import Squares


class _Pictures(NamedTuple):
    X: NDArray[np.uint8]
    y: NDArray[Any]
    paths: list[str]


class ImageFolderData(_Pictures):
    """Pictures, their class names and where they came from.

    Attributes
    ----------
    X : array of shape (n_samples, 3, size, size), uint8
        The pictures.
    y : array of shape (n_samples,), str
        Names of their classes.
    paths : list of str
        Their files.
    broken : dict of str
        From the files that can't be read, which are in none of the above, to what is wrong with them. It's no part of
        the tuple, which has three.
    passed_over : dict of str
        From the files and folders that were not looked at to the reason: they are hidden, no pictures by name, or in no
        class. No part of the tuple either.
    """

    broken: dict[str, str]
    passed_over: dict[str, str]


def load_image_folder(root: str | Path, *, size: int = 32, limit: int | None = None) -> ImageFolderData:
    """Read pictures laid out as ``root/<class>/<picture>`` into memory.

    Parameters
    ----------
    root : str or Path
        Folder with one subfolder for each class, as ``torchvision.datasets.ImageFolder`` wants it. Hidden files and
        folders are passed over, as are files whose names don't end as those of pictures that Pillow opens, such as
        ``.jpg``, ``.jfif``, ``.png``, ``.avif``, ``.jp2`` and, where pillow-heif is installed, ``.heic``.
    size : int, default=32
        Side of the square that pictures are resized (shorter side) and cropped (centre) to.
    limit : int, optional
        Read a random choice of so many pictures, the same in every call.

    Returns
    -------
    ImageFolderData
        Named tuple of ``X``, uint8 of shape (n_samples, 3, size, size), the class names ``y`` as strings, and
        ``paths``; its attributes ``broken`` and ``passed_over`` say which files could not be read, which were not
        looked at, and why.

    Raises
    ------
    FileNotFoundError
        Where there is no such folder, or no picture in it that can be read.
    ValueError
        Where ``size`` or ``limit`` is no number of pixels or pictures.

    Warns
    -----
    UserWarning
        Where files are broken, files that aren't hidden are passed over, of several frames the first is read, pictures
        of 16 bits use much less of them than others, a class has no picture, or all are named as parts of a data set,
        such as train and test; once for all of them.

    Notes
    -----
    Takes ``3 * size**2`` bytes a picture. For more than fits in memory pass an ``ImageFolder`` to ``fit``. Pictures
    are turned as their EXIF orientation says, grey ones get three equal channels, transparency is dropped, and of
    several frames the first is taken. 16 bits become 8 by the range that those of 16 bits in the folder use, in whole
    bits: where the brightest of all is 4000, 12 bits are used, and 4095 is white.

    Examples
    --------
    >>> from curvdetect import load_image_folder
    >>> load_image_folder("no/such/folder")
    Traceback (most recent call last):
        ...
    FileNotFoundError: root='no/such/folder' is not a folder...
    """
    if not isinstance(root, str | PathLike):
        raise TypeError(f"root must be the path of a folder, got {root!r}.")
    for name, value in {"size": size, **({} if limit is None else {"limit": limit})}.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{name} must be a whole number, at least 1, got {value!r}.")
    found, passed_over = pictures_in(Path(root))
    chosen = drawn(len(found), limit)
    found = found if chosen is None else [found[i] for i in chosen]
    squares = Squares(len(found), size)
    labels: list[str] = []
    broken: dict[str, str] = {}
    for label, path in found:
        try:
            squares.add(path)
        except Exception as error:  # whatever a decoder makes of what it was given
            broken[str(path)] = f"{type(error).__name__}: {error}"
        else:
            labels.append(label)
    if not labels:
        first = next(iter(broken.values()))
        raise FileNotFoundError(
            f"{len(broken)} of {len(found)} pictures in root={str(root)!r} can't be read, the first because of {first}."
        )
    data = ImageFolderData(squares.finished(), np.asarray(labels), squares.paths)
    data.broken, data.passed_over = broken, passed_over
    for message in _doubts(Path(root), squares, broken, passed_over):
        warnings.warn(message, UserWarning, stacklevel=2)
    return data


def _doubts(root: Path, squares: Squares, broken: dict[str, str], passed_over: dict[str, str]) -> Iterator[str]:
    """Yield what a reader should know of the pictures of a folder."""
    n_read, deep, missed = len(squares.paths), len(squares.depths), not_hidden(passed_over)
    where = f"in root={str(root)!r}"
    if broken:
        yield (
            f"{len(broken)} of {n_read + len(broken)} pictures {where} can't be read and are left out: "
            f"{few(broken, root)} ({next(iter(broken.values()))}). The attribute `broken` of what is returned has all "
            "of them."
        )
    if missed:
        yield (
            f"{len(missed)} file(s) {where} are passed over: {few(missed, root)} ({passed_over[missed[0]]}). The "
            "attribute `passed_over` of what is returned has all of them, and why."
        )
    if squares.several:
        yield (
            f"{len(squares.several)} of {n_read} pictures {where} have several frames, of which the first is read: "
            f"{few(squares.several, root)}."
        )
    if dark := squares.dark():
        yield (
            f"{len(dark)} of the {deep} pictures of 16 bits {where} use far less of them than others, which use "
            f"{squares.bits}, and are dark: {few(dark, root)}. Where they were written in another range, scale them to "
            "one."
        )
    if coarse := squares.coarse():
        used = max(depth.used for depth in squares.depths.values() if depth.cut)
        yield (
            f"{len(coarse)} pictures {where} have 16 bits a colour and use {used} of them, of which Pillow reads "
            f"{used - 8}: {few(coarse, root)}. Scale their colours to 8 bits and save them again."
        )

"""A folder of pictures, one subfolder a class, as arrays that any detector takes."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from numbers import Integral
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from curvdetect.data.choosing import drawn
from curvdetect.data.pictures import eight_bits

#: How the names of pictures end.
SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
#: Names of folders that hold a part of a data set each, and its classes below.
PARTS = {"train", "training", "val", "valid", "validation", "dev", "test", "testing"}


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
    """

    broken: dict[str, str]


def load_image_folder(root: str | Path, *, size: int = 32, limit: int | None = None) -> ImageFolderData:
    """Read pictures laid out as ``root/<class>/<picture>`` into memory.

    Parameters
    ----------
    root : str or Path
        Folder with one subfolder for each class, as ``torchvision.datasets.ImageFolder`` wants it. Hidden files and
        folders are passed over, as are files that are no pictures by name.
    size : int, default=32
        Side of the square that pictures are resized (shorter side) and cropped (centre) to.
    limit : int, optional
        Read a random choice of so many pictures, the same in every call.

    Returns
    -------
    ImageFolderData
        Named tuple of ``X``, uint8 of shape (n_samples, 3, size, size), the class names ``y`` as strings, and
        ``paths``; its attribute ``broken`` says which files could not be read, and why.

    Raises
    ------
    FileNotFoundError
        Where there is no such folder, or no picture in it that can be read.
    ValueError
        Where ``size`` or ``limit`` is no number of pixels or pictures.

    Warns
    -----
    UserWarning
        Where files are broken, a class has no picture, or all are named as parts of a data set, such as train and
        test; once for all of them.

    Notes
    -----
    Takes ``3 * size**2`` bytes a picture. For more than fits in memory pass an ``ImageFolder`` to ``fit``. Grey
    pictures get three equal channels, 16 bits become 8, transparency is dropped, and of an animation the first
    picture is taken.

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
    found = _pictures_in(Path(root))
    chosen = drawn(len(found), limit)
    found = found if chosen is None else [found[i] for i in chosen]
    X = np.empty((len(found), 3, size, size), dtype=np.uint8)
    labels: list[str] = []
    paths: list[str] = []
    broken: dict[str, str] = {}
    for label, path in found:
        try:
            X[len(paths)] = _square(path, size).numpy()
        except Exception as error:  # whatever a decoder makes of what it was given
            broken[str(path)] = f"{type(error).__name__}: {error}"
            continue
        labels.append(label)
        paths.append(str(path))
    if broken:
        first = next(iter(broken.values()))
        told = f"{len(broken)} of {len(found)} pictures in root={str(root)!r} can't be read"
        if not paths:
            raise FileNotFoundError(f"{told}, the first because of {first}.")
        listed = ", ".join(str(Path(path).relative_to(root)) for path in list(broken)[:5])
        warnings.warn(
            f"{told} and are left out: {listed}{', ...' if len(broken) > 5 else ''} ({first}). The attribute "
            "`broken` of what is returned has all of them.",
            UserWarning,
            stacklevel=2,
        )
    data = ImageFolderData(X[: len(paths)], np.asarray(labels), paths)
    data.broken = broken
    return data


def _pictures_in(root: Path) -> list[tuple[str, Path]]:
    """Return the class and the file of all pictures, in the order of ``ImageFolder``."""
    needed = "It needs one subfolder of pictures a class."
    if not root.is_dir():
        raise FileNotFoundError(f"root={str(root)!r} is not a folder. {needed}")
    classes = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    found, empty = [], []
    for folder in classes:
        files = [Path(place) / name for place, names in sorted(_walk(folder)) for name in sorted(names)]
        pictures = [path for path in files if path.suffix.lower() in SUFFIXES and not _is_hidden(path, root)]
        found += [(folder.name, path) for path in pictures]
        empty += [] if pictures else [folder.name]
    if not found:
        seen = f"{len(classes)} subfolder(s) and no picture in them" if classes else "no subfolder"
        raise FileNotFoundError(
            f"root={str(root)!r} has {seen}. {needed} Names of pictures end in {', '.join(SUFFIXES)}."
        )
    names = [folder.name for folder in classes if folder.name not in empty]
    if {name.lower() for name in names} <= PARTS:
        warnings.warn(
            f"root={str(root)!r} has the classes {', '.join(map(repr, names))}, which are parts of a data set by name. "
            f"If the classes lie below, pass one of them: {str(root / names[0])!r}.",
            UserWarning,
            stacklevel=3,
        )
    if empty:
        warnings.warn(
            f"root={str(root)!r} has {len(empty)} class(es) without a picture: {', '.join(empty[:5])}"
            f"{', ...' if len(empty) > 5 else ''}. They are left out.",
            UserWarning,
            stacklevel=3,
        )
    return found


def _walk(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield all folders below one, links followed, and the names of the files in each."""
    for place, folders, names in os.walk(folder, followlinks=True):
        for name in [name for name in folders if os.path.islink(os.path.join(place, name))]:
            above = [Path(place), *Path(place).parents][: len(Path(place).relative_to(folder).parts) + 2]
            if os.path.realpath(os.path.join(place, name)) in map(os.path.realpath, above):
                folders.remove(name)  # it leads back to where the way came from
        yield place, names


def _is_hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def _square(path: Path, size: int) -> Tensor:
    """Return a picture of three channels, resized by its shorter side and cropped to its centre."""
    from torchvision.transforms.functional import center_crop, pil_to_tensor, resize

    if path.exists() and not path.is_file():
        raise OSError("no regular file")  # reading a pipe would wait forever
    with Image.open(path) as picture:
        return pil_to_tensor(center_crop(resize(eight_bits(picture).convert("RGB"), size), size))

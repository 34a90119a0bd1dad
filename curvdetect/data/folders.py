"""A folder of pictures, one subfolder a class, as arrays that any detector takes.

Files that are no pictures of a class are passed over, with the reason.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from numbers import Integral
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from curvdetect.data.isolation import drawn
from curvdetect.data.squares import Squares, files
from curvdetect.data.types import Array
from curvdetect.data.wording import warn

#: Names of folders that hold a part of a data set each, and its classes below.
PARTS = {"train", "training", "val", "valid", "validation", "dev", "test", "testing"}
#: What Pillow merely knows by name, or has drawn by another program.
_NOT_READ = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}
#: Ends of the names that pillow-heif reads, where it is installed.
_HEIF = (".heic", ".heif", ".hif")
_HIDDEN = "hidden"


class _Pictures(NamedTuple):
    X: NDArray[np.uint8]
    y: Array
    paths: list[str]


class ImageFolderData(_Pictures):
    """What `load_image_folder` returns."""

    broken: dict[str, str]
    passed_over: dict[str, str]


def load_image_folder(root: str | Path, *, size: int = 32, limit: int | None = None) -> ImageFolderData:
    """Read pictures laid out as ``root/<class>/<picture>`` into memory.

    Parameters
    ----------
    root : str or Path
        Folder with one subfolder for each class, as for ``torchvision.datasets.ImageFolder``. ``.heic`` needs
        pillow-heif.
    size : int, default=32
        Side of the square that pictures are resized (shorter side) and cropped (centre) to.
    limit : int, optional
        Number of pictures to read, chosen at random and the same in every call; by default all.

    Returns
    -------
    ImageFolderData
        Named tuple of ``X``, uint8 of shape (n_samples, 3, size, size), the class names ``y`` as strings, and
        ``paths``. Beside the tuple, its attributes ``broken`` and ``passed_over`` are dictionaries from files to the
        error that they raised, and to why they were not looked at: hidden, no picture by name, or in no class.

    Raises
    ------
    FileNotFoundError
        Where there is no such folder, or no picture in it that can be read.
    ValueError
        Where ``size`` or ``limit`` is no number of pixels or pictures.

    Warns
    -----
    UserWarning
        Once for all files that are broken, passed over but not hidden, of several frames, or darker than others of 16
        bits; for classes without a picture; and where all classes are named as parts of a data set, as train and test.

    Notes
    -----
    Takes ``3 * size**2`` bytes a picture. For more than fits in memory pass an ``ImageFolder`` to ``fit``. Pictures
    are turned as their EXIF orientation says, grey ones get three equal channels, transparency is dropped, and of
    several frames the first is taken. 16 bits become 8 by the range, in whole bits, that all of them use together.

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
    check_counts(size=size, **({} if limit is None else {"limit": limit}))
    root = Path(root)
    classes, passed_over = pictures_in(root)
    found = [(label, path) for label, paths in classes.items() for path in paths]
    chosen = drawn(len(found), limit)
    found = found if chosen is None else [found[i] for i in chosen]
    squares = Squares(files([path for _, path in found], [os.path.relpath(path, root) for _, path in found]), size)
    broken = {str(found[i][1]): why for i, why in squares.broken.items()}
    if not len(squares.kept):
        first = next(iter(broken.values()))
        raise FileNotFoundError(
            f"{len(broken)} of {len(found)} pictures in root={str(root)!r} can't be read, the first because of {first}."
        )
    kept = [found[i] for i in squares.kept]
    data = ImageFolderData(squares.X, np.asarray([label for label, _ in kept]), [str(path) for _, path in kept])
    data.broken, data.passed_over = broken, passed_over
    for message in (*doubts_of_classes(root, classes), *_doubts_of_files(root, squares, broken, passed_over)):
        warn(message)
    return data


def check_counts(**values: object) -> None:
    """Raise where an argument is no whole number from 1 on."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{name} must be a whole number, at least 1, got {value!r}.")


def doubts_of_classes(root: Path, classes: dict[str, list[Path]]) -> Iterator[str]:
    """Yield what to warn of about the subfolders."""
    names, empty = ([name for name, paths in classes.items() if bool(paths) is full] for full in (True, False))
    if {name.lower() for name in names} <= PARTS:
        yield (
            f"root={str(root)!r} has the classes {', '.join(map(repr, names))}, which are parts of a data set by name. "
            f"If the classes lie below, pass one of them: {str(root / names[0])!r}."
        )
    if empty:
        yield (
            f"root={str(root)!r} has {len(empty)} class(es) without a picture: {', '.join(empty[:5])}"
            f"{', ...' if len(empty) > 5 else ''}. They are left out."
        )


def _doubts_of_files(
    root: Path, squares: Squares, broken: dict[str, str], passed_over: dict[str, str]
) -> Iterator[str]:
    """Yield what to warn of about the pictures."""
    n_read, missed = len(squares.kept), _not_hidden(passed_over)
    where = f"in root={str(root)!r}"
    if broken:
        yield (
            f"{len(broken)} of {n_read + len(broken)} pictures {where} can't be read and are left out: "
            f"{_few(broken, root)}. The attribute `broken` of the result has all of them."
        )
    if missed:
        yield (
            f"{len(missed)} file(s) {where} are passed over: {_few(missed, root)}. The attribute `passed_over` of the "
            "result has all of them, and why."
        )
    yield from squares.doubts(where)


def _few(paths: list[str] | dict[str, str], root: Path) -> str:
    """Return the names of the first few of some files, from the folder on, and the reason of the first."""
    names = [os.path.relpath(path, root) for path in paths]
    reason = f" ({next(iter(paths.values()))})" if isinstance(paths, dict) else ""
    return f"{', '.join(names[:5])}{', ...' if len(names) > 5 else ''}{reason}"


def _not_hidden(passed_over: dict[str, str]) -> dict[str, str]:
    return {path: why for path, why in passed_over.items() if why != _HIDDEN}


def suffixes() -> set[str]:
    """Return the ends of the names of pictures that can be opened, by Pillow and its extensions."""
    opened = {*formats(), "MPO"}  # which is opened as a JPEG
    return {suffix for suffix, kind in Image.registered_extensions().items() if kind in opened}


def formats() -> list[str]:
    """Return the formats of pictures that can be opened, by Pillow and its extensions."""
    with suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()
    Image.init()
    return [kind for kind in Image.OPEN if kind not in _NOT_READ]


def folders_in(folder: Path) -> list[Path]:
    """Return the subfolders that are not hidden, by name; none where they may not be looked at."""
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:
        return []


def pictures_below(folder: Path) -> Iterator[Path]:
    """Yield the pictures in a folder and below, by their names; hidden ones are none."""
    ends = tuple(suffixes())
    for place, _, names in os.walk(folder):
        yield from (Path(place, one) for one in names if one.lower().endswith(ends) and not one.startswith("."))


def holds_pictures(folder: Path) -> bool:
    """Say whether there is a picture in a folder, or below."""
    return any(True for _ in pictures_below(folder))


def pictures_in(root: Path) -> tuple[dict[str, list[Path]], dict[str, str]]:
    """Return the pictures of each class, in the order of ``ImageFolder``, and why other files are passed over."""
    needed = "It needs one subfolder of pictures a class."
    if not root.is_dir():
        raise FileNotFoundError(f"root={str(root)!r} is not a folder. {needed}")
    readable = suffixes()
    classes: dict[str, list[Path]] = {}
    passed_over: dict[str, str] = {}

    def shut(error: OSError) -> None:
        passed_over[str(error.filename)] = f"{type(error).__name__}: {error.strerror}"

    for place, folders, names in os.walk(root, onerror=shut, followlinks=True):
        hidden = [name for name in (*folders, *names) if name.startswith(".")]
        passed_over.update((os.path.join(place, name), _HIDDEN) for name in hidden)
        within = Path(place).relative_to(root).parts
        above = {os.path.realpath(folder) for folder in [Path(place), *Path(place).parents][: len(within) + 1]}
        for name in folders.copy():
            inner = os.path.join(place, name)
            if name in hidden or (os.path.islink(inner) and os.path.realpath(inner) in above):
                folders.remove(name)  # a link that leads back to where the way came from
        if not within:
            classes = {name: [] for name in sorted(folders)}
        for path in (Path(place) / name for name in names if name not in hidden):
            suffix = path.suffix.lower()
            if not within:
                passed_over[str(path)] = "in no class, which is a subfolder"
            elif suffix in readable:
                classes[within[0]].append(path)
            elif suffix in _HEIF:
                passed_over[str(path)] = f"{suffix} needs the package pillow-heif"
            else:
                passed_over[str(path)] = "no picture that Pillow can open, by its name"
    for paths in classes.values():
        paths.sort(key=lambda path: (str(path.parent), path.name))
    passed_over = dict(sorted(passed_over.items(), key=lambda item: (item[1] == _HIDDEN, Path(item[0]))))
    if not any(classes.values()):
        seen = f"{len(classes)} subfolder(s) and no picture in them" if classes else "no subfolder"
        missed = _not_hidden(passed_over)
        raise FileNotFoundError(
            f"root={str(root)!r} has {seen}. {needed} Names of pictures end in .jpg, .png, .tif or another of the "
            f"{len(readable)} ways that Pillow knows.{f' Passed over: {_few(missed, root)}.' if missed else ''}"
        )
    return classes, passed_over

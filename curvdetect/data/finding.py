"""Which files of a folder are pictures of a class, and which are passed over, and why."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from PIL import Image

#: Names of folders that hold a part of a data set each, and its classes below.
PARTS = {"train", "training", "val", "valid", "validation", "dev", "test", "testing"}
#: What Pillow merely knows by name, or has drawn by another program.
_NOT_READ = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}
#: How the names end of what pillow-heif reads, where it is installed.
_HEIF = (".heic", ".heif", ".hif")
_HIDDEN = "hidden"


def suffixes() -> set[str]:
    """Return how the names of pictures end that can be opened, by Pillow and whatever extends it."""
    with suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()
    known = Image.registered_extensions()
    opened = {*Image.OPEN, "MPO"} - _NOT_READ  # which is opened as a JPEG
    return {suffix for suffix, kind in known.items() if kind in opened}


def pictures_in(root: Path) -> tuple[list[tuple[str, Path]], dict[str, str]]:
    """Return the class and the file of all pictures, in the order of ``ImageFolder``, and what is passed over.

    Parameters
    ----------
    root : Path
        Folder with one subfolder for each class.

    Returns
    -------
    found : list of (str, Path)
        Names of classes, and files.
    passed_over : dict of str
        From other files, and folders whose content was not looked at, to the reason. What is hidden comes last.

    Raises
    ------
    FileNotFoundError
        Where there is no such folder, or no picture in it.

    Warns
    -----
    UserWarning
        Where a class has no picture, or all are named as parts of a data set; the caller's caller is named.
    """
    needed = "It needs one subfolder of pictures a class."
    if not root.is_dir():
        raise FileNotFoundError(f"root={str(root)!r} is not a folder. {needed}")
    readable = suffixes()
    passed_over: dict[str, str] = {}
    found: list[tuple[str, Path]] = []
    empty, classes = [], []
    for entry in sorted(root.iterdir()):
        if entry.name.startswith("."):
            passed_over[str(entry)] = _HIDDEN
        elif not entry.is_dir():
            passed_over[str(entry)] = "in no class, which is a subfolder"
        else:
            classes.append(entry.name)
            before = len(found)
            for path in _files_below(entry, passed_over):
                why = _why_no_picture(path, readable)
                if why is None:
                    found.append((entry.name, path))
                else:
                    passed_over[str(path)] = why
            empty += [entry.name] if len(found) == before else []
    passed_over = dict(sorted(passed_over.items(), key=lambda item: (item[1] == _HIDDEN, Path(item[0]))))
    if not found:
        seen = f"{len(classes)} subfolder(s) and no picture in them" if classes else "no subfolder"
        raise FileNotFoundError(
            f"root={str(root)!r} has {seen}. {needed} Names of pictures end in .jpg, .png, .tif or another of the "
            f"{len(readable)} ways that Pillow knows.{_example(root, passed_over)}"
        )
    _warn_of_classes(root, [name for name in classes if name not in empty], empty)
    return found, passed_over


def not_hidden(passed_over: dict[str, str]) -> list[str]:
    """Return the files among what is passed over that are not hidden."""
    return [path for path, why in passed_over.items() if why != _HIDDEN]


def few(paths: Iterable[str | Path], root: Path) -> str:
    """Return the names of the first few of some files, from the folder on."""
    names = [os.path.relpath(path, root) for path in paths]
    return f"{', '.join(names[:5])}{', ...' if len(names) > 5 else ''}"


def _why_no_picture(path: Path, readable: set[str]) -> str | None:
    suffix = path.suffix.lower()
    if suffix in readable:
        return None
    if suffix in _HEIF:
        return f"{suffix} needs the package pillow-heif"
    return "no picture that Pillow can open, by its name"


def _example(root: Path, passed_over: dict[str, str]) -> str:
    """Return a sentence on the first file that was passed over, where there is one."""
    first = next(iter(not_hidden(passed_over)), None)
    return "" if first is None else f" Passed over: {few(not_hidden(passed_over), root)} ({passed_over[first]})."


def _warn_of_classes(root: Path, names: list[str], empty: list[str]) -> None:
    if {name.lower() for name in names} <= PARTS:
        warnings.warn(
            f"root={str(root)!r} has the classes {', '.join(map(repr, names))}, which are parts of a data set by name. "
            f"If the classes lie below, pass one of them: {str(root / names[0])!r}.",
            UserWarning,
            stacklevel=4,
        )
    if empty:
        warnings.warn(
            f"root={str(root)!r} has {len(empty)} class(es) without a picture: {', '.join(empty[:5])}"
            f"{', ...' if len(empty) > 5 else ''}. They are left out.",
            UserWarning,
            stacklevel=4,
        )


def _files_below(folder: Path, passed_over: dict[str, str]) -> list[Path]:
    """Return the files in all folders below one, in order, and note what is hidden or can't be looked into."""
    files = []
    for place, names in sorted(_walk(folder, passed_over)):
        for name in sorted(names):
            if name.startswith("."):
                passed_over[os.path.join(place, name)] = _HIDDEN
            else:
                files.append(Path(place) / name)
    return files


def _walk(folder: Path, passed_over: dict[str, str]) -> Iterator[tuple[str, list[str]]]:
    """Yield all folders below one, links followed, and the names of the files in each."""

    def shut(error: OSError) -> None:
        passed_over[str(error.filename)] = f"{type(error).__name__}: {error.strerror}"

    for place, folders, names in os.walk(folder, onerror=shut, followlinks=True):
        for name in folders.copy():
            inner = os.path.join(place, name)
            above = [Path(place), *Path(place).parents][: len(Path(place).relative_to(folder).parts) + 2]
            if name.startswith("."):
                passed_over[inner] = _HIDDEN
                folders.remove(name)
            elif os.path.islink(inner) and os.path.realpath(inner) in map(os.path.realpath, above):
                folders.remove(name)  # it leads back to where the way came from
        yield place, names

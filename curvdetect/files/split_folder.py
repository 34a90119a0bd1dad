"""A folder whose subfolders are parts of a data set, such as train and test, with classes or a list in each."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from hashlib import file_digest
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curvdetect.data.folders import PARTS, folders_in, holds_pictures
from curvdetect.data.labels import plain_labels
from curvdetect.data.squares import Pictures, files
from curvdetect.data.types import Array
from curvdetect.data.wording import ArgumentError, ContentError, listed, short
from curvdetect.files.image_folder import ImageFolder, write_list
from curvdetect.files.labelled import Asked
from curvdetect.files.listed_folder import ListedFolder
from curvdetect.files.pictures import PicturesFile

_ALL = "all"
#: How many pictures a warning names.
_NAMED = 3


class SplitFolder(PicturesFile):
    """A folder of parts of a data set, of which one is read, or all together."""

    kind = "a folder of parts such as train and test"
    numbered = False

    def __init__(self, path: Path, asked: Asked) -> None:
        super().__init__(path, asked)
        self._folder = path
        own = replace(asked, split=None)
        self._parts: dict[str, ImageFolder | ListedFolder] = {
            folder.name: ListedFolder(folder, own) if ListedFolder.fits(folder) else ImageFolder(folder, own)
            for folder in _parts_of(path)
        }
        names = list(self._parts)
        if asked.split not in (*names, _ALL) and (asked.split is not None or len(names) > 1):
            raise ArgumentError("split", f"'{short(path)}' has the parts {listed(names)}. Choose one of them, or all.")
        self._read = [asked.split] if asked.split in names else names
        if self._list is not None:
            self.path = self._list.path

    @classmethod
    def fits(cls, path: Path) -> bool:
        """Say whether a path is of this format."""
        return path.is_dir() and bool(_parts_of(path))

    @property
    def takes(self) -> frozenset[str]:  # type: ignore[override]
        """The arguments of `Asked` that it understands."""
        return frozenset({"split"}).union(*(self._parts[part].takes for part in self._read))

    @property
    def copies(self) -> tuple[str, ...]:  # type: ignore[override]
        """Ends of the name of a corrected copy."""
        return (".csv",) if self._list is None else self._list.copies

    @cached_property
    def labels(self) -> Array:
        """The labels, part by part."""
        return np.asarray(plain_labels([label for part in self._read for label in self._parts[part].labels.tolist()]))

    @cached_property
    def names(self) -> list[str]:
        """What the pictures are called, each with its part before it."""
        return [f"{part}/{name}" for part in self._read for name in self._parts[part].names]

    @cached_property
    def pictures(self) -> Pictures:
        """All pictures, part by part."""
        return files(self._files, self.names)

    def passed_over(self) -> dict[str, str]:
        """Return what is no picture of a class, and why."""
        return {f"{part}/{name}": why for part in self._read for name, why in self._parts[part].passed_over().items()}

    def doubts(self, places: NDArray[np.int64]) -> Iterator[str]:
        """Yield what to warn of: empty classes, and pictures that stand in several parts."""
        for part in self._read:
            yield from self._parts[part].doubts(places)
        found = _in_several(self._files_of_parts(), {self._files[i] for i in places})
        if found:
            names = [[short(os.path.relpath(path, self._folder)) for path in same[:2]] for same in found[:_NAMED]]
            yield (
                f"{len(found)} picture(s) of '{short(self._folder)}' stand in more than one of its parts: "
                f"{', '.join(f'{first} is {second}' for first, second in names)}{', ...' if found[_NAMED:] else ''}. "
                "A model that trains on one of them is tested on what it knows."
            )

    def write(self, target: Path, labels: Array) -> None:
        """Write a copy of the list of the part, if it has one, or a list of pictures and labels."""
        if self._list is None:
            write_list(target, self.names, labels)
        else:
            self._list.write(target, labels)

    @property
    def _list(self) -> ListedFolder | None:
        """The only part that is read, if it has a list."""
        first = self._parts[self._read[0]]
        return first if len(self._read) == 1 and isinstance(first, ListedFolder) else None

    @cached_property
    def _files(self) -> list[Path]:
        return [path for part in self._read for path in self._parts[part].files]

    def _files_of_parts(self) -> dict[str, list[Path]]:
        """Return the files of all parts, whether they are read or not."""
        found = {}
        for name, part in self._parts.items():
            with suppress(ContentError):  # of a part that is not read
                found[name] = part.files
        return found


def _parts_of(folder: Path) -> list[Path]:
    """Return the parts with labels; none where other subfolders hold pictures, and are classes."""
    parts, others = (
        [path for path in folders_in(folder) if (path.name.lower() in PARTS) is is_part] for is_part in (True, False)
    )
    if any(map(holds_pictures, others)):
        return []
    return [part for part in parts if ListedFolder.fits(part) or any(map(holds_pictures, folders_in(part)))]


def _in_several(parts: Mapping[str, list[Path]], read: Set[Path]) -> list[list[Path]]:
    """Return the files of each picture that is read and stands in more than one part, byte for byte."""
    part_of = {path: part for part, paths in parts.items() for path in paths}

    def alike(paths: list[Path], key: Callable[[Path], object]) -> list[list[Path]]:
        found: dict[object, list[Path]] = defaultdict(list)
        with ThreadPoolExecutor() as threads:
            for path, value in zip(paths, threads.map(key, paths), strict=True):
                found[value].append(path)
        found.pop(None, None)
        return [those for those in found.values() if len({part_of[path] for path in those}) > 1 and read & {*those}]

    return alike(list(chain(*alike(list(part_of), _size))), _digest)


def _size(path: Path) -> int | None:
    """Return the size of a file; None for what is empty, or no file."""
    return path.stat().st_size or None if path.is_file() else None


def _digest(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file_digest(file, "blake2b").digest()
    except OSError:  # which may not be read
        return None

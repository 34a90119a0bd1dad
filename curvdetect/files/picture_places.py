"""Where the pictures are that a table names, with or without the ends of their names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from unicodedata import normalize

from curvdetect.data.folders import folders_in, suffixes

#: How many folders in one are looked into.
_FOLDERS = 100

#: A folder, and what is put behind a name.
Way = tuple[str, str]


class PicturePlaces:
    """A folder and those in it, of which one is looked into ``first``."""

    def __init__(self, root: Path, first: str = "") -> None:
        self.root, self._first = root, first
        self._ends: dict[str, list[str]] = {}

    @cached_property
    def folders(self) -> list[str]:
        """The folders, in the order in which they are looked into."""
        within = sorted(folders_in(self.root), key=lambda path: path.name != self._first)
        return [str(path) for path in (self.root, *within[:_FOLDERS])]

    def ways(self, names: Iterable[str]) -> dict[Way, set[str]]:
        """Return ways to these pictures, and the names that each finds, most of them first.

        Of two ways that find the same name one is left out: ``0.png`` of another folder is another picture.
        """
        found: dict[Way, set[str]] = {}
        for name in names:
            for folder in self.folders:
                for end in self._ends_beside(_path((folder, ""), name)):
                    way = folder, "" if name.strip().lower().endswith(end.lower()) else end
                    if os.path.isfile(_path(way, name)):
                        found.setdefault(way, set()).add(name)
        chosen: dict[Way, set[str]] = {}
        for way, those in sorted(found.items(), key=lambda item: -len(item[1])):
            if all(those.isdisjoint(others) for others in chosen.values()):
                chosen[way] = those
        return chosen

    def find(self, names: Sequence[str], few: Iterable[str]) -> list[Path]:
        """Return the files of pictures, by the ways to a ``few``; those that are not there by the first way."""
        ways = list(self.ways(few) or self.ways(names)) or [(str(self.root), "")]
        tried = ([_path(way, name) for way in ways] for name in names)
        return [Path(next(filter(os.path.isfile, paths), paths[0])) for paths in tried]

    def _ends_beside(self, path: str) -> list[str]:
        """Return what the names of the pictures in the folder of a file end in."""
        folder = os.path.dirname(path)
        if folder not in self._ends:
            readable = suffixes()
            try:
                with os.scandir(folder) as entries:
                    ends = {os.path.splitext(entry.name)[1] for entry in entries}
            except (OSError, ValueError):  # no folder, or no name of one
                ends = set()
            self._ends[folder] = sorted(end for end in ends if end.lower() in readable)
        return self._ends[folder]


def _path(way: Way, name: str) -> str:
    """Return the path of a picture: by its name as it is or, where that is not there, without blanks around it.

    Names that Windows wrote are read as well, and those of another Unicode form, which look the same.
    """
    folder, end = way
    bare = name.strip()
    spelled = (name, bare, *(normalize(form, bare) for form in ("NFC", "NFD")))
    paths = [os.path.join(folder, one.replace("\\", "/")) + end for one in dict.fromkeys(spelled)]
    return next(filter(os.path.isfile, paths), paths[0]) if len(paths) > 1 else paths[0]

"""Which files of a folder are its shards, and of which split each is, by their names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from curvdetect.data.folders import PARTS, suffixes
from curvdetect.data.wording import ArgumentError, listed, short

#: How deep shards may lie: below a configuration and a split.
_DEPTH = 3


def shards_in(folder: Path, ends: Sequence[str]) -> list[Path]:
    """Return the files with one of these ends that lie highest in a folder, without those in classes."""
    level = [folder]
    for _ in range(_DEPTH):
        paths = [path for place in level for path in _of_no_class(place, folder)]
        found = [path for path in paths if path.name.lower().endswith(tuple(ends)) and path.is_file()]
        if found:
            return sorted(found)
        level = [path for path in paths if path.is_dir()]
    return []


def is_picture(name: str) -> bool:
    """Say whether a file is a picture by its name."""
    return Path(name).suffix.lower() in _suffixes()


def split_of(path: Path) -> str:
    """Return the split that a shard is of, by its name relative to the folder; nothing where it names none."""
    numbered = re.match(r"(.+)-\d{5}-of-\d{5}\b", path.name)  # as datasets write to the hub
    if numbered:
        return numbered[1]
    words = (word for name in reversed(path.parts) for word in re.split(r"[-_.]", name))
    return next((word for word in words if word in PARTS), "")


def splits_to_read(splits: Iterable[str], asked: str | None, path: Path) -> list[str]:
    """Return the names of the splits to read: the one that is asked for, the only one, or all."""
    known = list(dict.fromkeys(splits))
    if asked in known:
        return [asked]
    if asked == "all" or (asked is None and len(known) == 1):
        return known
    if not any(known):
        raise ArgumentError("split", f"'{short(path)}' has no parts. Leave it out.")
    raise ArgumentError(
        "split", f"'{short(path)}' has the parts {listed(filter(None, known))}. Choose one of them, or all."
    )


def _of_no_class(place: Path, folder: Path) -> list[Path]:
    """Return what lies in a place below a folder; nothing where it holds pictures, of which there may be millions."""
    paths = []
    for path in _visible(place):
        if place != folder and is_picture(path.name):
            return []
        paths.append(path)
    return paths


@cache
def _suffixes() -> set[str]:
    return suffixes()


def _visible(folder: Path) -> Iterator[Path]:
    """Yield what lies in a folder and is not hidden; nothing where it may not be looked into."""
    with suppress(OSError), os.scandir(folder) as entries:
        yield from (Path(entry.path) for entry in entries if not entry.name.startswith("."))

"""Several files by one name with braces, as in ``shard-{000..012}.tar`` and ``{train,test}-0.tar``."""

from __future__ import annotations

import re
from pathlib import Path

from curvdetect.data.wording import ContentError, short

#: No data set has more shards.
_MOST = 1_000_000


def is_braced(path: Path) -> bool:
    """Say whether a path stands for several files."""
    return bool(re.search(r"\{[^{}]*\}", str(path))) and not path.exists()


def above_braces(path: Path) -> Path:
    """Return the folder below which all files lie."""
    return next(folder for folder in path.parents if not is_braced(folder))


def expanded(path: Path) -> list[Path]:
    """Return the files that a path with braces stands for; raise where one is not there."""
    paths = list(map(Path, _expanded(str(path))))
    for one in paths:
        if not one.is_file():
            raise ContentError(f"'{short(path)}' names '{short(one)}', which is not there.")
    return paths


def _expanded(text: str) -> list[str]:
    found = re.search(r"\{([^{}]*)\}", text)
    if found is None:
        return [text]
    numbers = re.fullmatch(r"([0-9]{1,18})\.\.([0-9]{1,18})", found[1])
    if numbers is None:
        inner = found[1].split(",")
    else:
        first, last = int(numbers[1]), int(numbers[2])
        if last - first > _MOST:
            raise ContentError(f"'{short(text)}' stands for more than {_MOST:,} files.")
        inner = [f"{number:0{len(numbers[1])}}" for number in range(first, last + 1)]
    rest = _expanded(text[found.end() :])
    return [text[: found.start()] + one + end for one in inner for end in rest]

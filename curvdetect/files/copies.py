"""Copies that are as large as data may be: of a file, and folders that appear when they are complete."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from curvdetect.data.wording import ArgumentError, short
from curvdetect.training.checkpoints import whole_file


def copy_file(path: Path, target: Path) -> None:
    """Write a copy of a file, some of it at a time."""
    with path.open("rb") as old, whole_file(target) as new:
        shutil.copyfileobj(old, new)


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yield a folder to fill, which gets its name once all of it is written."""
    if target.exists():
        raise ArgumentError("out", f"'{short(target)}' is there already. Pass the name of a new folder.")
    draft = target.with_name(f"{target.name}.{os.getpid()}.draft")
    draft.mkdir(parents=True)
    try:
        yield draft
        draft.rename(target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise

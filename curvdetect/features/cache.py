"""Features in a file that grows batch by batch: a run that was killed goes on from it, and another one only reads it.

Beside the file of numbers lies a record, JSON, of what they are the features of and of how many rows are done. It takes
the place of the last one after the rows were written, so that it never counts rows that are not there. Each file has a
name of its own: two processes that compute the same at the same time don't disturb each other.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from curvdetect.data.inputs import RESIDENT_BYTES
from curvdetect.data.types import Record

#: From the first row to compute on, batches of rows.
Batches = Callable[[int], Iterator[NDArray[np.float32]]]


def computed(n_rows: int, batches: Batches) -> NDArray[np.float32]:
    """Return the rows of all batches."""
    done = 0
    for batch in batches(0):
        if not done:
            rows = np.empty((n_rows, batch.shape[1]), np.float32)
        rows[done : done + len(batch)] = batch
        done += len(batch)
    return rows


def read_or_computed(folder: Path, identity: Record, n_rows: int, batches: Batches) -> NDArray[np.float32]:
    """Return the rows that ``identity`` stands for, from ``folder`` as far as they are there.

    They are read through a memory map where they are too many for the memory.
    """
    key = blake2b(json.dumps(identity, sort_keys=True).encode(), digest_size=16).hexdigest()
    record = folder / f"{key}.json"
    file, done = _found(record, n_rows)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if done < n_rows:
            _go_on(file, record, identity, n_rows, batches, done)
    except OSError as error:
        raise OSError(
            f"features can't be written to cache_dir={str(folder)!r} ({error}). The rows that are there stay good: the "
            "same call goes on from them. Make room, or pass another folder or None."
        ) from error
    return np.load(file, mmap_mode="r" if file.stat().st_size > RESIDENT_BYTES else None)


def _found(record: Path, n_rows: int) -> tuple[Path, int]:
    """Return the file that a record names, and how many of its rows are done; a new name where one of both is torn."""
    new = record.with_name(f"{record.stem}-{secrets.token_hex(4)}.npy")
    try:
        content = json.loads(record.read_bytes())
        file, done = record.with_name(content["file"]), int(content["done"])
        with file.open("rb") as opened:
            width = _width(opened, n_rows)
            enough = os.fstat(opened.fileno()).st_size >= opened.tell() + 4 * width * done
    except (OSError, ValueError, KeyError, TypeError):
        return new, 0
    return (file, done) if enough and 0 < done <= n_rows else (new, 0)


def _width(file: BinaryIO, n_rows: int) -> int:
    """Read the head of a file, and return the length of its rows."""
    np.lib.format.read_magic(file)
    (n_there, width), _, dtype = np.lib.format.read_array_header_1_0(file)
    if n_there != n_rows or dtype != np.float32:
        raise ValueError("other rows")
    return int(width)


def _go_on(file: Path, record: Path, identity: Record, n_rows: int, batches: Batches, done: int) -> None:
    """Add the rows that are missing to a file, and count them in its record after each batch."""
    with file.open("r+b" if done else "xb") as opened:
        if done:
            opened.seek(4 * _width(opened, n_rows) * done, os.SEEK_CUR)
        for batch in batches(done):
            if not done:
                head = {"descr": "<f4", "fortran_order": False, "shape": (n_rows, batch.shape[1])}
                np.lib.format.write_array_header_1_0(opened, head)
            opened.write(batch.astype("<f4").tobytes())
            opened.flush()
            done += len(batch)
            draft = record.with_name(f"{file.stem}.draft")
            draft.write_text(json.dumps({**identity, "file": file.name, "rows": n_rows, "done": done}, indent=1))
            os.replace(draft, record)

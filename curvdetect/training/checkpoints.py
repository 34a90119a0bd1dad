"""Files that survive whatever ends a training.

A checkpoint is written beside the last ones and takes its place in one step, so that a process may be killed, a disk
fill up or a file be torn at any moment, and a good one is left. It holds tensors, numbers and text, nothing that is
executed on reading. What is in it is not decided here.
"""

from __future__ import annotations

import io
import os
import re
import time
import warnings
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

_MAGIC = b"curvdetect checkpoint 1\n"
_DIGEST = 32
#: Seconds after which a draft that nothing was added to belongs to a process that was killed.
_ABANDONED = 24 * 3600
_NEWEST, _BEFORE = "checkpoint", "checkpoint.previous"


class Checkpoints:
    """A directory in which a training keeps its two newest checkpoints.

    Parameters
    ----------
    path : Path, optional
        The directory, made when it is first needed. Without one, nothing is kept.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._said, self._torn = False, False

    def part(self, name: str) -> Checkpoints:
        """Return the place of one of several trainings that a fit consists of."""
        return Checkpoints(None if self.path is None else self.path / name)

    def save(self, state: dict[str, Any]) -> None:
        """Keep a state, and the one before; a disk that takes no more is a warning, since the training can go on.

        Parameters
        ----------
        state : dict
            Made of tensors, numbers, text, None, and lists, tuples and dictionaries of these.
        """
        if self.path is None:
            return
        content = io.BytesIO()
        torch.save(state, content)
        payload = content.getbuffer()
        digest = blake2b(payload, digest_size=_DIGEST).digest()
        before = None if self._torn else self.path / _BEFORE  # a torn one takes no good one's place
        try:
            write_whole(self.path / _NEWEST, _MAGIC, digest, payload, before=before)
            self._torn = False
        except OSError as error:
            if not self._said:
                warnings.warn(
                    f"a checkpoint could not be written to checkpoint_dir ({error}). The training goes on; the last "
                    "checkpoint that was written stays good.",
                    RuntimeWarning,
                    stacklevel=2,
                )
            self._said = True

    def load(self) -> dict[str, Any] | None:
        """Return the newest state that is whole; None where there is none."""
        if self.path is None:
            return None
        torn: list[Path] = []
        for path in (self.path / _NEWEST, self.path / _BEFORE):
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                continue
            start = len(_MAGIC) + _DIGEST
            payload = memoryview(content)[start:]
            if content[:start] == _MAGIC + blake2b(payload, digest_size=_DIGEST).digest():
                if torn:
                    self._torn = True
                    _say_torn(torn, "taken up from the one before it")
                return dict(torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True))
            torn.append(path)
        if torn:
            _say_torn(torn, "started anew")
        return None


#: Where nothing is kept.
NOWHERE = Checkpoints(None)


def _say_torn(torn: list[Path], instead: str) -> None:
    warnings.warn(
        f"the checkpoint {', '.join(map(str, torn))} is torn (cut short, or changed); the training is {instead}.",
        RuntimeWarning,
        stacklevel=3,
    )


def write_whole(path: Path, *parts: bytes | memoryview, before: Path | None = None) -> None:
    """Write a file such that at every moment there is either what was there or what is new, whole.

    Parameters
    ----------
    path : Path
        The file; missing directories are made.
    *parts : bytes
        Its content.
    before : Path, optional
        Where what was there goes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    _clear_abandoned(path)
    try:
        with draft.open("wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        if before is not None and path.exists():
            path.replace(before)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    if os.name == "posix":
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)  # the new name, too, is to outlive a power cut
        finally:
            os.close(directory)


def _clear_abandoned(path: Path) -> None:
    """Remove what processes that were killed left of a file; a number of theirs says nothing on another machine."""
    for draft in path.parent.iterdir():
        if re.fullmatch(rf"{re.escape(path.name)}\.\d+\.draft", draft.name):
            with suppress(OSError):  # another process may be as quick
                if time.time() - draft.stat().st_mtime > _ABANDONED:
                    draft.unlink()


def plainly(value: Any) -> Any:
    """Return a value as tensors, numbers, text, None, and lists, tuples and dictionaries of these.

    Parameters
    ----------
    value : object
        Tensors stay as they are; arrays and numpy's numbers are made torch's and Python's.

    Raises
    ------
    TypeError
        For anything else, and whatever holds it.
    """
    if value is None or (isinstance(value, bool | int | float | str | Tensor) and not isinstance(value, np.generic)):
        return value
    if isinstance(value, np.generic):
        return plainly(value.item())
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return torch.from_numpy(value.copy())
    if isinstance(value, dict):
        return {plainly(key): plainly(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(plainly(item) for item in value)
    raise TypeError(f"a {type(value).__name__} can't be kept in a checkpoint")

"""Checkpoints: what a training has to remember after an epoch, in files that survive whatever ends it.

Another process goes on from them as if nothing had happened. A checkpoint is written beside the last ones and takes its
place in one step, so that a process may be killed, a disk fill up or a file be torn at any moment, and a good one is
left. It holds tensors, numbers and text, nothing that is executed on reading.
"""

from __future__ import annotations

import io
import os
import re
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from skorch.history import History
from torch import Tensor

from curvdetect.data.isolation import generator_states, set_generators
from curvdetect.signals.signal import Signal, accumulated, take_up
from curvdetect.training.ranks import is_first

if TYPE_CHECKING:
    from curvdetect.training.tracker import Tracker

_MAGIC = b"curvdetect checkpoint 1\n"
_DIGEST = 32
#: Seconds after which a draft that nothing was added to belongs to a process that was killed.
_ABANDONED = 24 * 3600
_NEWEST, _BEFORE = "checkpoint", "checkpoint.previous"


class Checkpoints:
    """A directory, made when it is first needed, for the two newest checkpoints of a training; None keeps nothing."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._said, self._torn = False, False

    def part(self, name: str) -> Checkpoints:
        """Return the place of one of several trainings that a fit consists of."""
        return Checkpoints(None if self.path is None else self.path / name)

    def save(self, state: dict[str, Any]) -> None:
        """Keep a state, and the one before; a disk that takes no more is a warning, since the training can go on."""
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
    """Write a file such that there is a whole one at every moment; the one that was there goes to ``before``."""
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
    """Remove drafts of a file that killed processes left; their numbers mean nothing on another machine."""
    for draft in path.parent.iterdir():
        if re.fullmatch(rf"{re.escape(path.name)}\.\d+\.draft", draft.name):
            with suppress(OSError):  # another process may be as quick
                if time.time() - draft.stat().st_mtime > _ABANDONED:
                    draft.unlink()


def plainly(value: Any) -> Any:
    """Return a value as tensors, numbers, text, None, and lists, tuples and dictionaries of these, or raise."""
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


class Checkpointing(Callback):
    """Keep a checkpoint after each epoch, once every other callback has done its part, and take up the last one.

    ``callbacks`` are the net's other ones, which may count something. ``state`` is what another training left.
    """

    def __init__(self, checkpoints: Checkpoints, tracker: Tracker, callbacks: Sequence[tuple[str, Callback]]) -> None:
        self.checkpoints, self.tracker, self.callbacks = checkpoints, tracker, callbacks
        ranks = tracker.ranks
        self.state = checkpoints.load() if ranks is None else ranks.first(checkpoints.load)

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Keep one."""
        self.save(net)

    def save(self, net: NeuralNet, stop_reason: str | None = None) -> None:
        """Keep the state of a training between two epochs, or of one that ended early for ``stop_reason``."""
        tracker = self.tracker
        if self.checkpoints.path is None or not is_first(tracker.ranks):
            return
        self.checkpoints.save(
            {
                "stop_reason": stop_reason,
                "generators": generator_states(tracker.plan.device),
                "parts": {name: plainly(dict(part.state_dict())) for name, part in _parts(net)},
                "callbacks": {name: _counted(callback) for name, callback in self.callbacks},
                # of what each batch cost skorch's callbacks look at the last one
                "net_history": [
                    _what_is_plain({**record, "batches": [_what_is_plain(batch) for batch in record["batches"][-1:]]})
                    for record in net.history
                ],
                "history": plainly(tracker.history),
                "seconds": plainly(tracker.seconds),
                "reached": tracker.reached,
                "signals": [accumulated(signal) for signal in _signals(tracker)],
            }
        )

    def take_up(self, net: NeuralNet) -> str | None:
        """Go on from where the other training stood; return why that ended, if it did."""
        state = self.state
        if state is None:
            return None
        for name, part in _parts(net):
            part.load_state_dict(state["parts"][name])
        for name, callback in self.callbacks:
            for attribute, value in state["callbacks"].get(name, {}).items():
                if "state" in value:
                    getattr(callback, attribute).load_state_dict(value["state"])
                else:
                    setattr(callback, attribute, value["value"])
        net.history_ = History(state["net_history"])
        for signal, gathered in zip(_signals(self.tracker), state["signals"], strict=True):
            take_up(signal, gathered)
        self.tracker.go_on_from(state["history"], state["seconds"], state["reached"])
        return "stop_at" if self.tracker.done else state["stop_reason"]


class RestoreGenerators(Callback):
    """Put the random generators where they stood, once, just before the first epoch that is left to train."""

    def __init__(self, checkpointing: Checkpointing) -> None:
        self.checkpointing = checkpointing

    def on_epoch_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Restore them; later epochs go on from where this one leaves them."""
        state, self.checkpointing.state = self.checkpointing.state, None
        if state is not None:
            set_generators(self.checkpointing.tracker.plan.device, state["generators"])


def _parts(net: NeuralNet) -> Iterator[tuple[str, Any]]:
    """Yield what of a net has a state: modules, criteria, optimizers."""
    for name in (*net._modules, *net._criteria, *net._optimizers):
        part = getattr(net, f"{name}_")
        if hasattr(part, "state_dict"):
            yield name, part


def _counted(callback: Callback) -> dict[str, Any]:
    """Return what a callback has taken note of, as far as it can be written down."""
    state: dict[str, Any] = {}
    for name, value in vars(callback).items():
        if hasattr(value, "load_state_dict") and not isinstance(value, type):
            state[name] = {"state": _what_is_plain(value.state_dict())}
        else:
            with suppress(TypeError):
                state[name] = {"value": plainly(value)}
    return state


def _what_is_plain(state: dict[str, Any]) -> dict[str, Any]:
    """Return those entries of a dictionary that can be written down."""
    kept = {}
    for name, value in state.items():
        with suppress(TypeError):
            kept[name] = plainly(value)
    return kept


def _signals(tracker: Tracker) -> list[Signal]:
    return [signal for signals in tracker.signals.values() for signal in signals]

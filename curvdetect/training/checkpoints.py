"""What a training keeps after an epoch, in files that survive whatever ends it.

Another process goes on from the newest checkpoint as if nothing had happened. It holds tensors, numbers and text,
nothing that is executed on reading. Snapshots are weights of some epochs, by which samples that were not trained on are
measured later: the last weights alone may tell far less.
"""

from __future__ import annotations

import io
import os
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from skorch import NeuralNet
from skorch.callbacks import Callback
from skorch.history import History
from torch import Tensor, nn

from curvdetect.data.isolation import generator_states, set_generators
from curvdetect.data.types import Record
from curvdetect.data.wording import warn
from curvdetect.signals.signal import accumulated, take_up
from curvdetect.training.own_net import whole_of
from curvdetect.training.ranks import Ranks

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

    def save(self, state: Record) -> None:
        """Keep a state, and the one before; a disk that takes no more is a warning, since the training can go on."""
        if self.path is None:
            return
        content = io.BytesIO()
        torch.save(state, content)
        payload = content.getbuffer()
        before = None if self._torn else self.path / _BEFORE  # a torn one takes no good one's place
        try:
            write_whole(self.path / _NEWEST, _head(payload), payload, before=before)
            self._torn = False
        except OSError as error:
            if not self._said:
                warn(
                    f"a checkpoint could not be written to checkpoint_dir ({error}). The training goes on; the last "
                    "checkpoint that was written stays good.",
                    RuntimeWarning,
                )
            self._said = True

    def load(self) -> Record | None:
        """Return the newest state that is whole; None where there is none."""
        found, torn = None, []
        for path in () if self.path is None else (self.path / _NEWEST, self.path / _BEFORE):
            try:
                content = memoryview(path.read_bytes())
            except FileNotFoundError:
                continue
            start = len(_MAGIC) + _DIGEST
            if content[:start] == _head(content[start:]):
                found = dict(torch.load(io.BytesIO(content[start:]), map_location="cpu", weights_only=True))
                break
            torn.append(str(path))
        if torn:
            self._torn = found is not None
            warn(
                f"the checkpoint {', '.join(torn)} is torn (cut short, or changed); the training is "
                f"{'started anew' if found is None else 'taken up from the one before it'}.",
                RuntimeWarning,
            )
        return found


#: Where nothing is kept.
NOWHERE = Checkpoints(None)


def _head(payload: memoryview) -> bytes:
    return _MAGIC + blake2b(payload, digest_size=_DIGEST).digest()


def write_whole(path: Path, *parts: bytes | memoryview, before: Path | None = None) -> None:
    """Write a file such that there is a whole one at every moment; the one that was there goes to ``before``."""
    with whole_file(path, before) as file:
        for part in parts:
            file.write(part)


@contextmanager
def whole_file(path: Path, before: Path | None = None) -> Iterator[BinaryIO]:
    """Yield a file to write, which takes its place once it is whole; the one that was there goes to ``before``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    # drafts that killed processes left: their numbers mean nothing on another machine
    for old in path.parent.iterdir():
        with suppress(OSError):  # another process may be as quick
            left = re.fullmatch(rf"{re.escape(path.name)}\.\d+\.draft", old.name)
            if left and time.time() - old.stat().st_mtime > _ABANDONED:
                old.unlink()
    try:
        with draft.open("wb") as file:
            yield file
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


def plainly(value: object) -> object:
    """Return a value as tensors, numbers, text, None, and lists, tuples and dictionaries of these, or raise."""
    if isinstance(value, np.generic):
        return plainly(value.item())
    if value is None or isinstance(value, bool | int | float | str | Tensor):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return torch.from_numpy(value.copy())
    if isinstance(value, dict):
        return {plainly(key): plainly(item) for key, item in value.items()}
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return type(value)(plainly(item) for item in value)
    raise TypeError(f"a {type(value).__name__} can't be kept in a checkpoint")


class Checkpointing(Callback):
    """Keep a checkpoint after each epoch, once the other ``callbacks`` have done their part, and take up the last."""

    def __init__(self, checkpoints: Checkpoints, tracker: Tracker, callbacks: Sequence[tuple[str, Callback]]) -> None:
        self.checkpoints, self.tracker, self.callbacks = checkpoints, tracker, callbacks

    def on_epoch_end(self, net: NeuralNet, **kwargs: object) -> None:
        """Keep one."""
        self.save(net)

    def save(self, net: NeuralNet, stop_reason: str | None = None) -> None:
        """Keep the state of a training between two epochs, or of one that ended early for ``stop_reason``."""
        tracker = self.tracker
        if self.checkpoints.path is None or tracker.ranks.rank > 0:
            return
        self.checkpoints.save(
            {
                "stop_reason": stop_reason,
                "generators": generator_states(tracker.plan.device),
                "parts": {name: plainly(dict(part.state_dict())) for name, part in _parts(net)},
                # skorch's Freezer acts in one epoch only
                "learning": {
                    name: [own for own, value in part.named_parameters() if value.requires_grad]
                    for name, part in _parts(net)
                    if isinstance(part, nn.Module)
                },
                "callbacks": {name: _counted(callback) for name, callback in self.callbacks},
                # of what each batch cost skorch's callbacks look at the last one
                "net_history": [
                    _plain_in({**record, "batches": [*map(_plain_in, record["batches"][-1:])]})
                    for record in net.history
                ],
                "history": plainly(tracker.history),
                "seconds": plainly(tracker.seconds),
                "reached": tracker.reached,
                "signals": [accumulated(signal) for signal in chain(*tracker.signals.values())],
            }
        )

    def take_up(self, net: NeuralNet) -> str | None:
        """Go on from where the other training stood; return why that ended, if it did."""
        state = self.tracker.ranks.first(self.checkpoints.load)
        if state is None:
            return None
        for name, part in _parts(net):
            part.load_state_dict(state["parts"][name])
            if isinstance(part, nn.Module) and "learning" in state:  # which earlier versions did not keep
                for own, value in part.named_parameters():
                    value.requires_grad_(own in state["learning"][name])
        for name, callback in self.callbacks:
            for attribute, value in state["callbacks"].get(name, {}).items():
                if "state" in value:
                    getattr(callback, attribute).load_state_dict(value["state"])
                else:
                    setattr(callback, attribute, value["value"])
        net.history_ = History(state["net_history"])
        for signal, gathered in zip(chain(*self.tracker.signals.values()), state["signals"], strict=True):
            take_up(signal, gathered)
        self.tracker.go_on_from(state["history"], state["seconds"], state["reached"])
        set_generators(self.tracker.plan.device, state["generators"])
        return "stop_at" if self.tracker.done else state["stop_reason"]


def _parts(net: NeuralNet) -> Iterator[tuple[str, nn.Module | torch.optim.Optimizer]]:
    """Yield the parts of a net that have a state: modules, criteria, optimizers."""
    for name in (*net._modules, *net._criteria, *net._optimizers):
        part = getattr(net, f"{name}_")
        if hasattr(part, "state_dict"):
            yield name, part


def _counted(callback: Callback) -> Record:
    """Return what a callback has taken note of, as far as it can be written down."""
    state = {name: {"value": value} for name, value in _plain_in(vars(callback)).items()}
    for name, value in vars(callback).items():
        if hasattr(value, "load_state_dict") and not isinstance(value, type):
            state[name] = {"state": _plain_in(value.state_dict())}
    return state


def _plain_in(state: Record) -> Record:
    """Return those entries of a dictionary that can be written down."""
    kept = {}
    for name, value in state.items():
        with suppress(TypeError):
            kept[name] = plainly(value)
    return kept


@dataclass(frozen=True)
class Snapshot:
    """Weights of one epoch, in memory or in a file."""

    epoch: int
    """Counted from 1."""
    weights: dict[str, Tensor] | Path
    """On the CPU."""

    def load(self) -> dict[str, Tensor]:
        """Return the weights by name."""
        if isinstance(self.weights, dict):
            return self.weights
        try:
            return dict(load_file(self.weights))
        except (OSError, SafetensorError) as error:
            raise ValueError(
                f"the weights of epoch {self.epoch} can't be read from {str(self.weights)!r} ({error}). They live "
                "in checkpoint_dir, or where the detector was saved: keep the directory as long as samples are to be "
                "scored, or fit again."
            ) from error


class KeepSnapshots(Callback):
    """Keep the weights of some epochs, counted from 1: in files, which the first process writes, or in memory.

    ``as_scored`` gives the net, for a block, the weights that an epoch is scored with.
    """

    def __init__(
        self,
        epochs: Collection[int],
        checkpoints: Checkpoints,
        ranks: Ranks,
        as_scored: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self.epochs, self.ranks, self.as_scored = epochs, ranks, as_scored
        self.path = checkpoints.part("snapshots").path
        self.kept: dict[int, Snapshot] = {}

    def on_epoch_end(self, net: NeuralNet, **kwargs: object) -> None:
        """Keep those of this epoch, where it is one of them."""
        if len(net.history) in self.epochs:
            self.keep(net, len(net.history))

    def keep(self, net: NeuralNet, epoch: int) -> None:
        """Keep the weights of the epoch that has just ended."""
        with self.as_scored():
            # a copy of each: safetensors refuses weights that share memory
            weights = {
                name: value.detach().to("cpu", copy=True).contiguous()
                for name, value in whole_of(net).state_dict().items()
            }
        self.kept[epoch], files = Snapshot(epoch, weights), self._files([epoch])

        def write() -> None:
            try:
                write_whole(files[epoch], save(weights))
            except OSError as error:
                warn(
                    f"the weights of epoch {epoch} could not be written to checkpoint_dir ({error}); they are kept in "
                    "memory.",
                    RuntimeWarning,
                )

        if files:
            self.ranks.first(write)
            self.take_up(files)  # one file for all that reach it

    def take_up(self, epochs: Iterable[int]) -> None:
        """Find the files of those of the epochs that were kept."""
        self.kept |= {epoch: Snapshot(epoch, file) for epoch, file in self._files(epochs).items() if file.exists()}

    def _files(self, epochs: Iterable[int]) -> dict[int, Path]:
        return {} if self.path is None else {epoch: self.path / f"epoch-{epoch:04d}.safetensors" for epoch in epochs}

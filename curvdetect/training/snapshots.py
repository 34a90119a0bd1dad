"""Weights kept from during the training, by which samples that were not trained on can be measured later.

They are measured on several snapshots spread over the training, as those that were trained on are measured over many
epochs. The last weights alone may tell far less.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from skorch import NeuralNet
from skorch.callbacks import Callback
from torch import Tensor

from curvdetect.data.isolation import isolated_rng
from curvdetect.data.samples import Samples
from curvdetect.signals.dynamics import gathering
from curvdetect.signals.signal import Plan, Signal
from curvdetect.training.checkpoints import Checkpoints, write_whole
from curvdetect.training.device import deterministically
from curvdetect.training.own_net import output_kind, whole_of, with_copied_modules
from curvdetect.training.ranks import Ranks
from curvdetect.training.settings import Settings
from curvdetect.training.tracker import Tracker


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


def snapshot_epochs(scored: Collection[int], keep: int) -> frozenset[int]:
    """Return which epochs to keep the weights of: so many of the scored ones, evenly chosen."""
    epochs = sorted(scored)
    keep = min(keep, len(epochs))
    return frozenset(epochs[(2 * i + 1) * len(epochs) // (2 * keep)] for i in range(keep))


class KeepSnapshots(Callback):
    """Keep the weights of some epochs, counted from 1: in files, or in memory where there is no place for them.

    Of several processes the first one writes.
    """

    def __init__(self, epochs: Collection[int], checkpoints: Checkpoints, ranks: Ranks | None = None) -> None:
        self.epochs, self.ranks = epochs, ranks
        self.path = checkpoints.part("snapshots").path
        self.kept: dict[int, Snapshot] = {}

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Keep those of this epoch, where it is one of them."""
        epoch = len(net.history)
        if epoch in self.epochs:
            self.keep(net, epoch)

    def keep(self, net: NeuralNet, epoch: int) -> None:
        """Keep the weights that a net has now."""
        # a copy of each: safetensors refuses weights that share memory
        weights = {
            name: value.detach().to("cpu", copy=True).contiguous() for name, value in whole_of(net).state_dict().items()
        }
        self.kept[epoch] = Snapshot(epoch, weights)
        if self.path is not None:
            if self.ranks is None:
                self._write(epoch, weights)
            else:
                self.ranks.first(lambda: self._write(epoch, weights))
                if self._file(epoch).exists():  # one file for all that reach it
                    self.kept[epoch] = Snapshot(epoch, self._file(epoch))

    def _write(self, epoch: int, weights: dict[str, Tensor]) -> None:
        path = self._file(epoch)
        try:
            write_whole(path, save(weights))
            self.kept[epoch] = Snapshot(epoch, path)
        except OSError as error:
            warnings.warn(
                f"the weights of epoch {epoch} could not be written to checkpoint_dir ({error}); they are kept in "
                "memory.",
                RuntimeWarning,
                stacklevel=2,
            )

    def take_up(self, n_epochs: int) -> None:
        """Find what a training that is taken up kept in its first epochs."""
        if self.path is not None:
            files = {epoch: self._file(epoch) for epoch in self.epochs if epoch <= n_epochs}
            self.kept = {epoch: Snapshot(epoch, path) for epoch, path in files.items() if path.exists()}

    def all(self) -> list[Snapshot]:
        """Return the snapshots in the order of the training."""
        return [self.kept[epoch] for epoch in sorted(self.kept)]

    def _file(self, epoch: int) -> Path:
        assert self.path is not None
        return self.path / f"epoch-{epoch:04d}.safetensors"


def measure_on(
    snapshots: Iterable[Snapshot], net: NeuralNet, samples: Samples, signals: Sequence[Signal], plan: Plan
) -> None:
    """Show samples to signals on each of several snapshots of a net, at whatever stage the signals usually look."""
    own = with_copied_modules(net)
    whole = whole_of(own).to(plan.device)
    # past skorch's bookkeeping, which would make the modules anew
    own.__dict__["device"] = str(plan.device)
    with isolated_rng(plan.device), deterministically(bool(getattr(net, "deterministic", False))):
        settings, looking = Settings(net, plan.device, seed=0), gathering(signals)
        tracker = Tracker(samples.to(plan.device), looking, plan, settings, output=output_kind(net))
        tracker.signals["scoring"] = looking
        for snapshot in snapshots:
            whole.load_state_dict(snapshot.load())
            tracker.epoch, tracker.quarter = snapshot.epoch, plan.quarter(snapshot.epoch)
            tracker.walk(own, "scoring")
            for signal in looking:
                signal.end_epoch()

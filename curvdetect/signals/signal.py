"""What a signal is, and the batch that signals share.

A signal sees every sample at one of three stages: ``"training"``, on the training passes themselves; ``"scoring"``,
in evaluation mode after a scored epoch; ``"final"``, in evaluation mode once training is over. It accumulates what it
needs and yields one number for each sample, higher for the more suspect. The house keeps no registry of base
classes: whatever has these members is a signal. One of stage ``"training"`` makes no pass of its own, which would
change what is trained: it has the logits of the pass, and, where its attribute ``wants_gradient`` is True, the gradient
at the inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from curvdetect.signals.scoring import (
    best_other,
    gradient_and_logits,
    gradients_and_logits,
    losses_of,
    margins_of,
    with_other,
)

Stage = Literal["training", "scoring", "final"]
QUARTERS = 4


class Exchange(Protocol):
    """What several processes, each of which sees some of the samples, tell each other about them."""

    def sum(self, *tensors: Tensor) -> None:
        """Put the sum over all processes into each tensor."""

    def largest(self, *tensors: Tensor) -> None:
        """Put the largest over all processes into each tensor."""

    def in_turn(self, *tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
        """Yield the tensors of each process, in one order everywhere."""


@dataclass(frozen=True)
class Plan:
    """What a run is going to be."""

    n_samples: int
    n_classes: int
    n_epochs: int
    device: torch.device
    shown: Collection[int] | None = None
    """Epochs, counted from 1, that signals are going to see; all for None."""
    exchange: Exchange | None = None
    """Where several processes see parts of every epoch."""

    def quarter(self, epoch: int) -> int:
        """Return the quarter of the planned training, 0 to 3, that an epoch counted from 1 lies in."""
        return min(QUARTERS - 1, (epoch - 1) * QUARTERS // self.n_epochs)

    def zeros(self, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
        """Return an accumulator; on the host where the device knows no float64."""
        return torch.zeros(shape, dtype=dtype, device="cpu" if self.device.type == "mps" else self.device)


class Batch:
    """Samples shown to signals; whatever several of them need is computed once, when first asked for.

    Parameters
    ----------
    index, x, y : Tensor
        Numbers, inputs and encoded labels of the samples, on the network's device.
    epoch : int
        Counted from 1.
    quarter : int
        Quarter of the planned training, 0 to 3, that the epoch lies in.
    forward : callable
        From inputs to logits.
    logits : Tensor of shape (batch, n_classes), optional
        Known already on a training pass.
    gradient : Tensor of the shape of ``x``, optional
        Each sample's gradient of its own loss, where known already; in the units of ``x``.
    units : Tensor of the shape of a sample, optional
        Lengths of a step of one: what signals see of gradients is given in them. By default the units of ``x``.
    """

    def __init__(
        self,
        index: Tensor,
        x: Tensor,
        y: Tensor,
        *,
        epoch: int,
        quarter: int,
        forward: Callable[[Tensor], Tensor],
        logits: Tensor | None = None,
        gradient: Tensor | None = None,
        units: Tensor | None = None,
    ) -> None:
        self.index, self.x, self.y, self.units = index, x, y, units
        self.epoch, self.quarter, self.forward = epoch, quarter, forward
        #: What a signal measured that another may want too.
        self.kept: dict[Hashable, Tensor] = {}
        if logits is not None:
            self.logits = logits
        if gradient is not None:
            self.gradient = gradient if units is None else gradient * units

    @cached_property
    def gradient(self) -> Tensor:
        """Gradient of each sample's loss at its input."""
        gradient, logits = gradient_and_logits(self.forward, self.x, self.y, self.units)
        self.__dict__.setdefault("logits", logits)
        return gradient

    @cached_property
    def logits(self) -> Tensor:
        """Logits of shape (batch, n_classes)."""
        with torch.no_grad():
            return self.forward(self.x)

    @cached_property
    def loss(self) -> Tensor:
        """Cross-entropy of the given label."""
        return losses_of(self.logits, self.y)

    @cached_property
    def margin(self) -> Tensor:
        """Logit of the given label minus the largest other."""
        return margins_of(self.logits, self.y)

    @cached_property
    def probabilities(self) -> Tensor:
        """Softmax of the logits."""
        return self.logits.softmax(1)

    @cached_property
    def correct(self) -> Tensor:
        """Whether the given label is predicted."""
        return self.logits.argmax(1) == self.y

    @cached_property
    def other(self) -> Tensor:
        """Best label other than the given one."""
        return best_other(self.logits, self.y)

    @cached_property
    def other_gradient(self) -> Tensor:
        """Gradient at the input of the loss that the sample would have under `other`."""
        pair, logits = gradients_and_logits(self.forward, self.x, with_other(self.y), self.units)
        for name, value in (("logits", logits), ("gradient", pair[0])):
            self.__dict__.setdefault(name, value)
        return pair[1]


class Signal(Protocol):
    """One number for each sample, gathered while a network trains."""

    @property
    def name(self) -> str:
        """Key in ``signal_scores_``."""

    @property
    def stage(self) -> Stage:
        """When the signal wants to see the samples."""

    def start(self, plan: Plan) -> None:
        """Make room for a run; forget an earlier one."""

    def update(self, batch: Batch) -> None:
        """Look at a batch."""

    def end_epoch(self) -> None:
        """Take what was seen since the last call into account; what was not is dropped with the epoch."""

    def scores(self) -> NDArray[np.float64]:
        """Return one number for each sample, higher for the more suspect."""


def wants_gradient(signal: Signal) -> bool:
    """Say whether a signal reads ``batch.gradient`` off the training passes, as far as it says so."""
    return signal.stage == "training" and bool(getattr(signal, "wants_gradient", False))


class EpochMean:
    """Mean of a per-sample number over completed epochs, in float64.

    Parameters
    ----------
    plan : Plan
        What the run is going to be.
    rows : int, default=1
        Means kept side by side: 1, 2 for the halves of the training, or 4 for its quarters.
    """

    def __init__(self, plan: Plan, rows: int = 1) -> None:
        n = plan.n_samples
        self.total, self.count = plan.zeros(rows, n), plan.zeros(rows, n, dtype=torch.int16)
        self._total, self._count = plan.zeros(n), plan.zeros(n, dtype=torch.int16)
        self._row, self._exchange = 0, plan.exchange
        #: Mean over the samples in the last completed epoch; NaN where it saw none.
        self.latest = plan.zeros()

    def add(self, batch: Batch, values: Tensor) -> None:
        """Add the numbers of a batch to the running epoch."""
        index = batch.index.to(self._total.device)
        # moved, then made wide: what has no double precision can't do both at once
        values = values.detach().to(self._total.device).double()
        self._total.index_add_(0, index, values)
        self._count.index_add_(0, index, torch.ones_like(values, dtype=torch.int16))
        self._row = batch.quarter * len(self.total) // QUARTERS

    def end_epoch(self) -> None:
        """Take the running epoch into the mean."""
        if self._exchange is not None:
            row = torch.tensor(self._row)  # a process that saw nothing knows of no later part
            self._exchange.sum(self._total, self._count)
            self._exchange.largest(row)
            self._row = int(row)
        self.total[self._row] += self._total
        self.count[self._row] += self._count
        self.latest = self._total.sum() / self._count.sum()
        self._total.zero_()
        self._count.zero_()

    def values(self, rows: slice = slice(None)) -> NDArray[np.float64]:
        """Return the mean over all epochs, or those of some rows, shape (n_samples,); NaN where nothing was seen."""
        return self.total[rows].sum(0).div_(self.count[rows].sum(0)).cpu().numpy()

    def seen(self, rows: slice) -> NDArray[np.int64]:
        """Return in how many epochs of some rows each sample was seen, shape (n_samples,)."""
        return self.count[rows].sum(0).cpu().numpy()

    def quarters(self) -> NDArray[np.float64]:
        """Return the mean within each quarter, shape (rows, n_samples); NaN where nothing was seen."""
        means = torch.empty_like(self.total)
        for mean, total, count in zip(means, self.total, self.count, strict=True):
            torch.div(total, count, out=mean)  # by all counts at once it would turn them all into float64 first
        return means.cpu().numpy()


def accumulated(gathered: Any) -> dict[str, Any]:
    """Return what a signal has gathered so far: its tensors and numbers, and those of its means.

    Parameters
    ----------
    gathered : Signal or EpochMean
        Between two epochs.
    """
    state: dict[str, Any] = {}
    for name, value in vars(gathered).items():
        if isinstance(value, EpochMean):
            state[name] = accumulated(value)
        elif isinstance(value, Tensor | int | float):
            state[name] = value
    return state


def take_up(gathered: Any, state: dict[str, Any]) -> None:
    """Let a signal that was started go on from what another of its kind had `accumulated`.

    Parameters
    ----------
    gathered : Signal or EpochMean
        What goes on.
    state : dict
        What the other had.
    """
    for name, value in state.items():
        mine = getattr(gathered, name)
        if isinstance(mine, EpochMean):
            take_up(mine, value)
        else:
            setattr(gathered, name, value.to(mine.device) if isinstance(mine, Tensor) else value)

"""What a signal is, the batch that signals share, and the two kinds that most of them are.

A signal sees every sample at one of three stages: ``"training"``, on the training passes themselves; ``"scoring"``,
in evaluation mode after a scored epoch; ``"final"``, in evaluation mode once training is over. It accumulates what it
needs and yields one number for each sample, higher for the more suspect. Anything that has the members of `Signal` is
one. A signal of stage ``"training"`` makes no pass of its own, which would change what is trained: it has the logits of
the pass and, where its attribute ``wants_gradient`` is True, the gradient at the inputs. Where no signal wants it,
small training batches are shown several at a time, as one `Batch` that holds no sample twice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from curvdetect.signals.gradients import best_other, gradients_and_logits

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
        """Return an accumulator; on the CPU where the device has no float64."""
        return torch.zeros(shape, dtype=dtype, device="cpu" if self.device.type == "mps" else self.device)


class Batch:
    """Numbers, inputs and labels of samples shown to signals, and what is computed of them, once for all signals."""

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
        gradients, logits = gradients_and_logits(self.forward, self.x, self.y[None], self.units)
        self.__dict__.setdefault("logits", logits)
        return gradients[0]

    @cached_property
    def logits(self) -> Tensor:
        """Logits of shape (batch, n_classes)."""
        with torch.no_grad():
            return self.forward(self.x)

    @cached_property
    def loss(self) -> Tensor:
        """Cross-entropy of the given label."""
        return -self.log_probabilities.gather(1, self.y[:, None])[:, 0]

    @cached_property
    def margin(self) -> Tensor:
        """Logit of the given label minus the largest other."""
        given = self.logits.gather(1, self.y[:, None])[:, 0]
        others = self.logits.scatter(1, self.y[:, None], -torch.inf)
        return given - others.amax(1)

    @cached_property
    def log_probabilities(self) -> Tensor:
        """Logarithm of the softmax of the logits, the work of which loss and probabilities share."""
        return self.logits.log_softmax(1)

    @cached_property
    def probabilities(self) -> Tensor:
        """Softmax of the logits."""
        return self.log_probabilities.exp()

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
        pair, logits = gradients_and_logits(
            self.forward, self.x, lambda logits: torch.stack([self.y, best_other(logits, self.y)]), self.units
        )
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
        """When samples are shown to the signal."""

    def start(self, plan: Plan) -> None:
        """Make room for a run; forget an earlier one."""

    def update(self, batch: Batch) -> None:
        """Look at a batch."""

    def end_epoch(self) -> None:
        """Take what was seen since the last call into account."""

    def scores(self) -> NDArray[np.float64]:
        """Return one number for each sample, higher for the more suspect."""


def wants_gradient(signal: Signal) -> bool:
    """Say whether a signal reads ``batch.gradient`` off the training passes, by its attribute of this name."""
    return signal.stage == "training" and bool(getattr(signal, "wants_gradient", False))


class MeanOverEpochs:
    """A signal whose score is the mean over epochs of one number of the batch, in float64."""

    name: str
    stage: ClassVar[Stage] = "training"
    #: One mean over the training, or one for each quarter of it.
    rows: ClassVar[int] = 1

    def start(self, plan: Plan) -> None:
        """Make room for a run."""
        n = plan.n_samples
        self.plan = plan
        self.total, self.count = plan.zeros(self.rows, n), plan.zeros(self.rows, n, dtype=torch.int16)
        self._total, self._count, self._row = plan.zeros(n), plan.zeros(n, dtype=torch.int16), 0
        #: Mean over the samples in the last completed epoch; NaN where it saw none.
        self.latest = plan.zeros()

    def value(self, batch: Batch) -> Tensor:
        """Return the number of each sample, higher for the more suspect."""
        raise TypeError(f"{type(self).__name__} does not say which number it averages")

    def update(self, batch: Batch) -> None:
        """Add the numbers of a batch to the running epoch."""
        index = batch.index.to(self._total.device)
        # moved, then made wide: a device without double precision can't do both at once
        values = self.value(batch).detach().to(self._total.device).double()
        self._total.index_add_(0, index, values)
        self._count.index_add_(0, index, torch.ones_like(values, dtype=torch.int16))
        self._row = batch.quarter * len(self.total) // QUARTERS

    def end_epoch(self) -> None:
        """Take the running epoch into the mean."""
        if self.plan.exchange is not None:
            row = torch.tensor(self._row)  # a process that saw nothing is still at an earlier part
            self.plan.exchange.sum(self._total, self._count)
            self.plan.exchange.largest(row)
            self._row = int(row)
        self.total[self._row] += self._total
        self.count[self._row] += self._count
        self.latest = self._total.sum() / self._count.sum()
        self._total.zero_()
        self._count.zero_()

    def scores(self, rows: slice = slice(None)) -> NDArray[np.float64]:
        """Return the mean over all epochs, or those of some rows, shape (n_samples,); NaN where nothing was seen."""
        return self.total[rows].sum(0).div_(self.count[rows].sum(0)).cpu().numpy()

    def seen(self, rows: slice) -> NDArray[np.int64]:
        """Return in how many epochs of some rows each sample was seen, shape (n_samples,)."""
        return self.count[rows].sum(0).cpu().numpy()

    def quarters(self) -> NDArray[np.float64]:
        """Return the mean within each quarter, shape (rows, n_samples); NaN where nothing was seen."""
        means = torch.empty_like(self.total)
        for mean, total, count in zip(means, self.total, self.count, strict=True):
            torch.div(total, count, out=mean)  # at once it would turn all counts into float64 first
        return means.cpu().numpy()


class LastEpoch:
    """Last epoch in which something was true of a sample, 0 where it never was."""

    name: ClassVar[str]
    stage: ClassVar[Stage] = "training"

    def start(self, plan: Plan) -> None:
        """Make room for a run."""
        self.plan, self.n_ended = plan, 0
        self.last = plan.zeros(plan.n_samples, dtype=torch.int32)
        self._running = torch.zeros_like(self.last)

    def update(self, batch: Batch) -> None:
        """Take note of the samples of which it is true."""
        index = batch.index.to(self.last.device)
        epoch = self.event(batch).to(self.last.device, torch.int32) * batch.epoch
        self._running[index] = torch.maximum(self._running[index], epoch)

    def event(self, batch: Batch) -> Tensor:
        """Return whether it is true of each sample."""
        raise TypeError(f"{type(self).__name__} does not say what it looks out for")

    def end_epoch(self) -> None:
        """Take the epoch into account."""
        if self.plan.exchange is not None:
            self.plan.exchange.largest(self._running)
        self.last = torch.maximum(self.last, self._running)
        self.n_ended += 1
        self._running.zero_()


def accumulated(signal: Signal) -> dict[str, Tensor | float]:
    """Return what a signal has gathered between two epochs: its tensors and numbers."""
    return {name: value for name, value in vars(signal).items() if isinstance(value, Tensor | int | float)}


def take_up(signal: Signal, state: dict[str, Tensor | float]) -> None:
    """Let a signal that was started go on from what another of its kind had `accumulated`."""
    for name, value in state.items():
        mine = getattr(signal, name)
        setattr(signal, name, value.to(mine.device) if isinstance(value, Tensor) else value)

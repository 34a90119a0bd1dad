"""Signals of the training dynamics: loss, margin, learning time, inconfidence, input gradient, all next to free.

All but `Inconfidence` are read off the training passes, so they see a sample as the optimizer does: in training mode,
augmented where augmentation is on, just before the step that its batch makes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from curvdetect.signals.scoring import share_of
from curvdetect.signals.signal import QUARTERS, Batch, EpochMean, Plan, Signal, Stage


class MeanOverEpochs:
    """A signal whose score is the mean over epochs of one number of the batch."""

    name: str
    stage: ClassVar[Stage] = "training"
    rows: ClassVar[int] = 1

    def start(self, plan: Plan) -> None:
        """Make room for a run."""
        self.plan, self.mean = plan, EpochMean(plan, self.rows)

    def update(self, batch: Batch) -> None:
        """Look at a batch."""
        self.mean.add(batch, self.value(batch))

    def value(self, batch: Batch) -> Tensor:
        """Return the number of each sample, higher for the more suspect."""
        raise TypeError(f"{type(self).__name__} does not say which number it averages")

    def end_epoch(self) -> None:
        """Take the epoch into the mean."""
        self.mean.end_epoch()

    def scores(self) -> NDArray[np.float64]:
        """Return the mean over epochs, shape (n_samples,)."""
        return self.mean.values()

    def quarters(self) -> NDArray[np.float64]:
        """Return the mean within each quarter of the planned training: (4, n_samples), or one row."""
        return self.mean.quarters()


class Loss(MeanOverEpochs):
    """Mean loss over the epochs, the cumulative sample loss (CSL) divided by their number; higher is more suspect."""

    name = "loss"
    rows = QUARTERS

    def value(self, batch: Batch) -> Tensor:
        """Return the loss."""
        return batch.loss


class Margin(MeanOverEpochs):
    """Area under the margin (AUM) with its sign turned, so that higher is more suspect."""

    name = "margin"
    rows = QUARTERS

    def value(self, batch: Batch) -> Tensor:
        """Return the largest other logit minus the given one."""
        return -batch.margin


class PartOfTheEpochs:
    """A mean over some quarters of the planned epochs, read off a signal that keeps all four.

    That signal is ``whole``. `gathering` puts one there that looks at the batches anyway; by itself a part has its own.
    A sample that was not seen in half of the part has the mean over all epochs.
    """

    name: ClassVar[str]
    stage: ClassVar[Stage] = "training"
    kind: ClassVar[type[Loss | Margin]]
    part: ClassVar[slice]

    def __init__(self) -> None:
        self.whole = self.kind()

    def start(self, plan: Plan) -> None:
        """Make room for a run."""
        self.whole.start(plan)

    def update(self, batch: Batch) -> None:
        """Look at a batch."""
        self.whole.update(batch)

    def end_epoch(self) -> None:
        """Take the epoch into the mean."""
        self.whole.end_epoch()

    def scores(self) -> NDArray[np.float64]:
        """Return the mean over the part, shape (n_samples,)."""
        plan, mean, quarters = self.whole.plan, self.whole.mean, range(QUARTERS)[self.part]
        shown = range(1, plan.n_epochs + 1) if plan.shown is None else plan.shown
        n_planned = max(1, sum(plan.quarter(epoch) in quarters for epoch in shown))
        return np.where(2 * mean.seen(self.part) >= n_planned, mean.values(self.part), mean.values())


class EarlyMargin(PartOfTheEpochs):
    """Area under the margin over the first quarter of the planned epochs, sign turned: higher is more suspect.

    Before memorizing sets in, what a network gets wrong is what the other samples contradict.
    """

    name = "early_margin"
    kind, part = Margin, slice(1)


class LateLoss(PartOfTheEpochs):
    """Mean loss over the second half of the planned epochs; higher is more suspect."""

    name = "late_loss"
    kind, part = Loss, slice(2, None)


class LateMargin(PartOfTheEpochs):
    """Area under the margin over the second half of the planned epochs, sign turned: higher is more suspect."""

    name = "late_margin"
    kind, part = Margin, slice(2, None)


class FinalLoss(PartOfTheEpochs):
    """Mean loss over the last quarter of the planned epochs; higher is more suspect.

    What a network that memorizes still can't fit by then is told two things at once: the same sample under two labels.
    """

    name = "final_loss"
    kind, part = Loss, slice(3, None)


def gathering(signals: Sequence[Signal]) -> list[Signal]:
    """Return the signals that look at batches: the parts among them are read off a whole that is there, or is added."""
    parts = [signal for signal in signals if isinstance(signal, PartOfTheEpochs)]
    looking = [signal for signal in signals if not isinstance(signal, PartOfTheEpochs)]
    for part in parts:
        whole = next((signal for signal in looking if type(signal) is part.kind), None)
        if whole is None:
            looking.append(part.whole)
        else:
            part.whole = whole
    return looking


class InputGradient(MeanOverEpochs):
    """Mean over epochs of the norm of the loss's gradient at the input; higher is more suspect.

    Parameters
    ----------
    power : {1, 2}, default=1
        1 averages norms, 2 squared norms.
    """

    name = "input_gradient"
    wants_gradient: ClassVar[bool] = True

    def __init__(self, power: int = 1) -> None:
        if power not in (1, 2):
            raise ValueError(f"power must be 1 (norm) or 2 (squared norm), got {power!r}.")
        self.power = power

    def value(self, batch: Batch) -> Tensor:
        """Return the norm or its square."""
        squared = batch.gradient.flatten(1).float().square().sum(1)
        return squared if self.power == 2 else squared.sqrt()


class GradientContrast(MeanOverEpochs):
    """Share of the given label in its input gradient and that of the best other label; higher is more suspect.

    The mean over the scored epochs of ``g_y / (g_y + g_o)``, norms of the gradients in evaluation mode.
    """

    name = "gradient_contrast"
    stage = "scoring"

    def value(self, batch: Batch) -> Tensor:
        """Return the share."""
        other, given = batch.other_gradient.flatten(1).norm(dim=1), batch.gradient.flatten(1).norm(dim=1)
        return share_of(given, other)


class Inconfidence(MeanOverEpochs):
    """One minus the given label's probability when training is over; higher is more suspect."""

    name = "inconfidence"
    stage = "final"

    def value(self, batch: Batch) -> Tensor:
        """Return what is left for the other labels, computed so that it doesn't round to zero."""
        logits = batch.logits.cpu().double()
        others = logits.scatter(1, batch.y.cpu()[:, None], -torch.inf)
        return (others.logsumexp(1) - logits.logsumexp(1)).exp()


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
        """Note of whom it is true in this epoch."""
        index = batch.index.to(self.last.device)
        epoch = self.event(batch).to(self.last.device, torch.int32) * batch.epoch
        self._running[index] = torch.maximum(self._running[index], epoch)

    def event(self, batch: Batch) -> Tensor:
        """Return what is true of each sample, or not."""
        raise TypeError(f"{type(self).__name__} does not say what it looks out for")

    def end_epoch(self) -> None:
        """Take the epoch into account."""
        if self.plan.exchange is not None:
            self.plan.exchange.largest(self._running)
        self.last = torch.maximum(self.last, self._running)
        self.n_ended += 1
        self._running.zero_()


class LearningTime(LastEpoch):
    """First epoch from which a sample stays correct to the end, the number of epochs plus one where there is none.

    Higher is more suspect. Counted from 1.
    """

    name = "learning_time"

    def event(self, batch: Batch) -> Tensor:
        """Return whether the sample is wrong."""
        return ~batch.correct

    def scores(self) -> NDArray[np.float64]:
        """Return the learning time, shape (n_samples,)."""
        return (self.last + 1).double().cpu().numpy()


#: What may be kept of samples by classes.
MOST_BYTES = 2 * 1024**3


class AveragedMargin:
    """Logit margin of the probabilities averaged over epochs, sign turned: higher is more suspect.

    Keeps two numbers for each sample and class, the mean so far and the running epoch, up to `MOST_BYTES` of them.
    """

    name: ClassVar[str] = "averaged_margin"
    stage: ClassVar[Stage] = "training"

    def start(self, plan: Plan) -> None:
        """Make room for a run, or raise where there are too many samples of too many classes."""
        n_bytes = 2 * 8 * plan.n_samples * plan.n_classes
        if n_bytes > MOST_BYTES:
            raise ValueError(
                f"signal 'averaged_margin' keeps two numbers for each sample and class, {n_bytes / 1e9:,.1f} GB of "
                f"{plan.n_samples:,} samples and {plan.n_classes:,} classes, and takes {MOST_BYTES / 1e9:.1f} GB at "
                "most. Leave it out; 'margin' keeps a few numbers a sample."
            )
        self.plan = plan
        self.total = plan.zeros(plan.n_samples, plan.n_classes)
        self._pending: list[tuple[Tensor, Tensor]] = []
        self.labels = plan.zeros(plan.n_samples, dtype=torch.int64)

    def update(self, batch: Batch) -> None:
        """Keep the probabilities of a batch until its epoch is over."""
        index = batch.index.to(self.total.device)
        probabilities = batch.probabilities.detach()[:, : self.total.shape[1]]
        self._pending.append((index, probabilities.to(self.total.device).double()))
        self.labels[index] = batch.y.to(self.labels.device)

    def end_epoch(self) -> None:
        """Take the epoch into the mean."""
        exchange = self.plan.exchange
        seen = self.total if exchange is None else torch.zeros_like(self.total)
        for index, probabilities in self._pending:
            seen.index_add_(0, index, probabilities)
        self._pending.clear()
        if exchange is not None:
            exchange.sum(seen)
            exchange.largest(self.labels)
            self.total += seen

    def scores(self) -> NDArray[np.float64]:
        """Return log of the best other mean probability minus log of the given one, shape (n_samples,)."""
        given = self.total.gather(1, self.labels[:, None])[:, 0]
        other = self.total.scatter(1, self.labels[:, None], 0).amax(1)
        tiny = torch.finfo(torch.float64).tiny
        return (other.clamp_min(tiny).log() - given.clamp_min(tiny).log()).cpu().numpy()

"""Signals read off the training passes, next to free: loss, margin, learning time, input gradient and their kin.

They see a sample as the optimizer does: in training mode, augmented, just before the step that its batch makes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from curvdetect.signals.signal import QUARTERS, Batch, LastEpoch, MeanOverEpochs, Plan, Signal, Stage


class Loss(MeanOverEpochs):
    """Mean loss over the epochs, the cumulative sample loss (CSL) divided by their number; higher is more suspect."""

    name = "loss"
    rows = QUARTERS

    def value(self, batch: Batch) -> Tensor:
        return batch.loss


class Margin(MeanOverEpochs):
    """Area under the margin (AUM) with its sign turned, so that higher is more suspect."""

    name = "margin"
    rows = QUARTERS

    def value(self, batch: Batch) -> Tensor:
        return -batch.margin


class PartOfTheEpochs:
    """A mean over some quarters of the planned epochs, read off the signal ``whole``, which `gathering` shares."""

    stage: ClassVar[Stage] = "training"

    def __init__(self, name: str, kind: type[Loss | Margin], part: slice) -> None:
        self.name, self.kind, self.part = name, kind, part
        self.whole: Loss | Margin = kind()

    def start(self, plan: Plan) -> None:
        self.whole.start(plan)

    def update(self, batch: Batch) -> None:
        self.whole.update(batch)

    def end_epoch(self) -> None:
        self.whole.end_epoch()

    def scores(self) -> NDArray[np.float64]:
        plan, quarters = self.whole.plan, range(QUARTERS)[self.part]
        shown = range(1, plan.n_epochs + 1) if plan.shown is None else plan.shown
        n_planned = max(1, sum(plan.quarter(epoch) in quarters for epoch in shown))
        often = 2 * self.whole.seen(self.part) >= n_planned
        return np.where(often, self.whole.scores(self.part), self.whole.scores())


def gathering(signals: Sequence[Signal]) -> list[Signal]:
    """Return the signals that look at batches: the parts among them are read off a whole that is there, or is added."""
    looking = [signal for signal in signals if not isinstance(signal, PartOfTheEpochs)]
    for part in [signal for signal in signals if isinstance(signal, PartOfTheEpochs)]:
        whole = next((signal for signal in looking if type(signal) is part.kind), None)
        if whole is None:
            looking.append(part.whole)
        else:
            part.whole = whole
    return looking


class InputGradient(MeanOverEpochs):
    """Mean over epochs of the norm of the loss's gradient at the input; higher is more suspect."""

    name = "input_gradient"
    wants_gradient: ClassVar[bool] = True

    def value(self, batch: Batch) -> Tensor:
        return batch.gradient.flatten(1).float().square().sum(1).sqrt()


class LearningTime(LastEpoch):
    """First epoch from which a sample stays correct to the end, the number of epochs plus one where there is none."""

    name = "learning_time"

    def event(self, batch: Batch) -> Tensor:
        return ~batch.correct

    def scores(self) -> NDArray[np.float64]:
        return (self.last + 1).double().cpu().numpy()


#: Most bytes of a table of samples by classes.
MOST_BYTES = 2 * 1024**3


class AveragedMargin:
    """Logit margin of the probabilities averaged over epochs, sign turned: higher is more suspect."""

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
        seen = torch.zeros_like(self.total)
        for index, probabilities in self._pending:
            seen.index_add_(0, index, probabilities)
        self._pending.clear()
        if self.plan.exchange is not None:
            self.plan.exchange.sum(seen)
            self.plan.exchange.largest(self.labels)
        self.total += seen

    def scores(self) -> NDArray[np.float64]:
        """Return log of the best other mean probability minus log of the given one, shape (n_samples,)."""
        given = self.total.gather(1, self.labels[:, None])[:, 0]
        other = self.total.scatter(1, self.labels[:, None], 0).amax(1)
        tiny = torch.finfo(torch.float64).tiny
        return (other.clamp_min(tiny).log() - given.clamp_min(tiny).log()).cpu().numpy()


class OtherLabelVote:
    """The other label that a sample was taken for most, by Boyer and Moore's weighted vote in constant memory."""

    name: ClassVar[str] = "other_label"

    def __init__(self, stage: Stage = "training") -> None:
        self.stage = stage

    def start(self, plan: Plan) -> None:
        self.n_classes = plan.n_classes
        self.candidate = plan.zeros(plan.n_samples, dtype=torch.int32) - 1
        self.weight = plan.zeros(plan.n_samples)
        self._exchange = plan.exchange
        # of several processes, the votes of this one until all are cast
        self._own = None if plan.exchange is None else (self.candidate.clone(), self.weight.clone())

    def update(self, batch: Batch) -> None:
        """Cast the votes of a batch."""
        index = batch.index.to(self.weight.device)
        weight, vote = batch.probabilities.detach()[:, : self.n_classes].scatter(1, batch.y[:, None], -1).max(1)
        weight, vote = weight.to(self.weight.device).double(), vote.to(self.candidate)
        _cast(*(self._own or (self.candidate, self.weight)), index, vote, weight)

    def end_epoch(self) -> None:
        """Cast the votes of all processes; those of a single one counted at once."""
        if self._exchange is None or self._own is None:
            return
        votes, weights = self._own
        voters = (votes >= 0).int()
        self._exchange.sum(voters)
        cast: Iterable[tuple[Tensor, ...]]
        if int(voters.max()) > 1:  # a sample was seen by two
            cast = self._exchange.in_turn(votes, weights)
        else:
            self._exchange.sum(votes.add_(1), weights)
            cast = [(votes.sub_(1), weights)]
        for votes, weights in cast:
            voted = (votes >= 0).nonzero()[:, 0]
            _cast(self.candidate, self.weight, voted, votes[voted], weights[voted])
        self._own[0].fill_(-1)
        self._own[1].zero_()

    def scores(self) -> NDArray[np.float64]:
        """Return the code of the label, shape (n_samples,); -1 for a sample never seen."""
        return self.candidate.double().cpu().numpy()


def _cast(candidate: Tensor, weight: Tensor, index: Tensor, vote: Tensor, by: Tensor) -> None:
    """Let the samples at ``index`` vote: for the label they hold, or against it, which may take its place."""
    held, before = weight[index], candidate[index]
    after = torch.where(before == vote, held + by, held - by)
    candidate[index] = torch.where((after < 0) | (before < 0), vote, before)
    weight[index] = after.abs()

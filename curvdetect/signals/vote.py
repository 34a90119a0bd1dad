"""Which other label the samples were taken for most, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from curvdetect.signals.signal import Batch, Exchange, Plan, Stage


class OtherLabelVote:
    """Which other label a sample was taken for most, by a weighted majority vote in constant memory.

    Each pass casts one vote for the most probable label other than the given one, with its probability as weight
    (Boyer and Moore's algorithm), so that no table of samples by classes is kept.

    Parameters
    ----------
    stage : {"training", "scoring"}, default="training"
        Which passes vote.
    """

    name: ClassVar[str] = "other_label"

    def __init__(self, stage: Stage = "training") -> None:
        self.stage = stage

    def start(self, plan: Plan) -> None:
        """Make room for a run."""
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
        for votes, weights in self._cast_elsewhere(self._exchange, *self._own):
            voted = (votes >= 0).nonzero()[:, 0]
            _cast(self.candidate, self.weight, voted, votes[voted], weights[voted])
        self._own[0].fill_(-1)
        self._own[1].zero_()

    @staticmethod
    def _cast_elsewhere(exchange: Exchange, votes: Tensor, weights: Tensor) -> Iterator[tuple[Tensor, ...]]:
        """Yield the votes of all processes: at once where no sample was seen by two of them, otherwise in turn."""
        voters = (votes >= 0).int()
        exchange.sum(voters)
        if int(voters.max()) > 1:
            yield from exchange.in_turn(votes, weights)
            return
        exchange.sum(votes.add_(1), weights)
        yield votes.sub_(1), weights

    def scores(self) -> NDArray[np.float64]:
        """Return the code of the label, shape (n_samples,); -1 for a sample never seen."""
        return self.candidate.double().cpu().numpy()


def _cast(candidate: Tensor, weight: Tensor, index: Tensor, vote: Tensor, by: Tensor) -> None:
    """Let the samples at ``index`` vote: for the label they hold, or against it, which may take its place."""
    held, before = weight[index], candidate[index]
    after = torch.where(before == vote, held + by, held - by)
    candidate[index] = torch.where((after < 0) | (before < 0), vote, before)
    weight[index] = after.abs()

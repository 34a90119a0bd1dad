"""Signals measured in evaluation mode: curvature, contrasts, inconfidence, and forgetting in a second split.

The signals of forgetting belong to the second of two stages, in which the network trains on other samples.
"""

from __future__ import annotations

from numbers import Real
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from curvdetect.signals.gradients import gradients_and_logits, rademacher, share_of
from curvdetect.signals.signal import Batch, LastEpoch, MeanOverEpochs, Stage

#: Share of a step's change of the loss that counts as curvature: small beside what a kink does.
_STRAIGHT = 0.3


class Curvature(MeanOverEpochs):
    """Mean over the scored epochs of `input_curvature`; signals with one ``h`` and ``seed`` share their probes."""

    kind: ClassVar[str] = "curvature"
    stage = "scoring"

    def __init__(self, *, h: float, n: int, power: int, seed: int, name: str | None = None) -> None:
        check_curvature(h=h, n=n, power=power)
        self.name = self.kind if name is None else name
        self.h, self.n, self.power, self.seed = h, n, power, seed

    def value(self, batch: Batch) -> Tensor:
        return self._measured(batch, "y")[0]

    def _measured(self, batch: Batch, *labels: str) -> Tensor:
        """Return the curvature under each of some labels of a batch, shape (n_labels, batch)."""
        # squared norms of shape (probes, batch), which a signal may have left with the batch
        keys = [("probe norms", self.h, self.seed, label) for label in labels]
        known = min(len(batch.kept.get(key, ())) for key in keys)
        if known < self.n:
            # first the gradients of both, that one pass yields, then what is read off them
            clean = torch.stack([batch.other_gradient if label == "other" else batch.gradient for label in labels])
            given = torch.stack([getattr(batch, label) for label in labels])
            shape, dtype = tuple(batch.x.shape[1:]), batch.x.dtype
            # made at once: small results kept between large buffers would break up the heap, by a MiB a probe
            more = batch.x.new_empty(self.n - known, *given.shape)
            for row, probe in enumerate(range(known, self.n)):
                step = rademacher(batch.index, shape, seed=self.seed, epoch=batch.epoch, probe=probe, dtype=dtype)
                moved = torch.add(batch.x, step if batch.units is None else step * batch.units, alpha=self.h)
                there, _ = gradients_and_logits(batch.forward, moved, given, batch.units)
                more[row] = (there - clean).flatten(2).square().sum(2)
            for row, key in enumerate(keys):
                batch.kept[key] = torch.cat([batch.kept.get(key, more[:0, row])[:known], more[:, row]])
        squared = torch.stack([batch.kept[key][: self.n] for key in keys], 1)
        return (squared if self.power == 2 else squared.sqrt()).mean(0)


class CurvatureContrast(Curvature):
    """Mean over the scored epochs of the given label's share in its curvature and that of the best other label."""

    kind = "curvature_contrast"

    def value(self, batch: Batch) -> Tensor:
        other, given = self._measured(batch, "other", "y")
        # a step that crosses no kink leaves rounding of both: there the share is that of the gradients
        for curvature, gradient in ((given, batch.gradient), (other, batch.other_gradient)):
            curvature += (_STRAIGHT * self.h * gradient.flatten(1).norm(dim=1)) ** self.power
        return share_of(given, other)


def check_curvature(*, h: float, n: int, power: int) -> None:
    """Raise where a parameter of the curvature is out of range."""
    # a network computes in single precision, which knows no larger number
    if isinstance(h, bool) or not (isinstance(h, Real) and 0 < h <= torch.finfo(torch.float32).max):
        raise ValueError(
            f"h must be a positive number, got {h!r}. It is a step in deviations of a column, or in the units of X: "
            "1e-2 is a good start."
        )
    if isinstance(n, bool) or not hasattr(n, "__index__") or n < 1:
        raise ValueError(f"n must be a whole number of probes, at least 1, got {n!r}.")
    if isinstance(power, bool) or power not in (1, 2):
        raise ValueError(f"power must be 1 (norm) or 2 (squared norm, eq. 6), got {power!r}.")


class GradientContrast(MeanOverEpochs):
    """Mean over the scored epochs of the given label's share in the norms of its gradient and the best other's."""

    name = "gradient_contrast"
    stage = "scoring"

    def value(self, batch: Batch) -> Tensor:
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


class Learned(MeanOverEpochs):
    """One where a sample is right after the first stage, zero where it is not."""

    name = "learned"
    stage = "final"

    def value(self, batch: Batch) -> Tensor:
        return batch.correct.float()


class ForgettingTime(LastEpoch):
    """First epoch from which a sample stays wrong, 1 where it was not ``learned``, negated (Maini et al., 2022)."""

    name = "forgetting_time"
    stage: ClassVar[Stage] = "scoring"

    def __init__(self, learned: NDArray[np.bool_] | None = None) -> None:
        self.learned = learned

    def event(self, batch: Batch) -> Tensor:
        return batch.correct

    def times(self) -> NDArray[np.int64]:
        """Return the forgetting time of each sample, shape (n_samples,)."""
        last = self.last.cpu().numpy()
        # planned, not trained: halves whose second stages ended at different epochs are compared with each other
        times = np.where(last == self.n_ended, self.plan.n_epochs + 1, last + 1)
        return times if self.learned is None else np.where(self.learned, times, 1)

    def scores(self) -> NDArray[np.float64]:
        return -self.times().astype(np.float64)


class ForgottenShare(MeanOverEpochs):
    """Share of the second stage's epochs in which a sample is wrong; higher is more suspect."""

    name = "forgotten_share"
    stage = "scoring"

    def value(self, batch: Batch) -> Tensor:
        return (~batch.correct).float()


class ForgettingLoss(MeanOverEpochs):
    """Mean loss of a sample over the second stage's epochs; higher is more suspect."""

    name = "forgetting_loss"
    stage = "scoring"

    def value(self, batch: Batch) -> Tensor:
        return batch.loss

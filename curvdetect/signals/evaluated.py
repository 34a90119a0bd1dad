"""Signals measured in evaluation mode: curvature, contrasts, inconfidence, and forgetting in a second split.

Most look at the samples after a scored epoch, `Inconfidence` and `Learned` once training is over. The signals of
forgetting belong to the second of two stages, in which the network trains on other samples.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from curvdetect.signals.curvature import check_curvature
from curvdetect.signals.gradients import contrast_of, mean_of_norms, probe_norms, share_of
from curvdetect.signals.signal import Batch, LastEpoch, MeanOverEpochs, Stage


class Curvature(MeanOverEpochs):
    """Curvature at each sample, averaged over the scored epochs; higher is more suspect.

    ``h``, ``n`` and ``power`` are those of `input_curvature`; ``seed`` is the key of the probes. What the probes did is
    left with the batch: another signal with the same step and seed measures only the probes that miss, so that several
    settings cost as much as the one with most probes.
    """

    kind: ClassVar[str] = "curvature"
    stage = "scoring"

    def __init__(self, *, h: float, n: int, power: int, seed: int, name: str | None = None) -> None:
        check_curvature(h=h, n=n, power=power)
        self.name = self.kind if name is None else name
        self.h, self.n, self.power, self.seed = h, n, power, seed

    def value(self, batch: Batch) -> Tensor:
        """Return the curvature of a batch, whose clean gradient is shared with other signals."""
        return mean_of_norms(self._norms(batch, "y"), self.power)[0]

    def _norms(self, batch: Batch, *labels: str) -> Tensor:
        """Return squared norms of shape (n, n_labels, batch), and measure those not yet known."""
        keys = [("probe norms", self.h, self.seed, label) for label in labels]
        known = min(len(batch.kept.get(key, ())) for key in keys)
        if known < self.n:
            # first the gradients of both, that one pass yields, then what is read off them
            clean = torch.stack([batch.other_gradient if label == "other" else batch.gradient for label in labels])
            given = torch.stack([getattr(batch, label) for label in labels])
            more = probe_norms(
                batch.forward,
                batch.x,
                given,
                clean,
                batch.index,
                h=self.h,
                seed=self.seed,
                epoch=batch.epoch,
                probes=range(known, self.n),
                units=batch.units,
            )
            for row, key in enumerate(keys):
                batch.kept[key] = torch.cat([batch.kept.get(key, more[:0, row])[:known], more[:, row]])
        return torch.stack([batch.kept[key][: self.n] for key in keys], 1)


class CurvatureContrast(Curvature):
    """Share of the given label in its curvature and that of the best other label; higher is more suspect.

    The mean over the scored epochs of ``c_y / (c_y + c_o)``, in [0, 1]. `Curvature` costs nothing where this one has
    measured the same batch before it.
    """

    kind = "curvature_contrast"

    def value(self, batch: Batch) -> Tensor:
        other, given = mean_of_norms(self._norms(batch, "other", "y"), self.power)
        clean = torch.stack([batch.gradient, batch.other_gradient])
        return contrast_of(torch.stack([given, other]), clean, h=self.h, power=self.power)


class GradientContrast(MeanOverEpochs):
    """Share of the given label in its input gradient and that of the best other label; higher is more suspect.

    The mean over the scored epochs of ``g_y / (g_y + g_o)``, norms of the gradients in evaluation mode.
    """

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
    """Second-split forgetting time with its sign turned: higher, that is forgotten sooner, is more suspect.

    The time is the first epoch of the second stage, counted from 1, from which the sample stays wrong to the end; the
    number of planned epochs plus one where it is still right at the end; 1 where it was not ``learned``, right at the
    end of the first stage (Maini et al., "Characterizing Datapoints via Second-Split Forgetting", 2022).
    """

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

"""Second-split forgetting: what becomes of a learned label while the network trains on other samples.

Signals of the second of two stages, in which the samples are only looked at (evaluation mode, after each epoch). How
the two stages are trained is not theirs.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from curvdetect.signals.dynamics import LastEpoch, MeanOverEpochs
from curvdetect.signals.signal import Batch, Stage


class Learned(MeanOverEpochs):
    """One where a sample is right after the first stage, zero where it is not."""

    name = "learned"
    stage = "final"

    def value(self, batch: Batch) -> Tensor:
        """Return whether the given label is predicted."""
        return batch.correct.float()


class ForgettingTime(LastEpoch):
    """Second-split forgetting time with its sign turned: higher, that is forgotten sooner, is more suspect.

    The time is the first epoch of the second stage, counted from 1, from which the sample stays wrong to the end; the
    number of planned epochs plus one where it is still right at the end; 1 where it was never learned.

    Parameters
    ----------
    learned : array of shape (n_samples,), bool, optional
        Who was right at the end of the first stage; by default all.

    References
    ----------
    .. [1] Maini et al., "Characterizing Datapoints via Second-Split Forgetting", NeurIPS 2022.
    """

    name = "forgetting_time"
    stage: ClassVar[Stage] = "scoring"

    def __init__(self, learned: NDArray[np.bool_] | None = None) -> None:
        self.learned = learned

    def event(self, batch: Batch) -> Tensor:
        """Return whether the sample is right."""
        return batch.correct

    def times(self) -> NDArray[np.int64]:
        """Return the forgetting time of each sample, shape (n_samples,)."""
        last = self.last.cpu().numpy()
        # planned, not trained: halves whose second stages ended at different epochs are compared with each other
        times = np.where(last == self.n_ended, self.plan.n_epochs + 1, last + 1)
        return times if self.learned is None else np.where(self.learned, times, 1)

    def scores(self) -> NDArray[np.float64]:
        """Return minus the forgetting time, shape (n_samples,)."""
        return -self.times().astype(np.float64)


class ForgottenShare(MeanOverEpochs):
    """Share of the second stage's epochs in which a sample is wrong; higher is more suspect."""

    name = "forgotten_share"
    stage = "scoring"

    def value(self, batch: Batch) -> Tensor:
        """Return whether the sample is wrong."""
        return (~batch.correct).float()


class ForgettingLoss(MeanOverEpochs):
    """Mean loss of a sample over the second stage's epochs; higher is more suspect."""

    name = "forgetting_loss"
    stage = "scoring"

    def value(self, batch: Batch) -> Tensor:
        """Return the loss."""
        return batch.loss

"""Curvature as a signal: measured after an epoch, averaged over the scored ones.

Which epochs those are is the tracker's to say; how one epoch is measured is `input_curvature`'s.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from curvdetect.signals.arguments import check_curvature
from curvdetect.signals.curvature import mean_of_norms, probe_factory, probe_norms
from curvdetect.signals.dynamics import MeanOverEpochs
from curvdetect.signals.scoring import contrast_of
from curvdetect.signals.signal import Batch


class Curvature(MeanOverEpochs):
    """Curvature at each sample, averaged over the scored epochs; higher is more suspect.

    What its probes did is left with the batch: another signal with the same step and seed measures only the probes
    that miss, so that several settings cost as much as the one with most probes.

    Parameters
    ----------
    h, n, power
        As in `input_curvature`.
    seed : int
        Key of the probes.
    name : str, optional
        By default that of the kind.
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
            signs = probe_factory(batch.index, batch.x, seed=self.seed, epoch=batch.epoch)
            more = probe_norms(
                batch.forward, batch.x, given, clean, signs, h=self.h, probes=range(known, self.n), units=batch.units
            )
            for row, key in enumerate(keys):
                batch.kept[key] = torch.cat([batch.kept.get(key, more[:0, row])[:known], more[:, row]])
        return torch.stack([batch.kept[key][: self.n] for key in keys], 1)


class CurvatureContrast(Curvature):
    """Share of the given label in its curvature and that of the best other label; higher is more suspect.

    The mean over the scored epochs of ``c_y / (c_y + c_o)``, in [0, 1]. Parameters as for `Curvature`; that one costs
    nothing where this one, before it, has measured the same batch.
    """

    kind = "curvature_contrast"

    def value(self, batch: Batch) -> Tensor:
        """Return the share."""
        other, given = mean_of_norms(self._norms(batch, "other", "y"), self.power)
        clean = torch.stack([batch.gradient, batch.other_gradient])
        return contrast_of(torch.stack([given, other]), clean, h=self.h, power=self.power)

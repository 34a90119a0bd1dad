"""A detector of the curvature that keeps what it measured after each epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from curvdetect import CurvatureNoiseDetector
from curvdetect.signals.evaluated import Curvature, CurvatureContrast
from curvdetect.signals.signal import Signal


class Kept(CurvatureContrast):
    """A contrast that keeps what it measured after each epoch."""

    def start(self, plan: Any) -> None:
        super().start(plan)
        self.epochs: list[np.ndarray] = []

    def end_epoch(self) -> None:
        self.epochs.append((self._total / self._count).cpu().numpy())
        super().end_epoch()


class KeptCurvature(Kept):
    """The same of the plain curvature."""

    kind = "curvature"
    value = Curvature.value


class AfterEveryEpoch(CurvatureNoiseDetector):
    """The default detector, measured after every epoch, whose signals can be asked for each of them."""

    def _signals(self, seed: int) -> Sequence[Signal]:
        self.kept = [kind(h=self.h, n=self.n, power=self.power, seed=seed) for kind in (Kept, KeptCurvature)]
        return self.kept

"""Detectors of one signal of the training dynamics each, none of which needs a scoring pass during training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.detectors.measured import Measured
from curvdetect.signals.dynamics import InputGradient, LearningTime, Loss, Margin
from curvdetect.signals.evaluated import Inconfidence
from curvdetect.signals.signal import Signal


class _DynamicsDetector(BaseNoiseDetector):
    """A detector whose score is one signal of the training dynamics."""

    _signal: ClassVar[type[Loss | Margin | LearningTime | Inconfidence | InputGradient]]

    def __init__(
        self,
        net: Any = None,
        *,
        q: float | int | str = 0.1,
        max_epochs: int | None = None,
        stop_at: float | None = None,
        score_on: ArrayLike | None = None,
        keep_snapshots: int = 0,
        checkpoint_dir: str | Path | None = None,
        device: str = "auto",
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.net = net
        self.q = q
        self.max_epochs = max_epochs
        self.stop_at = stop_at
        self.score_on = score_on
        self.keep_snapshots = keep_snapshots
        self.checkpoint_dir = checkpoint_dir
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def _signals(self, seed: int) -> Sequence[Signal]:
        return [self._signal()]

    def _score(self, measured: Measured) -> NDArray[np.float64]:
        return measured.signal_scores[self._signal.name]


class LossDetector(_DynamicsDetector):
    """Rank samples by their mean loss over the epochs (CSL); higher is more suspect.

    Read off the training passes: it costs nothing beyond training. Parameters and attributes as in
    `CurvatureNoiseDetector`, less those of the curvature.

    References
    ----------
    .. [1] Ravikumar et al., "Towards Memorization Estimation: Fast, Formal and Free", ICML 2025.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from curvdetect import LossDetector
    >>> X, y = make_blobs(60, centers=3, random_state=0, cluster_std=0.5)
    >>> LossDetector(max_epochs=5, stop_at=0.9, device="cpu", random_state=0).fit(X, y).score_samples().shape
    (60,)
    """

    _signal = Loss


class MarginDetector(_DynamicsDetector):
    """Rank samples by the area under their margin (AUM), sign turned; higher is more suspect.

    The mean over epochs of the largest other logit minus the given label's. Costs nothing beyond training.
    Parameters and attributes as in `CurvatureNoiseDetector`, less those of the curvature.

    References
    ----------
    .. [1] Pleiss et al., "Identifying Mislabeled Data using the Area Under the Margin Ranking", NeurIPS 2020.

    Examples
    --------
    >>> from curvdetect import MarginDetector
    >>> MarginDetector(q=20).q
    20
    """

    _signal = Margin


class LearningTimeDetector(_DynamicsDetector):
    """Rank samples by the first epoch from which they stay correct; higher is more suspect.

    A sample still wrong at the end gets the number of epochs plus one. Ties are common. Costs nothing beyond
    training. Parameters and attributes as in `CurvatureNoiseDetector`, less those of the curvature.

    Examples
    --------
    >>> from curvdetect import LearningTimeDetector
    >>> LearningTimeDetector(max_epochs=20).max_epochs
    20
    """

    _signal = LearningTime


class InconfidenceDetector(_DynamicsDetector):
    """Rank samples by one minus the given label's probability after training; higher is more suspect.

    Weak once the network has memorized; here as a baseline. Costs one forward pass. Parameters and attributes as in
    `CurvatureNoiseDetector`, less those of the curvature.

    Examples
    --------
    >>> from curvdetect import InconfidenceDetector
    >>> InconfidenceDetector(stop_at=0.95).stop_at
    0.95
    """

    _signal = Inconfidence


class InputGradientDetector(_DynamicsDetector):
    """Rank samples by the mean norm of their loss's gradient at the input; higher is more suspect.

    Read off the training passes, for a few percent of their time. Parameters and attributes as in
    `CurvatureNoiseDetector`, less those of the curvature.

    Examples
    --------
    >>> from curvdetect import InputGradientDetector
    >>> InputGradientDetector(device="cpu").device
    'cpu'
    """

    _signal = InputGradient
    units = "deviation"

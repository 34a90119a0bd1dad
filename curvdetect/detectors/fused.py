"""Several signals of one run, or of several, made one ranking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from curvdetect.data.sources import Samples
from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.detectors.catalogue import (
    ALWAYS,
    CURVATURES,
    EXTRAS,
    curvature_signals,
    extra_signals,
    in_order,
    is_names,
)
from curvdetect.detectors.fusion import check_weights, fuse, fusion_rule
from curvdetect.detectors.measured import Measured, repeated
from curvdetect.signals.signal import Signal
from curvdetect.training.checkpoints import Checkpoints

#: Training accuracy from which on the labels count as memorized, for the choice of signals.
LISTEN_TO_ALL = 0.9
#: What ``signals="auto"`` listens to, and how much the ranks of each count.
AUTO = {"memorized": {"loss": 1.0}, "underfit": {"late_loss": 1.0, "late_margin": 1.0}}


def recommended_signals(train_accuracy: float) -> dict[str, float]:
    """Return the names of the signals of a run that rank wrong labels best, with their weights.

    Parameters
    ----------
    train_accuracy : float
        Share of the given labels that the network predicts after training.

    Returns
    -------
    dict of float
        From 0.9 on the cumulative loss; below, loss and margin of the second half of the planned epochs.

    Notes
    -----
    A choice made on experiments, by the tables of the documentation ("Which detector").

    Examples
    --------
    >>> from curvdetect import recommended_signals
    >>> recommended_signals(0.8)
    {'late_loss': 1.0, 'late_margin': 1.0}
    """
    if not (isinstance(train_accuracy, Real) and 0 <= train_accuracy <= 1):
        raise ValueError(f"train_accuracy must be a share in [0, 1], got {train_accuracy!r}.")
    return dict(AUTO[regime_of(train_accuracy)])


def regime_of(train_accuracy: float) -> str:
    """Return whether the labels were ``"memorized"``, or ``"underfit"``."""
    return "memorized" if train_accuracy >= LISTEN_TO_ALL else "underfit"


class FusedDetector(BaseNoiseDetector):
    """Rank samples by several signals of the same training at once; higher is more suspect.

    The recommended detector for ranking wrong labels: with ``signals="auto"`` it costs one plain training and takes the
    signals of it that rank best. Where the network memorized the labels, the loss over all epochs; where it did not
    (training accuracy below 0.9: strong augmentation, a small net), the loss and the margin over the second half of
    the planned epochs.

    Parameters
    ----------
    net : None, str, skorch.NeuralNet, nn.Module or nn.Module class, default=None
        As in `CurvatureNoiseDetector`.
    signals : "auto", sequence of str or dict of float, default="auto"
        Names of what to fuse, or a dictionary from names to weights: ``"loss"``, ``"margin"``, ``"learning_time"``,
        ``"inconfidence"``, ``"early_margin"``, ``"late_loss"``, ``"late_margin"``, ``"final_loss"``,
        ``"averaged_margin"``, ``"input_gradient"``, ``"gradient_contrast"``, ``"curvature"``,
        ``"curvature_contrast"``.
    beside : sequence of str, default=()
        Names of signals to record in ``signal_scores_`` without fusing them, among the same.
    combine : {"fisher", "rank_product", "rank_mean", "log_mean", "first"} or callable, default="fisher"
        As in `fuse`, which knows no weights for ``"first"`` and callables. A single signal is ranked as it is.
    n_repeats : int, default=1
        Number of trainings with seeds of their own; signals are averaged over them before they are ranked.
    h, n, power, every
        Of the curvature, where it is among the signals or beside them; as in `CurvatureNoiseDetector`.
    q, max_epochs, stop_at, score_on, keep_snapshots, checkpoint_dir, device, random_state, verbose
        As in `CurvatureNoiseDetector`.

    Attributes
    ----------
    regime_ : {"memorized", "underfit"}
        Whether the training accuracy, the lowest of the repeats, reached 0.9.
    fused_signals_ : dict of float
        What was fused, with the weight of each.
    signal_scores_ : dict of arrays of shape (n_samples,)
        Every signal that was recorded, averaged over the repeats.

    See Also
    --------
    CurvSSFT : Curvature and second-split forgetting, whose trainings are not those of one run.

    Notes
    -----
    Costs ``n_repeats`` plain trainings, and what the signals cost.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from curvdetect import FusedDetector
    >>> X, y = make_blobs(60, centers=3, random_state=0, cluster_std=0.5)
    >>> detector = FusedDetector(max_epochs=10, device="cpu", random_state=0).fit(X, y)
    >>> detector.regime_, detector.fused_signals_
    ('memorized', {'loss': 1.0})
    """

    def __init__(
        self,
        net: Any = None,
        *,
        signals: str | Sequence[str] | dict[str, float] = "auto",
        beside: Sequence[str] = (),
        combine: Any = "fisher",
        n_repeats: int = 1,
        h: float = 1e-2,
        n: int = 1,
        q: float | int | str = 0.1,
        power: int = 1,
        every: int | str = "auto",
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
        self.signals = signals
        self.beside = beside
        self.combine = combine
        self.n_repeats = n_repeats
        self.h = h
        self.n = n
        self.q = q
        self.power = power
        self.every = every
        self.max_epochs = max_epochs
        self.stop_at = stop_at
        self.score_on = score_on
        self.keep_snapshots = keep_snapshots
        self.checkpoint_dir = checkpoint_dir
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def _signals(self, seed: int) -> Sequence[Signal]:
        known = (*ALWAYS, *EXTRAS, *CURVATURES)
        if isinstance(self.signals, str) and self.signals == "auto":
            fused = [name for names in AUTO.values() for name in names]
        elif is_names(self.signals, known) and len(self.signals):
            fused = list(self.signals)
        else:
            raise ValueError(
                "signals must be 'auto', or a sequence (a dictionary, with weights) of names from "
                f"{sorted(known)}, got {self.signals!r}."
            )
        if not is_names(self.beside, known):
            raise ValueError(f"beside must be a sequence of names from {sorted(known)}, got {self.beside!r}.")
        names = dict.fromkeys([*fused, *self.beside])
        curvatures: list[Signal] = []
        if names.keys() & CURVATURES.keys():
            contrast = "curvature_contrast" in names
            curvatures = curvature_signals(contrast=contrast, h=self.h, n=self.n, power=self.power, seed=seed)
        return in_order(curvatures, extra_signals([name for name in names if name in EXTRAS]))

    def _measure(self, samples: Samples, device: torch.device, seed: int, checkpoints: Checkpoints) -> Measured:
        fusion_rule(self.combine)
        self._signals(seed)  # what is wrong with the signals, or with their weights, is said before anything is trained
        weights = list(self._weights(train_accuracy=1.0).values())
        if isinstance(self.signals, Mapping) and (len(set(weights)) > 1 or not weights[0]):
            check_weights(weights, len(weights), self.combine)
        measured = repeated(
            lambda seed, place: super(FusedDetector, self)._measure(samples, device, seed, place),
            self.n_repeats,
            seed,
            checkpoints,
        )
        accuracy = measured.attributes["train_accuracy_"]
        measured.attributes["regime_"] = regime_of(accuracy)
        measured.attributes["fused_signals_"] = self._weights(accuracy)
        return measured

    def _weights(self, train_accuracy: float) -> dict[str, float]:
        if isinstance(self.signals, str):
            return recommended_signals(train_accuracy)
        return dict(self.signals) if isinstance(self.signals, Mapping) else dict.fromkeys(self.signals, 1.0)

    def _score_measured_later(self, measured: Measured) -> NDArray[np.float64]:
        """Rank what was not fitted among what was: a rank means nothing by itself."""
        known = self.scored_mask_
        # no others: an interrupted training lacks those that are measured at its end
        both = {
            name: np.append(self.signal_scores_[name][known], measured.signal_scores[name])
            for name in self.fused_signals_
        }
        together = Measured(both, measured.other, {"fused_signals_": self.fused_signals_})
        return self._score(together)[known.sum() :]

    def _score(self, measured: Measured) -> NDArray[np.float64]:
        weights: dict[str, float] = measured.attributes["fused_signals_"]
        if len(weights) == 1:
            return fuse(measured.signal_scores[next(iter(weights))])
        unweighted = len(set(weights.values())) == 1
        return fuse(
            *(measured.signal_scores[name] for name in weights),
            combine=self.combine,
            weights=None if unweighted else list(weights.values()),
        )

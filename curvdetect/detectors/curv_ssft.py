"""Curvature and second-split forgetting in one ranking."""

from __future__ import annotations

from dataclasses import replace
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curvdetect.data.samples import Samples
from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.detectors.catalogue import curvature_signals
from curvdetect.detectors.fusion import fuse
from curvdetect.detectors.inputs import check_step
from curvdetect.detectors.measured import Measured, one_run, repeated
from curvdetect.detectors.ranking import rank_share
from curvdetect.detectors.ssft import STATISTICS, as_measured, check_second_split
from curvdetect.signals.signal import Signal
from curvdetect.training.second_split import second_split
from curvdetect.training.settings import Settings

#: Ways to combine that go by name.
COMBINATIONS = ("rank_mean", "ssft_first", "weighted_ranks", "rank_product", "log_mean")


class CurvSSFT(BaseNoiseDetector):
    """Rank samples by curvature and second-split forgetting together; higher is more suspect.

    The paper reports a combination under this name and says nothing about how the two are combined, nor does any
    public code: the original is unspecified. Here it is the mean of the two rank vectors (ties share their rank) by
    default, with `SSFTDetector`'s mean loss as the forgetting score; others are to be had by ``combine`` and
    ``statistic``.

    Parameters
    ----------
    net : None, str, skorch.NeuralNet, nn.Module or nn.Module class, default=None
        As in `CurvatureNoiseDetector`.
    h, n, q, power, contrast, units, every
        As in `CurvatureNoiseDetector`.
    combine : str or callable, default="rank_mean"
        ``"rank_mean"``; ``"ssft_first"``, forgetting with the curvature breaking ties (of the ``"time"`` or the
        ``"share"``: the mean loss has none); ``"weighted_ranks"``, by ``weight``; ``"rank_product"``, of ranks counted
        from the worst; ``"log_mean"``, the mean of the logarithms of the scores; or a callable that takes the two
        arrays of shape (n_samples,), curvature first, and returns one.
    weight : float in [0, 1], default=1/3
        Share of the curvature in ``"weighted_ranks"``.
    share_training : bool, default=False
        Measure the curvature during the first stages of the second split, each half in its own training, instead of
        in a training on all samples of its own. Saves that training. The curvature is then given as its rank share
        within the half.
    statistic, n_repeats, max_epochs, second_epochs, stop_at, patience
        As in `SSFTDetector`; a repeat includes the training for the curvature.
    checkpoint_dir, device, random_state, verbose
        As in `CurvatureNoiseDetector`.

    Attributes
    ----------
    signal_scores_ : dict of arrays of shape (n_samples,)
        Both parts: ``"curvature"``, unless without ``contrast`` ``"curvature_contrast"``; ``"forgetting_loss"``,
        ``"forgotten_share"`` and ``"forgetting_time"``. Without ``share_training`` also ``"loss"``,
        ``"margin"``, ``"learning_time"`` and ``"inconfidence"``.
    history_ : list of dict
        One record for each epoch, with its ``half`` (0 or 1, None for the training on all samples) and ``stage``.

    See Also
    --------
    CurvatureNoiseDetector, SSFTDetector : The two halves, whose scores with the same ``random_state`` are the parts.
    FusedDetector : Any signals of one run.

    Notes
    -----
    Costs that of `CurvatureNoiseDetector` and of `SSFTDetector` together: 23/6 plain trainings by default, 16/3 with
    ``every=1``, and one less with ``share_training``. Ctrl-C before the first repeat is complete leaves no scores
    (``checkpoint_dir`` keeps what was trained), after it those of the complete repeats.

    References
    ----------
    .. [1] Garg, Ravikumar, Roy, "Memorization Through the Lens of Curvature of Loss Function Around Samples",
       ICML 2024, Table 2.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from curvdetect import CurvSSFT
    >>> X, y = make_blobs(60, centers=3, random_state=0, cluster_std=0.5)
    >>> detector = CurvSSFT(share_training=True, max_epochs=5, stop_at=0.9, device="cpu", random_state=0).fit(X, y)
    >>> sorted(detector.signal_scores_)
    ['curvature', 'curvature_contrast', 'forgetting_loss', 'forgetting_time', 'forgotten_share']
    """

    def __init__(
        self,
        net: Any = None,
        *,
        h: float = 1e-2,
        n: int = 1,
        q: float | int | str = 0.1,
        power: int = 1,
        contrast: bool = True,
        units: str = "deviation",
        combine: Any = "rank_mean",
        weight: float = 1 / 3,
        share_training: bool = False,
        statistic: str = "loss",
        n_repeats: int = 1,
        every: int | str = "auto",
        max_epochs: int | None = None,
        second_epochs: int | None = None,
        stop_at: float | None = None,
        patience: int = 1,
        checkpoint_dir: str | Path | None = None,
        device: str = "auto",
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.net = net
        self.h = h
        self.n = n
        self.q = q
        self.power = power
        self.contrast = contrast
        self.units = units
        self.combine = combine
        self.weight = weight
        self.share_training = share_training
        self.statistic = statistic
        self.n_repeats = n_repeats
        self.every = every
        self.max_epochs = max_epochs
        self.second_epochs = second_epochs
        self.stop_at = stop_at
        self.patience = patience
        self.checkpoint_dir = checkpoint_dir
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def _signals(self, seed: int) -> list[Signal]:
        return curvature_signals(contrast=self.contrast, h=self.h, n=self.n, power=self.power, seed=seed)

    def _measure(self, samples: Samples, settings: Settings) -> Measured:
        check_second_split(self)
        self._check_combine()
        self._signals(settings.seed)  # what is wrong with h, n and power is said before anything is trained
        check_step(self.h, samples)
        return repeated(lambda own: self._both(samples, own), self.n_repeats, settings)

    def _both(self, samples: Samples, settings: Settings) -> Measured:
        """Return the signals of one repeat."""
        alone = None
        if not self.share_training:
            place = settings.checkpoints.part("all")
            alone = one_run(samples, self._signals(settings.seed), replace(settings, checkpoints=place))
            if alone.interrupt is not None:
                raise alone.interrupt
        found = second_split(
            samples,
            settings,
            second_epochs=self.second_epochs,
            first_signals=self._signals if self.share_training else lambda seed: (),
        )
        measured = as_measured(found, settings.device)
        if alone is None:
            for signal in self._signals(settings.seed):
                measured.signal_scores[signal.name] = _ranked_within(found.half, found.scores[signal.name])
            return measured
        return _together(alone, measured)

    def _score(self, measured: Measured) -> NDArray[np.float64]:
        curvature = measured.signal_scores["curvature_contrast" if self.contrast else "curvature"]
        forgetting = measured.signal_scores[STATISTICS[self.statistic]]
        if self.combine == "ssft_first":
            return fuse(forgetting, curvature, combine="first")
        if self.combine == "weighted_ranks":
            return fuse(curvature, forgetting, combine="rank_mean", weights=(self.weight, 1 - self.weight))
        return fuse(curvature, forgetting, combine=self.combine)

    def _check_combine(self) -> None:
        if not callable(self.combine) and self.combine not in COMBINATIONS:
            raise ValueError(
                f"combine must be one of {', '.join(map(repr, COMBINATIONS))} or a callable, got {self.combine!r}."
            )
        if not (isinstance(self.weight, Real) and 0 <= float(self.weight) <= 1):
            raise ValueError(
                f"weight must lie in [0, 1], the curvature's share of weighted ranks, got {self.weight!r}."
            )


def _ranked_within(half: NDArray[np.int64], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rank shares within each half: the two come from different networks, on scales of their own."""
    ranked = np.empty_like(scores)
    for part in (0, 1):
        ranked[half == part] = rank_share(scores[half == part])
    return ranked


def _together(alone: Measured, split: Measured) -> Measured:
    """Return one run's measurements and those of a second split as one."""
    one, two = alone.attributes, split.attributes
    seconds = {name: one["seconds_"].get(name, 0.0) + two["seconds_"].get(name, 0.0) for name in one["seconds_"]}
    attributes = {
        **one,
        "n_iter_": one["n_iter_"] + two["n_iter_"],
        "train_accuracy_": min(one["train_accuracy_"], two["train_accuracy_"]),
        "history_": [*({"half": None, "stage": 1, **record} for record in one["history_"]), *two["history_"]],
        "seconds_": {**two["seconds_"], **seconds},
    }
    return Measured({**alone.signal_scores, **split.signal_scores}, alone.other, attributes)

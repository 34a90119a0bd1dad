"""Second-split forgetting, alone and together with the curvature.

A label is soon forgotten when the network goes on training on other samples, where nothing else supports it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from curvdetect.data.samples import Samples
from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.detectors.inputs import check_step
from curvdetect.detectors.measured import Measured, joined, noted, one_run, repeated
from curvdetect.detectors.parameters import EPOCHS, RUNS, Constraints, Contrasting, Number, Trained, with_parameters
from curvdetect.detectors.ranking import fuse, rank_share
from curvdetect.signals.registry import curvatures, recorded
from curvdetect.signals.signal import Signal
from curvdetect.training.second_split import second_split
from curvdetect.training.settings import Settings

#: The signals of the second stage, by the value of ``statistic``.
STATISTICS = dict(zip(("loss", "share", "time"), recorded("second split"), strict=True))
#: Ways to combine that go by name.
COMBINATIONS = ("rank_mean", "ssft_first", "weighted_ranks", "rank_product", "log_mean")


@with_parameters
class _SecondSplit(Trained, BaseNoiseDetector):
    """Detectors that train on one half of the samples, and then on the other.

    Parameters
    ----------
    statistic : {"loss", "share", "time"}, default="loss"
        The score of the second stage: the sample's mean loss, the share of epochs in which it is wrong, or the original
        second-split forgetting time with its sign turned, which ties where samples are never forgotten. All three are
        in ``signal_scores_``.
    n_repeats : int, default=1
        Number of random splits, each with its own seed and trainings, over which the signals are averaged; this breaks
        most ties of the time. Ctrl-C keeps the scores of complete repeats. Before the first is complete it leaves none
        (``checkpoint_dir`` keeps what was trained).
    max_epochs : int, optional
        Length of the first stage; by default the net's own.
    second_epochs : int, optional
        Length of the second stage; by default that of the first.
    stop_at : float, optional
        End a stage after ``patience`` epochs in a row with this training accuracy. The original is
        ``stop_at=1.0, patience=5``.
    patience : int, default=1
        See ``stop_at``.

    Attributes
    ----------
    train_accuracy_ : float
        The lowest after a first stage of a half, or after a training on all samples.
    n_iter_ : int
        Epochs trained, all stages together.
    seconds_ : dict of float
        Time spent on training, on each signal and, with ``q="auto"``, on ``noise_rate``.
    """

    statistic: str = "loss"
    n_repeats: int = 1
    second_epochs: int | None = None
    patience: int = 1

    _constraints: ClassVar[Constraints] = {
        "statistic": STATISTICS,
        "n_repeats": [RUNS],
        "second_epochs": [None, Number("a whole number, at least 1")],
        "patience": [EPOCHS],
    }

    def _split(
        self, samples: Samples, settings: Settings, first_signals: Callable[[int], Sequence[Signal]] = lambda seed: ()
    ) -> Measured:
        """Return the signals of a second split; those of its first stages as rank shares within their halves."""
        found = second_split(samples, settings, second_epochs=self.second_epochs, first_signals=first_signals)
        for name in found.scores.keys() - recorded("second split").keys():
            for half in (found.half == 0, found.half == 1):  # each from its own network, on its own scale
                found.scores[name][half] = rank_share(found.scores[name][half])
        attributes = {
            "n_iter_": len(found.history),
            "train_accuracy_": found.train_accuracy,
            "history_": found.history,
            "seconds_": found.seconds,
            "device_": str(settings.device),
        }
        return Measured(found.scores, found.other, attributes)


@with_parameters
class SSFTDetector(_SecondSplit):
    """Rank samples by how soon their label is forgotten in a second split; higher is more suspect.

    The samples are split in two halves, each class evenly. A network memorizes one half (first stage). From its
    weights, with a fresh optimizer and schedule, it goes on training on the other half (second stage), and the first
    half is measured after each epoch. Then the halves swap, so that every sample gets a score.

    Attributes
    ----------
    signal_scores_ : dict of arrays of shape (n_samples,)
        ``"forgetting_loss"``, ``"forgotten_share"`` and ``"forgetting_time"``, higher for the more suspect. The time is
        negative: -1 for forgotten at once or never learned, -(``second_epochs`` + 1) for right to the end.
    history_ : list of dict
        One record for each epoch, with its ``half`` (0 or 1) and ``stage`` (1 or 2).

    See Also
    --------
    CurvSSFT : Together with the curvature.

    Notes
    -----
    Costs 7/3 plain trainings for each repeat. Measures in evaluation mode; the original's code leaves BatchNorm in
    training mode.

    References
    ----------
    .. [1] Maini, Garg, Lipton, Kolter, "Characterizing Datapoints via Second-Split Forgetting", NeurIPS 2022.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from curvdetect import SSFTDetector
    >>> X, y = make_blobs(60, centers=3, random_state=0, cluster_std=0.5)
    >>> detector = SSFTDetector(max_epochs=5, stop_at=0.9, device="cpu", random_state=0).fit(X, y)
    >>> sorted(detector.signal_scores_)
    ['forgetting_loss', 'forgetting_time', 'forgotten_share']
    """

    def _measure(self, samples: Samples, settings: Settings) -> Measured:
        return repeated(lambda own: self._split(samples, own), self.n_repeats, settings)

    def _score(self, measured: Measured) -> NDArray[np.float64]:
        return measured.signal_scores[STATISTICS[self.statistic]]


@with_parameters
class CurvSSFT(Contrasting, _SecondSplit):
    """Rank samples by curvature and second-split forgetting together; higher is more suspect.

    The paper does not say how it combines the two, nor does any public code. By default this is the mean of the two
    rank vectors, with `SSFTDetector`'s mean loss as the forgetting score.

    Parameters
    ----------
    combine : str or callable, default="rank_mean"
        ``"rank_mean"``; ``"ssft_first"``, forgetting with ties broken by the curvature (of the ``"time"`` or the
        ``"share"``: the mean loss has none); ``"weighted_ranks"``, by ``weight``; ``"rank_product"``, of ranks counted
        from the worst; ``"log_mean"``, the mean of the logarithms of the scores; or a callable that takes the two
        arrays of shape (n_samples,), curvature first, and returns one.
    weight : float in [0, 1], default=1/3
        Share of the curvature in ``"weighted_ranks"``.
    share_training : bool, default=False
        Whether to measure the curvature during the first stages of the second split rather than in a training on all
        samples, which saves that training. The curvature is then the rank share within the half.

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
    CurvatureNoiseDetector, SSFTDetector : The two parts, with the same scores for the same ``random_state``.
    FusedDetector : Any signals of one run.

    Notes
    -----
    Costs as much as `CurvatureNoiseDetector` and `SSFTDetector` together: 23/6 plain trainings by default, 16/3 with
    ``every=1``, and one less with ``share_training``.

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

    combine: Any = "rank_mean"
    weight: float = 1 / 3
    share_training: bool = False

    _constraints: ClassVar[Constraints] = {
        "combine": [*COMBINATIONS, callable],
        "weight": [Number("a share in [0, 1]", Real, lambda share: 0 <= share <= 1)],
    }

    def _signals(self, seed: int) -> list[Signal]:
        return curvatures(contrast=self.contrast, h=self.h, n=self.n, power=self.power, seed=seed)

    def _measure(self, samples: Samples, settings: Settings) -> Measured:
        self._signals(settings.seed)  # raises for wrong h, n and power before anything is trained
        check_step(self.h, samples)
        return repeated(lambda own: self._both(samples, own), self.n_repeats, settings)

    def _both(self, samples: Samples, settings: Settings) -> Measured:
        """Return the signals of one repeat."""
        if self.share_training:
            return self._split(samples, settings, self._signals)
        place = settings.checkpoints.part("all")
        alone = one_run(samples, self._signals(settings.seed), replace(settings, checkpoints=place))
        if alone.interrupt is not None:
            raise alone.interrupt
        split = self._split(samples, settings)
        both = joined([noted(alone.attributes, half=None, stage=1), split.attributes])
        scores = {**alone.signal_scores, **split.signal_scores}
        return Measured(scores, alone.other, {**alone.attributes, **both})

    def _score(self, measured: Measured) -> NDArray[np.float64]:
        curvature = measured.signal_scores[self._own_signal]
        forgetting = measured.signal_scores[STATISTICS[self.statistic]]
        if self.combine == "ssft_first":
            return fuse(forgetting, curvature, combine="first")
        if self.combine == "weighted_ranks":
            return fuse(curvature, forgetting, combine="rank_mean", weights=(self.weight, 1 - self.weight))
        return fuse(curvature, forgetting, combine=self.combine)

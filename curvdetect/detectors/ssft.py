"""Second-split forgetting: labels that are soon forgotten when the network goes on training on other samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from curvdetect.data.samples import Samples
from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.detectors.checks import is_count
from curvdetect.detectors.measured import Measured, repeated
from curvdetect.training.second_split import SecondSplit, second_split
from curvdetect.training.settings import Settings

#: What is measured of the second stage, by the name of the parameter's value.
STATISTICS = {"loss": "forgetting_loss", "share": "forgotten_share", "time": "forgetting_time"}


class SSFTDetector(BaseNoiseDetector):
    """Rank samples by how soon their label is forgotten in a second split; higher is more suspect.

    The samples are split in two halves, each class evenly. A network memorizes one half (first stage); from its
    weights, with a fresh optimizer and schedule, it goes on training on the other (second stage), and after each epoch
    of it the first half is looked at: a wrong label, supported by nothing in the other half, is soon forgotten. Then
    the halves take each other's part, so that every sample gets a score.

    Parameters
    ----------
    net : None, str, skorch.NeuralNet, nn.Module or nn.Module class, default=None
        As in `CurvatureNoiseDetector`. Trained four times, on one half of the samples each time.
    statistic : {"loss", "share", "time"}, default="loss"
        What of the second stage is the score: the sample's mean loss, the share of epochs in which it is wrong, or the
        second-split forgetting time of the original with its sign turned. All three are in ``signal_scores_``. The
        time ties: most samples are never forgotten.
    n_repeats : int, default=1
        Number of random splits, each with a seed of its own, over which the statistics are averaged; this breaks most
        ties of the time.
    max_epochs : int, optional
        Length of the first stage; by default the net's own.
    second_epochs : int, optional
        Length of the second stage; by default that of the first.
    stop_at : float, optional
        End a stage after ``patience`` epochs in a row with this training accuracy. The original is
        ``stop_at=1.0, patience=5``.
    patience : int, default=1
        See ``stop_at``.
    q, checkpoint_dir, device, random_state, verbose
        As in `CurvatureNoiseDetector`.

    Attributes
    ----------
    signal_scores_ : dict of arrays of shape (n_samples,)
        ``"forgetting_loss"``, ``"forgotten_share"`` and ``"forgetting_time"``, higher for the more suspect. The
        time is negative: -1 was forgotten at once or never learned, minus (``second_epochs`` + 1) is still right at
        the end.
    train_accuracy_ : float
        After the first stage, the lower of the two halves.
    history_ : list of dict
        One record for each epoch, with its ``half`` (0 or 1) and ``stage`` (1 or 2).
    n_iter_ : int
        Epochs trained, all stages together.

    See Also
    --------
    CurvSSFT : Together with the curvature.

    Notes
    -----
    Costs 7/3 plain trainings for each repeat: in sum two on all samples, and one forward pass over them for each
    epoch of the second stage. Ctrl-C before the first repeat is complete leaves no scores, since half of the samples
    would have none (``checkpoint_dir`` keeps what was trained); after it, those of the complete repeats. Evaluation is
    in evaluation mode; the original's code leaves BatchNorm in training mode.

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

    def __init__(
        self,
        net: Any = None,
        *,
        statistic: str = "loss",
        n_repeats: int = 1,
        q: float | int | str = 0.1,
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
        self.statistic = statistic
        self.n_repeats = n_repeats
        self.q = q
        self.max_epochs = max_epochs
        self.second_epochs = second_epochs
        self.stop_at = stop_at
        self.patience = patience
        self.checkpoint_dir = checkpoint_dir
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def _measure(self, samples: Samples, settings: Settings) -> Measured:
        check_second_split(self)

        def split(settings: Settings) -> Measured:
            return as_measured(second_split(samples, settings, second_epochs=self.second_epochs), settings.device)

        return repeated(split, self.n_repeats, settings)

    def _score(self, measured: Measured) -> NDArray[np.float64]:
        return measured.signal_scores[STATISTICS[self.statistic]]


def check_second_split(detector: Any) -> None:
    """Raise where a parameter of the two stages is out of range."""
    if detector.statistic not in STATISTICS:
        raise ValueError(f"statistic must be one of {', '.join(map(repr, STATISTICS))}, got {detector.statistic!r}.")
    if detector.second_epochs is not None and not is_count(detector.second_epochs):
        raise ValueError(f"second_epochs must be None or a whole number, at least 1, got {detector.second_epochs!r}.")
    if not is_count(detector.patience):
        raise ValueError(f"patience must be a whole number of epochs, at least 1, got {detector.patience!r}.")


def as_measured(found: SecondSplit, device: torch.device) -> Measured:
    """Return what a second split found as any detector's measurements."""
    attributes = {
        "n_iter_": len(found.history),
        "train_accuracy_": found.train_accuracy,
        "history_": found.history,
        "seconds_": found.seconds,
        "device_": str(device),
    }
    return Measured(found.scores, found.other, attributes)

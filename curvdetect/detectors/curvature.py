"""The headline detector: curvature of the loss around each input, averaged over training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvdetect.data.samples import Samples
from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.detectors.catalogue import CURVATURES, curvature_signals, extra_signals, grid_name, in_order
from curvdetect.detectors.inputs import check_step
from curvdetect.detectors.measured import Measured
from curvdetect.signals.signal import Signal
from curvdetect.training.settings import Settings


class CurvatureNoiseDetector(BaseNoiseDetector):
    """Rank samples by the curvature of the loss around them; higher is more suspect.

    A network is trained until it has memorized the labels. After a quarter of the epochs, most of them early, each
    sample's input gradient is compared with that at ``n`` points a step ``h`` away, and the differences are averaged.
    Wrong labels have to be memorized one by one, which bends the loss around them.

    Parameters
    ----------
    net : None, str, skorch.NeuralNet, nn.Module or nn.Module class, default=None
        What is trained; a copy is, yours stays as it is, and the weights of a module instance are where training
        starts: pass it untrained. None takes an MLP for 2-D ``X`` and a compact ResNet for
        pictures; ``"resnet18-cifar"`` and ``"resnet-mnist"`` are the paper's.
    h : float, default=1e-2
        Step of the finite difference, in ``units``.
    n : int, default=1
        Number of Rademacher probes.
    q : float, int or "auto", default=0.1
        Share, or count, of the scored samples to flag. "auto" flags as many as are estimated to be wrong, for one more
        plain training, without curvature: labels planted wrong in a copy tell, by the loss, which share of wrong labels
        is found where. May be none. After Ctrl-C before the estimate is there, a tenth.
    power : {1, 2}, default=1
        1 averages norms of the difference, 2 squared norms, eq. (6) of the paper.
    contrast : bool, default=True
        Score by the share of the given label in its own curvature and that of the best other label,
        ``c_y / (c_y + c_o)`` of each scored epoch. What makes a sample difficult under any label cancels. False scores
        by the curvature alone, as the paper does, and saves one backward pass for each gradient.
    units : {"deviation", "raw"}, default="deviation"
        In which ``h`` and the gradients are given where samples are rows of numbers. "deviation" takes each column's
        own deviation, the distance of its quartiles divided by 1.349, so that the units of the columns change no
        score; "raw" takes the columns as they are. Pictures and longer shapes are always taken as they are.
    every : int or "auto", default="auto"
        Measure after every so many epochs, counted back from the last. "auto" measures after a quarter of them, at
        least 8 and at most 24, at distances that grow with time.
    grid : dict of sequences or list of such, optional
        Other ``h``, ``n`` and ``power`` to measure in the same run, as ``{"h": [1e-2, 1e-3], "n": [1, 10]}``; scores
        of all combinations in ``grid_scores_``. Costs, for each ``h``, its largest ``n``. `CurvatureSearch` grades
        them.
    signals : sequence of str, default=()
        What to record beside loss, margin, learning time and inconfidence: ``"input_gradient"``, ``"averaged_margin"``,
        ``"early_margin"`` (first quarter of the planned epochs), ``"late_loss"`` and ``"late_margin"`` (second half),
        ``"final_loss"`` (last quarter), ``"gradient_contrast"`` (as ``contrast``, of the plain gradient).
    max_epochs : int, optional
        Length of the training; by default the net's own.
    stop_at : float, optional
        Stop after the first epoch with this training accuracy.
    score_on : array-like of int, or of bool of shape (n_samples,), optional
        Positions of the samples to score, or a mask; by default all. The network is trained on all of them, the
        curvature is measured of these, and only they are ranked and flagged: their scores are those of a run that
        measures all. The others have NaN for a score. Signals that are read off the training are there for all.
    keep_snapshots : int, default=0
        Number of scored epochs, evenly chosen among them, whose weights are kept, so that ``score_samples(X, y)`` can
        measure samples that were not fitted; each takes as much memory as the weights. With ``checkpoint_dir`` they
        are kept there.
    checkpoint_dir : str or Path, optional
        Directory for a checkpoint after each epoch: weights, optimizer, schedules, random generators and what the
        signals gathered. A fit that was killed goes on from there when it is called again with the same data and
        parameters, to the very scores it would have had; other data or parameters are refused by name. A fit that
        was finished is taken up too: delete the directory to train anew.
    device : str, default="auto"
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.
    random_state : int, RandomState instance or None, default=None
        Of weights (save those that a module instance brings), order, augmentation and probes.
    verbose : int, default=0
        1 shows a progress bar with the time left.

    Attributes
    ----------
    scores_, decision_scores_ : array of shape (n_samples,)
        Mean contrast of each training sample, without ``contrast`` its mean curvature; NaN for those that ``score_on``
        left out.
    scored_mask_ : array of shape (n_samples,), bool
        True where a sample has a score.
    ranking_ : array of shape (n_scored,)
        Indices of the samples that have one, most suspect first.
    labels_ : array of shape (n_samples,)
        1 for a suspect, 0 otherwise; exactly the top ``q``.
    threshold_, offset_ : float
        Lowest score among the suspects; just above the highest score where there are none.
    noise_rate_ : float
        With ``q="auto"``, the estimated share of wrong labels among the scored samples. NaN after Ctrl-C.
    noise_rate_interval_ : tuple of float
        With ``q="auto"``, the ends of the rate's 95 % interval. The better scores separate, the narrower.
    suggested_labels_ : array of shape (n_samples,)
        For each sample the best label other than the given one: what it would be if the given one is wrong.
    signal_scores_ : dict of arrays of shape (n_samples,)
        Every signal of the run by name, higher for the more suspect; NaN where it was not measured.
    grid_scores_ : dict of arrays of shape (n_samples,)
        From ``(h, n, power)`` to the scores that a detector with this setting would have, where ``grid`` was passed.
    grid_signals_ : dict of dicts of arrays of shape (n_samples,)
        From ``(h, n, power)`` to what such a detector would have of its own in ``signal_scores_``.
    signal_quarters_ : dict of arrays of shape (4, n_samples)
        The loss and the margin within each quarter of the planned training; NaN where it ended before.
    units_ : array of shape (n_features,)
        Length of a step of one in each column, where ``units="deviation"`` met rows of numbers; 0 for a constant one.
    classes_ : array
        Distinct labels, sorted.
    n_features_in_ : int
        Length of the first axis of a sample.
    feature_names_in_ : array
        Column names, where ``X`` had some.
    net_ : skorch.NeuralNet
        The trained net. Its classes are the positions of ``classes_``.
    n_iter_ : int
        Epochs trained.
    train_accuracy_ : float
        Share of the given labels that the trained net predicts.
    stop_reason_ : {"max_epochs", "stop_at", "early_stopping", "interrupted"}
        Why the training ended.
    history_ : list of dict
        One record for each epoch; of a scored one, with ``mean_curvature`` and ``mean_curvature_contrast``, the means
        over all samples in that epoch.
    seconds_ : dict of float
        Time spent on training and on each signal.
    device_ : str
        Where it ran.
    interrupted_ : bool
        Whether Ctrl-C, or an error, ended the run; scores are then those of the completed epochs.
    snapshots_ : list of Snapshot
        Epochs and weights, as ``keep_snapshots`` asked for.

    See Also
    --------
    LossDetector : Costs nothing beyond training, and often ranks better.
    ConfidentLearningDetector : The out-of-sample baseline.
    input_curvature : The score of one epoch, for a training loop of your own.

    Notes
    -----
    A scored epoch costs 3 (n + 1) forward passes over the data, 2 (n + 1) without ``contrast``, against 3 for an epoch
    of training. With ``score_on`` the passes are over the samples it names.

    On networks of ReLUs the score depends on ``h`` in more than scale, since the difference is made by the kinks
    that a step crosses; thresholds can't be compared between different ``h``.

    References
    ----------
    .. [1] Garg, Ravikumar, Roy, "Memorization Through the Lens of Curvature of Loss Function Around Samples",
       ICML 2024, eq. (6).

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from curvdetect import CurvatureNoiseDetector, corrupt_labels
    >>> X, y = make_blobs(60, centers=3, random_state=0, cluster_std=0.5)
    >>> labels, mask = corrupt_labels(y, rate=0.05, random_state=0)
    >>> detector = CurvatureNoiseDetector(q=0.05, max_epochs=25, stop_at=1.0, device="cpu", random_state=0)
    >>> int(detector.fit_predict(X, labels).sum())
    3
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
        every: int | str = "auto",
        grid: Mapping[str, Sequence[Any]] | list[Mapping[str, Sequence[Any]]] | None = None,
        signals: Sequence[str] = (),
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
        self.h = h
        self.n = n
        self.q = q
        self.power = power
        self.contrast = contrast
        self.units = units
        self.every = every
        self.grid = grid
        self.signals = signals
        self.max_epochs = max_epochs
        self.stop_at = stop_at
        self.score_on = score_on
        self.keep_snapshots = keep_snapshots
        self.checkpoint_dir = checkpoint_dir
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @classmethod
    def paper(cls, net: Any = None, **params: Any) -> Self:
        """Return a detector with eq. (6) as printed, measured after every epoch.

        That is ``h=1e-3, n=10, power=2, contrast=False, units="raw"``.

        Parameters
        ----------
        net : see the class
            What is trained.
        **params
            Any other parameter; one of those above overrides it.
        """
        return cls(net, **{"h": 1e-3, "n": 10, "power": 2, "contrast": False, "units": "raw", "every": 1, **params})

    def _signals(self, seed: int) -> Sequence[Signal]:
        extras = extra_signals(self.signals)
        common: dict[str, Any] = {"contrast": self.contrast, "seed": seed}
        curvatures = curvature_signals(h=self.h, n=self.n, power=self.power, **common)
        for h, n, power in self._grid_settings():
            curvatures += curvature_signals(h=h, n=n, power=power, **common, beside=True)
        return in_order(curvatures, extras)

    @property
    def _own_signal(self) -> str:
        return "curvature_contrast" if self.contrast else "curvature"

    def _grid_settings(self) -> list[tuple[float, int, int]]:
        """Return the settings of ``grid``, each once."""
        if self.grid is None:
            return []
        known = ("h", "n", "power")
        grids = self.grid if isinstance(self.grid, list) and self.grid else [self.grid]
        settings: dict[tuple[float, int, int], None] = {}
        for grid in grids:
            if not isinstance(grid, Mapping) or not grid or set(grid) - set(known):
                raise ValueError(f"grid must be a dict of sequences with keys among {known}, got {grid!r}.")
            values = [grid.get(name, [getattr(self, name)]) for name in known]
            for name, some in zip(known, values, strict=True):
                if isinstance(some, str) or not np.iterable(some) or not len(some):
                    raise ValueError(f"grid[{name!r}] must be a sequence of values to measure, got {some!r}.")
            settings |= dict.fromkeys(product(*values))
        return list(settings)

    def _measure(self, samples: Samples, settings: Settings) -> Measured:
        check_step(self.h, samples)
        measured = super()._measure(samples, settings)
        if self.grid is not None:
            names = CURVATURES if self.contrast else (self._own_signal,)
            signals = {
                setting: {name: measured.signal_scores.pop(grid_name(name, *setting)) for name in names}
                for setting in self._grid_settings()
            }
            measured.attributes["grid_signals_"] = signals
            measured.attributes["grid_scores_"] = {s: scores[self._own_signal] for s, scores in signals.items()}
        return measured

    def _score(self, measured: Measured) -> NDArray[np.float64]:
        return measured.signal_scores[self._own_signal]

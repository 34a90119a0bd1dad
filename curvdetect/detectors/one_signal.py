"""Detectors whose score is one signal of a run: the curvature, and signals of the training dynamics.

The latter need no scoring pass during the training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from curvdetect.data.samples import Samples
from curvdetect.data.types import Record
from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.detectors.inputs import check_step
from curvdetect.detectors.measured import Measured
from curvdetect.detectors.parameters import Contrasting, OneRun, with_parameters
from curvdetect.signals.dynamics import InputGradient, LearningTime, Loss, Margin
from curvdetect.signals.evaluated import Inconfidence
from curvdetect.signals.registry import asked_for, curvatures, grid_name, in_order, recorded
from curvdetect.signals.signal import Signal
from curvdetect.training.settings import Settings


@with_parameters
class CurvatureNoiseDetector(Contrasting, OneRun, BaseNoiseDetector):
    """Rank samples by the curvature of the loss around them; higher is more suspect.

    A network is trained until it has memorized the labels. After some epochs, most of them early, each sample's input
    gradient is compared with that at ``n`` points a step ``h`` away, and the differences are averaged. Wrong labels
    have to be memorized one by one, which bends the loss around them.

    Parameters
    ----------
    grid : dict of sequences or list of such, optional
        Other ``h``, ``n`` and ``power`` to measure in the same run, as ``{"h": [1e-2, 1e-3], "n": [1, 10]}``, for
        ``grid_scores_``. Costs, for each ``h``, its largest ``n``. `CurvatureSearch` grades them.
    signals : sequence of str, default=()
        Signals to record beside loss, margin, learning time and inconfidence: ``"input_gradient"``,
        ``"averaged_margin"``, ``"early_margin"`` (first quarter of the planned epochs), ``"late_loss"`` and
        ``"late_margin"`` (second half), ``"final_loss"`` (last quarter), ``"gradient_contrast"`` (as ``contrast``, of
        the plain gradient).

    Attributes
    ----------
    grid_scores_ : dict of arrays of shape (n_samples,)
        From ``(h, n, power)`` to the scores that a detector with this setting would have, where ``grid`` was passed.
    grid_signals_ : dict of dicts of arrays of shape (n_samples,)
        From ``(h, n, power)`` to what such a detector would have of its own in ``signal_scores_``.
    history_ : list of dict
        One record for each epoch; scored epochs have ``mean_curvature`` and ``mean_curvature_contrast``.

    See Also
    --------
    LossDetector : Costs nothing beyond training, and often ranks better.
    ConfidentLearningDetector : The out-of-sample baseline.
    input_curvature : The score of one epoch, for a training loop of your own.

    Notes
    -----
    A scored epoch costs 3 (n + 1) forward passes over the scored samples, 2 (n + 1) without ``contrast``; an epoch of
    training costs 3. Thresholds can't be compared between different ``h``: networks of ReLUs bend only at the kinks
    that a step crosses.

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

    grid: Mapping[str, Sequence[Any]] | list[Mapping[str, Sequence[Any]]] | None = None
    signals: Sequence[str] = ()

    @classmethod
    def paper(cls, net: object = None, **params: object) -> Self:
        """Return a detector with eq. (6) as printed: ``h=1e-3, n=10, power=2, contrast=False, units="raw", every=1``.

        Parameters
        ----------
        net : see the class
            The net to train.
        **params
            Any other parameters, or other values of these.

        Returns
        -------
        CurvatureNoiseDetector
        """
        printed: Record = {"h": 1e-3, "n": 10, "power": 2, "contrast": False, "units": "raw", "every": 1}
        return cls(net, **(printed | params))

    def _signals(self, seed: int) -> Sequence[Signal]:
        settings = [(self.h, self.n, self.power), *self._grid_settings()]
        probed: list[Signal] = []
        for place, (h, n, power) in enumerate(settings):
            probed += curvatures(contrast=self.contrast, h=h, n=n, power=power, seed=seed, beside=place > 0)
        return in_order(probed, asked_for(self.signals))

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
            names = recorded("probed") if self.contrast else (self._own_signal,)
            signals = {
                setting: {name: measured.signal_scores.pop(grid_name(name, *setting)) for name in names}
                for setting in self._grid_settings()
            }
            measured.attributes["grid_signals_"] = signals
            measured.attributes["grid_scores_"] = {s: scores[self._own_signal] for s, scores in signals.items()}
        return measured

    def _score(self, measured: Measured) -> NDArray[np.float64]:
        return measured.signal_scores[self._own_signal]


class _OneSignal(OneRun, BaseNoiseDetector):
    """Detectors whose score is one signal of the training."""

    _signal: ClassVar[type[Loss | Margin | LearningTime | Inconfidence | InputGradient]]

    def _signals(self, seed: int) -> Sequence[Signal]:
        return [self._signal()]

    def _score(self, measured: Measured) -> NDArray[np.float64]:
        return measured.signal_scores[self._signal.name]


@with_parameters
class LossDetector(_OneSignal):
    """Rank samples by their mean loss over the epochs (CSL); higher is more suspect.

    Read off the training passes: it costs nothing beyond training.

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


@with_parameters
class MarginDetector(_OneSignal):
    """Rank samples by the area under their margin (AUM), sign turned; higher is more suspect.

    The mean over epochs of the largest other logit minus the given label's. Costs nothing beyond training.

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


@with_parameters
class LearningTimeDetector(_OneSignal):
    """Rank samples by the first epoch from which they stay correct; higher is more suspect.

    A sample still wrong at the end gets the number of epochs plus one. Ties are common. Costs nothing beyond training.

    Examples
    --------
    >>> from curvdetect import LearningTimeDetector
    >>> LearningTimeDetector(max_epochs=20).max_epochs
    20
    """

    _signal = LearningTime


@with_parameters
class InconfidenceDetector(_OneSignal):
    """Rank samples by one minus the given label's probability after training; higher is more suspect.

    Weak once the network has memorized; here as a baseline. Costs one forward pass.

    Examples
    --------
    >>> from curvdetect import InconfidenceDetector
    >>> InconfidenceDetector(stop_at=0.95).stop_at
    0.95
    """

    _signal = Inconfidence


@with_parameters
class InputGradientDetector(_OneSignal):
    """Rank samples by the mean norm of their loss's gradient at the input; higher is more suspect.

    Read off the training passes, for a few percent of their time.

    Examples
    --------
    >>> from curvdetect import InputGradientDetector
    >>> InputGradientDetector(device="cpu").device
    'cpu'
    """

    _signal = InputGradient
    units = "deviation"

"""What the loss and the curvature do while a network memorizes: the paper's Figs. 6 and 8."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from curvdetect.data.types import Record
from curvdetect.review.plots import COLOURS, DRAWN, STYLES, Display, is_spread, numbers
from curvdetect.review.results import EpochScores, fitted_detector, scores_by_epoch

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

_SIGNAL_AXES = "curvdetect signal"


@dataclass(kw_only=True, eq=False, repr=False)
class TrainingCurveDisplay(Display):
    """Mean loss by epoch and, on an axis of its own, the mean curvature.

    As Figs. 6 and 8 of Garg, Ravikumar and Roy (ICML 2024).

    Parameters
    ----------
    loss : array-like of shape (n_epochs,)
        Mean over the samples: of the training, or of others.
    signal : array-like of shape (n_epochs,), optional
        Mean over the samples in that epoch; NaN where it was not measured.
    signal_name : str, default="curvature"
        Name of the signal at its axis.
    run : array-like of shape (n_epochs,), int, optional
        Number of the training that an epoch belongs to; by default there is one training.

    Attributes
    ----------
    signal_ax_ : matplotlib Axes or None
        Where the signal was drawn, to the right.
    loss_lines_, signal_lines_ : list of matplotlib Line2D
        One for each training.

    Examples
    --------
    Numbers of a training loop of your own:

    >>> from curvdetect import TrainingCurveDisplay
    >>> display = TrainingCurveDisplay.from_predictions([1, 2, 3], [2.3, 0.9, 0.2], [0.1, float("nan"), 0.4])
    >>> display.signal_ax_.get_ylabel()
    'Mean curvature'
    """

    epoch: ArrayLike
    loss: ArrayLike
    signal: ArrayLike | None = None
    signal_name: str = "curvature"
    run: ArrayLike | None = None
    name: str | None = None

    @classmethod
    def from_estimator(
        cls, estimator: object, X: object = None, y: ArrayLike | None = None, *, signal: str = "auto", **options: object
    ) -> Self:
        """Draw the training of a detector, or all of them where it trained several times.

        Parameters
        ----------
        estimator : fitted detector, pipeline or search
            Any but `ConfidentLearningDetector`, which keeps no history. With ``X``, one with snapshots
            (``keep_snapshots``).
        X, y : optional
            Samples and their labels, as in `scores_by_epoch`: held-out samples, or the training samples whose labels
            are wrong. Their mean is drawn for each snapshot. By default the means noted during the training are drawn.
        signal : str, default="auto"
            A signal that was measured after epochs. "auto" is the curvature where there is one, else the first other.
        """
        detector = fitted_detector(estimator)
        if (X is None) != (y is None):
            raise ValueError("X and y go together: samples and the labels whose loss and curvature are drawn.")
        named_so = cls._with_name(options, detector)
        if y is not None:
            found = scores_by_epoch(detector, X, y)
            epoch, run, means = found.epoch, None, {key: values.mean(1) for key, values in found.signals.items()}
            loss = means["loss"]
        else:
            history = pd.DataFrame(getattr(detector, "history_", []))
            if history.empty:
                raise ValueError(
                    f"estimator is a {type(detector).__name__}, which keeps no history of its trainings. Pass a "
                    "detector with history_, or your own numbers to from_predictions."
                )
            # the epochs of a second stage are counted on from the first
            runs = history.reindex(columns=["repeat", "half"]).groupby(["repeat", "half"], sort=False, dropna=False)
            epoch, run = np.asarray(runs.cumcount() + 1), runs.ngroup()
            noted = [name for name in map(str, history) if name.startswith("mean_")]
            means, loss = {name[5:]: history[name].to_numpy() for name in noted}, history["train_loss"].to_numpy()
        shown = "curvature" if signal == "auto" and "curvature" in means else EpochScores(epoch, means).chosen(signal)
        values = None if shown == "loss" else means.get(shown)
        return cls.from_predictions(epoch, loss, values, signal_name=shown, run=run, **named_so)

    @classmethod
    def from_predictions(
        cls,
        epoch: ArrayLike,
        loss: ArrayLike,
        signal: ArrayLike | None = None,
        *,
        signal_name: str = "curvature",
        run: ArrayLike | None = None,
        **options: object,
    ) -> Self:
        """Draw numbers of a training loop of your own."""
        epochs = numbers(epoch, "epoch", "one number for each epoch", None)
        given = {"loss": loss, "signal": signal, "run": run}
        wanted = f"one number for each of {len(epochs)} epochs"
        data: Record = {key: numbers(part, key, wanted, len(epochs)) for key, part in given.items() if part is not None}
        return cls(epoch=epochs, signal_name=signal_name, **data)._drawn(options)

    def plot(self, ax: Axes | None = None, *, name: str | None = None) -> Self:
        """Draw it. An axis is logarithmic where its numbers are positive and the largest is ten times the median.

        On axes that hold a training the next one gets other dashes, and shares the axis to the right.
        """
        ax = self._draw_on(ax)
        epoch = np.asarray(self.epoch)
        run = np.zeros(len(epoch)) if self.run is None else np.asarray(self.run)
        runs = [run == one for one in dict.fromkeys(run.tolist())]
        name = self.name if name is None else name
        suffix = f", {name}" if name else ""
        look: Record = {"linestyle": STYLES[self._n_drawn() % len(STYLES)], "gid": DRAWN}
        look["alpha"] = 1.0 if len(runs) == 1 else max(0.35, 1 / len(runs))
        dots: Record = {"marker": "o", "markersize": 3.5}
        # where epochs are left out, as of snapshots, dots show which there are
        apart = any(one.sum() < 2 or (np.diff(epoch[one]) != 1).any() for one in runs)

        def lines(on: Axes, means: ArrayLike, what: str, look: Record) -> list[Line2D]:
            values = np.asarray(means, dtype=np.float64)
            seen = [one & ~np.isnan(values) for one in runs]
            labels = [f"{what}{suffix}", *[None] * (len(runs) - 1)]
            drawn = [on.plot(epoch[s], values[s], label=label, **look) for s, label in zip(seen, labels, strict=True)]
            on.set_ylabel(f"Mean {what}", color=look["color"])
            _scale(on, values[~np.isnan(values)])
            return [line for (line,) in drawn]

        self.loss_lines_ = lines(ax, self.loss, "loss", look | {"color": COLOURS[0]} | (dots if apart else {}))
        ax.set_xlabel("Epoch")
        ax.locator_params("x", integer=True)
        self.signal_ax_: Axes | None = None
        self.signal_lines_: list[Line2D] = []
        # the axes of a signal, to the right, that an earlier call made
        siblings = [other for other in ax.get_shared_x_axes().get_siblings(ax) if other.get_gid() == _SIGNAL_AXES]
        beside = siblings[0] if siblings else None
        if self.signal is not None:
            beside = self.signal_ax_ = beside or ax.twinx()
            beside.set_gid(_SIGNAL_AXES)
            what = self.signal_name.replace("_", " ")
            self.signal_lines_ = lines(beside, self.signal, what, look | {"color": COLOURS[1]} | dots)
        both = [part.get_legend_handles_labels()[0] for part in (ax, beside) if part is not None]
        self._legend([handle for handles in both for handle in handles])
        return self


def _scale(ax: Axes, values: NDArray[np.float64]) -> None:
    """Make the vertical axis logarithmic where these numbers, or earlier ones, spread widely and all are positive."""
    lowest = np.min(np.concatenate([np.ravel(line.get_ydata()) for line in ax.lines]), initial=np.inf)
    if lowest <= 0:
        ax.set_yscale("linear")
    elif is_spread(values, 10):
        ax.set_yscale("log")

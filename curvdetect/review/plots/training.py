"""What the loss and the curvature do while a network memorizes: the paper's Figs. 6 and 8."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvdetect.review.plots import COLOURS, DRAWN, STYLES, Display, is_spread, legend_above
from curvdetect.review.results import fitted_detector, name_of, scores_by_epoch

_SIGNAL_AXES = "curvdetect signal"


@dataclass(kw_only=True, eq=False, repr=False)
class TrainingCurveDisplay(Display):
    """Mean loss by epoch and, on an axis of its own, the mean curvature.

    As Figs. 6 and 8 of Garg, Ravikumar and Roy (ICML 2024).

    Parameters
    ----------
    epoch : array-like of shape (n_epochs,)
        Counted from 1.
    loss : array-like of shape (n_epochs,)
        Mean over the samples: of the training, or of others.
    signal : array-like of shape (n_epochs,), optional
        Mean over the samples in that epoch; NaN where it was not measured.
    signal_name : str, default="curvature"
        Name of the signal at its axis.
    run : array-like of shape (n_epochs,), int, optional
        Number of the training that an epoch belongs to; by default there is one training.
    name : str, optional
        Name of the training in the legend.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where the loss was drawn.
    signal_ax_ : matplotlib Axes or None
        Where the signal was drawn, to the right.
    loss_lines_, signal_lines_ : list of matplotlib Line2D
        One for each training.

    Examples
    --------
    Of a training loop of your own:

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
        cls,
        estimator: Any,
        X: Any = None,
        y: ArrayLike | None = None,
        *,
        signal: str = "auto",
        name: str | None = None,
        **options: Any,
    ) -> Self:
        """Draw the training of a detector; of one that trained several times, each.

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
        name, **options
            As in `plot`; the name is that of the class by default.
        """
        detector = fitted_detector(estimator)
        if (X is None) != (y is None):
            raise ValueError("X and y go together: samples and the labels whose loss and curvature are drawn.")
        name = name_of(detector) if name is None else name
        if y is not None:
            found = scores_by_epoch(detector, X, y)
            # the plain curvature, as of the training
            shown = "curvature" if signal == "auto" and "curvature" in found.signals else found.chosen(signal)
            means = {key: values.mean(1) for key, values in found.signals.items()}
            values = None if shown == "loss" else means[shown]
            return cls.from_predictions(found.epoch, means["loss"], values, signal_name=shown, name=name, **options)
        history = getattr(detector, "history_", None)
        if not history:
            raise ValueError(
                f"estimator is a {type(detector).__name__}, which keeps no history of its trainings. Pass a detector "
                "with history_, or your own numbers to from_predictions."
            )
        known = list(dict.fromkeys(key[5:] for record in history for key in record if key.startswith("mean_")))
        if signal != "auto" and signal not in known:
            raise ValueError(
                f"signal must be 'auto' or one that was measured after epochs, {known}, got {signal!r}. What is read "
                "off the training passes, as the loss is, has no such pass."
            )
        shown = signal if signal != "auto" else "curvature" if "curvature" in known else next(iter(known), "")
        values = [record.get(f"mean_{shown}", np.nan) for record in history] if shown else None
        losses, (epoch, run) = [record["train_loss"] for record in history], _one_after_another(history)
        return cls.from_predictions(
            epoch, losses, values, signal_name=shown or "curvature", run=run, name=name, **options
        )

    @classmethod
    def from_predictions(
        cls,
        epoch: ArrayLike,
        loss: ArrayLike,
        signal: ArrayLike | None = None,
        *,
        signal_name: str = "curvature",
        run: ArrayLike | None = None,
        name: str | None = None,
        **options: Any,
    ) -> Self:
        """Draw numbers of a training loop of your own.

        Parameters
        ----------
        epoch, loss, signal, signal_name, run
            As for the class.
        name, **options
            As in `plot`.
        """
        given = {"epoch": epoch, "loss": loss, "signal": signal, "run": run}
        data: dict[str, Any] = {key: _numbers(part, key) for key, part in given.items() if part is not None}
        for key, part in data.items():
            if len(part) != len(data["epoch"]):
                raise ValueError(f"{key} has {len(part)} entries for {len(data['epoch'])} epochs.")
        return cls(signal_name=signal_name, name=name, **data).plot(**options)

    def plot(self, ax: Any = None, *, name: str | None = None) -> Self:
        """Draw it. An axis is logarithmic where its numbers are positive and the largest is ten times the median.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure. On axes that hold a training already the next one gets other
            dashes, and shares the axis to the right.
        name : str, optional
            Name in the legend; by default the display's own.
        """
        ax = self._draw_on(ax)
        epoch, loss = np.asarray(self.epoch), np.asarray(self.loss, dtype=np.float64)
        run = np.zeros(len(epoch)) if self.run is None else np.asarray(self.run)
        runs = [run == one for one in dict.fromkeys(run.tolist())]
        name = self.name if name is None else name
        suffix = f", {name}" if name else ""
        number = len({line.get_linestyle() for line in ax.lines if line.get_gid() == DRAWN})
        alpha = 1.0 if len(runs) == 1 else max(0.35, 1 / len(runs))
        look: dict[str, Any] = {"linestyle": STYLES[number % len(STYLES)], "gid": DRAWN, "alpha": alpha}
        dots = {"marker": "o", "markersize": 3.5}
        # where epochs are left out, as of snapshots, dots show which there are
        apart = any(one.sum() < 2 or (np.diff(epoch[one]) != 1).any() for one in runs)

        def lines(on: Any, values: NDArray[np.float64], what: str, **look: Any) -> list[Any]:
            seen = [one & ~np.isnan(values) for one in runs]
            labels = [f"{what}{suffix}", *[None] * (len(runs) - 1)]
            drawn = [on.plot(epoch[s], values[s], label=label, **look) for s, label in zip(seen, labels, strict=True)]
            on.set_ylabel(f"Mean {what}", color=look["color"])
            _scale(on, values[~np.isnan(values)])
            return [line for (line,) in drawn]

        self.loss_lines_ = lines(ax, loss, "loss", color=COLOURS[0], **look, **(dots if apart else {}))
        ax.set(xlabel="Epoch")
        ax.xaxis.get_major_locator().set_params(integer=True)
        self.signal_ax_, self.signal_lines_ = None, []
        if self.signal is not None:
            self.signal_ax_ = _beside(ax) or ax.twinx()
            self.signal_ax_.set_gid(_SIGNAL_AXES)
            values, what = np.asarray(self.signal, dtype=np.float64), self.signal_name.replace("_", " ")
            self.signal_lines_ = lines(self.signal_ax_, values, what, color=COLOURS[1], **look, **dots)
        both = [part.get_legend_handles_labels()[0] for part in (ax, _beside(ax)) if part is not None]
        legend_above(ax, [handle for handles in both for handle in handles])
        return self


def _one_after_another(history: list[dict[str, Any]]) -> tuple[list[int], list[int]]:
    """Return the epoch of each record, second stages counted on from the first, and the number of its training."""
    runs: dict[tuple[Any, ...], int] = {}
    last: dict[tuple[Any, ...], int] = {}
    epochs = []
    for record in history:
        key = (record.get("repeat"), record.get("half"))
        first = last.get((*key, 1), 0) if record.get("stage") == 2 else 0
        epochs.append(first + record["epoch"])
        last[*key, record.get("stage")] = record["epoch"]
        runs.setdefault(key, len(runs))
    return epochs, [runs[record.get("repeat"), record.get("half")] for record in history]


def _numbers(values: ArrayLike, name: str) -> NDArray[np.float64]:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must hold numbers, one for each epoch ({error}).") from error
    if array.ndim != 1 or not len(array):
        raise ValueError(f"{name} must hold one number for each epoch, got an array of shape {array.shape}.")
    return array


def _scale(ax: Any, values: NDArray[np.float64]) -> None:
    """Make the vertical axis logarithmic where these numbers, or earlier ones, spread widely and all are positive."""
    lowest = min((line.get_ydata().min() for line in ax.lines if len(line.get_ydata())), default=0)
    if lowest <= 0:
        ax.set_yscale("linear")
    elif is_spread(values, 10):
        ax.set_yscale("log")


def _beside(ax: Any) -> Any:
    """Return the axes to the right that belong to these, or None where there are none."""
    for other in ax.figure.axes:
        if other.get_gid() == _SIGNAL_AXES and other in ax.get_shared_x_axes().get_siblings(ax):
            return other
    return None

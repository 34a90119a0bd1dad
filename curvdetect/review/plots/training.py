"""What the loss and the curvature do while a network memorizes: the paper's Figs. 6 and 8."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvdetect.review.plots.drawing import COLOURS, DRAWN, STYLES, axes_or_new, is_spread, legend_above, n_drawn
from curvdetect.review.results import fitted_detector, name_of, scores_by_epoch

_SIGNAL_AXES = "curvdetect signal"
#: Decades beyond which an axis is logarithmic: as a factor of the largest over the median.
_SPREAD = 10


class TrainingCurveDisplay:
    """Mean loss by epoch and, on an axis of its own, the mean curvature.

    Parameters
    ----------
    epoch : array-like of shape (n_epochs,)
        Counted from 1.
    loss : array-like of shape (n_epochs,)
        Mean over the samples: of the training, or of others.
    signal : array-like of shape (n_epochs,), optional
        Mean over the samples in that epoch; NaN where it was not measured.
    signal_name : str, default="curvature"
        What the axis calls it.
    run : array-like of shape (n_epochs,), int, optional
        Which of several trainings an epoch belongs to; by default there is one.
    name : str, optional
        What the legend calls the training.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the loss was drawn.
    signal_ax_ : matplotlib Axes or None
        Where the signal was, to the right.
    figure_ : matplotlib Figure
        The figure around them.
    loss_lines_, signal_lines_ : list of matplotlib Line2D
        One for each training.

    References
    ----------
    .. [1] Garg, Ravikumar, Roy, "Memorization Through the Lens of Curvature of Loss Function Around Samples",
       ICML 2024, Figs. 6 and 8.

    Examples
    --------
    Of a training loop of your own:

    >>> from curvdetect import TrainingCurveDisplay
    >>> display = TrainingCurveDisplay.from_predictions([1, 2, 3], [2.3, 0.9, 0.2], [0.1, float("nan"), 0.4])
    >>> display.signal_ax_.get_ylabel()
    'Mean curvature'
    """

    def __init__(
        self,
        *,
        epoch: ArrayLike,
        loss: ArrayLike,
        signal: ArrayLike | None = None,
        signal_name: str = "curvature",
        run: ArrayLike | None = None,
        name: str | None = None,
    ) -> None:
        self.epoch = epoch
        self.loss = loss
        self.signal = signal
        self.signal_name = signal_name
        self.run = run
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any = None,
        y: ArrayLike | None = None,
        *,
        signal: str = "auto",
        name: str | None = None,
        ax: Any = None,
        **options: Any,
    ) -> Self:
        """Draw the training of a detector; of one that trained several times, each.

        Parameters
        ----------
        estimator : fitted detector, pipeline or search
            Any of them but `ConfidentLearningDetector`, which keeps no history. With ``X`` one with snapshots
            (``keep_snapshots``).
        X, y : optional
            Samples and their labels, as in `scores_by_epoch`: what is drawn is the mean over these on each snapshot.
            Held-out samples, or those of the training data whose labels are wrong. By default what was noted of all
            while the network trained.
        signal : str, default="auto"
            A signal that was measured after epochs. "auto" is the curvature where there is one, else the first other.
        name : str, optional
            By default that of the class.
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure.
        **options
            Of `plot`.
        """
        detector = fitted_detector(estimator)
        if (X is None) != (y is None):
            raise ValueError("X and y go together: samples and the labels whose loss and curvature are drawn.")
        name = name_of(detector) if name is None else name
        if y is not None:
            found = scores_by_epoch(detector, X, y)
            # the plain curvature, as of the training
            chosen = "curvature" if signal == "auto" and "curvature" in found.signals else found.chosen(signal)
            values = None if chosen == "loss" else found.signals[chosen].mean(1)
            loss = found.signals["loss"].mean(1)
            return cls.from_predictions(found.epoch, loss, values, signal_name=chosen, name=name, ax=ax, **options)
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
        shown = signal if signal != "auto" else "curvature" if "curvature" in known else next(iter(known), None)
        epoch, run = _one_after_another(history)
        return cls.from_predictions(
            epoch,
            [record["train_loss"] for record in history],
            None if shown is None else [record.get(f"mean_{shown}", np.nan) for record in history],
            signal_name=shown or "curvature",
            run=run,
            name=name,
            ax=ax,
            **options,
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
        ax: Any = None,
        **options: Any,
    ) -> Self:
        """Draw numbers of a training loop of your own.

        Parameters
        ----------
        epoch, loss, signal, signal_name, run, name
            As for the class.
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure.
        **options
            Of `plot`.
        """
        epochs = _numbers(epoch, "epoch")
        parts = {"loss": loss, "signal": signal, "run": run}
        found = {key: None if part is None else _numbers(part, key) for key, part in parts.items()}
        for key, part in found.items():
            if part is not None and len(part) != len(epochs):
                raise ValueError(f"{key} has {len(part)} entries for {len(epochs)} epochs.")
        losses = _numbers(loss, "loss")
        display = cls(
            epoch=epochs, loss=losses, signal=found["signal"], signal_name=signal_name, run=found["run"], name=name
        )
        return display.plot(ax=ax, **options)

    def plot(self, ax: Any = None, *, name: str | None = None) -> Self:
        """Draw it. An axis is logarithmic where its numbers are positive and the largest is ten times the median.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure. On axes that hold a training already the next one gets other
            dashes, and shares the axis to the right.
        name : str, optional
            By default the display's own.
        """
        ax = axes_or_new(ax)
        epoch, loss = np.asarray(self.epoch), np.asarray(self.loss, dtype=np.float64)
        run = np.zeros(len(epoch)) if self.run is None else np.asarray(self.run)
        runs = [run == one for one in dict.fromkeys(run.tolist())]
        name = self.name if name is None else name
        number = len({line.get_linestyle() for line in ax.lines if line.get_gid() == DRAWN}) if n_drawn(ax) else 0
        look: dict[str, Any] = {
            "linestyle": STYLES[number % len(STYLES)],
            "gid": DRAWN,
            "alpha": 1.0 if len(runs) == 1 else max(0.35, 1 / len(runs)),
        }
        # where epochs are left out, as of snapshots, it is to be seen which there are
        apart = any(one.sum() < 2 or (np.diff(epoch[one]) != 1).any() for one in runs)
        dots = {"marker": "o", "markersize": 3.5} if apart else {}
        suffix = f", {name}" if name else ""
        self.loss_lines_ = [
            ax.plot(epoch[one], loss[one], color=COLOURS[0], label=None if i else f"loss{suffix}", **look, **dots)[0]
            for i, one in enumerate(runs)
        ]
        ax.set(xlabel="Epoch")
        ax.set_ylabel("Mean loss", color=COLOURS[0])
        ax.xaxis.get_major_locator().set_params(integer=True)
        _scale(ax, loss)
        self.signal_ax_, self.signal_lines_ = None, []
        if self.signal is not None:
            values = np.asarray(self.signal, dtype=np.float64)
            self.signal_ax_ = _beside(ax) or ax.twinx()
            self.signal_ax_.set_gid(_SIGNAL_AXES)
            look |= {"color": COLOURS[1], "marker": "o", "markersize": 3.5}
            for i, one in enumerate(runs):
                seen = one & ~np.isnan(values)
                label = None if i else f"{self.signal_name.replace('_', ' ')}{suffix}"
                self.signal_lines_ += self.signal_ax_.plot(epoch[seen], values[seen], label=label, **look)
            self.signal_ax_.set_ylabel(f"Mean {self.signal_name.replace('_', ' ')}", color=COLOURS[1])
            _scale(self.signal_ax_, values[~np.isnan(values)])
        both = [part.get_legend_handles_labels()[0] for part in (ax, _beside(ax)) if part is not None]
        legend_above(ax, [handle for handles in both for handle in handles])
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _one_after_another(history: list[dict[str, Any]]) -> tuple[list[int], list[int]]:
    """Return the epochs of records, those of a second stage after those of its first, and which training each is of."""
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
    """Make the vertical axis logarithmic where these numbers, or earlier ones, ask for it and all can be."""
    lowest = min((line.get_ydata().min() for line in ax.lines if len(line.get_ydata())), default=0)
    if lowest <= 0:
        ax.set_yscale("linear")
    elif is_spread(values, _SPREAD):
        ax.set_yscale("log")


def _beside(ax: Any) -> Any:
    """Return the axes to the right that belong to these, or None where there are none."""
    for other in ax.figure.axes:
        if other.get_gid() == _SIGNAL_AXES and other in ax.get_shared_x_axes().get_siblings(ax):
            return other
    return None

"""How many of the labels that are known to be wrong a ranking finds: its ROC curve, and the precision of its top k."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import RocCurveDisplay, auc, roc_curve

from curvdetect.detectors.grading import as_noise_mask
from curvdetect.detectors.ranking import worst_first
from curvdetect.metrics import as_scores
from curvdetect.review.plots.drawing import DRAWN, axes_or_new, check_choice, n_drawn, style
from curvdetect.review.results import known_scores, name_of

#: Points of a curve that are drawn; more can't be seen.
POINTS = 2_000
_CHANCE = "chance"


class DetectionCurveDisplay:
    """ROC curve, or precision among the top k, of a ranking whose wrong labels are known.

    Parameters
    ----------
    fpr, tpr : array-like of shape (n_points,)
        Share of the right labels, and of the wrong ones, that lie above a threshold.
    precision : array-like of shape (n_samples,)
        Share of wrong labels among the 1, 2, ... most suspect.
    n_wrong : int
        Number of wrong labels.
    name : str, optional
        What the legend calls the ranking.

    Attributes
    ----------
    roc_auc : float
        Area under the ROC curve.
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure around it.
    line_ : matplotlib Line2D
        The curve.
    chance_level_ : matplotlib Line2D or None
        What a ranking by chance would get, where this call drew it.

    See Also
    --------
    sklearn.metrics.RocCurveDisplay : Draws the axes of the ROC curve.

    Examples
    --------
    Several on the same axes:

    >>> import numpy as np
    >>> from curvdetect import DetectionCurveDisplay
    >>> rng, mask = np.random.default_rng(0), np.arange(300) < 30
    >>> first = DetectionCurveDisplay.from_predictions(mask, mask + rng.normal(size=300), name="good")
    >>> other = DetectionCurveDisplay.from_predictions(mask, rng.normal(size=300), name="none", ax=first.ax_)
    >>> len(other.ax_.get_legend().get_texts())
    3
    """

    def __init__(
        self, *, fpr: ArrayLike, tpr: ArrayLike, precision: ArrayLike, n_wrong: int, name: str | None = None
    ) -> None:
        self.fpr = fpr
        self.tpr = tpr
        self.precision = precision
        self.n_wrong = n_wrong
        self.name = name

    @property
    def roc_auc(self) -> float:
        """Area under the ROC curve."""
        return float(auc(self.fpr, self.tpr))

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        noise_mask: ArrayLike,
        *,
        signal: str | None = None,
        name: str | None = None,
        ax: Any = None,
        **options: Any,
    ) -> Self:
        """Draw how a detector ranks its training data.

        Parameters
        ----------
        estimator : fitted detector, pipeline or search
            Any of them.
        noise_mask : array-like of shape (n_samples,), bool
            True where a label is known to be wrong.
        signal : str, optional
            A key of ``signal_scores_``, whose ranking is drawn instead of the detector's own.
        name : str, optional
            By default that of the class, or of the signal.
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure.
        **options
            Of `plot`.
        """
        name = name_of(estimator, signal) if name is None else name
        scores, mask = known_scores(estimator, signal, noise_mask)
        return cls.from_predictions(mask, scores, name=name, ax=ax, **options)

    @classmethod
    def from_predictions(
        cls, noise_mask: ArrayLike | None, scores: ArrayLike, *, name: str | None = None, ax: Any = None, **options: Any
    ) -> Self:
        """Draw how scores rank wrong labels.

        Parameters
        ----------
        noise_mask : array-like of shape (n_samples,), bool
            True where a label is known to be wrong.
        scores : array-like of shape (n_samples,)
            Higher is more suspect. Among the top k, equal scores are in the order of the data, as flags are.
        name : str, optional
            What the legend calls the ranking.
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure.
        **options
            Of `plot`.
        """
        if noise_mask is None:
            raise ValueError(
                "noise_mask is needed: a ranking can only be graded against labels known to be wrong. Plant some with "
                "corrupt_labels, which returns the mask."
            )
        values = as_scores(scores)
        mask = as_noise_mask(noise_mask, len(values))
        fpr, tpr, _ = roc_curve(mask, values)
        precision = np.cumsum(mask[worst_first(values)]) / np.arange(1, len(mask) + 1)
        return cls(fpr=fpr, tpr=tpr, precision=precision, n_wrong=int(mask.sum()), name=name).plot(ax=ax, **options)

    def plot(
        self,
        ax: Any = None,
        *,
        kind: str = "roc",
        xscale: str = "auto",
        chance_level: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure. On axes that hold curves of this kind the next one gets another
            colour and dashes.
        kind : {"roc", "precision"}, default="roc"
            The ROC curve, or the precision among the k most suspect, with a dot at as many as labels are wrong.
        xscale : {"auto", "linear", "log"}, default="auto"
            "auto" is linear for the ROC curve and logarithmic for k. A logarithmic ROC curve shows the few first false
            alarms, where good rankings differ.
        chance_level : bool, default=True
            Whether to draw what a ranking by chance would get, once on the same axes.
        name : str, optional
            By default the display's own.
        **kwargs
            Of matplotlib's ``plot``, such as ``color``.
        """
        check_choice(kind, "kind", ("roc", "precision"))
        check_choice(xscale, "xscale", ("auto", "linear", "log"))
        name = self.name if name is None else name
        ax = axes_or_new(ax, (5.2, 5.2) if kind == "roc" else None)
        number = n_drawn(ax)
        look = {**style(number), **kwargs, "gid": DRAWN}
        self.chance_level_ = None
        if kind == "roc":
            self._plot_roc(ax, name, look, chance=chance_level and number == 0, log=xscale == "log")
        else:
            self._plot_precision(ax, name, look, chance=chance_level and number == 0, log=xscale != "linear")
        handles = sorted(ax.get_legend_handles_labels()[0], key=lambda line: line.get_gid() == _CHANCE)
        ax.legend(handles=handles, loc="lower right" if kind == "roc" else "lower left", fontsize="small")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _plot_roc(self, ax: Any, name: str | None, look: dict[str, Any], *, chance: bool, log: bool) -> None:
        fpr, tpr = np.asarray(self.fpr), np.asarray(self.tpr)
        before = len(ax.lines)
        ax.set_xscale("linear")  # scikit-learn sets limits that a logarithmic axis, left by an earlier call, warns of
        # scikit-learn's name for the constructor's arguments changes between versions; these two stay
        # a name, since older versions make a legend in any case, and matplotlib warns of an empty one
        RocCurveDisplay(fpr=fpr, tpr=tpr).plot(ax=ax, name="ROC")
        self.line_ = ax.lines[before]
        label = f"AUC = {self.roc_auc:.3f}"
        self.line_.set(label=f"{name} ({label})" if name else label, **look)
        ax.set(xlabel="Share of right labels flagged", ylabel="Share of wrong labels found")
        n_right = len(np.asarray(self.precision)) - self.n_wrong
        if chance:
            steps = np.geomspace(1 / n_right, 1, 200) if log else np.array([0, 1])
            self.chance_level_ = _draw_chance(ax, steps, steps, "chance (AUC = 0.5)")
        if log:
            ax.set_aspect("auto")
            ax.set_xscale("log")
            ax.set_xlim(0.7 / n_right, 1.3)

    def _plot_precision(self, ax: Any, name: str | None, look: dict[str, Any], *, chance: bool, log: bool) -> None:
        precision = np.asarray(self.precision)
        n_samples = len(precision)
        there = float(precision[self.n_wrong - 1])
        k = _thinned(n_samples, self.n_wrong, log=log)
        (self.line_,) = ax.plot(k, precision[k - 1], **look, markevery=[int(np.searchsorted(k, self.n_wrong))])
        self.line_.set(marker="o", label=f"{name or 'precision'} ({there:.3f} at k = {self.n_wrong:,})")
        if chance:
            rate = self.n_wrong / n_samples
            self.chance_level_ = _draw_chance(ax, [1, n_samples], [rate, rate], f"chance ({rate:.3f})")
        ax.set(xscale="log" if log else "linear", xlabel="k, number of most suspect samples looked at")
        ax.set(ylabel="Share of wrong labels among them", ylim=(-0.02, 1.03))


def _draw_chance(ax: Any, x: Any, y: Any, label: str) -> Any:
    return ax.plot(x, y, color="0.45", linestyle=(0, (1, 2)), linewidth=1.2, label=label, zorder=1, gid=_CHANCE)[0]


def _thinned(n_samples: int, n_wrong: int, *, log: bool) -> NDArray[np.int64]:
    """Return the values of k that are drawn, the number of wrong labels among them."""
    if n_samples <= POINTS:
        return np.arange(1, n_samples + 1)
    spaced = np.geomspace(1, n_samples, POINTS) if log else np.linspace(1, n_samples, POINTS)
    return np.unique(np.append(spaced.astype(np.int64), n_wrong))

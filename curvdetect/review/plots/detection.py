"""How many of the labels known to be wrong a ranking finds: its ROC curve, and the precision of its top k."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import RocCurveDisplay, auc, roc_curve

from curvdetect.detectors.grading import as_noise_mask
from curvdetect.detectors.ranking import worst_first
from curvdetect.metrics import as_scores
from curvdetect.review.plots import COLOURS, DRAWN, STYLES, Display, check_choice, n_drawn
from curvdetect.review.results import known_scores, name_of

#: Most points of a curve that are drawn; more can't be seen.
POINTS = 2_000
_CHANCE = "chance"


@dataclass(kw_only=True, eq=False, repr=False)
class DetectionCurveDisplay(Display):
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
        Name of the ranking in the legend.

    Attributes
    ----------
    roc_auc : float
        Area under the ROC curve.
    ax_, figure_ : matplotlib Axes and Figure
        Where it was drawn.
    line_ : matplotlib Line2D
        The curve.
    chance_level_ : matplotlib Line2D or None
        The curve of a ranking by chance, where this call drew it.

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

    fpr: ArrayLike
    tpr: ArrayLike
    precision: ArrayLike
    n_wrong: int
    name: str | None = None

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
        **options: Any,
    ) -> Self:
        """Draw how a detector ranks its training data.

        Parameters
        ----------
        estimator : fitted detector, pipeline or search
            Holds the scores.
        noise_mask : array-like of shape (n_samples,), bool
            True where a label is known to be wrong.
        signal : str, optional
            A key of ``signal_scores_``, whose ranking is drawn instead of the detector's own.
        name, **options
            As in `plot`; the name is that of the class, or of the signal, by default.
        """
        name = name_of(estimator, signal) if name is None else name
        scores, mask = known_scores(estimator, signal, noise_mask)
        return cls.from_predictions(mask, scores, name=name, **options)

    @classmethod
    def from_predictions(
        cls, noise_mask: ArrayLike | None, scores: ArrayLike, *, name: str | None = None, **options: Any
    ) -> Self:
        """Draw how scores rank wrong labels.

        Parameters
        ----------
        noise_mask : array-like of shape (n_samples,), bool
            True where a label is known to be wrong.
        scores : array-like of shape (n_samples,)
            Higher is more suspect. Among the top k, equal scores are in the order of the data, as flags are.
        name, **options
            As in `plot`.
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
        return cls(fpr=fpr, tpr=tpr, precision=precision, n_wrong=int(mask.sum()), name=name).plot(**options)

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
            Where to draw; by default a new figure. On axes that hold such curves the next one gets another colour and
            other dashes.
        kind : {"roc", "precision"}, default="roc"
            The ROC curve, or the precision among the k most suspect, with a dot where k is the number of wrong labels.
        xscale : {"auto", "linear", "log"}, default="auto"
            "auto" is linear for the ROC curve and logarithmic for k. A logarithmic ROC curve shows the first few false
            alarms, where good rankings differ.
        chance_level : bool, default=True
            Whether to draw a ranking by chance, once on the same axes.
        name : str, optional
            Name in the legend; by default the display's own.
        **kwargs
            Options of matplotlib's ``plot``, such as ``color``.
        """
        check_choice(kind, "kind", ("roc", "precision"))
        check_choice(xscale, "xscale", ("auto", "linear", "log"))
        roc = kind == "roc"
        ax = self._draw_on(ax, (5.2, 5.2) if roc else None)
        number = n_drawn(ax)
        draw, log = (self._roc, xscale == "log") if roc else (self._precision, xscale != "linear")
        self.line_, label, chance = draw(ax, log=log)
        look = {"color": COLOURS[number % len(COLOURS)], "linestyle": STYLES[number % len(STYLES)], **kwargs}
        name = self.name if name is None else name
        self.line_.set(label=label if roc and not name else f"{name or 'precision'} ({label})", gid=DRAWN, **look)
        self.chance_level_ = None
        if chance_level and number == 0:
            look = {"color": "0.45", "linestyle": (0, (1, 2)), "linewidth": 1.2, "zorder": 1, "gid": _CHANCE}
            x, y, label = chance
            (self.chance_level_,) = ax.plot(x, y, label=label, **look)
        handles = sorted(ax.get_legend_handles_labels()[0], key=lambda line: line.get_gid() == _CHANCE)
        ax.legend(handles=handles, loc="lower right" if roc else "lower left", fontsize="small")
        return self

    def _roc(self, ax: Any, *, log: bool) -> tuple[Any, str, tuple[Any, Any, str]]:
        """Draw the ROC curve; return the line, what its label says, and the curve of chance with its label."""
        before = len(ax.lines)
        ax.set_xscale("linear")  # scikit-learn sets limits that a logarithmic axis, left by an earlier call, warns of
        # scikit-learn's name for the constructor's arguments changes between versions; these two stay
        # a name, since older versions make a legend in any case, and matplotlib warns of an empty one
        RocCurveDisplay(fpr=np.asarray(self.fpr), tpr=np.asarray(self.tpr)).plot(ax=ax, name="ROC")
        ax.set(xlabel="Share of right labels flagged", ylabel="Share of wrong labels found")
        n_right = len(np.asarray(self.precision)) - self.n_wrong
        if log:
            ax.set_aspect("auto")
            ax.set(xscale="log", xlim=(0.7 / n_right, 1.3))
        steps = np.geomspace(1 / n_right, 1, 200) if log else np.array([0, 1])
        return ax.lines[before], f"AUC = {self.roc_auc:.3f}", (steps, steps, "chance (AUC = 0.5)")

    def _precision(self, ax: Any, *, log: bool) -> tuple[Any, str, tuple[Any, Any, str]]:
        """Draw the precision among the top k; return what `_roc` does."""
        precision = np.asarray(self.precision)
        n_samples, rate = len(precision), self.n_wrong / len(precision)
        k = _thinned(n_samples, self.n_wrong, log=log)
        (line,) = ax.plot(k, precision[k - 1], marker="o", markevery=[int(np.searchsorted(k, self.n_wrong))])
        ax.set(xscale="log" if log else "linear", xlabel="k, number of most suspect samples looked at")
        ax.set(ylabel="Share of wrong labels among them", ylim=(-0.02, 1.03))
        label = f"{precision[self.n_wrong - 1]:.3f} at k = {self.n_wrong:,}"
        return line, label, ([1, n_samples], [rate, rate], f"chance ({rate:.3f})")


def _thinned(n_samples: int, n_wrong: int, *, log: bool) -> NDArray[np.int64]:
    """Return the values of k that are drawn, the number of wrong labels among them."""
    if n_samples <= POINTS:
        return np.arange(1, n_samples + 1)
    spaced = np.geomspace(1, n_samples, POINTS) if log else np.linspace(1, n_samples, POINTS)
    return np.unique(np.append(spaced.astype(np.int64), n_wrong))

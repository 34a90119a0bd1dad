"""How well scores agree with what is known: with wrong labels, and with a reference such as memorization."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import auc, roc_curve

from curvdetect.data.types import Record
from curvdetect.detectors.grading import as_noise_mask
from curvdetect.detectors.parameters import check_value
from curvdetect.detectors.ranking import worst_first
from curvdetect.metrics import as_scores, cosine_similarity, top_k_cosine_similarity
from curvdetect.review.plots import COLOURS, DRAWN, STYLES, Display, numbers
from curvdetect.review.results import known_scores, scores_by_epoch

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

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

    Attributes
    ----------
    roc_auc : float
        Area under the ROC curve.
    line_ : matplotlib Line2D
        The curve.
    chance_level_ : matplotlib Line2D or None
        The curve of a ranking by chance, where this call drew it.

    Examples
    --------
    >>> from curvdetect import DetectionCurveDisplay
    >>> display = DetectionCurveDisplay.from_predictions([True, False, True, False], [0.9, 0.8, 0.7, 0.1])
    >>> display.roc_auc
    0.75
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
        cls, estimator: object, noise_mask: ArrayLike, *, signal: str | None = None, **options: object
    ) -> Self:
        """Draw how a detector ranks its training data."""
        scores, mask = known_scores(estimator, signal, noise_mask)
        return cls.from_predictions(mask, scores, **cls._with_name(options, estimator, signal))

    @classmethod
    def from_predictions(cls, noise_mask: ArrayLike | None, scores: ArrayLike, **options: object) -> Self:
        """Draw how scores rank wrong labels; equal scores are in the order of the data, as flags are."""
        if noise_mask is None:
            raise ValueError(
                "noise_mask is needed: a ranking can only be graded against labels known to be wrong. Plant some with "
                "corrupt_labels, which returns the mask."
            )
        values = as_scores(scores)
        mask = as_noise_mask(noise_mask, len(values))
        fpr, tpr, _ = roc_curve(mask, values)
        precision = np.cumsum(mask[worst_first(values)]) / np.arange(1, len(mask) + 1)
        return cls(fpr=fpr, tpr=tpr, precision=precision, n_wrong=int(mask.sum()))._drawn(options)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        kind: str = "roc",
        xscale: str = "auto",
        chance_level: bool = True,
        name: str | None = None,
        **kwargs: object,
    ) -> Self:
        """Draw it. On axes that hold such curves the next one gets another colour and other dashes.

        Parameters
        ----------
        kind : {"roc", "precision"}, default="roc"
            The ROC curve, or the precision among the k most suspect, with a dot where k is the number of wrong labels.
        xscale : {"auto", "linear", "log"}, default="auto"
            "auto" is linear for the ROC curve and logarithmic for k. A logarithmic ROC curve shows the first few false
            alarms, where good rankings differ.
        chance_level : bool, default=True
            Whether to draw a ranking by chance, once on the same axes.
        **kwargs
            Options of matplotlib's ``plot``, such as ``color``.
        """
        check_value("kind", kind, ["roc", "precision"])
        check_value("xscale", xscale, ["auto", "linear", "log"])
        roc, name = kind == "roc", self.name if name is None else name
        log = xscale == "log" or (xscale == "auto" and not roc)
        precision = np.asarray(self.precision)
        n_samples, n_wrong = len(precision), self.n_wrong
        axes: Record = {"xscale": "log" if log else "linear"}
        look: Record = {}
        if roc:
            x, y, label = np.asarray(self.fpr), np.asarray(self.tpr), f"AUC = {self.roc_auc:.3f}"
            first = 1 / (n_samples - n_wrong)  # false alarm
            axes |= {"xlim": (0.7 * first, 1.3) if log else (-0.01, 1.01), "ylim": (-0.01, 1.01)}
            axes |= {"xlabel": "Share of right labels flagged", "ylabel": "Share of wrong labels found"}
            axes["aspect"] = "auto" if log else "equal"
            steps = np.geomspace(first, 1, 200) if log else np.array([0, 1])
            chance, by_chance = (steps, steps), "chance (AUC = 0.5)"
        else:
            x, y = np.arange(1, n_samples + 1), precision
            label = f"{precision[n_wrong - 1]:.3f} at k = {n_wrong:,}"
            look |= {"marker": "o", "markevery": [n_wrong - 1]}
            axes |= {"xlabel": "k, number of most suspect samples looked at", "ylim": (-0.02, 1.03)}
            axes["ylabel"] = "Share of wrong labels among them"
            rate = n_wrong / n_samples
            chance, by_chance = (np.array([1, n_samples]), np.array([rate, rate])), f"chance ({rate:.3f})"
        ax = self._draw_on(ax, (5.2, 5.2) if roc else None)
        number = self._n_drawn()
        look |= {"color": COLOURS[number % len(COLOURS)], "linestyle": STYLES[number % len(STYLES)], **kwargs}
        label = label if roc and not name else f"{name or 'precision'} ({label})"
        (self.line_,) = ax.plot(x, y, label=label, gid=DRAWN, **look)
        self.chance_level_: Line2D | None = None
        if chance_level and number == 0:
            look = {"color": "0.45", "linestyle": (0, (1, 2)), "linewidth": 1.2, "zorder": 1, "gid": _CHANCE}
            (self.chance_level_,) = ax.plot(*chance, label=by_chance, **look)
        ax.set(**axes)
        handles = sorted(ax.get_legend_handles_labels()[0], key=lambda line: line.get_gid() == _CHANCE)
        ax.legend(handles=handles, loc="lower right" if roc else "lower left", fontsize="small")
        return self


@dataclass(kw_only=True, eq=False, repr=False)
class SimilarityCurveDisplay(Display):
    """Cosine similarity to a reference, by epoch: of the epoch's scores, and of their mean over the epochs so far.

    As Figs. 14 and 15 of Garg, Ravikumar and Roy (ICML 2024), where the reference is Feldman and Zhang's memorization.
    The similarity is `curvdetect.metrics.cosine_similarity` or `curvdetect.metrics.top_k_cosine_similarity`.

    Parameters
    ----------
    each, cumulative : array-like of shape (n_epochs,)
        Similarity of the scores of each epoch, and of their mean over the epochs up to this one.
    constant : float, optional
        Similarity of a score that is the same for all samples.
    top_k : int, optional
        Number of samples compared, those where the reference is highest; by default all are.

    Attributes
    ----------
    each_line_, cumulative_line_ : matplotlib Line2D
        The curves.
    constant_line_ : matplotlib Line2D or None
        The line of a constant, where this call drew it.

    Examples
    --------
    >>> from curvdetect import SimilarityCurveDisplay
    >>> memorization = [0.9, 0.1, 0.1]
    >>> curvature = [[2.0, 1.0, 0.0], [2.0, 0.0, 1.0], [0.0, 1.0, 1.0]]
    >>> display = SimilarityCurveDisplay.from_predictions(memorization, curvature)
    >>> display.cumulative.round(2).tolist()
    [0.93, 0.98, 0.9]
    """

    epoch: ArrayLike
    each: ArrayLike
    cumulative: ArrayLike
    constant: float | None = None
    top_k: int | None = None
    name: str | None = None

    @classmethod
    def from_estimator(
        cls,
        estimator: object,
        reference: ArrayLike,
        X: object,
        y: ArrayLike,
        *,
        signal: str = "auto",
        **options: object,
    ) -> Self:
        """Draw how like a reference a detector's scores are in the epochs whose weights it kept.

        Parameters
        ----------
        estimator : fitted detector, pipeline or search
            One with snapshots (``keep_snapshots``).
        reference : array-like of shape (n_samples,)
            A number for each sample of ``X``, such as its memorization.
        X, y
            Samples and their labels, the training data or others, as in `scores_by_epoch`.
        signal : str, default="auto"
            A signal that has a value in each epoch; "auto" is the curvature where there is one, else the first.
        """
        found = scores_by_epoch(estimator, X, y)
        scores = found.signals[found.chosen(signal)]
        return cls.from_predictions(reference, scores, epoch=found.epoch, **cls._with_name(options, estimator))

    @classmethod
    def from_predictions(
        cls,
        reference: ArrayLike,
        scores: ArrayLike,
        *,
        epoch: ArrayLike | None = None,
        top_k: int | None = None,
        **options: object,
    ) -> Self:
        """Draw how like a reference the scores of single epochs are, wherever they come from.

        Parameters
        ----------
        scores : array-like of shape (n_epochs, n_samples)
            Scores in each epoch.
        """
        wanted = as_scores(reference, "reference")
        what = f"one row for each epoch and one column for each of {len(wanted)} samples"
        rows = numbers(scores, "scores", what, None, len(wanted))
        for wrong, seen in ((~np.isfinite(rows).all(1), "holds NaN or infinity"), (~rows.any(1), "is 0 everywhere")):
            if wrong.any():
                raise ValueError(f"scores {seen} in row {int(np.argmax(wrong))}. Leave out epochs that have no scores.")
        count = np.arange(1, len(rows) + 1)
        what = f"one number for each of {len(rows)} rows of scores"
        epochs = count if epoch is None else numbers(epoch, "epoch", what, len(rows))

        def similarity(row: NDArray[np.float64]) -> float:
            if top_k is None:
                return cosine_similarity(row, wanted)
            return top_k_cosine_similarity(row, wanted, top_k)

        each, cumulative = (np.array(list(map(similarity, part))) for part in (rows, rows.cumsum(0) / count[:, None]))
        constant = similarity(np.ones(len(wanted)))
        display = cls(epoch=epochs, each=each, cumulative=cumulative, constant=constant, top_k=top_k)
        return display._drawn(options)

    def plot(self, ax: Axes | None = None, *, constant: bool = True, name: str | None = None) -> Self:
        """Draw it. On axes that hold such curves the next ones get another colour.

        Parameters
        ----------
        constant : bool, default=True
            Whether to draw the similarity of a score that is the same for all samples, once on the same axes.
        """
        ax = self._draw_on(ax)
        number = self._n_drawn() // 2
        name = self.name if name is None else name
        suffix = f", {name}" if name else ""
        look: Record = {"color": COLOURS[number % len(COLOURS)], "gid": DRAWN, "markersize": 3.5}
        epoch, cumulative, each = (np.asarray(part) for part in (self.epoch, self.cumulative, self.each))
        (self.cumulative_line_,) = ax.plot(epoch, cumulative, "o-", label=f"mean so far{suffix}", **look)
        (self.each_line_,) = ax.plot(epoch, each, "o--", mfc="white", label=f"one epoch{suffix}", **look)
        self.constant_line_: Line2D | None = None
        if constant and self.constant is not None and number == 0:
            self.constant_line_ = ax.axhline(self.constant, color="0.5", linestyle=":", label="a constant")
        ax.set(xlabel="Epoch", ylabel="Cosine similarity" + ("" if self.top_k is None else f", top {self.top_k:,}"))
        ax.locator_params("x", integer=True)
        self._legend(ax.get_legend_handles_labels()[0])
        return self

"""All that was found at a glance: how the scores are spread, and which labels the suspects bear."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import ConfusionMatrixDisplay

from curvdetect.data.labels import encode
from curvdetect.data.types import Record
from curvdetect.detectors.grading import as_noise_mask
from curvdetect.detectors.parameters import Number, check_value
from curvdetect.metrics import as_mask, as_scores
from curvdetect.review.plots import COLOURS, Display, as_labels, is_spread, shortened
from curvdetect.review.results import fitted_detector, known_scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.lines import Line2D
    from matplotlib.patches import StepPatch

#: Most wrong labels that are drawn as a cross each.
FEW = 100
#: Heights of the crosses, so that neighbours can be told apart.
_LEVELS = 4


@dataclass(kw_only=True, eq=False, repr=False)
class ScoreHistogramDisplay(Display):
    """Histogram of scores, with the labels that are known to be wrong marked; higher is more suspect.

    As Figs. 2 and 5 of Garg, Ravikumar and Roy (ICML 2024). `DetectionCurveDisplay` shows what a threshold would find.

    Parameters
    ----------
    threshold : float, optional
        Lowest score that is flagged.

    Attributes
    ----------
    bars_ : dict of matplotlib StepPatch
        By name: ``"all"``, or ``"right"`` and ``"wrong"``.
    crosses_ : matplotlib Line2D or None
        One cross for each wrong label, where they are few; its height means nothing.

    Examples
    --------
    >>> from curvdetect import ScoreHistogramDisplay
    >>> display = ScoreHistogramDisplay.from_predictions([0.1, 0.2, 0.9], noise_mask=[False, False, True])
    >>> display.ax_.get_xlabel()
    'Score (higher is more suspect)'
    """

    scores: ArrayLike
    noise_mask: ArrayLike | None = None
    threshold: float | None = None
    name: str | None = None

    @classmethod
    def from_estimator(
        cls, estimator: object, *, noise_mask: ArrayLike | None = None, signal: str | None = None, **options: object
    ) -> Self:
        """Draw the scores of the training data, and the threshold of the detector where they are its own."""
        scores, mask = known_scores(estimator, signal, noise_mask)
        threshold = fitted_detector(estimator).threshold_ if signal is None else None
        return cls.from_predictions(
            scores, noise_mask=mask, threshold=threshold, **cls._with_name(options, estimator, signal)
        )

    @classmethod
    def from_predictions(
        cls,
        scores: ArrayLike,
        *,
        noise_mask: ArrayLike | None = None,
        threshold: float | None = None,
        **options: object,
    ) -> Self:
        """Draw scores."""
        values = as_scores(scores)
        mask = None if noise_mask is None else as_noise_mask(noise_mask, len(values))
        check_value("threshold", threshold, [None, Number("a score", Real, lambda value: True)])
        return cls(scores=values, noise_mask=mask, threshold=threshold)._drawn(options)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        bins: int = 50,
        xscale: str = "auto",
        yscale: str = "log",
        marks: str = "auto",
        name: str | None = None,
    ) -> Self:
        """Draw it.

        Parameters
        ----------
        bins : int, default=50
            Most bins; each score has a bin where there are fewer different ones.
        xscale : {"auto", "linear", "log"}, default="auto"
            "auto" is logarithmic where all scores are positive and the largest is more than 20 times the median.
        yscale : {"log", "linear"}, default="log"
            Scale of the numbers of samples: wrong labels are few.
        marks : {"auto", "crosses", "bars"}, default="auto"
            A cross for each wrong label, as in the paper, or bars; "auto" draws up to 100 crosses, and bars for more.
        """
        scores = np.asarray(self.scores, dtype=np.float64)
        check_value("bins", bins, [Number("a whole number, at least 1")])
        check_value("xscale", xscale, ["auto", "linear", "log"])
        check_value("yscale", yscale, ["log", "linear"])
        check_value("marks", marks, ["auto", "crosses", "bars"])
        if xscale == "log" and scores.min() <= 0:
            raise ValueError(f"xscale='log' needs positive scores, and the smallest is {scores.min():g}: 'linear'.")
        log = xscale == "log" or (xscale == "auto" and is_spread(scores, 20))
        ax = self._draw_on(ax)
        edges, floor = _edges(scores, bins, log=log), 0.7 if yscale == "log" else 0.0

        def bars(values: NDArray[np.float64], label: str | None, look: Record) -> StepPatch:
            counts = np.histogram(values, edges)[0]
            return ax.stairs(np.maximum(counts, floor), edges, baseline=floor, label=label, **look)

        name = self.name if name is None else name
        self.crosses_: Line2D | None = None
        if self.noise_mask is None:
            colour = COLOURS[len(ax.patches) % len(COLOURS)]
            self.bars_ = {"all": bars(scores, name, {"fill": True, "color": colour, "alpha": 0.6})}
        else:
            wrong = np.asarray(self.noise_mask, dtype=bool)
            n_wrong = int(wrong.sum())
            label = f"right label ({len(wrong) - n_wrong:,})"
            self.bars_ = {"right": bars(scores[~wrong], label, {"fill": True, "color": COLOURS[0], "alpha": 0.45})}
            label = f"wrong label ({n_wrong:,})"
            if marks == "bars" or (marks == "auto" and n_wrong > FEW):
                self.bars_["wrong"] = bars(scores[wrong], label, {"color": COLOURS[1], "linewidth": 1.8})
            else:
                heights = 0.025 + 0.03 * (np.arange(n_wrong) % _LEVELS)
                look: Record = {"color": "black", "markersize": 4.5, "transform": ax.get_xaxis_transform()}
                (self.crosses_,) = ax.plot(np.sort(scores[wrong]), heights, "x", label=label, **look)
        if self.threshold is not None:
            ax.axvline(self.threshold, color="0.25", linestyle="--", linewidth=1, label="flagged from here on")
        ax.set(xscale="log" if log else "linear", yscale=yscale)
        ax.set(xlabel="Score (higher is more suspect)", ylabel="Number of samples")
        ax.set_ylim(bottom=floor)
        handles = ax.get_legend_handles_labels()[0]
        if handles:
            self._legend(handles, None if self.noise_mask is None else name)
        return self


def _edges(scores: NDArray[np.float64], bins: int, *, log: bool) -> NDArray[np.float64]:
    """Return where bins begin and end: equal in width on their axis, or one around each of few different values."""
    values = np.unique(np.log(scores) if log else scores)
    low, high = values[0], values[-1]
    if 1 < len(values) <= bins:
        middle = (values[1:] + values[:-1]) / 2
        edges = np.concatenate([[2 * low - middle[0]], middle, [2 * high - middle[-1]]])
    else:
        edges = np.histogram_bin_edges(values, 1 if low == high else bins)
    if log:
        edges = np.exp(edges)
        edges[[0, -1]] = min(edges[0], scores.min()), max(edges[-1], scores.max())  # exp(log(x)) may miss x
    return edges


@dataclass(kw_only=True, eq=False, repr=False)
class LabelConfusionDisplay(Display):
    """Given labels of the suspects against the labels suggested for them.

    Parameters
    ----------
    confusion : array-like of shape (n_classes, n_classes), int
        Number of suspects by given label, down, and suggested label, across.
    labels : array-like of shape (n_classes,)
        All classes, in the order of the axes; by default those that occur, sorted.

    Attributes
    ----------
    im_ : matplotlib AxesImage
        The matrix.
    shown_ : array of int
        Positions in ``labels`` of the classes that are shown.

    Examples
    --------
    >>> from curvdetect import LabelConfusionDisplay
    >>> display = LabelConfusionDisplay.from_predictions(["cat", "cat", "dog"], ["dog", "dog", "fox"])
    >>> display.confusion.tolist()
    [[0, 2, 0], [0, 0, 1], [0, 0, 0]]
    """

    confusion: ArrayLike
    labels: ArrayLike

    @classmethod
    def from_estimator(cls, estimator: object, **options: object) -> Self:
        """Draw the suspects of a detector: the training samples that it flags."""
        detector = fitted_detector(estimator)
        table = detector.ranking()
        given, suggested, flagged = (table[name].to_numpy() for name in ("given", "suggested", "flagged"))
        return cls.from_predictions(given, suggested, flagged=flagged, labels=detector.classes_, **options)

    @classmethod
    def from_predictions(
        cls,
        given: ArrayLike,
        suggested: ArrayLike,
        *,
        flagged: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        **options: object,
    ) -> Self:
        """Draw labels against each other.

        Parameters
        ----------
        flagged : array-like of shape (n_samples,), bool, optional
            Which samples count; by default all.
        """
        one = as_labels(given, "given")
        two = as_labels(suggested, "suggested", len(one))
        if flagged is not None:
            counted = as_mask(flagged, "flagged", len(one))
            one, two = one[counted], two[counted]
        classes = encode(np.concatenate([one, two]))[0] if labels is None else as_labels(labels, "labels")
        place = {label: i for i, label in enumerate(classes.tolist())}
        unknown = sorted({repr(label) for label in [*one.tolist(), *two.tolist()] if label not in place})
        if unknown:
            raise ValueError(f"labels leaves out {', '.join(unknown[:5])}, which occur(s) in given or suggested.")
        confusion = np.zeros((len(classes), len(classes)), dtype=np.int64)
        np.add.at(confusion, tuple([place[label] for label in part.tolist()] for part in (one, two)), 1)
        return cls(confusion=confusion, labels=classes)._drawn(options)

    def plot(
        self, ax: Axes | None = None, *, max_classes: int = 20, cmap: str | Colormap = "Blues", colorbar: bool = False
    ) -> Self:
        """Draw it.

        Parameters
        ----------
        max_classes : int, default=20
            Most classes shown: those with the most suspects, in the order of ``labels``.
        colorbar : bool, default=False
            Whether to draw what the colours mean.
        """
        check_value("max_classes", max_classes, [Number("a whole number, at least 1")])
        confusion, labels = np.asarray(self.confusion), np.asarray(self.labels)
        busiest = np.argsort(-(confusion.sum(0) + confusion.sum(1)), kind="stable")
        self.shown_ = np.sort(busiest[:max_classes])
        part = confusion[np.ix_(self.shown_, self.shown_)]
        names = [shortened(label) for label in labels[self.shown_].tolist()]
        side = max(4.0, 1.6 + 0.42 * len(names))
        ax = self._draw_on(ax, (side, side))
        rotated = max(map(len, names)) * len(names) > 30
        drawn = ConfusionMatrixDisplay(part, display_labels=names).plot(
            ax=ax, cmap=cmap, colorbar=colorbar, xticks_rotation="vertical" if rotated else "horizontal"
        )
        for text, count in zip(drawn.text_.ravel(), part.ravel(), strict=True):
            text.set_visible(bool(count))
        ax.set(ylabel="Given label", xlabel="Suggested label")
        if len(part) < len(confusion):
            shown = f"{len(part)} of {len(confusion)} classes: {part.sum():,} of {confusion.sum():,} suspects"
            ax.set_title(shown, fontsize="medium")
        self.im_ = drawn.im_
        return self

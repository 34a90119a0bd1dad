"""How scores are spread, and where the labels that are known to be wrong lie among them: the paper's Figs. 2 and 5."""

from __future__ import annotations

from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvdetect.detectors.checks import is_count
from curvdetect.detectors.grading import as_noise_mask
from curvdetect.metrics import as_scores
from curvdetect.review.plots.drawing import (
    COLOURS,
    RIGHT,
    WRONG,
    axes_or_new,
    check_choice,
    is_spread,
    legend_above,
)
from curvdetect.review.results import fitted_detector, known_scores, name_of

#: Wrong labels up to which each has a cross of its own.
FEW = 100
#: Levels that crosses are spread over, so that neighbours can be told apart.
_LEVELS = 4


class ScoreHistogramDisplay:
    """Histogram of scores, with the labels that are known to be wrong marked; higher is more suspect.

    Parameters
    ----------
    scores : array-like of shape (n_samples,)
        Higher is more suspect.
    noise_mask : array-like of shape (n_samples,), bool, optional
        True where a label is known to be wrong.
    threshold : float, optional
        Score from which on a sample is flagged.
    name : str, optional
        What the legend calls the scores.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure around it.
    bars_ : dict of matplotlib StepPatch
        By name: ``"all"``, or ``"right"`` and ``"wrong"``.
    crosses_ : matplotlib Line2D or None
        One cross for each wrong label, where they are few; how high it is means nothing.

    See Also
    --------
    DetectionCurveDisplay : What a threshold anywhere on this axis would find.

    References
    ----------
    .. [1] Garg, Ravikumar, Roy, "Memorization Through the Lens of Curvature of Loss Function Around Samples",
       ICML 2024, Figs. 2 and 5.

    Examples
    --------
    >>> import numpy as np
    >>> from curvdetect import ScoreHistogramDisplay
    >>> scores = np.random.default_rng(0).lognormal(size=500)
    >>> display = ScoreHistogramDisplay.from_predictions(scores, noise_mask=scores > 5, name="made up")
    >>> display.ax_.get_xlabel()
    'Score (higher is more suspect)'
    """

    def __init__(
        self,
        *,
        scores: ArrayLike,
        noise_mask: ArrayLike | None = None,
        threshold: float | None = None,
        name: str | None = None,
    ) -> None:
        self.scores = scores
        self.noise_mask = noise_mask
        self.threshold = threshold
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        noise_mask: ArrayLike | None = None,
        signal: str | None = None,
        name: str | None = None,
        ax: Any = None,
        **options: Any,
    ) -> Self:
        """Draw the scores of the training data, and the threshold of the detector.

        Parameters
        ----------
        estimator : fitted detector, pipeline or search
            Any of them.
        noise_mask : array-like of shape (n_samples,), bool, optional
            True where a label is known to be wrong.
        signal : str, optional
            A key of ``signal_scores_``, whose scores are drawn instead of the detector's own; no threshold, then.
        name : str, optional
            By default that of the class, or of the signal.
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure.
        **options
            Of `plot`.
        """
        scores, noise_mask = known_scores(estimator, signal, noise_mask)
        return cls.from_predictions(
            scores,
            noise_mask=noise_mask,
            threshold=fitted_detector(estimator).threshold_ if signal is None else None,
            name=name_of(estimator, signal) if name is None else name,
            ax=ax,
            **options,
        )

    @classmethod
    def from_predictions(
        cls,
        scores: ArrayLike,
        *,
        noise_mask: ArrayLike | None = None,
        threshold: float | None = None,
        name: str | None = None,
        ax: Any = None,
        **options: Any,
    ) -> Self:
        """Draw scores.

        Parameters
        ----------
        scores, noise_mask, threshold, name
            As for the class.
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure.
        **options
            Of `plot`.
        """
        values = as_scores(scores)
        mask = None if noise_mask is None else as_noise_mask(noise_mask, len(values))
        if threshold is not None and (isinstance(threshold, bool) or not isinstance(threshold, Real)):
            raise ValueError(f"threshold must be None or a score, got {threshold!r}.")
        return cls(scores=values, noise_mask=mask, threshold=threshold, name=name).plot(ax=ax, **options)

    def plot(
        self,
        ax: Any = None,
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
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure.
        bins : int, default=50
            Most bins; scores of fewer different values have a bin for each.
        xscale : {"auto", "linear", "log"}, default="auto"
            "auto" is logarithmic where all scores are positive and the largest is more than 20 times the median.
        yscale : {"log", "linear"}, default="log"
            Of the numbers of samples: wrong labels are few.
        marks : {"auto", "crosses", "bars"}, default="auto"
            Each wrong label a cross, as in the paper, or bars of their own; "auto" draws crosses up to 100 of them.
        name : str, optional
            By default the display's own.
        """
        scores = np.asarray(self.scores, dtype=np.float64)
        if not is_count(bins):
            raise ValueError(f"bins must be a whole number, at least 1, got {bins!r}.")
        check_choice(xscale, "xscale", ("auto", "linear", "log"))
        check_choice(yscale, "yscale", ("log", "linear"))
        check_choice(marks, "marks", ("auto", "crosses", "bars"))
        if xscale == "log" and scores.min() <= 0:
            raise ValueError(f"xscale='log' needs positive scores, and the smallest is {scores.min():g}: 'linear'.")
        log = xscale == "log" or (xscale == "auto" and is_spread(scores, 20))
        ax = axes_or_new(ax)
        edges = _edges(scores, bins, log=log)
        floor = 0.7 if yscale == "log" else 0.0

        def draw(values: NDArray[np.float64], label: str | None, look: dict[str, Any]) -> Any:
            counts = np.histogram(values, edges)[0]
            return ax.stairs(np.maximum(counts, floor), edges, baseline=floor, label=label, **look)

        name = self.name if name is None else name
        self.crosses_ = None
        if self.noise_mask is None:
            colour = COLOURS[len(ax.patches) % len(COLOURS)]
            self.bars_ = {"all": draw(scores, name, {"fill": True, "color": colour, "alpha": 0.6})}
        else:
            self._draw_both(ax, scores, np.asarray(self.noise_mask, dtype=bool), marks, draw)
        if self.threshold is not None:
            ax.axvline(self.threshold, color="0.25", linestyle="--", linewidth=1, label="flagged from here on")
        ax.set(
            xscale="log" if log else "linear",
            yscale=yscale,
            xlabel="Score (higher is more suspect)",
            ylabel="Number of samples",
        )
        ax.set_ylim(bottom=floor)
        handles = ax.get_legend_handles_labels()[0]
        if handles:
            legend_above(ax, handles, None if self.noise_mask is None else name)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw_both(self, ax: Any, scores: NDArray[np.float64], wrong: NDArray[np.bool_], marks: str, draw: Any) -> None:
        """Draw right labels as bars and, above them, wrong ones as bars or crosses."""
        n_right, n_wrong = int((~wrong).sum()), int(wrong.sum())
        right = {"fill": True, "color": RIGHT, "alpha": 0.45}
        self.bars_ = {"right": draw(scores[~wrong], f"right label ({n_right:,})", right)}
        label = f"wrong label ({n_wrong:,})"
        if marks == "bars" or (marks == "auto" and n_wrong > FEW):
            self.bars_["wrong"] = draw(scores[wrong], label, {"color": WRONG, "linewidth": 1.8})
            return
        found = np.sort(scores[wrong])
        levels = 0.025 + 0.03 * (np.arange(n_wrong) % _LEVELS)
        (self.crosses_,) = ax.plot(
            found, levels, "x", color="black", markersize=4.5, label=label, transform=ax.get_xaxis_transform()
        )


def _edges(scores: NDArray[np.float64], bins: int, *, log: bool) -> NDArray[np.float64]:
    """Return where bins begin and end: equal in width on their axis, or one around each of few different values."""
    values = np.unique(np.log(scores) if log else scores)
    low, high = values[0], values[-1]
    if 1 < len(values) <= bins:
        middle = (values[1:] + values[:-1]) / 2
        edges = np.concatenate([[2 * low - middle[0]], middle, [2 * high - middle[-1]]])
    elif low == high:
        edges = low + np.array([-0.5, 0.5])
    else:
        edges = np.linspace(low, high, bins + 1)
    if log:
        edges = np.exp(edges)
        edges[[0, -1]] = min(edges[0], scores.min()), max(edges[-1], scores.max())  # exp(log(x)) may miss x
    return edges

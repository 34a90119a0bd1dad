"""How like a reference the scores of single epochs are, and their mean so far: the paper's Figs. 14 and 15."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvdetect.metrics import as_scores, cosine_similarity, top_k_cosine_similarity
from curvdetect.review.plots import COLOURS, DRAWN, Display, legend_above, n_drawn
from curvdetect.review.results import name_of, scores_by_epoch


@dataclass(kw_only=True, eq=False, repr=False)
class SimilarityCurveDisplay(Display):
    """Cosine similarity to a reference, by epoch: of the epoch's scores, and of their mean over the epochs so far.

    As Figs. 14 and 15 of Garg, Ravikumar and Roy (ICML 2024), where the reference is Feldman and Zhang's memorization.
    `curvdetect.metrics.cosine_similarity` and `curvdetect.metrics.top_k_cosine_similarity` are what is drawn.

    Parameters
    ----------
    epoch : array-like of shape (n_epochs,)
        Counted from 1.
    each : array-like of shape (n_epochs,)
        Similarity of the scores of each epoch.
    cumulative : array-like of shape (n_epochs,)
        Similarity of their mean over the epochs up to this one.
    constant : float, optional
        Similarity of a score that is the same for all samples.
    top_k : int, optional
        Number of samples compared, those where the reference is highest; by default all are.
    name : str, optional
        Name of the scores in the legend.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where it was drawn.
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
        estimator: Any,
        reference: ArrayLike,
        X: Any,
        y: ArrayLike,
        *,
        signal: str = "auto",
        top_k: int | None = None,
        name: str | None = None,
        **options: Any,
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
        top_k, name, **options
            As in `from_predictions`; the name is that of the class by default.
        """
        found = scores_by_epoch(estimator, X, y)
        scores, name = found.signals[found.chosen(signal)], name_of(estimator) if name is None else name
        return cls.from_predictions(reference, scores, epoch=found.epoch, top_k=top_k, name=name, **options)

    @classmethod
    def from_predictions(
        cls,
        reference: ArrayLike,
        scores: ArrayLike,
        *,
        epoch: ArrayLike | None = None,
        top_k: int | None = None,
        name: str | None = None,
        **options: Any,
    ) -> Self:
        """Draw how like a reference the scores of single epochs are, wherever they come from.

        Parameters
        ----------
        reference : array-like of shape (n_samples,)
            A number for each sample.
        scores : array-like of shape (n_epochs, n_samples)
            Scores in each epoch.
        epoch : array-like of shape (n_epochs,), optional
            Counted from 1; by default one after another.
        top_k : int, optional
            Compare this many samples, those where the reference is highest, rather than all.
        name, **options
            As in `plot`.
        """
        wanted = as_scores(reference, "reference")
        rows = _by_epoch(scores, len(wanted))
        epochs = np.arange(1, len(rows) + 1) if epoch is None else np.asarray(epoch)
        if epochs.shape != (len(rows),):
            raise ValueError(f"epoch must have one entry for each of {len(rows)} rows of scores, got {epochs.shape}.")

        def similarity(row: NDArray[np.float64]) -> float:
            if top_k is None:
                return cosine_similarity(row, wanted)
            return top_k_cosine_similarity(row, wanted, top_k)

        so_far = rows.cumsum(0) / np.arange(1, len(rows) + 1)[:, None]
        each, cumulative = (np.array([similarity(row) for row in part]) for part in (rows, so_far))
        constant = similarity(np.ones(len(wanted)))
        display = cls(epoch=epochs, each=each, cumulative=cumulative, constant=constant, top_k=top_k, name=name)
        return display.plot(**options)

    def plot(self, ax: Any = None, *, constant: bool = True, name: str | None = None) -> Self:
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure. On axes that hold such curves the next ones get another colour.
        constant : bool, default=True
            Whether to draw the similarity of a score that is the same for all samples, once on the same axes.
        name : str, optional
            Name in the legend; by default the display's own.
        """
        ax = self._draw_on(ax)
        number = n_drawn(ax) // 2
        name = self.name if name is None else name
        suffix = f", {name}" if name else ""
        look: dict[str, Any] = {"color": COLOURS[number % len(COLOURS)], "gid": DRAWN, "markersize": 3.5}
        (self.cumulative_line_,) = ax.plot(self.epoch, self.cumulative, "o-", label=f"mean so far{suffix}", **look)
        (self.each_line_,) = ax.plot(self.epoch, self.each, "o--", mfc="white", label=f"one epoch{suffix}", **look)
        self.constant_line_ = None
        if constant and self.constant is not None and number == 0:
            self.constant_line_ = ax.axhline(self.constant, color="0.5", linestyle=":", label="a constant")
        ax.set(xlabel="Epoch", ylabel="Cosine similarity" + ("" if self.top_k is None else f", top {self.top_k:,}"))
        ax.xaxis.get_major_locator().set_params(integer=True)
        legend_above(ax, ax.get_legend_handles_labels()[0])
        return self


def _by_epoch(scores: ArrayLike, n_samples: int) -> NDArray[np.float64]:
    """Return scores as a matrix, or raise where a row is no score of all samples."""
    try:
        rows = np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"scores must hold numbers, a row of {n_samples} for each epoch ({error}).") from error
    if rows.ndim != 2 or not len(rows) or rows.shape[1] != n_samples:
        raise ValueError(
            f"scores must have one row for each epoch and one column for each of {n_samples} samples, got an array of "
            f"shape {rows.shape}."
        )
    for wrong, what in ((~np.isfinite(rows).all(1), "holds NaN or infinity"), (~rows.any(1), "is 0 everywhere")):
        if wrong.any():
            raise ValueError(f"scores {what} in row {int(np.argmax(wrong))}. Leave out epochs that have no scores.")
    return rows

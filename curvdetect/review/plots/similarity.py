"""How like a reference the scores of single epochs are, and their mean so far: the paper's Figs. 14 and 15."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvdetect.metrics import as_scores, cosine_similarity, top_k_cosine_similarity
from curvdetect.review.plots.drawing import COLOURS, DRAWN, axes_or_new, legend_above, n_drawn
from curvdetect.review.results import name_of, scores_by_epoch


class SimilarityCurveDisplay:
    """Cosine similarity to a reference, by epoch: of the epoch's scores, and of their mean over the epochs so far.

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
        What the legend calls the scores.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure around it.
    each_line_, cumulative_line_ : matplotlib Line2D
        The curves.
    constant_line_ : matplotlib Line2D or None
        That of a constant, where this call drew it.

    See Also
    --------
    curvdetect.metrics.cosine_similarity : What is drawn.
    curvdetect.metrics.top_k_cosine_similarity : What is drawn with ``top_k``.

    References
    ----------
    .. [1] Garg, Ravikumar, Roy, "Memorization Through the Lens of Curvature of Loss Function Around Samples",
       ICML 2024, Figs. 14 and 15: with Feldman and Zhang's memorization as the reference.

    Examples
    --------
    >>> from curvdetect import SimilarityCurveDisplay
    >>> memorization = [0.9, 0.1, 0.1]
    >>> curvature = [[2.0, 1.0, 0.0], [2.0, 0.0, 1.0], [0.0, 1.0, 1.0]]
    >>> display = SimilarityCurveDisplay.from_predictions(memorization, curvature)
    >>> display.cumulative.round(2).tolist()
    [0.93, 0.98, 0.9]
    """

    def __init__(
        self,
        *,
        epoch: ArrayLike,
        each: ArrayLike,
        cumulative: ArrayLike,
        constant: float | None = None,
        top_k: int | None = None,
        name: str | None = None,
    ) -> None:
        self.epoch = epoch
        self.each = each
        self.cumulative = cumulative
        self.constant = constant
        self.top_k = top_k
        self.name = name

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
        ax: Any = None,
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
            One that has a value in each epoch; "auto" is the curvature where there is one, else the first.
        top_k, name, ax, **options
            As in `from_predictions`; the name is that of the class by default.
        """
        found = scores_by_epoch(estimator, X, y)
        return cls.from_predictions(
            reference,
            found.signals[found.chosen(signal)],
            epoch=found.epoch,
            top_k=top_k,
            name=name_of(estimator) if name is None else name,
            ax=ax,
            **options,
        )

    @classmethod
    def from_predictions(
        cls,
        reference: ArrayLike,
        scores: ArrayLike,
        *,
        epoch: ArrayLike | None = None,
        top_k: int | None = None,
        name: str | None = None,
        ax: Any = None,
        **options: Any,
    ) -> Self:
        """Draw how like a reference scores of single epochs are, whoever computed them.

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
        name : str, optional
            What the legend calls the scores.
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure.
        **options
            Of `plot`.
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
        display = cls(
            epoch=epochs,
            each=np.array([similarity(row) for row in rows]),
            cumulative=np.array([similarity(row) for row in so_far]),
            constant=similarity(np.ones(len(wanted))),
            top_k=top_k,
            name=name,
        )
        return display.plot(ax=ax, **options)

    def plot(self, ax: Any = None, *, constant: bool = True, name: str | None = None) -> Self:
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure. On axes that hold such curves the next ones get another colour.
        constant : bool, default=True
            Whether to draw the similarity of a score that is the same for all samples, once on the same axes.
        name : str, optional
            By default the display's own.
        """
        ax = axes_or_new(ax)
        number = n_drawn(ax) // 2
        name = self.name if name is None else name
        suffix = f", {name}" if name else ""
        look: dict[str, Any] = {"color": COLOURS[number % len(COLOURS)], "gid": DRAWN, "markersize": 3.5}
        (self.cumulative_line_,) = ax.plot(self.epoch, self.cumulative, "o-", label=f"mean so far{suffix}", **look)
        (self.each_line_,) = ax.plot(self.epoch, self.each, "o--", mfc="white", label=f"one epoch{suffix}", **look)
        self.constant_line_ = None
        if constant and self.constant is not None and number == 0:
            self.constant_line_ = ax.axhline(self.constant, color="0.5", linestyle=":", label="a constant")
        of = "" if self.top_k is None else f", top {self.top_k:,}"
        ax.set(xlabel="Epoch", ylabel=f"Cosine similarity{of}")
        ax.xaxis.get_major_locator().set_params(integer=True)
        legend_above(ax, ax.get_legend_handles_labels()[0])
        self.ax_, self.figure_ = ax, ax.figure
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

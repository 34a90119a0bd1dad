"""Which labels the suspects bear, and which ones they should rather have."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import ConfusionMatrixDisplay

from curvdetect.data.labels import encode
from curvdetect.detectors.checks import is_count
from curvdetect.metrics import as_mask
from curvdetect.review.plots.drawing import as_labels, axes_or_new, shortened
from curvdetect.review.results import fitted_detector


class LabelConfusionDisplay:
    """Given labels of the suspects against the labels suggested for them.

    Parameters
    ----------
    confusion : array-like of shape (n_classes, n_classes), int
        Number of suspects by given label, down, and suggested label, across.
    labels : array-like of shape (n_classes,)
        The classes.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure around it.
    im_ : matplotlib AxesImage
        The matrix.
    shown_ : array of int
        Positions in ``labels`` of the classes that are shown.

    See Also
    --------
    sklearn.metrics.ConfusionMatrixDisplay : Draws the matrix.

    Examples
    --------
    >>> from curvdetect import LabelConfusionDisplay
    >>> display = LabelConfusionDisplay.from_predictions(["cat", "cat", "dog"], ["dog", "dog", "fox"])
    >>> display.confusion.tolist()
    [[0, 2, 0], [0, 0, 1], [0, 0, 0]]
    """

    def __init__(self, *, confusion: ArrayLike, labels: ArrayLike) -> None:
        self.confusion = confusion
        self.labels = labels

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None, **options: Any) -> Self:
        """Draw the suspects of a detector: the training samples that it flags.

        Parameters
        ----------
        estimator : fitted detector, pipeline or search
            Any of them.
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure.
        **options
            Of `plot`.
        """
        detector = fitted_detector(estimator)
        table = detector.ranking()
        return cls.from_predictions(
            table["given"].to_numpy(),
            table["suggested"].to_numpy(),
            flagged=table["flagged"].to_numpy(),
            labels=detector.classes_,
            ax=ax,
            **options,
        )

    @classmethod
    def from_predictions(
        cls,
        given: ArrayLike,
        suggested: ArrayLike,
        *,
        flagged: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        ax: Any = None,
        **options: Any,
    ) -> Self:
        """Draw labels against each other.

        Parameters
        ----------
        given, suggested : array-like of shape (n_samples,)
            Labels of any kind.
        flagged : array-like of shape (n_samples,), bool, optional
            Which samples count; by default all.
        labels : array-like of shape (n_classes,), optional
            All classes, in the order of the axes; by default those that occur, sorted.
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure.
        **options
            Of `plot`.
        """
        one = as_labels(given, "given")
        two = as_labels(suggested, "suggested", len(one))
        counted = np.ones(len(one), dtype=bool) if flagged is None else as_mask(flagged, "flagged")
        if len(counted) != len(one):
            raise ValueError(f"flagged has {len(counted)} entries for {len(one)} samples.")
        one, two = one[counted], two[counted]
        classes = encode(np.concatenate([one, two]))[0] if labels is None else as_labels(labels, "labels")
        place = {label: i for i, label in enumerate(classes.tolist())}
        unknown = sorted({repr(label) for label in [*one.tolist(), *two.tolist()] if label not in place})
        if unknown:
            raise ValueError(f"labels leaves out {', '.join(unknown[:5])}, which occur(s) in given or suggested.")
        confusion = np.zeros((len(classes), len(classes)), dtype=np.int64)
        rows, columns = ([place[label] for label in part.tolist()] for part in (one, two))
        np.add.at(confusion, (rows, columns), 1)
        return cls(confusion=confusion, labels=classes).plot(ax=ax, **options)

    def plot(self, ax: Any = None, *, max_classes: int = 20, cmap: Any = "Blues", colorbar: bool = False) -> Self:
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure.
        max_classes : int, default=20
            Most classes shown: those with the most suspects, in the order of ``labels``.
        cmap : str or matplotlib Colormap, default="Blues"
            Colours, from none to many.
        colorbar : bool, default=False
            Whether to draw what the colours mean.
        """
        if not is_count(max_classes):
            raise ValueError(f"max_classes must be a whole number, at least 1, got {max_classes!r}.")
        confusion, labels = np.asarray(self.confusion), np.asarray(self.labels)
        self.shown_ = _busiest(confusion, max_classes)
        part = confusion[np.ix_(self.shown_, self.shown_)]
        names = [shortened(label) for label in labels[self.shown_].tolist()]
        side = max(4.0, 1.6 + 0.42 * len(names))
        ax = axes_or_new(ax, (side, side))
        rotated = max(map(len, names)) * len(names) > 30
        drawn = ConfusionMatrixDisplay(part, display_labels=names).plot(
            ax=ax, cmap=cmap, colorbar=colorbar, xticks_rotation="vertical" if rotated else "horizontal"
        )
        for text, count in zip(drawn.text_.ravel(), part.ravel(), strict=True):
            text.set_visible(bool(count))
        ax.set(ylabel="Given label", xlabel="Suggested label")
        if len(part) < len(confusion):
            ax.set_title(
                f"{len(part)} of {len(confusion)} classes: {part.sum():,} of {confusion.sum():,} suspects",
                fontsize="medium",
            )
        self.im_, self.ax_, self.figure_ = drawn.im_, ax, ax.figure
        return self


def _busiest(confusion: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Return the classes with the most suspects, at most ``n``, in their order."""
    involved = confusion.sum(0) + confusion.sum(1)
    return np.sort(np.argsort(-involved, kind="stable")[:n])

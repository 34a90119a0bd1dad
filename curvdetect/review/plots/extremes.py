"""The least and the most suspect pictures of each class, side by side: the paper's Figs. 3, 9, 10 and 12."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvdetect.data.labels import encode
from curvdetect.detectors.checks import is_count
from curvdetect.detectors.ranking import worst_first
from curvdetect.metrics import as_scores
from curvdetect.review.plots.drawing import as_labels, axes_or_new, pictures, samples_to_draw, shortened
from curvdetect.review.results import fitted_detector, scores_of

#: Most classes that are drawn unless they are named.
CLASSES = 20


class ExtremesDisplay:
    """The lowest and the highest scores of each class as pictures, a row for each class; highest are the most suspect.

    Parameters
    ----------
    lowest, highest : array of shape (n_classes, k, height, width) or (n_classes, k, height, width, 3)
        Pictures in [0, 1], NaN where a class has fewer; the lowest first, and the highest last.
    labels : array-like of shape (n_classes,)
        The classes.
    lowest_index, highest_index : array-like of shape (n_classes, k), int
        Positions in the training data; -1 where a class has fewer.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure around it.
    im_ : matplotlib AxesImage
        All pictures.

    References
    ----------
    .. [1] Garg, Ravikumar, Roy, "Memorization Through the Lens of Curvature of Loss Function Around Samples",
       ICML 2024, Fig. 3.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from curvdetect import ExtremesDisplay
    >>> digits = load_digits()
    >>> darkness = digits.data.sum(1)
    >>> display = ExtremesDisplay.from_predictions(digits.images, digits.target, darkness, k=5, classes=[0, 1, 7])
    >>> display.highest_index.shape
    (3, 5)
    """

    def __init__(
        self,
        *,
        lowest: NDArray[np.floating[Any]],
        highest: NDArray[np.floating[Any]],
        labels: ArrayLike,
        lowest_index: ArrayLike,
        highest_index: ArrayLike,
    ) -> None:
        self.lowest = lowest
        self.highest = highest
        self.labels = labels
        self.lowest_index = lowest_index
        self.highest_index = highest_index

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        k: int = 10,
        classes: ArrayLike | None = None,
        signal: str | None = None,
        ax: Any = None,
        **options: Any,
    ) -> Self:
        """Draw the training pictures of each given label with the lowest and the highest scores.

        Parameters
        ----------
        estimator : fitted detector, pipeline or search
            Any of them.
        X : array of shape (n_samples, ...), tensor or Dataset
            What it was fitted on, before any transformer: pictures with one, three or no channel.
        k : int, default=10
            Pictures on each side, as far as a class has so many.
        classes : array-like, optional
            Which given labels; by default all, or the first 20 of more.
        signal : str, optional
            A key of ``signal_scores_``, by which to choose instead of the detector's own score.
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure.
        **options
            Of `plot`.
        """
        detector = fitted_detector(estimator)
        scores = scores_of(detector, signal)
        given = detector.classes_[detector._given]
        samples = samples_to_draw(X, len(scores))
        return cls._of(samples, given, scores, k, classes).plot(ax=ax, **options)

    @classmethod
    def from_predictions(
        cls,
        X: Any,
        y: ArrayLike,
        scores: ArrayLike,
        *,
        k: int = 10,
        classes: ArrayLike | None = None,
        ax: Any = None,
        **options: Any,
    ) -> Self:
        """Draw pictures with the lowest and the highest scores of each label.

        Parameters
        ----------
        X : array of shape (n_samples, ...), tensor or Dataset
            Pictures with one, three or no channel.
        y : array-like of shape (n_samples,)
            Given labels.
        scores : array-like of shape (n_samples,)
            Higher is more suspect.
        k, classes, ax, **options
            As in `from_estimator`.
        """
        values = as_scores(scores)
        given = as_labels(y, "y", len(values))
        return cls._of(samples_to_draw(X, len(values)), given, values, k, classes).plot(ax=ax, **options)

    @classmethod
    def _of(
        cls, samples: Any, given: NDArray[Any], scores: NDArray[np.float64], k: int, classes: ArrayLike | None
    ) -> Self:
        """Choose the pictures, and read them once."""
        if not is_count(k):
            raise ValueError(f"k must be a whole number of pictures, at least 1, got {k!r}.")
        labels, codes = encode(given)
        if classes is None:
            chosen = np.arange(min(CLASSES, len(labels)))
        else:
            wanted = as_labels(classes, "classes")
            place = {label: i for i, label in enumerate(labels.tolist())}
            missing = [label for label in wanted.tolist() if label not in place]
            if missing or not len(wanted):
                raise ValueError(f"classes must hold some of the labels {_some(labels)}, got {_some(wanted)}.")
            chosen = np.array([place[label] for label in wanted.tolist()])
        k = min(k, int(np.bincount(codes)[chosen].max()))
        index = np.full((2, len(chosen), k), -1)
        order = worst_first(scores)[::-1]
        for row, code in enumerate(chosen):
            members = order[codes[order] == code]
            index[0, row, : len(members)] = members[:k]
            index[1, row, k - min(k, len(members)) :] = members[-k:]
        there = index >= 0
        read = pictures(samples, index[there])
        shown = np.full((*index.shape, *read.shape[1:]), np.nan, dtype=read.dtype)
        shown[there] = read
        return cls(
            lowest=shown[0], highest=shown[1], labels=labels[chosen], lowest_index=index[0], highest_index=index[1]
        )

    def plot(self, ax: Any = None, *, cmap: Any = "gray_r") -> Self:
        """Draw them, all in one image.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure.
        cmap : str or matplotlib Colormap, default="gray_r"
            For pictures without colours.
        """
        lowest, highest = np.asarray(self.lowest), np.asarray(self.highest)
        n_classes, k, height, width = lowest.shape[:4]
        gap = max(1, round(width / 14))
        middle = max(2 * gap, round(width / 2))
        left, right = (_rows(side, gap) for side in (lowest, highest))
        space = np.full((len(left), middle - gap, *left.shape[2:]), np.nan)
        canvas = np.concatenate([left, space, right], axis=1)
        if canvas.ndim == 3:
            canvas = np.where(np.isnan(canvas), 1.0, canvas)  # colours have no "nothing here"
        ax = axes_or_new(ax, (0.42 * (2 * k + 1) + 1.2, 0.42 * n_classes * height / width + 0.7))
        self.im_ = ax.imshow(canvas, cmap=cmap, vmin=0, vmax=1, interpolation="nearest")
        ax.set_yticks(
            np.arange(n_classes) * (height + gap) + (height - 1) / 2,
            [shortened(label) for label in np.asarray(self.labels).tolist()],
        )
        side = k * (width + gap)
        ax.set_xticks([(side - gap) / 2, side + middle - gap + (side - gap) / 2], ["lowest scores", "highest scores"])
        ax.tick_params(length=0, top=False, bottom=False, labeltop=True, labelbottom=False)
        ax.set_ylabel("Given label")
        ax.spines[:].set_visible(False)
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _rows(side: NDArray[np.floating[Any]], gap: int) -> NDArray[np.floating[Any]]:
    """Return pictures of shape (n_classes, k, height, width, ...) beside and below each other, with gaps between."""
    n_classes, k, height, width, *colours = side.shape
    padded = np.full((n_classes, k, height + gap, width + gap, *colours), np.nan)
    padded[:, :, :height, :width] = side
    return padded.swapaxes(1, 2).reshape(n_classes * (height + gap), k * (width + gap), *colours)


def _some(labels: NDArray[Any]) -> str:
    listed = labels.tolist()
    return f"{listed[:10]}{'...' if len(listed) > 10 else ''}"

"""The most suspect pictures with their labels, and the extremes of each class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvdetect.data.labels import encode, plain
from curvdetect.detectors.checks import is_count
from curvdetect.detectors.inputs import fitted_rows
from curvdetect.detectors.ranking import worst_first
from curvdetect.metrics import as_mask, as_scores
from curvdetect.review.plots import Display, as_labels, drawable, pictures_of, shortened
from curvdetect.review.results import fitted_detector, scores_of

#: Most classes that are drawn unless they are named.
CLASSES = 20


@dataclass(eq=False, repr=False)
class SuspectsDisplay:
    """A grid of the most suspect pictures with their given and suggested labels.

    Parameters
    ----------
    images : array of shape (k, height, width) or (k, height, width, 3)
        Pictures in [0, 1], most suspect first.
    given, suggested : array-like of shape (k,)
        Given labels, and those to consider instead.
    index : array-like of shape (k,)
        Positions in the training data.
    marked : array-like of shape (k,), bool, optional
        Which pictures get a dot.

    Attributes
    ----------
    figure_, axes_ : matplotlib Figure and array of matplotlib Axes
        Where it was drawn, one of the axes for each picture.
    dots_ : list of matplotlib Line2D
        One for each picture that is marked.

    Examples
    --------
    >>> import numpy as np
    >>> from curvdetect import SuspectsDisplay
    >>> display = SuspectsDisplay(np.zeros((2, 8, 8)), ["cat", "dog"], ["dog", "cat"], [7, 3]).plot(n_columns=2)
    >>> display.axes_[0].get_title()
    'cat → dog?'
    """

    images: NDArray[np.floating[Any]]
    given: ArrayLike
    suggested: ArrayLike
    index: ArrayLike
    marked: ArrayLike | None = None

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, *, k: int = 24, marked: ArrayLike | None = None, **options: Any
    ) -> Self:
        """Draw the ``k`` most suspect pictures of the training data.

        Parameters
        ----------
        estimator : fitted detector, pipeline or search
            Holds the suspects.
        X : array of shape (n_samples, ...), tensor or Dataset
            The training data, before any transformer: pictures with one, three or no channel.
        k : int, default=24
            Number of pictures.
        marked : array-like of shape (n_samples,), bool, optional
            Samples that get a dot: labels known to be wrong, or members of conflicting pairs.
        **options
            Options of `plot`.
        """
        detector = fitted_detector(estimator)
        table, n_samples = detector.ranking(k), len(detector.scores_)
        index = table["index"].to_numpy()
        images, dots = pictures_of(drawable(X, n_samples), index), _marked(marked, n_samples, index)
        return cls(images, table["given"], table["suggested"], index, dots).plot(**options)

    @classmethod
    def from_predictions(
        cls,
        X: Any,
        given: ArrayLike,
        suggested: ArrayLike,
        scores: ArrayLike,
        *,
        k: int = 24,
        marked: ArrayLike | None = None,
        **options: Any,
    ) -> Self:
        """Draw the ``k`` pictures with the highest scores, such as those of samples that were held out.

        Parameters
        ----------
        X : array of shape (n_samples, ...), tensor or Dataset
            Pictures with one, three or no channel.
        given, suggested, scores : array-like of shape (n_samples,)
            Given labels, those to consider instead, and scores; higher is more suspect.
        k, marked, **options
            As in `from_estimator`.
        """
        values = as_scores(scores)
        labels = [as_labels(y, name, len(values)) for y, name in ((given, "given"), (suggested, "suggested"))]
        if not is_count(k):
            raise ValueError(f"k must be a whole number of pictures, at least 1, got {k!r}.")
        index = worst_first(values)[:k]
        images, dots = pictures_of(drawable(X, len(values)), index), _marked(marked, len(values), index)
        return cls(images, labels[0][index], labels[1][index], index, dots).plot(**options)

    def plot(self, *, n_columns: int = 8, show_index: bool = False, figure: Any = None) -> Self:
        """Draw the grid.

        Parameters
        ----------
        n_columns : int, default=8
            Width of the grid.
        show_index : bool, default=False
            Whether the position in the data stands above the labels.
        figure : matplotlib Figure, optional
            Where to draw; by default a new figure of pyplot.
        """
        import matplotlib.pyplot as plt

        if not is_count(n_columns):
            raise ValueError(f"n_columns must be a whole number, at least 1, got {n_columns!r}.")
        n_rows = -(-len(self.images) // n_columns)
        size = (1.15 * n_columns, (1.6 if show_index else 1.4) * n_rows)
        self.figure_ = figure or plt.figure(figsize=size, layout="constrained")
        grid = self.figure_.subplots(n_rows, n_columns, squeeze=False).ravel()
        for ax in grid:
            ax.set_axis_off()
        self.axes_, self.dots_ = grid[: len(self.images)], []
        dots = np.zeros(len(self.images), dtype=bool) if self.marked is None else self.marked
        columns = (np.asarray(column).tolist() for column in (self.given, self.suggested, self.index, dots))
        for ax, image, given, suggested, i, dot in zip(self.axes_, self.images, *columns, strict=True):
            ax.imshow(image, cmap="gray_r" if image.ndim == 2 else None, interpolation="nearest", vmin=0, vmax=1)
            title = f"{shortened(given)} → {shortened(suggested)}?"
            ax.set_title(f"{i}\n{title}" if show_index else title, fontsize=9)
            if dot:
                look = {"color": "red", "markeredgecolor": "white", "markersize": 7, "transform": ax.transAxes}
                self.dots_ += ax.plot([0.9], [0.9], "o", **look)
        return self


@dataclass(kw_only=True, eq=False, repr=False)
class ExtremesDisplay(Display):
    """The lowest and the highest scores of each class as pictures, a row for each class; highest are the most suspect.

    As Fig. 3 of Garg, Ravikumar and Roy (ICML 2024).

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
    ax_, figure_ : matplotlib Axes and Figure
        Where it was drawn.
    im_ : matplotlib AxesImage
        All pictures.

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

    lowest: NDArray[np.floating[Any]]
    highest: NDArray[np.floating[Any]]
    labels: ArrayLike
    lowest_index: ArrayLike
    highest_index: ArrayLike

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        k: int = 10,
        classes: ArrayLike | None = None,
        signal: str | None = None,
        **options: Any,
    ) -> Self:
        """Draw the training pictures of each given label with the lowest and the highest scores.

        Parameters
        ----------
        estimator : fitted detector, pipeline or search
            Holds the scores.
        X : array of shape (n_samples, ...), tensor or Dataset
            The training data, before any transformer: pictures with one, three or no channel.
        k : int, default=10
            Most pictures of a class on each side.
        classes : array-like, optional
            Given labels to draw; by default all, or the first 20 of more.
        signal : str, optional
            A key of ``signal_scores_``, by which pictures are chosen instead of the detector's own score.
        **options
            Options of `plot`, such as ``ax``.
        """
        detector = fitted_detector(estimator)
        given = detector.classes_[fitted_rows(detector).labels]
        return cls._chosen(X, given, scores_of(detector, signal), k, classes).plot(**options)

    @classmethod
    def from_predictions(
        cls, X: Any, y: ArrayLike, scores: ArrayLike, *, k: int = 10, classes: ArrayLike | None = None, **options: Any
    ) -> Self:
        """Draw pictures with the lowest and the highest scores of each label.

        Parameters
        ----------
        X : array of shape (n_samples, ...), tensor or Dataset
            Pictures with one, three or no channel.
        y, scores : array-like of shape (n_samples,)
            Given labels, and scores; higher is more suspect.
        k, classes, **options
            As in `from_estimator`.
        """
        values = as_scores(scores)
        return cls._chosen(X, as_labels(y, "y", len(values)), values, k, classes).plot(**options)

    @classmethod
    def _chosen(
        cls, X: Any, given: NDArray[Any], scores: NDArray[np.float64], k: int, classes: ArrayLike | None
    ) -> Self:
        """Choose the pictures, and read them once."""
        samples = drawable(X, len(scores))
        if not is_count(k):
            raise ValueError(f"k must be a whole number of pictures, at least 1, got {k!r}.")
        labels, codes = encode(given)
        place = {label: i for i, label in enumerate(labels.tolist())}
        wanted = labels[:CLASSES] if classes is None else as_labels(classes, "classes")
        chosen = np.array([place[label] for label in wanted.tolist() if label in place])
        if not 0 < len(wanted) == len(chosen):
            raise ValueError(f"classes must hold some of the labels {_some(labels)}, got {_some(wanted)}.")
        k = min(k, int(np.bincount(codes)[chosen].max()))
        index = np.full((2, len(chosen), k), -1)
        order = worst_first(scores)[::-1]
        for row, code in enumerate(chosen):
            members = order[codes[order] == code]
            index[0, row, : len(members)] = members[:k]
            index[1, row, k - min(k, len(members)) :] = members[-k:]
        there = index >= 0
        read = pictures_of(samples, index[there])
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
            Colours of pictures that have none.
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
        ax = self._draw_on(ax, (0.42 * (2 * k + 1) + 1.2, 0.42 * n_classes * height / width + 0.7))
        self.im_ = ax.imshow(canvas, cmap=cmap, vmin=0, vmax=1, interpolation="nearest")
        names = [shortened(label) for label in np.asarray(self.labels).tolist()]
        ax.set_yticks(np.arange(n_classes) * (height + gap) + (height - 1) / 2, names)
        side = k * (width + gap)
        ax.set_xticks([(side - gap) / 2, side + middle - gap + (side - gap) / 2], ["lowest scores", "highest scores"])
        ax.tick_params(length=0, top=False, bottom=False, labeltop=True, labelbottom=False)
        ax.set_ylabel("Given label")
        ax.spines[:].set_visible(False)
        return self


def _marked(marked: ArrayLike | None, n_samples: int, index: NDArray[np.int64]) -> NDArray[np.bool_] | None:
    """Return which of the pictures shown get a dot."""
    if marked is None:
        return None
    mask = as_mask(plain(marked), "marked")
    if len(mask) != n_samples:
        raise ValueError(f"marked has {len(mask)} entries for {n_samples} samples.")
    return mask[index]


def _rows(side: NDArray[np.floating[Any]], gap: int) -> NDArray[np.floating[Any]]:
    """Return pictures of shape (n_classes, k, height, width, ...) beside and below each other, with gaps between."""
    n_classes, k, height, width, *colours = side.shape
    padded = np.full((n_classes, k, height + gap, width + gap, *colours), np.nan)
    padded[:, :, :height, :width] = side
    return padded.swapaxes(1, 2).reshape(n_classes * (height + gap), k * (width + gap), *colours)


def _some(labels: NDArray[Any]) -> str:
    listed = labels.tolist()
    return f"{listed[:10]}{'...' if len(listed) > 10 else ''}"

"""The most suspect pictures with their labels, and the extremes of each class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from curvdetect.data.items import is_dataset
from curvdetect.data.labels import encode, plain
from curvdetect.data.samples import as_unlabelled
from curvdetect.data.types import Array, Record
from curvdetect.data.wording import brief
from curvdetect.detectors.inputs import fitted_rows
from curvdetect.detectors.parameters import Number, check_value
from curvdetect.detectors.ranking import worst_first
from curvdetect.metrics import as_mask, as_scores
from curvdetect.review.plots import Display, as_labels, shortened
from curvdetect.review.results import fitted_detector, scores_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

#: Most classes that are drawn unless they are named.
CLASSES = 20
_PICTURES = Number("a whole number of pictures, at least 1")


@dataclass(eq=False, repr=False)
class SuspectsDisplay(Display):
    """A grid of the most suspect pictures with their given and suggested labels.

    Parameters
    ----------
    images : array of shape (k, height, width) or (k, height, width, 3)
        Pictures in [0, 1], most suspect first.
    index : array-like of shape (k,)
        Positions in the training data.
    marked : array-like of shape (k,) or (n_samples,), bool, optional
        Which pictures get a dot, such as labels known to be wrong; the constructor takes those of the pictures alone.

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

    images: Array
    given: ArrayLike
    suggested: ArrayLike
    index: ArrayLike
    marked: ArrayLike | None = None

    @classmethod
    def from_estimator(
        cls, estimator: object, X: object, *, k: int = 24, marked: ArrayLike | None = None, **options: object
    ) -> Self:
        """Draw the ``k`` most suspect pictures of the training data.

        Parameters
        ----------
        k : int, default=24
            Number of pictures.
        **options
            Options of `plot`.
        """
        detector = fitted_detector(estimator)
        given = detector.classes_[fitted_rows(detector).labels]
        return cls._chosen(X, given, detector.suggested_labels_, detector.scores_, k, marked)._drawn(options)

    @classmethod
    def from_predictions(
        cls,
        X: object,
        given: ArrayLike,
        suggested: ArrayLike,
        scores: ArrayLike,
        *,
        k: int = 24,
        marked: ArrayLike | None = None,
        **options: object,
    ) -> Self:
        """Draw the ``k`` pictures with the highest scores, such as those of samples that were held out."""
        values = as_scores(scores)
        one, two = (as_labels(y, name, len(values)) for y, name in ((given, "given"), (suggested, "suggested")))
        return cls._chosen(X, one, two, values, k, marked)._drawn(options)

    @classmethod
    def _chosen(
        cls, X: object, given: Array, suggested: Array, scores: Array, k: int, marked: ArrayLike | None
    ) -> Self:
        """Choose the pictures, and read them."""
        check_value("k", k, [_PICTURES])
        index = worst_first(scores)[:k]
        dots = None if marked is None else as_mask(marked, "marked", len(scores))[index]
        return cls(_pictures(X, len(scores), index), given[index], suggested[index], index, dots)

    def plot(self, *, n_columns: int = 8, show_index: bool = False, figure: Figure | None = None) -> Self:
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

        check_value("n_columns", n_columns, [Number("a whole number, at least 1")])
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
                look: Record = {"color": "red", "markeredgecolor": "white", "markersize": 7, "transform": ax.transAxes}
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

    lowest: Array
    highest: Array
    labels: ArrayLike
    lowest_index: ArrayLike
    highest_index: ArrayLike

    @classmethod
    def from_estimator(
        cls,
        estimator: object,
        X: object,
        *,
        k: int = 10,
        classes: ArrayLike | None = None,
        signal: str | None = None,
        **options: object,
    ) -> Self:
        """Draw the training pictures of each given label with the lowest and the highest scores.

        Parameters
        ----------
        k : int, default=10
            Most pictures of a class on each side.
        classes : array-like, optional
            Given labels to draw; by default all, or the first 20 of more.
        """
        detector = fitted_detector(estimator)
        given = detector.classes_[fitted_rows(detector).labels]
        return cls._chosen(X, given, scores_of(detector, signal), k, classes)._drawn(options)

    @classmethod
    def from_predictions(
        cls,
        X: object,
        y: ArrayLike,
        scores: ArrayLike,
        *,
        k: int = 10,
        classes: ArrayLike | None = None,
        **options: object,
    ) -> Self:
        """Draw pictures with the lowest and the highest scores of each label, ``y``."""
        values = as_scores(scores)
        return cls._chosen(X, as_labels(y, "y", len(values)), values, k, classes)._drawn(options)

    @classmethod
    def _chosen(cls, X: object, given: Array, scores: Array, k: int, classes: ArrayLike | None) -> Self:
        """Choose the pictures, and read them once."""
        check_value("k", k, [_PICTURES])
        labels, codes = encode(given)
        place = {label: i for i, label in enumerate(labels.tolist())}
        wanted = labels[:CLASSES] if classes is None else as_labels(classes, "classes")
        chosen = np.array([place[label] for label in wanted.tolist() if label in place])
        if not 0 < len(wanted) == len(chosen):
            some, got = (brief(part.tolist()) for part in (labels, wanted))
            raise ValueError(f"classes must hold some of the labels {some}, got {got}.")
        k = min(k, int(np.bincount(codes)[chosen].max()))
        index = np.full((2, len(chosen), k), -1)
        order = worst_first(scores)[::-1]
        for row, code in enumerate(chosen):
            members = order[codes[order] == code]
            index[0, row, : len(members)] = members[:k]
            index[1, row, k - min(k, len(members)) :] = members[-k:]
        there = index >= 0
        read = _pictures(X, len(scores), index[there])
        shown = np.full((*index.shape, *read.shape[1:]), np.nan, dtype=read.dtype)
        shown[there] = read
        return cls(
            lowest=shown[0], highest=shown[1], labels=labels[chosen], lowest_index=index[0], highest_index=index[1]
        )

    def plot(self, ax: Axes | None = None, *, cmap: str | Colormap = "gray_r") -> Self:
        """Draw them, all in one image; ``cmap`` is for pictures without colours."""
        n_classes, k, height, width = self.lowest.shape[:4]
        gap = max(1, round(width / 14))
        middle = max(2 * gap, round(width / 2))
        left, right = (_rows(np.asarray(side), gap) for side in (self.lowest, self.highest))
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


def _pictures(X: object, n_samples: int, index: NDArray[np.int64]) -> Array:
    """Return pictures in [0, 1], (k, height, width) or (k, height, width, 3), scaled together where they are beyond."""
    samples = as_unlabelled(X if is_dataset(X) else np.asarray(plain(X)))
    if len(samples) != n_samples:
        raise ValueError(
            f"X has {len(samples)} samples, but the detector was fitted on {n_samples}. Pass the training data itself."
        )
    shape = samples.shape
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[0] not in (1, 3)):
        raise ValueError(
            f"X has samples of shape {shape}, which is no picture: (height, width), (1, height, width) or (3, height, "
            "width) can be drawn. Rows of a table that are pictures: X.reshape(-1, height, width)."
        )
    images = samples.batch(torch.from_numpy(index)).cpu().numpy()
    if images.ndim == 4:
        images = images[:, 0] if images.shape[1] == 1 else images.transpose(0, 2, 3, 1)
    low, high = images.min(), images.max()
    return (images - low) / (high - low) if low < 0 or high > 1 else images


def _rows(side: Array, gap: int) -> Array:
    """Return pictures of shape (n_classes, k, height, width, ...) beside and below each other, with gaps between."""
    padded = np.pad(side, [(0, 0), (0, 0), (0, gap), (0, gap), *[(0, 0)] * (side.ndim - 4)], constant_values=np.nan)
    n_classes, k, height, width, *colours = padded.shape
    return padded.swapaxes(1, 2).reshape(n_classes * height, k * width, *colours)

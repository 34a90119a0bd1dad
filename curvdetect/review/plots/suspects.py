"""The most suspect pictures, with their labels."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvdetect.data.labels import plain
from curvdetect.detectors.checks import is_count
from curvdetect.detectors.ranking import worst_first
from curvdetect.metrics import as_mask, as_scores
from curvdetect.review.plots.drawing import as_labels, pictures, samples_to_draw, shortened
from curvdetect.review.results import fitted_detector


class SuspectsDisplay:
    """A grid of the most suspect pictures with their given and suggested labels.

    Parameters
    ----------
    images : array of shape (k, height, width) or (k, height, width, 3)
        Pictures in [0, 1], most suspect first.
    given : array-like of shape (k,)
        Given labels.
    suggested : array-like of shape (k,)
        Labels to consider instead.
    index : array-like of shape (k,)
        Positions in the training data.
    marked : array-like of shape (k,), bool, optional
        Which pictures get a dot.

    Attributes
    ----------
    dots_ : list of matplotlib Line2D
        One for each picture that is marked.
    figure_ : matplotlib Figure
        Where it was drawn.
    axes_ : array of matplotlib Axes
        One for each picture.

    Examples
    --------
    >>> import numpy as np
    >>> from curvdetect import SuspectsDisplay
    >>> display = SuspectsDisplay(np.zeros((2, 8, 8)), ["cat", "dog"], ["dog", "cat"], [7, 3]).plot(n_columns=2)
    >>> display.axes_[0].get_title()
    'cat → dog?'
    """

    def __init__(
        self,
        images: NDArray[np.floating[Any]],
        given: ArrayLike,
        suggested: ArrayLike,
        index: ArrayLike,
        marked: ArrayLike | None = None,
    ) -> None:
        self.images = images
        self.given = given
        self.suggested = suggested
        self.index = index
        self.marked = marked

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        k: int = 24,
        marked: ArrayLike | None = None,
        n_columns: int = 8,
        show_index: bool = False,
        figure: Any = None,
    ) -> Self:
        """Draw the ``k`` most suspect pictures of the training data.

        Parameters
        ----------
        estimator : fitted detector, pipeline or search
            Any of them.
        X : array of shape (n_samples, ...), tensor or Dataset
            What it was fitted on, before any transformer: pictures with one, three or no channel.
        k : int, default=24
            Number of pictures.
        marked : array-like of shape (n_samples,), bool, optional
            Samples to be told from others by a dot: labels known to be wrong, or members of conflicting pairs.
        n_columns : int, default=8
            Width of the grid.
        show_index : bool, default=False
            Whether the position in the data stands above the labels.
        figure : matplotlib Figure, optional
            Where to draw; by default a new one of pyplot's.
        """
        detector = fitted_detector(estimator)
        table = detector.ranking(k)
        index = table["index"].to_numpy()
        images = pictures(samples_to_draw(X, len(detector.scores_)), index)
        dots = _marked(marked, len(detector.scores_), index)
        display = cls(images, table["given"], table["suggested"], index, dots)
        return display.plot(n_columns=n_columns, show_index=show_index, figure=figure)

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
        n_columns: int = 8,
        show_index: bool = False,
        figure: Any = None,
    ) -> Self:
        """Draw the ``k`` pictures with the highest scores, such as those of samples that were held out.

        Parameters
        ----------
        X : array of shape (n_samples, ...), tensor or Dataset
            Pictures.
        given, suggested : array-like of shape (n_samples,)
            Labels as they are, and those to consider instead.
        scores : array-like of shape (n_samples,)
            Higher is more suspect.
        k, marked, n_columns, show_index, figure
            As in `from_estimator`.
        """
        values = as_scores(scores)
        labels = [as_labels(y, name, len(values)) for y, name in ((given, "given"), (suggested, "suggested"))]
        if not is_count(k):
            raise ValueError(f"k must be a whole number of pictures, at least 1, got {k!r}.")
        index = worst_first(values)[:k]
        images = pictures(samples_to_draw(X, len(values)), index)
        display = cls(images, labels[0][index], labels[1][index], index, _marked(marked, len(values), index))
        return display.plot(n_columns=n_columns, show_index=show_index, figure=figure)

    def plot(self, *, n_columns: int = 8, show_index: bool = False, figure: Any = None) -> Self:
        """Draw the grid.

        Parameters
        ----------
        n_columns : int, default=8
            Width of the grid.
        show_index : bool, default=False
            Whether the position in the data stands above the labels.
        figure : matplotlib Figure, optional
            Where to draw; by default a new one of pyplot's.
        """
        import matplotlib.pyplot as plt

        if not is_count(n_columns):
            raise ValueError(f"n_columns must be a whole number, at least 1, got {n_columns!r}.")

        n_rows = -(-len(self.images) // n_columns)
        self.figure_ = figure or plt.figure(
            figsize=(1.15 * n_columns, (1.6 if show_index else 1.4) * n_rows), layout="constrained"
        )
        grid = self.figure_.subplots(n_rows, n_columns, squeeze=False).ravel()
        for ax in grid:
            ax.set_axis_off()
        self.axes_ = grid[: len(self.images)]
        self.dots_ = []
        dots = np.zeros(len(self.images), dtype=bool) if self.marked is None else np.asarray(self.marked)
        labels = zip(np.asarray(self.given).tolist(), np.asarray(self.suggested).tolist(), strict=True)
        for ax, image, names, i, dot in zip(self.axes_, self.images, labels, np.asarray(self.index), dots, strict=True):
            ax.imshow(image, cmap="gray_r" if image.ndim == 2 else None, interpolation="nearest", vmin=0, vmax=1)
            title = "{} → {}?".format(*map(shortened, names))
            ax.set_title(f"{i}\n{title}" if show_index else title, fontsize=9)
            if dot:
                look = {"color": "red", "markeredgecolor": "white", "markersize": 7, "transform": ax.transAxes}
                self.dots_ += ax.plot([0.9], [0.9], "o", **look)
        return self


def _marked(marked: ArrayLike | None, n_samples: int, index: NDArray[np.int64]) -> NDArray[np.bool_] | None:
    """Return which of the pictures shown get a dot."""
    if marked is None:
        return None
    mask = as_mask(plain(marked), "marked")
    if len(mask) != n_samples:
        raise ValueError(f"marked has {len(mask)} entries for {n_samples} samples.")
    return mask[index]

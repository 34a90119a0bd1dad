"""Pictures of what a detector found, in the manner of scikit-learn's Display classes."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvdetect.data.items import is_dataset
from curvdetect.data.labels import plain
from curvdetect.data.sources import as_unlabelled
from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.detectors.checks import is_count


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

    Attributes
    ----------
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
        self, images: NDArray[np.floating[Any]], given: ArrayLike, suggested: ArrayLike, index: ArrayLike
    ) -> None:
        self.images = images
        self.given = given
        self.suggested = suggested
        self.index = index

    @classmethod
    def from_detector(cls, detector: BaseNoiseDetector, X: Any, *, k: int = 24, n_columns: int = 8) -> Self:
        """Draw the ``k`` most suspect pictures of the training data.

        Parameters
        ----------
        detector : fitted detector
            Any of them.
        X : array of shape (n_samples, ...), tensor or Dataset
            What it was fitted on: pictures with one, three or no channel.
        k : int, default=24
            Number of pictures.
        n_columns : int, default=8
            Width of the grid.
        """
        table = detector.ranking(k)
        samples = as_unlabelled(X if is_dataset(X) else np.asarray(plain(X)))
        if len(samples) != len(detector.scores_):
            raise ValueError(
                f"X has {len(samples)} samples, but the detector was fitted on {len(detector.scores_)}. Pass the "
                "training data itself."
            )
        if len(samples.shape) not in (2, 3) or (len(samples.shape) == 3 and samples.shape[0] not in (1, 3)):
            raise ValueError(
                f"X has samples of shape {samples.shape}, which is no picture: (height, width), (1, height, width) "
                "or (3, height, width) can be drawn."
            )
        images = np.stack([samples[int(i)][0].numpy() for i in table["index"]])
        if images.ndim == 4:
            images = images[:, 0] if images.shape[1] == 1 else images.transpose(0, 2, 3, 1)
        low, high = images.min(), images.max()
        if low < 0 or high > 1:
            images = (images - low) / (high - low)
        return cls(images, table["given"], table["suggested"], table["index"]).plot(n_columns=n_columns)

    def plot(self, *, n_columns: int = 8, figure: Any = None) -> Self:
        """Draw the grid.

        Parameters
        ----------
        n_columns : int, default=8
            Width of the grid.
        figure : matplotlib Figure, optional
            Where to draw; by default a new one, which pyplot does not keep.
        """
        from matplotlib.figure import Figure

        if not is_count(n_columns):
            raise ValueError(f"n_columns must be a whole number, at least 1, got {n_columns!r}.")

        n_rows = -(-len(self.images) // n_columns)
        self.figure_ = figure or Figure(figsize=(1.15 * n_columns, 1.4 * n_rows), layout="constrained")
        grid = self.figure_.subplots(n_rows, n_columns, squeeze=False).ravel()
        for ax in grid:
            ax.set_axis_off()
        self.axes_ = grid[: len(self.images)]
        labels = zip(self.axes_, self.images, np.asarray(self.given), np.asarray(self.suggested), strict=True)
        for ax, image, given, suggested in labels:
            ax.imshow(image, cmap="gray_r" if image.ndim == 2 else None, interpolation="nearest", vmin=0, vmax=1)
            ax.set_title(f"{given} → {suggested}?", fontsize=9)
        return self

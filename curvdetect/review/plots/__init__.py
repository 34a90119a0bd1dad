"""Pictures of what a detector found, in the manner of scikit-learn's Display classes, and what all of them share.

The constructor keeps the data, ``plot`` draws it, ``from_estimator`` and ``from_predictions`` do both at once. All take
a detector, a pipeline that ends with one, or a search that fitted one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from curvdetect.data.items import is_dataset
from curvdetect.data.labels import plain, plain_labels
from curvdetect.data.samples import Samples, as_unlabelled

#: Okabe and Ito's colours, told apart with every kind of colour vision; yellow and black are left out.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
#: One for each of several curves, so that they can be told apart without colours.
STYLES = ("-", "--", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (3, 1)))
#: Marks the lines of a call of ``plot``, so that the next call on the same axes takes another colour.
DRAWN = "curvdetect"


class Display:
    """The base of the displays: it keeps the axes that it drew on."""

    ax_: Any
    figure_: Any

    def _draw_on(self, ax: Any, size: tuple[float, float] | None = None) -> Any:
        """Keep and return the axes; without any, those of a new figure of pyplot, as scikit-learn does."""
        if ax is None:
            import matplotlib.pyplot as plt

            ax = plt.subplots(figsize=size, layout="constrained")[1]
        self.ax_, self.figure_ = ax, ax.figure
        return ax


def legend_above(ax: Any, handles: list[Any], title: str | None = None) -> None:
    """Draw a legend above the axes, where it hides nothing."""
    look = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": 3, "frameon": False, "fontsize": "small"}
    ax.legend(handles=handles, title=title, title_fontsize="medium", **look)


def n_drawn(ax: Any) -> int:
    """Return how many curves earlier calls drew on these axes."""
    return sum(line.get_gid() == DRAWN for line in ax.lines)


def is_spread(values: NDArray[np.float64], ratio: float) -> bool:
    """Say whether a logarithmic axis fits: all values are positive, the largest above ``ratio`` times the median."""
    return len(values) > 0 and bool(values.min() > 0 and values.max() > ratio * np.median(values))


def as_labels(labels: Any, name: str, n_samples: int | None = None) -> NDArray[Any]:
    """Return labels of any kind as an array, or raise where there are more or fewer than ``n_samples``."""
    array = np.asarray(plain_labels(labels, name))
    if array.ndim != 1 or (n_samples is not None and len(array) != n_samples):
        wanted = "sample" if n_samples is None else f"of {n_samples} samples"
        raise ValueError(f"{name} must have one entry for each {wanted}, got an array of shape {array.shape}.")
    return array


def shortened(label: Any) -> str:
    """Return a label as a tick can hold it: not too long, and no dollar signs, which matplotlib reads as formulas."""
    text = label.decode(errors="replace") if isinstance(label, bytes) else str(label)
    text = " ".join(text.split())
    return (text if len(text) <= 18 else f"{text[:17]}…").replace("$", r"\$")


def check_choice(value: Any, name: str, choices: tuple[str, ...]) -> None:
    """Raise where ``value`` is none of the choices."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {list(choices)}, got {value!r}.")


def drawable(X: Any, n_samples: int) -> Samples:
    """Return pictures that can be read one by one, or raise where they are none or not as many as they should be."""
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
    return samples


def pictures_of(samples: Samples, index: NDArray[np.int64]) -> NDArray[np.floating[Any]]:
    """Return pictures in [0, 1], (k, height, width) or (k, height, width, 3), scaled together where they are beyond."""
    images: NDArray[np.floating[Any]] = samples.batch(torch.tensor(index)).cpu().numpy()
    if images.ndim == 4:
        images = images[:, 0] if images.shape[1] == 1 else images.transpose(0, 2, 3, 1)
    low, high = images.min(), images.max()
    return (images - low) / (high - low) if low < 0 or high > 1 else images

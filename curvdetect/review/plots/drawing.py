"""What all pictures share: where they are drawn, in which colours, and what they accept."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from curvdetect.data.items import is_dataset
from curvdetect.data.labels import plain, plain_labels
from curvdetect.data.sources import as_unlabelled

#: Okabe and Ito's colours, told apart with every kind of colour vision; yellow and black left out.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
#: One for each of several curves, so that they can be told apart without colours.
STYLES = ("-", "--", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (3, 1)))
RIGHT, WRONG = COLOURS[:2]
#: Marks what one call of ``plot`` drew, so that the next one on the same axes takes another colour.
DRAWN = "curvdetect"


def axes_or_new(ax: Any, size: tuple[float, float] | None = None) -> Any:
    """Return the axes to draw on; as in scikit-learn, those of a new figure of pyplot's where there are none."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size, layout="constrained")[1]


def legend_above(ax: Any, handles: list[Any], title: str | None = None) -> None:
    """Draw a legend above the axes, where it hides nothing."""
    look = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": 3, "frameon": False, "fontsize": "small"}
    ax.legend(handles=handles, title=title, title_fontsize="medium", **look)


def n_drawn(ax: Any) -> int:
    """Return how many curves were drawn on these axes by earlier calls."""
    return sum(line.get_gid() == DRAWN for line in ax.lines)


def style(number: int) -> dict[str, Any]:
    """Return the look of one curve among several."""
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": STYLES[number % len(STYLES)]}


def is_spread(values: NDArray[np.float64], ratio: float) -> bool:
    """Say whether numbers are positive and the largest is more than ``ratio`` times the median: a logarithmic axis."""
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


def samples_to_draw(X: Any, n_samples: int) -> Any:
    """Return pictures that can be asked for one by one, or raise where they are none or not as many as they should be.

    Parameters
    ----------
    X : array of shape (n_samples, ...), tensor or Dataset
        Pictures with one, three or no channel.
    n_samples : int
        What the detector was fitted on.
    """
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


def pictures(samples: Any, index: NDArray[np.int64]) -> NDArray[np.floating[Any]]:
    """Return pictures in [0, 1], (k, height, width) or (k, height, width, 3), scaled together where they are beyond.

    Parameters
    ----------
    samples : Samples
        Of `samples_to_draw`.
    index : array of shape (k,)
        Which.
    """
    images = np.stack([samples[int(i)][0].numpy() for i in index])
    if images.ndim == 4:
        images = images[:, 0] if images.shape[1] == 1 else images.transpose(0, 2, 3, 1)
    low, high = images.min(), images.max()
    if low < 0 or high > 1:
        images = (images - low) / (high - low)
    return images

"""Pictures of what a detector found, in the manner of scikit-learn's Display classes, and what all of them share.

The constructor keeps the data, ``plot`` draws it, ``from_estimator`` and ``from_predictions`` do both at once.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvdetect.data.labels import plain_labels
from curvdetect.data.types import Array, Record
from curvdetect.review.results import fitted_detector

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

#: Okabe and Ito's colours, told apart with every kind of colour vision; yellow and black are left out.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
#: One for each of several curves, so that they can be told apart without colours.
STYLES = ("-", "--", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (3, 1)))
#: Marks the lines of a call of ``plot``, so that the next call on the same axes takes another colour.
DRAWN = "curvdetect"
_PARAMETERS, _ATTRIBUTES = "\n\nParameters\n----------\n", "\n\nAttributes\n----------\n"
_WHERE = "ax_, figure_ : matplotlib Axes and Figure\n    Where it was drawn.\n"


class Display:
    """The base of the displays, which inherit the descriptions of parameters that they don't describe themselves.

    Parameters
    ----------
    estimator : fitted detector, pipeline or search
        Holds the results.
    X : array of shape (n_samples, ...), tensor or Dataset
        Pictures with one, three or no channel. With an estimator, its training data, before any transformer.
    y : array-like of shape (n_samples,)
        Given labels.
    scores : array-like of shape (n_samples,)
        Higher is more suspect.
    given, suggested : array-like of shape (n_samples,)
        Labels of any kind: those given, and those to consider instead.
    noise_mask : array-like of shape (n_samples,), bool
        True where a label is known to be wrong.
    signal : str, optional
        A key of ``signal_scores_``, whose scores are drawn instead of the detector's own.
    name : str, optional
        Name in the legend; by default the display's own, which is that of the signal or the class of an estimator.
    **options
        Options of `plot`, such as ``ax``, and with an estimator those of `from_predictions`. A ``name`` is kept.
    epoch : array-like of shape (n_epochs,)
        Counted from 1; by default one after another.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure of pyplot.
    cmap : str or matplotlib Colormap
        Colours, from none to many.
    """

    ax_: Axes
    figure_: Figure | SubFigure
    from_estimator: Callable[..., Self]
    from_predictions: Callable[..., Self]
    plot: Callable[..., Self]
    name: str | None

    def __init_subclass__(cls) -> None:
        """Complete the docstrings of a display, unless it has none of its own."""
        if cls.__doc__ is None:
            return
        described = _entries(Display.__doc__) | _entries(cls.from_estimator.__doc__) | _entries(cls.__doc__)
        cls.__doc__ = _completed(cls.__doc__, cls.__annotations__, described)
        if "figure_" not in cls.__doc__:
            cls.__doc__ = cls.__doc__.replace(_ATTRIBUTES, _ATTRIBUTES + _WHERE)
        for method in (cls.from_estimator, cls.from_predictions, cls.plot):
            names = (str(parameter).partition(":")[0] for parameter in inspect.signature(method).parameters.values())
            getattr(method, "__func__", method).__doc__ = _completed(method.__doc__, names, described)

    @classmethod
    def _with_name(cls, options: Record, estimator: object, signal: str | None = None) -> Record:
        """Return options with a name for the legend, by default that of the signal or of the estimator's class."""
        name = signal or type(fitted_detector(estimator)).__name__
        return {**options, "name": name} if options.get("name") is None else options

    def _draw_on(self, ax: Axes | None, size: tuple[float, float] | None = None) -> Axes:
        """Keep and return the axes; without any, those of a new figure of pyplot, as scikit-learn does."""
        if ax is None:
            import matplotlib.pyplot as plt

            ax = plt.subplots(figsize=size, layout="constrained")[1]
        self.ax_, self.figure_ = ax, ax.figure
        return ax

    def _n_drawn(self) -> int:
        """Return how many curves with a name earlier calls drew on the axes."""
        labels = [str(line.get_label()) for line in self.ax_.lines if line.get_gid() == DRAWN]
        return sum(not label.startswith("_") for label in labels)

    def _legend(self, handles: Sequence[Artist], title: str | None = None) -> None:
        """Draw a legend above the axes, where it hides nothing."""
        look: Record = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": 3, "frameon": False}
        self.ax_.legend(handles=handles, title=title, title_fontsize="medium", fontsize="small", **look)

    def _drawn(self, options: Record) -> Self:
        """Draw with the options that were passed to another method, and keep the name."""
        if "name" in options:
            self.name = options["name"]
        return self.plot(**options)


def _entries(docstring: str | None) -> dict[str, str]:
    """Return the descriptions of parameters in a docstring, by name."""
    section = inspect.cleandoc(docstring or "").partition(_PARAMETERS)[2].partition("\n\n")[0]
    entries = re.split(r"\n(?=\S)", section)
    return {name: entry for entry in entries for name in re.split(" :|\n", entry)[0].split(", ")}


def _completed(docstring: str | None, names: Iterable[str], described: dict[str, str]) -> str:
    """Return a docstring that describes these parameters, in its own words or in those that are described elsewhere."""
    head, _, rest = inspect.cleandoc(docstring or "").partition(_PARAMETERS)
    described = described | _entries(docstring)
    section = "\n".join(dict.fromkeys(described[name] for name in names if name in described))
    return head + _PARAMETERS + section + "".join(rest.partition("\n\n")[1:])


def is_spread(values: NDArray[np.float64], ratio: float) -> bool:
    """Say whether a logarithmic axis fits: all values are positive, the largest above ``ratio`` times the median."""
    return len(values) > 0 and bool(values.min() > 0 and values.max() > ratio * np.median(values))


def numbers(values: ArrayLike, name: str, wanted: str, *shape: int | None) -> NDArray[np.float64]:
    """Return numbers as an array of this shape, in which None is any length but 0, or raise what is ``wanted``."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must hold numbers, {wanted} ({error}).") from error
    fits = len(shape) == array.ndim and all(length in (None, n) for length, n in zip(shape, array.shape, strict=True))
    if not fits or not len(array):
        raise ValueError(f"{name} must hold {wanted}, got an array of shape {array.shape}.")
    return array


def as_labels(labels: ArrayLike, name: str, n_samples: int | None = None) -> Array:
    """Return labels of any kind as an array, or raise where there are more or fewer than ``n_samples``."""
    array = np.asarray(plain_labels(labels, name))
    if array.ndim != 1 or (n_samples is not None and len(array) != n_samples):
        wanted = "sample" if n_samples is None else f"of {n_samples} samples"
        raise ValueError(f"{name} must have one entry for each {wanted}, got an array of shape {array.shape}.")
    return array


def shortened(label: object) -> str:
    """Return a label as a tick can hold it: not too long, and no dollar signs, which matplotlib reads as formulas."""
    text = label.decode(errors="replace") if isinstance(label, bytes) else str(label)
    text = " ".join(text.split())
    return (text if len(text) <= 18 else f"{text[:17]}…").replace("$", r"\$")

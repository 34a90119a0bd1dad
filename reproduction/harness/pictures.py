"""Grids of pictures under their labels, with a red dot on those that are marked, in files small enough to commit."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.spatial import cKDTree

#: Colours of a file: enough for a grid of thumbnails, at a third of the bytes.
_COLOURS = 192
_ALWAYS = ((255, 0, 0), (255, 255, 255), (0, 0, 0))
#: What red, green and blue count in the number of a colour.
_PLACES = np.array([65536, 256, 1])


@dataclass
class Panel:
    """One grid."""

    caption: str
    images: np.ndarray
    """Shape (k, height, width) or (k, height, width, 3), in [0, 1]."""
    labels: list[str]
    marked: np.ndarray
    """True where a picture gets a red dot."""


def panel(caption: str, X: np.ndarray, index: list[int], labels: Any, marked: Any) -> Panel:
    """Return a panel of some samples, given all: rows of square pictures, or (channels, height, width)."""
    chosen = np.asarray(index, dtype=int)
    shown = as_pictures(X[chosen])
    return Panel(caption, shown, [str(y) for y in np.asarray(labels)[chosen]], np.asarray(marked, dtype=bool)[chosen])


def as_pictures(X: np.ndarray) -> np.ndarray:
    """Return samples as pictures in [0, 1], channels last."""
    X = X / 255 if X.dtype == np.uint8 else X
    if X.ndim == 2:
        side = round(X.shape[1] ** 0.5)
        return X.reshape(-1, side, side)
    if X.ndim == 4:
        return X[:, 0] if X.shape[1] == 1 else X.transpose(0, 2, 3, 1)
    return X


def draw(panels: list[Panel], path: Path, *, n_columns: int = 10, n_across: int = 2, title: str = "") -> None:
    """Draw panels beside and below each other."""
    from matplotlib.figure import Figure

    n_rows = max(-(-len(p.images) // n_columns) for p in panels)
    n_down = -(-len(panels) // n_across)
    size = (0.52 * n_columns * n_across + 0.3, (0.69 * n_rows + 0.3) * n_down + 0.35 * bool(title))
    figure = Figure(figsize=size, layout="constrained")
    figure.get_layout_engine().set(wspace=0.04, hspace=0.03)
    axes = figure.subplots(n_down, n_across, squeeze=False).ravel()
    for ax in axes:
        ax.set_axis_off()
    for ax, one in zip(axes, panels, strict=False):
        _draw(ax, one, n_columns, n_rows)
    if title:
        figure.suptitle(title, fontsize=11)
    save(figure, path)


def _draw(ax: Any, panel: Panel, n_columns: int, n_rows: int) -> None:
    ax.set_title(panel.caption, fontsize=9)
    for i, (image, label, marked) in enumerate(zip(panel.images, panel.labels, panel.marked, strict=True)):
        row, column = divmod(i, n_columns)
        left, top = column * 1.12, row * 1.4
        look = {"cmap": "gray_r", "vmin": 0, "vmax": 1} if image.ndim == 2 else {}
        ax.imshow(image, extent=(left, left + 1, top + 1, top), interpolation="nearest", **look)
        ax.text(left + 0.5, top - 0.06, _short(label), ha="center", va="bottom", fontsize=6)
        if marked:
            ax.plot(left + 0.9, top + 0.1, "o", color="red", markeredgecolor="white", markersize=5)
    ax.set(xlim=(-0.05, 1.12 * n_columns), ylim=(1.4 * n_rows - 0.35, -0.4), aspect="equal")


def _short(label: str) -> str:
    return label if len(label) <= 10 else f"{label[:9]}…"


def save(figure: Any, path: Path, dpi: int = 110) -> None:
    """Write a figure as PNG with a palette, in which red, white and black stay what they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=dpi)
    picture = Image.open(file).convert("RGB")
    chosen = picture.quantize(_COLOURS - len(_ALWAYS), dither=Image.Dither.NONE).getpalette()
    palette = np.concatenate([_ALWAYS, np.reshape(chosen, (-1, 3))])[:_COLOURS]
    # the nearest of the palette, exactly: Pillow's own search rounds, and white would be grey
    codes = np.asarray(picture).reshape(-1, 3) @ _PLACES
    seen, place = np.unique(codes, return_inverse=True)
    nearest = cKDTree(palette).query(seen[:, None] // _PLACES % 256)[1].astype(np.uint8)
    small = Image.frombytes("P", picture.size, nearest[place.ravel()].tobytes())
    small.putpalette(palette.astype(np.uint8).ravel().tolist())
    small.save(path, optimize=True)

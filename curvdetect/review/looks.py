"""Samples as a person can look at them: pictures as thumbnails, rows of a table as numbers."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image, features

from curvdetect.data.sources import Samples

#: Longest side of a thumbnail, in pixels.
LARGEST, SMALLEST = 256, 48
#: Pixels of all suspects together, from which the side follows.
PIXELS = 32_000_000
#: Pictures up to which small ones are kept exactly.
EXACT = 5_000
#: Numbers shown of all rows together.
CELLS = 400_000
#: Characters shown of a word.
WORD = 200
_CHUNK = 256


def kind_of(shape: tuple[int, ...]) -> str:
    """Return what samples of a shape are: ``"pictures"``, ``"rows"``, or ``"nothing"`` that can be shown."""
    return {0: "rows", 1: "rows", 2: "pictures", 3: "pictures"}.get(len(shape), "nothing")


def pictures(samples: Samples, index: NDArray[np.int64], others: NDArray[np.int64]) -> dict[str, str]:
    """Return thumbnails as data URIs, by position.

    Parameters
    ----------
    samples : Samples
        Pictures (height, width), (channels, height, width) or (height, width, channels). Of one, three or four
        channels the colours are shown, of any other number their mean.
    index : array of shape (k,), int
        Positions of suspects.
    others : array of shape (m,), int
        Positions of their look-alikes, which are made half as large.
    """
    low, high = 0.0, 1.0
    for batch in _chunks(samples, index):
        low, high = min(low, float(batch.min())), max(high, float(batch.max()))
    side = int(np.clip(np.sqrt(PIXELS / max(1, len(index))), SMALLEST, LARGEST))
    exact = len(index) + len(others) <= EXACT
    made = {}
    for positions, longest in ((index, side), (others, max(SMALLEST, side // 2))):
        places = iter(positions.tolist())
        for batch in _chunks(samples, positions):
            for pixels in _as_bytes((batch - low) / (high - low)):
                made[str(next(places))] = _data_uri(pixels, longest, exact)
    return made


def rows(
    samples: Samples, index: NDArray[np.int64], others: NDArray[np.int64], names: list[str] | None
) -> tuple[dict[str, list[float]], list[str], int]:
    """Return the values of rows by position, the names of their columns, and how many columns there are.

    Parameters
    ----------
    samples : Samples
        Rows of numbers.
    index, others : arrays of int
        Positions.
    names : list of str, optional
        Of the columns; by default their numbers.

    Notes
    -----
    Wide tables are cut, the more the more rows there are.
    """
    positions = np.concatenate([index, others])
    width = int(np.prod(samples.shape, dtype=int))
    shown = _n_shown(width, positions)
    made: dict[str, list[float]] = {}
    places = iter(positions.tolist())
    for batch in _chunks(samples, positions):
        for row in batch.reshape(len(batch), -1)[:, :shown].astype(float):
            made[str(next(places))] = [float(f"{value:.5g}") for value in row]
    return made, (names or [str(i) for i in range(width)])[:shown], width


def cells(frame: pd.DataFrame, index: NDArray[np.int64]) -> tuple[dict[str, list[float | str]], list[str], int]:
    """Return what `rows` does of a frame that holds more than numbers: words and dates as text, gaps as nothing.

    Parameters
    ----------
    frame : DataFrame
        All samples.
    index : array of int
        Positions of suspects.
    """
    width = frame.shape[1]
    part = frame.iloc[index, : _n_shown(width, index)]
    made = {
        str(i): [_cell(value) for value in row] for i, row in zip(index.tolist(), part.to_numpy(object), strict=True)
    }
    return made, [str(name) for name in part.columns], width


def _cell(value: Any) -> float | str:
    if pd.isna(value) is True:
        return ""
    if isinstance(value, Real) and not isinstance(value, bool | np.bool_) and np.isfinite(float(value)):
        return int(value) if isinstance(value, Integral) else float(f"{value:.5g}")
    if isinstance(value, pd.Timestamp) and value == value.normalize():
        return str(value.date())
    return str(value)[:WORD]


def _n_shown(width: int, positions: NDArray[np.int64]) -> int:
    """Return how many columns are shown of so many."""
    return int(min(width, max(8, CELLS // max(1, len(positions)))))


def _chunks(samples: Samples, positions: NDArray[np.int64]) -> Iterator[NDArray[np.float32]]:
    for part in torch.split(torch.as_tensor(positions, dtype=torch.int64), _CHUNK):
        if len(part):
            yield samples.batch(part).cpu().numpy()


def _as_bytes(batch: NDArray[Any]) -> NDArray[np.uint8]:
    """Return pictures in [0, 1] as bytes of shape (n, height, width) or (n, height, width, 3)."""
    if batch.ndim == 4:
        last = batch.shape[1] not in (1, 3, 4) and batch.shape[3] in (1, 3, 4)
        batch = batch if last else np.moveaxis(batch, 1, 3)
        batch = batch[..., :3] if batch.shape[3] in (3, 4) else batch.mean(axis=3)
    return (batch.clip(0, 1) * 255).round().astype(np.uint8)


def _data_uri(pixels: NDArray[np.uint8], longest: int, exact: bool) -> str:
    picture = Image.fromarray(pixels)
    small = max(picture.size) <= min(64, longest)
    picture.thumbnail((longest, longest))
    webp = features.check("webp")
    kind, options = "webp" if webp else "jpeg", {"quality": 85}
    if small and exact:
        kind, options = ("webp", {"lossless": True, "method": 0}) if webp else ("png", {})
    content = io.BytesIO()
    picture.save(content, format=kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(content.getvalue()).decode()}"

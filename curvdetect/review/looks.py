"""Samples as a person can look at them: pictures as thumbnails, rows of a table by column, texts as they are."""

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

from curvdetect.data.items import is_dataset
from curvdetect.data.labels import plain
from curvdetect.data.sources import Samples, as_unlabelled

#: Longest side of a thumbnail, in pixels.
LARGEST, SMALLEST = 256, 48
#: Pixels of all suspects together, from which the side follows.
PIXELS = 32_000_000
#: Pictures up to which small ones are kept exactly.
EXACT = 5_000
#: Numbers shown of all rows together.
CELLS = 400_000
#: Characters shown of a word, and of all texts together.
WORD, CHARACTERS = 200, 4_000_000
_CHUNK = 256


#: What a person can look at: pictures or rows of numbers, rows of a table with its words, or texts.
Shown = Samples | pd.DataFrame | list[str]


def shown_as(X: Any, name: str = "X") -> Shown:
    """Return samples as they are shown: frames and texts as they are, datasets and arrays as indexed samples."""
    if is_dataset(X, name):
        return as_unlabelled(X)
    if isinstance(X, pd.DataFrame):
        return X
    if are_texts(X):
        return ["" if pd.isna(text) else str(text) for text in X]
    if hasattr(X, "columns"):  # of polars
        return pd.DataFrame(np.asarray(X), columns=[str(column) for column in X.columns])
    return as_unlabelled(np.asarray(plain(X, name)))


def are_texts(X: Any) -> bool:
    """Say whether samples are texts: a list, an array or a series of strings, of which some may be missing."""
    if is_dataset(X) or hasattr(X, "columns"):
        return False
    X = plain(X)
    return getattr(X, "ndim", 1) == 1 and pd.api.types.infer_dtype(np.asarray(X, dtype=object), skipna=True) == "string"


def fitted_as(X: Any) -> Samples | None:
    """Return samples as a network meets them; None of texts and of tables that aren't all numbers, which none can."""
    words = isinstance(X, pd.DataFrame) and not all(
        pd.api.types.is_numeric_dtype(column) and column.notna().all() for _, column in X.items()
    )
    if words or are_texts(X):
        return None
    return as_unlabelled(X if is_dataset(X) else np.asarray(plain(X)))


def looks(shown: Shown, index: NDArray[np.int64], others: NDArray[np.int64]) -> dict[str, Any]:
    """Return what the page is told of samples: their kind, and how they look by position.

    Parameters
    ----------
    shown : Shown
        All samples.
    index, others : arrays of int
        Positions of suspects, and of their look-alikes.
    """
    positions = np.concatenate([index, others])
    if isinstance(shown, list):
        most = int(np.clip(CHARACTERS // max(1, len(positions)), WORD, 10 * WORD))
        return {"kind": "texts", "texts": {str(i): _cut(shown[i], most) for i in positions.tolist()}}
    if isinstance(shown, pd.DataFrame):
        made, names = cells(shown, positions)
        return {"kind": "rows", "rows": made, "columns": names, "n_columns": shown.shape[1]}
    if len(shown.shape) < 2:
        made, names = rows(shown, positions)
        return {"kind": "rows", "rows": made, "columns": names, "n_columns": int(np.prod(shown.shape, dtype=int))}
    if len(shown.shape) > 3:
        return {"kind": "nothing"}
    return {"kind": "pictures", "pictures": pictures(shown, index, others)}


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


def rows(samples: Samples, positions: NDArray[np.int64]) -> tuple[dict[str, list[float | str]], list[str]]:
    """Return the values of rows by position, and the numbers of their columns.

    Parameters
    ----------
    samples : Samples
        Rows of numbers.
    positions : array of int
        Those to be shown.

    Notes
    -----
    Wide tables are cut, the more the more rows there are.
    """
    n_columns = _n_columns(int(np.prod(samples.shape, dtype=int)), positions)
    made: dict[str, list[float | str]] = {}
    places = iter(positions.tolist())
    for batch in _chunks(samples, positions):
        for row in batch.reshape(len(batch), -1)[:, :n_columns].astype(float):
            made[str(next(places))] = [float(f"{value:.5g}") for value in row]
    return made, [str(i) for i in range(n_columns)]


def cells(frame: pd.DataFrame, positions: NDArray[np.int64]) -> tuple[dict[str, list[float | str]], list[str]]:
    """Return what `rows` does of a frame that may hold more than numbers: words and dates as text, gaps as nothing."""
    part = frame.iloc[positions, : _n_columns(frame.shape[1], positions)]
    values = zip(positions.tolist(), part.to_numpy(object), strict=True)
    return {str(i): [_cell(value) for value in row] for i, row in values}, [str(name) for name in part.columns]


def _cell(value: Any) -> float | str:
    if pd.isna(value) is True:
        return ""
    if isinstance(value, Real) and not isinstance(value, bool | np.bool_) and np.isfinite(float(value)):
        return int(value) if isinstance(value, Integral) else float(f"{value:.5g}")
    if isinstance(value, pd.Timestamp) and value == value.normalize():
        return str(value.date())
    return _cut(str(value), WORD)


def _n_columns(width: int, positions: NDArray[np.int64]) -> int:
    """Return how many columns are shown of so many."""
    return int(min(width, max(8, CELLS // max(1, len(positions)))))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


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

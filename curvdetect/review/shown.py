"""What the page shows of samples: thumbnails, rows of a table or texts, and the samples to compare a suspect with."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from numbers import Integral, Real

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image, features

from curvdetect.data.items import is_dataset
from curvdetect.data.labels import plain
from curvdetect.data.samples import Samples, as_unlabelled
from curvdetect.data.types import Array, Record
from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.detectors.inputs import fitted_rows
from curvdetect.review.neighbours import features_of, nearest

#: Longest side of a thumbnail, in pixels.
LARGEST, SMALLEST = 256, 48
#: Pixels of all suspects together, from which the side follows.
PIXELS = 32_000_000
#: Most pictures of which small ones are kept exactly.
EXACT = 5_000
#: Most values of all rows together.
CELLS = 400_000
#: Most characters of a word, and of all texts together.
WORD, CHARACTERS = 200, 4_000_000
#: Look-alikes of each class for each suspect, where there are at most this many suspects; else there is one.
ALIKE, MANY = 3, 2_000

#: What a person can look at: pictures or rows of numbers, rows of a table with its words, or texts.
Shown = Samples | pd.DataFrame | list[str]


def shown_as(X: object, name: str = "X") -> Shown:
    """Return samples as they are shown: frames and texts as they are, datasets and arrays as indexed samples."""
    if is_dataset(X, name):
        return as_unlabelled(X)
    if isinstance(X, pd.DataFrame):
        return X
    if hasattr(X, "columns"):  # of polars
        return pd.DataFrame(np.asarray(X), columns=[str(column) for column in X.columns])
    X = plain(X, name)
    if getattr(X, "ndim", 1) == 1:
        items = np.asarray(X, dtype=object)
        if pd.api.types.infer_dtype(items, skipna=True) == "string":
            return ["" if pd.isna(text) else str(text) for text in items]
    return as_unlabelled(np.asarray(X))


def input_of_net(shown: Shown) -> Samples | None:
    """Return samples as a net reads them; None for texts and for tables that aren't all numbers."""
    if not isinstance(shown, pd.DataFrame):
        return shown if isinstance(shown, Samples) else None
    numbers = all(pd.api.types.is_numeric_dtype(kind) for kind in shown.dtypes) and shown.notna().all(axis=None)
    return as_unlabelled(shown.to_numpy()) if numbers else None


def look_alikes(
    detector: BaseNoiseDetector, samples: Samples, index: NDArray[np.int64], suggested: NDArray[np.int64]
) -> dict[str, NDArray[np.int64]]:
    """Return the positions, nearest first, of samples like each suspect, of its given and of its suggested class.

    Both ``"alike_given"`` and ``"alike_suggested"`` have a row for each of ``index``, filled up with -1. The dict is
    empty where the net was not kept, has no last linear layer, or knows the samples as something else.
    """
    net = getattr(detector, "net_", None)
    if net is None or not _are_fitted(detector, samples):
        return {}
    try:
        points = features_of(net, samples, fitted_rows(detector).shape)
    except ValueError:  # a net without a last linear layer
        return {}
    n_alike = ALIKE if len(index) <= MANY else 1
    # another suspect would show the wrong thing under the right name
    clear = detector.labels_ == 0
    clear[index] = False
    found = {}
    given = fitted_rows(detector).labels
    for name, of in {"alike_given": given, "alike_suggested": suggested}.items():
        found[name] = np.full((len(index), n_alike), -1)
        for code in np.unique(of[index]):
            asked = np.flatnonzero(of[index] == code)
            among = given == code
            among = among & clear if (among & clear).any() else among
            near = nearest(points, index[asked], n_alike, among=among)
            found[name][asked, : near.shape[1]] = near
    return found


def _are_fitted(detector: BaseNoiseDetector, samples: Samples) -> bool:
    """Say whether samples are the training data, in the shape that the net takes or in another one."""
    shape = fitted_rows(detector).shape
    if np.prod(shape, dtype=int) != np.prod(samples.shape, dtype=int):
        return False
    few = samples.batch(torch.arange(min(16, len(samples))))
    try:
        return fitted_rows(detector).are_first(as_unlabelled(few.reshape(-1, *shape).cpu().numpy()))
    except ValueError:  # rows that can't be compared
        return False


def samples_shown(shown: Shown, index: NDArray[np.int64], others: NDArray[np.int64]) -> Record:
    """Return the kind of the samples and, by position, what the page shows of suspects and their look-alikes."""
    positions = np.concatenate([index, others])
    if isinstance(shown, list):
        most = int(np.clip(CHARACTERS // max(1, len(positions)), WORD, 10 * WORD))
        return {"kind": "texts", "texts": {str(i): _cut(shown[i], most) for i in positions.tolist()}}
    if isinstance(shown, pd.DataFrame) or len(shown.shape) < 2:
        n_columns = shown.shape[1] if isinstance(shown, pd.DataFrame) else int(np.prod(shown.shape, dtype=int))
        # wide tables are cut, the more the more rows there are
        width = int(min(n_columns, max(8, CELLS // max(1, len(positions)))))
        if isinstance(shown, pd.DataFrame):
            part = shown.iloc[positions, :width]
        else:
            batches = [batch.reshape(len(batch), -1)[:, :width] for batch in _chunks(shown, positions)]
            part = pd.DataFrame(np.concatenate(batches) if batches else np.empty((0, width)))
        values = part.astype(object).where(part.notna(), "").to_numpy()
        rows = {str(i): [_cell(value) for value in row] for i, row in zip(positions, values, strict=True)}
        return {"kind": "rows", "rows": rows, "columns": [str(name) for name in part.columns], "n_columns": n_columns}
    if len(shown.shape) > 3:
        return {"kind": "nothing"}
    return {"kind": "pictures", "pictures": _thumbnails(shown, index, others)}


def _thumbnails(samples: Samples, index: NDArray[np.int64], others: NDArray[np.int64]) -> dict[str, str]:
    """Return thumbnails as data URIs, by position; those of look-alikes are half as large.

    Pictures are (height, width), (channels, height, width) or (height, width, channels). One, three or four channels
    are shown as colours, any other number as their mean.
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


def _cell(value: object) -> float | str:
    """Return a value of a table as it is shown: words and dates as text."""
    if isinstance(value, Real) and not isinstance(value, bool | np.bool_) and np.isfinite(float(value)):
        return int(value) if isinstance(value, Integral) else float(f"{value:.5g}")
    if isinstance(value, pd.Timestamp) and value == value.normalize():
        return str(value.date())
    return _cut(str(value), WORD)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _chunks(samples: Samples, positions: NDArray[np.int64]) -> Iterator[NDArray[np.float32]]:
    for part in torch.split(torch.as_tensor(positions, dtype=torch.int64), 256):
        if len(part):
            yield samples.batch(part).cpu().numpy()


def _as_bytes(batch: Array) -> NDArray[np.uint8]:
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

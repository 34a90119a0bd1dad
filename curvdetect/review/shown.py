"""What the page shows of samples: pictures, rows of a table or texts, and the samples to compare a suspect with."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from curvdetect.data.items import is_dataset
from curvdetect.data.labels import plain
from curvdetect.data.samples import Samples, as_unlabelled
from curvdetect.data.types import Record
from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.detectors.inputs import fitted_rows
from curvdetect.review.neighbours import features_of, nearest
from curvdetect.review.thumbnails import Gallery, chunks, gallery_of, thumbnails

#: Most values of all rows together.
CELLS = 400_000
#: Most characters of a word, and of all texts together.
WORD, CHARACTERS = 200, 4_000_000
#: Look-alikes of each class for each suspect, where there are at most this many suspects; else there is one.
ALIKE, MANY = 3, 2_000

#: What a person can look at: pictures or rows of numbers, PIL pictures, rows of a table with its words, or texts.
Shown = Samples | Gallery | pd.DataFrame | list[str]


def display_as(X: object) -> Shown:
    """Return samples in the form that a person judges by: PIL pictures are read when they are drawn."""
    gallery = gallery_of(X)
    return shown_as(X, "X_display") if gallery is None else gallery


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


def samples_shown(
    shown: Shown, index: NDArray[np.int64], others: NDArray[np.int64], pixels: int | None = None
) -> Record:
    """Return the kind of the samples and, by position, what the page shows of suspects and their look-alikes."""
    positions = np.concatenate([index, others])
    if isinstance(shown, list):
        most = int(np.clip(CHARACTERS // max(1, len(positions)), WORD, 10 * WORD))
        return {"kind": "texts", "texts": {str(i): _cut(shown[i], most) for i in positions.tolist()}}
    if isinstance(shown, Gallery) or (isinstance(shown, Samples) and len(shown.shape) in (2, 3)):
        return {"kind": "pictures", "pictures": thumbnails(shown, index, others, pixels)}
    if isinstance(shown, pd.DataFrame) or len(shown.shape) < 2:
        n_columns = shown.shape[1] if isinstance(shown, pd.DataFrame) else int(np.prod(shown.shape, dtype=int))
        # wide tables are cut, the more the more rows there are
        width = int(min(n_columns, max(8, CELLS // max(1, len(positions)))))
        if isinstance(shown, pd.DataFrame):
            part = shown.iloc[positions, :width]
        else:
            batches = [batch.reshape(len(batch), -1)[:, :width] for batch in chunks(shown, positions)]
            part = pd.DataFrame(np.concatenate(batches) if batches else np.empty((0, width)))
        values = part.astype(object).where(part.notna(), "").to_numpy()
        rows = {str(i): [_cell(value) for value in row] for i, row in zip(positions, values, strict=True)}
        return {"kind": "rows", "rows": rows, "columns": [str(name) for name in part.columns], "n_columns": n_columns}
    return {"kind": "nothing"}


def _cell(value: object) -> float | str:
    """Return a value of a table as it is shown: words and dates as text."""
    if isinstance(value, Real) and not isinstance(value, bool | np.bool_) and np.isfinite(float(value)):
        return int(value) if isinstance(value, Integral) else float(f"{value:.5g}")
    if isinstance(value, pd.Timestamp) and value == value.normalize():
        return str(value.date())
    return _cut(str(value), WORD)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"

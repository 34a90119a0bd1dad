"""Why scikit-learn refused an array or a table, in words that name what to pass instead.

The messages of scikit-learn, numpy and pandas are not shown: they name no column, and list every type that numpy knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from curvdetect.data.wording import brief, named

#: Characters of another library's message that are shown.
_LONGEST = 300
#: Arrays in a list that may be several inputs, rather than samples.
_INPUTS = 10


def in_words(error: Exception, X: object, y: object) -> Exception:
    """Return an error that explains one of scikit-learn's about ``X``; the same one where it is clear."""
    text = str(error)
    if "Complex data" in text:
        return ValueError("X is complex. Complex data not supported: pass its real and imaginary parts.")
    if "Sparse data" in text:
        return TypeError(f"{text} In a pipeline, TruncatedSVD before the detector makes it dense.")
    wrong = _twice(X, text) or _words(X) or _pairs(X) or _inputs(X, y) or _one_dimension(X, text)
    wrong = wrong or no_number(X) or _unequal(X)
    if wrong is None and "bytes/strings" in text:
        wrong = "X holds numbers as text. Pass them as numbers: np.asarray(X, dtype=float)."
    if wrong is None and len(text) > _LONGEST:
        wrong = f"X can't be read as an array of numbers: {text[:_LONGEST]}..."
    if wrong is None:
        return error
    if isinstance(error, TypeError) and not hasattr(X, "columns"):  # scikit-learn's check_estimator wants these words
        return TypeError(f"{wrong} ({text[:100]})")
    return ValueError(wrong)


def _twice(X: Any, text: str) -> str | None:
    """Say which names several columns share."""
    if "unique column names" not in text:
        return None
    names = X.columns[X.columns.duplicated()].unique()
    return f"X has several columns of the name {named(names)}. Give each a name of its own, or pass X.to_numpy()."


def _words(X: object) -> str | None:
    """Say that there are words where rows should be."""
    word = _first(X)
    if not isinstance(word, str | bytes):
        return None
    word = word.item() if isinstance(word, np.generic) else word
    return (
        f"X holds words ({brief(word)}, ...). Pass numbers: of texts vectors, such as embeddings; of files of pictures "
        "what load_image_folder reads, or a Dataset."
    )


def _pairs(X: object) -> str | None:
    """Say that rows hold their labels as well."""
    pair = X[0] if isinstance(X, list | tuple) and len(X) else None
    if not (isinstance(pair, list | tuple) and len(pair) == 2 and _is_several(pair[0]) and not _is_several(pair[1])):
        return None
    return (
        f"X is a {type(X).__name__} of pairs (x, y). Pass samples and labels apart, X, y = map(list, zip(*pairs)), or "
        "a Dataset that yields such pairs."
    )


def _is_several(value: object) -> bool:
    """Say whether a value is an array, a list or a picture."""
    return isinstance(value, list | tuple | Image.Image) or getattr(value, "ndim", 0) > 0


def _inputs(X: object, y: Any) -> str | None:
    """Say that there are several arrays where one should be."""
    if not (isinstance(X, list | tuple) and 1 < len(X) <= _INPUTS and all(getattr(part, "ndim", 0) > 0 for part in X)):
        return None
    n_samples = len(X[0]) if y is None else 0 if isinstance(y, str) else len(y)
    if n_samples == len(X) or any(len(part) != n_samples for part in X):
        return None
    shapes = " and ".join(str(tuple(part.shape)) for part in X[:3]) + (" ..." if len(X) > 3 else "")
    return (
        f"X is a {type(X).__name__} of {len(X)} arrays of shapes {shapes}. Pass one array: join several inputs, as by "
        "np.concatenate(X, axis=1), and pass labels apart, as in fit(X, y)."
    )


def _one_dimension(X: Any, text: str) -> str | None:
    """Say that there are no rows."""
    if "Expected 2D array" not in text:
        return None
    if isinstance(_first(X), Mapping | np.void):
        return f"X is a {type(X).__name__} of records. Pass a table made of them: pandas.DataFrame(X)."
    return (
        f"X has one dimension: Expected 2D array, got 1D array of {len(X)} entries. Reshape your data: "
        "np.reshape(X, (-1, 1)) is one column, np.reshape(X, (1, -1)) one sample."
    )


def no_number(X: Any) -> str | None:
    """Say which columns hold entries that are no numbers."""
    found = {name: value for name, column in _columns(X) for value in _others(column)}
    if not found:
        return None
    value = next(iter(found.values()))
    return (
        f"X holds what is no number in column(s) {named(found)}, such as {brief(value)}. Encode text and "
        "categories as numbers (scikit-learn's OneHotEncoder), make dates days since some day, or leave them out."
    )


def _columns(X: Any) -> Iterator[tuple[Any, NDArray[Any]]]:
    """Yield columns by name, or by number, as arrays."""
    if hasattr(X, "columns"):
        yield from ((name, np.asarray(X.iloc[:, i])) for i, name in enumerate(X.columns))
        return
    try:
        array = X if isinstance(X, np.ndarray) else np.asarray(X, dtype=object)
    except ValueError:  # rows of unequal length
        return
    if array.ndim == 2 and array.dtype.kind not in "biuf":
        yield from enumerate(array.T)


def _others(column: NDArray[Any]) -> list[Any]:
    """Return the first entry that is no number, in a list of one; an empty one where all are."""
    if column.dtype.kind in "biuf":
        return []
    if column.dtype.kind in "mM":
        return pd.Series(column[:1]).tolist()
    return list(islice((value for value in column.tolist() if not _is_number(value)), 1))


def _is_number(value: Any) -> bool:
    """Say whether an entry is a number, or text that reads as one, or is missing."""
    if value is None or value is pd.NA:
        return True
    try:
        return not _is_several(value) and isinstance(float(value), float)
    except (TypeError, ValueError):
        return False


def _unequal(X: Any) -> str | None:
    """Say which rows are of another shape than the first; of arrays of one shape, how to make one array of them."""
    if hasattr(X, "columns") or getattr(X, "ndim", 1) != 1 or not _is_several(_first(X)):
        return None
    shapes = [
        tuple(row.shape) if hasattr(row, "shape") else (len(row),) if hasattr(row, "__len__") else () for row in X
    ]
    other = next((i for i, shape in enumerate(shapes) if shape != shapes[0]), None)
    if other is not None:
        return (
            f"X holds rows of different shapes: {shapes[0]} in row 0 and {shapes[other]} in row {other}. Make all rows "
            "of one length: pad or cut them; of pictures, one size."
        )
    return f"X is a {type(X).__name__} of {len(shapes)} arrays of shape {shapes[0]}. Make one of them: np.stack(X)."


def where_missing(X: Any) -> str:
    """Return which columns of a frame and which rows miss numbers."""
    missing = pd.isna(np.asarray(X)).reshape(len(X), -1)
    names = [name for name, gaps in zip(getattr(X, "columns", []), missing.T, strict=False) if gaps.any()]
    columns = f"column(s) {named(names)}, in " if names else ""
    rows = np.flatnonzero(missing.any(axis=1))
    return f"{columns}{len(rows)} of {len(missing)} rows, the first of them row {rows[0]}"


def _first(X: Any) -> Any:
    """Return the first row."""
    return next(iter(X), None) if not hasattr(X, "columns") and getattr(X, "ndim", 1) == 1 else None

"""Labels of any kind as codes 0..C-1, or an error that says why they are none.

Everything that sorts is a label: numbers, text, bytes, booleans, dates. Missing ones, and those that are several values
at once, are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL.Image import Image
from scipy.sparse import issparse

from curvdetect.data.pictures import stacked
from curvdetect.data.types import Array
from curvdetect.data.wording import brief

#: The way out where a sample has several labels.
ONE_EACH = "fit one detector for each label: [clone(detector).fit(X, column).scores_ for column in Y.T]"


def plain(X: object, name: str = "X") -> Any:
    """Return a tensor, or a list of PIL pictures, as an array; anything else as it is. Errors call it ``name``."""
    refuse_masked(X, name)
    if isinstance(X, list | tuple) and X and all(isinstance(item, Image) for item in X):
        return stacked(X, name)
    if hasattr(X, "collect") and not hasattr(X, "__len__"):  # of polars, or of another library by narwhals
        raise ValueError(f"{name} is a {type(X).__name__}, which holds no rows yet: pass {name}.collect().")
    if not isinstance(X, torch.Tensor):
        return X
    if X.layout is not torch.strided:
        raise TypeError(f"{name} is a tensor of layout {X.layout}: pass {name}.to_dense().")
    X = X.detach().cpu()
    return (X.float() if X.dtype is torch.bfloat16 else X).numpy()


def plain_labels(labels: object, name: str = "y") -> Any:
    """Return labels, in a container of any kind, as an array; raise which are missing or no labels. None stays None."""
    y = plain(labels, name)
    y = y.compute() if hasattr(y, "compute") else y  # of dask
    if isinstance(y, Mapping):
        raise ValueError(f"{name} is a {type(y).__name__}, whose keys are no labels: pass list({name}.values()).")
    if issparse(y):
        raise ValueError(f"{name} is a {type(y).__name__} of shape {y.shape}. Pass a dense array: {name}.toarray().")
    if isinstance(y, str | bytes) or not hasattr(y, "__len__") or getattr(y, "ndim", 1) == 0:
        return y
    if isinstance(y, list | tuple) or not hasattr(y, "__array__"):
        array = _of_list(y)
    elif isinstance(getattr(y, "dtype", None), pd.api.extensions.ExtensionDtype):
        array = _of_list(y.tolist())
    else:
        array = np.asarray(y)
        if array.dtype.kind in "OT":
            numbers = _of_list(array.tolist()) if array.ndim == 1 else array
            array = numbers if array.dtype.kind == "T" or numbers.dtype.kind in "biuf" else array
    refuse_missing(array, name)
    if array.dtype.kind == "c":
        raise ValueError(f"{name} is complex. Complex data not supported: a label is one value.")
    if array.ndim > 1 and not (array.ndim == 2 and array.shape[1] == 1):
        raise ValueError(
            f"{name} should be a 1d array, one entry for each sample, got one of shape {array.shape}."
            f"{_way_from_two_dimensions(array) if name == 'y' else ''}"
        )
    _refuse_several(array, name)
    return array


def _way_from_two_dimensions(array: Array) -> str:
    """Return what to pass instead of labels that have columns."""
    if array.ndim > 2 or array.size == 0:
        return ""
    numbers = array.dtype.kind in "biuf"
    if numbers and (array >= 0).all() and np.allclose(array.sum(axis=1), 1, atol=1e-3):
        what = "one-hot labels" if ((array == 0) | (array == 1)).all() else "probabilities"
        return f" For {what} pass the argmax: y = np.asarray(y).argmax(1)."
    return f" For several labels a sample {ONE_EACH}, where Y = np.asarray(y); the highest score of a sample counts."


def _refuse_several(labels: Array, name: str) -> None:
    """Raise where a label is several values at once."""
    kinds = {type(label) for label in labels.ravel().tolist()} if labels.dtype.kind == "O" else set()
    several = sorted(k.__name__ for k in kinds if issubclass(k, tuple | list | dict | set | frozenset | np.ndarray))
    if labels.dtype.kind == "V" or several:
        raise ValueError(
            f"{name} holds labels of type {', '.join(several) or brief(labels.dtype)}, each several values at once. "
            f"Where they are one label, make them text: {name} = list(map(str, {name})). For several labels a sample "
            f"{ONE_EACH}, where Y = MultiLabelBinarizer().fit_transform({name})."
        )


def _of_list(values: Iterable[object]) -> Array:
    """Return labels as an array in which none has changed: of different kinds they stay objects."""
    values = [None if value is np.ma.masked else value for value in values]
    kinds = {type(value) for value in values}
    if any(issubclass(kind, tuple | list | dict | set | np.ndarray) for kind in kinds):
        return _objects(values)
    if all(issubclass(kind, str) for kind in kinds) or all(issubclass(kind, bytes) for kind in kinds):
        return np.asarray(values)
    array = np.asarray(values)
    # numpy would write a number beside text, and even NaN, as text
    return _objects(values) if array.dtype.kind in "US" or array.ndim != 1 else array


def _objects(values: list[object]) -> Array:
    return np.fromiter(values, dtype=object, count=len(values))


def refuse_masked(X: object, name: str) -> None:
    """Raise where entries of an array of numpy's are masked: the values under a mask don't count."""
    if isinstance(X, np.ma.MaskedArray) and np.ma.is_masked(X):
        mask: Any = np.array(np.ma.getmaskarray(X), ndmin=1)
        masked = mask.reshape(len(mask), -1).any(axis=1)
        raise ValueError(
            f"{name} is a masked array, masked in {masked.sum()} of {len(masked)} rows, the first of them row "
            f"{masked.argmax()}. They count as missing: fill them in ({name}.filled), or leave these rows out."
        )


def refuse_missing(labels: Array, name: str = "y") -> None:
    """Raise where labels are missing: None, NaN, NaT, NA or infinite."""
    if labels.ndim != 1 or labels.dtype.kind not in "fcmMO":
        return
    missing = np.flatnonzero(pd.isna(labels))
    if len(missing):
        raise ValueError(
            f"Input {name} contains NaN (or None, or NA): {len(missing)} of {len(labels)} entries are missing, the "
            f"first at index {missing[0]}. Leave these samples out"
            f"{', or give them a label of their own, such as unknown' if name == 'y' else ''}."
        )
    endless = np.flatnonzero(np.isinf(labels)) if labels.dtype.kind in "fc" else missing
    if len(endless):
        raise ValueError(
            f"Input {name} contains infinity or a value too large for its type: {len(endless)} of {len(labels)} "
            f"entries, the first at index {endless[0]}. Leave these samples out."
        )


def encode(labels: Array) -> tuple[Array, NDArray[np.int64]]:
    """Return the classes, sorted, and the number of each label's class."""
    refuse_missing(labels)
    try:
        classes, codes = np.unique(labels, return_inverse=True)
    except TypeError as error:
        kinds = {type(label).__name__ for label in labels.tolist()}
        named = ", ".join(sorted(kinds))
        why = f"mixes labels of types {named}" if len(kinds) > 1 else f"holds labels of type {named}, which don't sort"
        raise ValueError(f"y {why}. Make them text: y = list(map(str, y)).") from error
    return classes, codes.astype(np.int64)


def codes_of_groups(groups: object, n_samples: int) -> tuple[NDArray[np.int64], Array]:
    """Return the number of each sample's group, and the groups as they are first met, or raise who has none."""
    array = np.asarray(plain(groups, "groups"))
    if array.shape != (n_samples,):
        raise ValueError(f"groups must hold one value for each of {n_samples} samples, got shape {array.shape}.")
    codes, found = pd.factorize(array)
    if (codes < 0).any():
        raise ValueError(
            f"groups has no value for {(codes < 0).sum()} of {n_samples} samples, the first at index "
            f"{codes.argmin()}. Give each that belongs to no other a value of its own."
        )
    return codes, found

"""Labels of any kind as codes 0..C-1, and what is no label refused.

Whatever sorts is a label: numbers, text, bytes, booleans, dates. Missing ones, and those that are several values at
once, are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL.Image import Image

from curvdetect.data.pictures import stacked


def plain(X: Any, name: str = "X") -> Any:
    """Return a tensor, or a list of PIL pictures, as an array; anything else as it is. Errors call it ``name``."""
    if isinstance(X, list | tuple) and X and all(isinstance(item, Image) for item in X):
        return stacked(X, name)
    if not isinstance(X, torch.Tensor):
        return X
    if X.layout is not torch.strided:
        raise TypeError(f"{name} is a tensor of layout {X.layout}: pass {name}.to_dense().")
    X = X.detach().cpu()
    return (X.float() if X.dtype is torch.bfloat16 else X).numpy()


def plain_labels(y: Any, name: str = "y") -> Any:
    """Return labels as an array of numpy's, whoever keeps them; raise where some are missing.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or None
        A list, array, tensor or series of pandas, polars or pyarrow. None stays None.
    name : str, default="y"
        What an error calls it.
    """
    y = plain(y, name)
    if isinstance(y, Mapping):
        raise ValueError(f"{name} is a {type(y).__name__}, whose keys are no labels: pass list({name}.values()).")
    if isinstance(y, str | bytes) or not hasattr(y, "__len__") or getattr(y, "ndim", 1) == 0:
        return y
    if isinstance(y, list | tuple) or not hasattr(y, "__array__"):
        array = _of_list(list(y))
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
        way = f" Of one-hot labels pass the argmax, of tuples their text: {name} = list(map(str, {name}))."
        raise ValueError(
            f"{name} should be a 1d array, one entry for each sample, got one of shape {array.shape}."
            f"{way if name == 'y' else ''}"
        )
    return array


def _of_list(values: list[Any]) -> NDArray[Any]:
    """Return labels as an array in which none has changed: of different kinds they stay objects."""
    kinds = {type(value) for value in values}
    if any(issubclass(kind, tuple | list | dict | set | np.ndarray) for kind in kinds):
        return np.fromiter(values, dtype=object, count=len(values))
    if all(issubclass(kind, str) for kind in kinds) or all(issubclass(kind, bytes) for kind in kinds):
        return np.asarray(values)
    array = np.asarray(values)
    # numpy would write a number beside text, and even NaN, as text
    return (
        np.fromiter(values, dtype=object, count=len(values)) if array.dtype.kind in "US" or array.ndim != 1 else array
    )


def refuse_missing(labels: NDArray[Any], name: str = "y") -> None:
    """Raise where labels are missing: None, NaN, NaT or NA."""
    if labels.ndim != 1 or labels.dtype.kind not in "fcmMO":
        return
    missing = np.flatnonzero(pd.isna(labels))
    if len(missing):
        raise ValueError(
            f"Input {name} contains NaN (or None, or NA): {len(missing)} of {len(labels)} entries are missing, the "
            f"first at index {missing[0]}. Leave these samples out"
            f"{', or give them a label of their own, such as unknown' if name == 'y' else ''}."
        )


def encode(labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the classes, sorted, and the number of each label's class.

    Parameters
    ----------
    labels : array of shape (n_samples,)
        Labels of any sortable kind.
    """
    refuse_missing(labels)
    kinds = {type(label) for label in labels.tolist()} if labels.dtype.kind == "O" else set()
    named = ", ".join(sorted(kind.__name__ for kind in kinds))
    if labels.dtype.kind == "V" or any(issubclass(k, tuple | list | dict | set | np.ndarray) for k in kinds):
        raise ValueError(
            f"y holds labels of type {named or labels.dtype}, each several values at once. Make them one: "
            "y = list(map(str, y))."
        )
    try:
        classes, codes = np.unique(labels, return_inverse=True)
    except TypeError as error:
        why = f"mixes labels of types {named}" if len(kinds) > 1 else f"holds labels of type {named}, which don't sort"
        raise ValueError(f"y {why}. Make them text: y = list(map(str, y)).") from error
    return classes, codes.astype(np.int64)

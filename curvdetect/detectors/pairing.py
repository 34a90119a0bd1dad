"""Whether X and y say by their indices that they are in different orders.

A detector pairs rows and labels by position, as scikit-learn does. Only frames and series say which row is which.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from curvdetect.training.doubts import callers_level


def check_paired(X: Any, y: Any, name: str = "y") -> None:
    """Raise where ``X`` and ``y`` have one index in different orders; warn where it would make other pairs of them.

    Parameters
    ----------
    X, y : object
        Whatever a user passes; without an index of pandas, their own or that of dask, nothing is known.
    name : str, default="y"
        What a message calls ``y``.

    Warns
    -----
    UserWarning
        Where the indices hold different values, and one has the other's values at other positions: all of them, or
        some where neither is a plain count of the rows.
    """
    rows, labels = _index_of(X), _index_of(y)
    if rows is None or labels is None or len(rows) != len(labels) or rows.equals(labels):
        return
    both = pd.factorize(rows.append(labels), use_na_sentinel=False)[0]
    ours, theirs = both[: len(rows)], both[len(rows) :]
    if (ours == theirs).all():
        return
    ours_there, theirs_there = np.isin(ours, theirs), np.isin(theirs, ours)
    if ours_there.all() and labels.is_unique:
        by_index = f"{name}.loc[X.index]"
    elif theirs_there.all() and rows.is_unique:
        by_index = f"X.loc[{name}.index]"
    else:
        by_index = "what a join by an index without repeated values finds"
    way = f"Pass {by_index} for pairs by index, or {name}.to_numpy() where the order is right as it is."
    if np.array_equal(np.sort(ours), np.sort(theirs)):
        raise ValueError(
            f"X and {name} have one index in different orders, from position {np.argmax(ours != theirs)} on, and are "
            f"paired by position. {way}"
        )
    elsewhere = (ours_there | theirs_there) & (ours != theirs)
    counted = any(index.equals(pd.RangeIndex(len(index))) for index in (rows, labels))
    if ours_there.all() or theirs_there.all() or (elsewhere.any() and not counted):
        warnings.warn(
            f"X and {name} have index values in common at different positions, {elsewhere.sum()} of {len(rows)}, and "
            f"are paired by position. {way}",
            UserWarning,
            stacklevel=callers_level(),
        )


def _index_of(data: Any) -> pd.Index | None:
    """Return the index of what has one."""
    index: Any = getattr(data, "index", None)
    if hasattr(index, "compute"):  # of dask
        index = index.compute()
    return index if isinstance(index, pd.Index) else None

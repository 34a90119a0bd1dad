"""Data without the samples that were flagged."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing
from torch.utils.data import Subset

from curvdetect.data.items import is_dataset


def rows_of(data: Any, index: NDArray[np.int64]) -> Any:
    """Return some rows of an array, tensor, DataFrame, list or dataset, as the same kind of thing.

    Parameters
    ----------
    data : array, tensor, DataFrame, list or map-style Dataset
        A dataset becomes a ``Subset`` of itself.
    index : array of shape (n_rows,)
        Which.
    """
    return Subset(data, index.tolist()) if is_dataset(data) else _safe_indexing(data, index)

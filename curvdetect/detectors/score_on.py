"""Which samples are scored, where not all are."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from curvdetect.data.labels import plain
from curvdetect.training.ranks import by_first


def rows_to_score(score_on: Any, n_samples: int) -> torch.Tensor | None:
    """Return the numbers of the samples that are scored, in rising order; None where all are.

    Of several processes that train together the first one's choice counts.

    Parameters
    ----------
    score_on : None, array-like of int, or array-like of bool of shape (n_samples,)
        As a detector takes it.
    n_samples : int
        How many there are.

    Raises
    ------
    ValueError
        Where it names none of the samples, only one, or one twice.
    """
    rows = by_first(lambda: _chosen(score_on, n_samples))
    return None if rows is None else torch.from_numpy(rows)


def _chosen(score_on: Any, n_samples: int) -> NDArray[np.int64] | None:
    if score_on is None:
        return None
    wanted = "score_on must be None, positions in the data, or a mask with True for each sample to score"
    try:
        array = np.asarray(plain(score_on, "score_on"))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{wanted}: {str(error).rstrip('.')}.") from error
    if array.ndim != 1 or array.dtype.kind not in "biu":
        raise ValueError(f"{wanted}, got {array.dtype} of shape {array.shape}.")
    if array.dtype.kind == "b":
        if len(array) != n_samples:
            raise ValueError(f"score_on is a mask with {len(array)} entries for {n_samples} samples.")
        array = np.flatnonzero(array)
    beyond = array[(array < 0) | (array >= n_samples)]
    if len(beyond):
        raise ValueError(
            f"score_on holds {beyond[0]}, and the {n_samples} samples are numbered from 0. Where a search or a "
            "cross-validation fits on some of the samples, leave it out."
        )
    rows, times = np.unique(array.astype(np.int64), return_counts=True)
    if (times > 1).any():
        raise ValueError(f"score_on holds sample {rows[times > 1][0]} {times.max()} times: name each once.")
    if len(rows) < 2:
        raise ValueError(f"score_on chooses {len(rows)} of {n_samples} samples, and a ranking needs 2 at least.")
    return rows

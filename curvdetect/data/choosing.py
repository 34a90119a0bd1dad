"""Positions of some of many samples: spread evenly, or drawn at random."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def spread(n_samples: int, most: int) -> Tensor:
    """Return at most ``most`` positions, evenly from the first sample to the last."""
    few = torch.linspace(0, n_samples - 1, min(n_samples, most)).long()
    return few.clamp_(max=n_samples - 1)  # beyond 2**24 single precision may round up


def drawn(n_samples: int, limit: int | None) -> NDArray[np.int64] | None:
    """Return ``limit`` positions in rising order, the same in every call; None where that is all there are."""
    if limit is None or limit >= n_samples:
        return None
    return np.sort(np.random.default_rng(0).permutation(n_samples)[:limit])

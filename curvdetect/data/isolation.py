"""Randomness that leaves no trace, and choices that are the same in every call.

Reading a dataset may draw from the global generators, as training does.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from curvdetect.data.types import Record

#: The generators belong to the process: two threads that train take turns.
_LOCK = threading.RLock()


@contextmanager
def isolated_rng(device: torch.device, seed: int | None = None) -> Iterator[None]:
    """Let the block draw from global generators, seeded where ``seed`` is given, and put their states back after."""
    with _LOCK:
        before = generator_states(device)
        try:
            if seed is not None:
                # torch.manual_seed would reach every accelerator, and only this one's state is put back
                torch.default_generator.manual_seed(seed)
                if device.type == "cuda":
                    with torch.cuda.device(device):
                        torch.cuda.manual_seed(seed)
                elif device.type == "mps":
                    torch.mps.manual_seed(seed)
                np.random.seed(seed % 2**32)  # noqa: NPY002
                random.seed(seed)
            yield
        finally:
            set_generators(device, before)


def generator_states(device: torch.device) -> Record:
    """Return the states of the global generators and of a device's, as tensors, numbers and lists of them."""
    # not this module's own to draw from: users' code does
    state: Any = np.random.get_state()  # noqa: NPY002
    _, key, position, has_gauss, gauss = state
    version, words, next_gauss = random.getstate()
    states: Record = {
        "torch": torch.get_rng_state(),
        "numpy": [torch.from_numpy(key.astype(np.int64)), int(position), int(has_gauss), float(gauss)],
        "python": [version, list(words), next_gauss],
    }
    if device.type == "cuda":
        states["device"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["device"] = torch.mps.get_rng_state()
    return states


def set_generators(device: torch.device, states: Record) -> None:
    """Put the global generators and a device's back into states that `generator_states` returned."""
    torch.set_rng_state(states["torch"])
    key, *rest = states["numpy"]
    np.random.set_state(("MT19937", key.numpy().astype(np.uint32), *rest))  # noqa: NPY002
    version, words, next_gauss = states["python"]
    random.setstate((version, tuple(words), next_gauss))
    if device.type == "cuda":
        torch.cuda.set_rng_state(states["device"], device)
    elif device.type == "mps":
        torch.mps.set_rng_state(states["device"])


def spread(n_samples: int, most: int) -> Tensor:
    """Return at most ``most`` positions, evenly from the first sample to the last."""
    few = torch.linspace(0, n_samples - 1, min(n_samples, most)).long()
    return few.clamp_(max=n_samples - 1)  # beyond 2**24 single precision may round up


def drawn(n_samples: int, limit: int | None) -> NDArray[np.int64] | None:
    """Return ``limit`` positions in rising order, the same in every call; None where that is all there are."""
    if limit is None or limit >= n_samples:
        return None
    return np.sort(np.random.default_rng(0).permutation(n_samples)[:limit])

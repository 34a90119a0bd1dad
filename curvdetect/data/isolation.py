"""Randomness that leaves no trace.

In the first room, since reading a dataset draws from the global generators as training does.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

_LOCK = threading.RLock()


@contextmanager
def isolated_rng(device: torch.device, seed: int | None = None) -> Iterator[None]:
    """Give the block its own global generators (torch, the device, numpy, random) and put the caller's back after.

    The generators belong to the process, so a lock is held: two threads that train take turns.

    Parameters
    ----------
    device : torch.device
        Whose generator is put back as well.
    seed : int, optional
        Where the block starts; by default where the caller stands.
    """
    cuda = [device] if device.type == "cuda" else []
    with _LOCK, torch.random.fork_rng(cuda):
        states = np.random.get_state(), random.getstate()  # noqa: NPY002 - users' code draws from it
        mps = torch.mps.get_rng_state() if device.type == "mps" else None
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
            np.random.set_state(states[0])  # noqa: NPY002
            random.setstate(states[1])
            if mps is not None:
                torch.mps.set_rng_state(mps)

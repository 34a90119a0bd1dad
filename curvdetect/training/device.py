"""The device that a name stands for, and computing on it in one way only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from curvdetect.training.ranks import local_rank


def resolve_device(device: str | torch.device) -> torch.device:
    """Return the device that a name stands for: "auto" is CUDA, else MPS, else the CPU.

    Under ``torchrun`` every process takes a CUDA device of its own.
    """
    if device == "auto":
        kind = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        return _own(torch.device(kind))
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"device={device!r} is not known. Choose 'auto', 'cpu', 'cuda', 'cuda:1', ... or 'mps'."
        ) from error
    if found.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device={device!r}, but torch sees no CUDA device here. device='auto' takes what there is.")
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device={device!r}, but torch sees {torch.cuda.device_count()} CUDA device(s), from 'cuda:0'."
        )
    if found.type == "mps" and not torch.backends.mps.is_available():
        raise ValueError(f"device={device!r}, but torch sees no MPS device here. device='auto' takes what there is.")
    return _own(found)


def _own(device: torch.device) -> torch.device:
    """Return the accelerator of this process, where several on one machine have one each."""
    number = local_rank()
    if device.type != "cuda" or device.index is not None or number is None:
        return device
    if number >= torch.cuda.device_count():
        raise ValueError(
            f"process {number} of this machine has no CUDA device of its own: torch sees {torch.cuda.device_count()}. "
            "Start as many processes as there are devices (torchrun --nproc_per_node), or pass device='cpu'."
        )
    return torch.device("cuda", number)


@contextmanager
def deterministically(wanted: bool) -> Iterator[None]:
    """Let the block, where ``wanted``, compute sums in the same order whatever the number of threads.

    On a CPU that takes one thread: torch shares the sums over a batch, such as the gradient of a convolution's weights,
    out to the threads. On CUDA it is `torch.use_deterministic_algorithms`.
    """
    threads, algorithms = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    try:
        if wanted:
            torch.set_num_threads(1)
            torch.use_deterministic_algorithms(True, warn_only=True)
        yield
    finally:
        if wanted:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(algorithms, warn_only=warn_only)

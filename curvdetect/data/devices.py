"""Where a process computes: the device that a name stands for, and what a launcher says to each of its processes."""

from __future__ import annotations

import os

import torch
import torch.distributed as dist

#: Where launchers tell each process which one it is, of how many, and which of its machine: torchrun, then the MPIs.
#: An MPI may have started jobs that have nothing to do with each other: all count only beside `_PLACE`.
_TOLD = (
    ("RANK", "WORLD_SIZE", "LOCAL_RANK"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),  # Open MPI
    ("PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID"),  # MPICH, and Intel's
)
#: Where they meet. ``accelerate launch`` sets it for an MPI that it starts.
_PLACE = ("MASTER_ADDR", "MASTER_PORT")


def resolve_device(device: str | torch.device) -> torch.device:
    """Return the device that a name stands for; under ``torchrun`` every process takes a CUDA device of its own."""
    n_cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    mps = torch.backends.mps.is_available()
    try:
        found = torch.device(("cuda" if n_cuda else "mps" if mps else "cpu") if device == "auto" else device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"device={device!r} is not known. Choose 'auto', 'cpu', 'cuda', 'cuda:1', ... or 'mps'."
        ) from error
    if (found.type == "cuda" and not n_cuda) or (found.type == "mps" and not mps):
        kind = found.type.upper()
        raise ValueError(f"device={device!r}, but torch sees no {kind} device here. device='auto' takes what there is.")
    if found.type == "cuda" and (found.index or 0) >= n_cuda:
        raise ValueError(f"device={device!r}, but torch sees {n_cuda} CUDA device(s), from 'cuda:0'.")
    number = local_rank()
    if found.type != "cuda" or found.index is not None or number is None:
        return found
    if number >= n_cuda:
        raise ValueError(
            f"process {number} of this machine has no CUDA device of its own: torch sees {n_cuda}. "
            "Start as many processes as there are devices (torchrun --nproc_per_node), or pass device='cpu'."
        )
    return torch.device("cuda", number)


def launched_together() -> bool:
    """Say whether a launcher started this process as one of several, and where they meet."""
    return told_by_launcher() is not None and all(name in os.environ for name in _PLACE)


def local_rank() -> int | None:
    """Return which of the processes of this machine this one is, where a launcher said so."""
    told = told_by_launcher() if launched_together() or in_group() else None
    return None if told is None else told[2]


def in_group() -> bool:
    """Say whether this process has joined others."""
    return dist.is_available() and dist.is_initialized()


def told_by_launcher() -> tuple[int, int, int | None] | None:
    """Return which process this is, of how many, and which of its machine, as the first launcher has it."""
    for names in _TOLD:
        rank, size, local = (os.environ.get(name) for name in names)
        if rank is not None and size is not None:
            return (int(rank), int(size), None if local is None else int(local)) if int(size) > 1 else None
    return None

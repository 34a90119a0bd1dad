"""The device that a name stands for."""

from __future__ import annotations

import torch


def resolve_device(device: str | torch.device) -> torch.device:
    """Return the device that a name stands for.

    Parameters
    ----------
    device : str or torch.device
        ``"auto"`` takes CUDA, else MPS, else the CPU.

    Raises
    ------
    ValueError
        Where the name means nothing to torch, or the device is not there.
    """
    if device == "auto":
        kind = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        return torch.device(kind)
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
    return found

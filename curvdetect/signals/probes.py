"""Rademacher probes from a counter-based generator.

Every sign is a function of (seed, epoch, probe, sample, coordinate) alone, so that batch size, order, chunking,
device and the number of processes can't change it. There is no state, and nothing is drawn from torch's generators.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15, the increment of splitmix64, as a signed 64-bit number
_FIRST = -4658895280553007687  # 0xBF58476D1CE4E5B9
_SECOND = -7723592293110705685  # 0x94D049BB133111EB


def rademacher(
    index: Tensor,
    shape: tuple[int, ...],
    *,
    seed: int,
    epoch: int,
    probe: int,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Return one vector of independent signs for each sample.

    Parameters
    ----------
    index : Tensor of shape (batch,), int64
        The samples' numbers in the whole data; the result is on the same device.
    shape : tuple of int
        Shape of one sample.
    seed, epoch, probe : int
        The rest of the key.
    dtype : torch.dtype, default=torch.float32
        Type of the result.

    Returns
    -------
    Tensor of shape (batch, *shape)
        Entries -1 and 1, each with probability one half.

    Notes
    -----
    The bits are those of splitmix64 at a counter: 64 signs a word.

    Examples
    --------
    >>> import torch
    >>> from curvdetect.signals.probes import rademacher
    >>> both = rademacher(torch.tensor([4, 7]), (3,), seed=0, epoch=1, probe=0)
    >>> torch.equal(both[1:], rademacher(torch.tensor([7]), (3,), seed=0, epoch=1, probe=0))
    True
    """
    size, key = math.prod(shape), 0
    for part in (seed, epoch, probe):
        key = _mix_int(key + part)
    # on the host up to here: a number that travels with the kernel, where a tensor would have to be waited for
    row = _mix(index.to(torch.int64) + (key - (1 << 64) if key >> 63 else key))
    words = _mix(row[:, None] + torch.arange(-(-size // 64), dtype=torch.int64, device=index.device) * _GOLDEN)
    octets = words.view(torch.uint8)
    bits = (octets[:, :, None] >> torch.arange(8, dtype=torch.uint8, device=index.device)) & 1
    signs = bits.flatten(1)[:, :size].to(dtype).mul_(2).sub_(1)
    return signs.reshape(len(index), *shape)


def _mix(z: Tensor) -> Tensor:
    """Return the output function of splitmix64; sums and products wrap at 64 bits."""
    z = z + _GOLDEN
    z = (z ^ _shift(z, 30)) * _FIRST
    z = (z ^ _shift(z, 27)) * _SECOND
    return z ^ _shift(z, 31)


def _mix_int(z: int) -> int:
    """Return the same for a number of 64 bits without a sign."""
    every = (1 << 64) - 1
    z = (z + _GOLDEN) & every
    z = ((z ^ (z >> 30)) * _FIRST) & every
    z = ((z ^ (z >> 27)) * _SECOND) & every
    return z ^ (z >> 31)


def _shift(z: Tensor, by: int) -> Tensor:
    """Shift right without copying the sign bit."""
    return (z >> by) & ((1 << (64 - by)) - 1)

"""Gradients at the input, and what a step along a probe does to them.

Probes are Rademacher vectors from a counter-based generator: every sign is a function of (seed, epoch, probe, sample,
coordinate) alone, so that batch size, order, chunking, device and the number of processes can't change it. There is no
state, and nothing is drawn from torch's generators.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

_GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15, the increment of splitmix64, as a signed 64-bit number
_FIRST = -4658895280553007687  # 0xBF58476D1CE4E5B9
_SECOND = -7723592293110705685  # 0x94D049BB133111EB


def losses_of(logits: Tensor, y: Tensor) -> Tensor:
    """Return the cross-entropy of each sample, shape (batch,)."""
    return F.cross_entropy(logits, y, reduction="none")


def best_other(logits: Tensor, y: Tensor) -> Tensor:
    """Return the label with the largest logit other than ``y``, shape (batch,)."""
    return logits.detach().scatter(1, y[:, None], -torch.inf).argmax(1)


def share_of(given: Tensor, other: Tensor) -> Tensor:
    """Return ``given / (given + other)`` of numbers that are not negative; one half where both are zero."""
    total = given + other
    return torch.where(total == 0, 0.5, given / total)


def gradients_and_logits(
    forward: Callable[[Tensor], Tensor],
    x: Tensor,
    labels: Tensor | Callable[[Tensor], Tensor],
    units: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return each sample's gradients, one for each row of labels, which may be a function of the logits, and these."""
    x = x.detach().requires_grad_(True)
    logits = forward(x)
    if not logits.requires_grad:
        raise ValueError(
            "net passes no gradient to its input (an embedding of whole numbers, torch.no_grad or detach in forward?), "
            "so neither curvature nor gradients can be measured. LossDetector and MarginDetector need none."
        )
    rows = labels(logits.detach()) if callable(labels) else labels
    # of the sum, since samples don't interact in evaluation mode; a mean would scale them by the batch size
    try:
        gradients = [
            torch.autograd.grad(losses_of(logits, y).sum(), x, retain_graph=row < len(rows) - 1)[0]
            for row, y in enumerate(rows)
        ]
    except RuntimeError as error:
        if "donated" not in str(error):
            raise
        # a compiled module gives its buffers away in the first backward pass: a forward pass for each row, then
        gradients = [torch.autograd.grad(losses_of(forward(x), y).sum(), x)[0] for y in rows]
    stacked = torch.stack(gradients)
    return stacked if units is None else stacked * units, logits.detach()


def rademacher(
    index: Tensor,
    shape: tuple[int, ...],
    *,
    seed: int,
    epoch: int,
    probe: int,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Return one vector of independent signs for each sample, shape (batch, *shape), from bits of splitmix64."""
    size, key = math.prod(shape), 0
    for part in (seed, epoch, probe):
        key = _mix_int(key + part)
    # a number up to here, which travels with the kernel: a tensor would have to be waited for
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

"""The mean of a network's weights over the batches of an epoch, which tells more than the weights at its end.

A large learning rate throws the weights about from batch to batch, and with them what is measured. Their mean over an
epoch has less of that, so that a few epochs rank as well as all of them do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class MeanWeights:
    """The running mean of all real numbers in a module's state, BatchNorm's statistics among them."""

    def __init__(self, module: nn.Module) -> None:
        self._module, self._mean, self._count = module, [value.clone() for value in _numbers(module)], 0

    def add(self) -> None:
        """Take the weights of now into the mean."""
        self._count += 1
        torch._foreach_lerp_(self._mean, _numbers(self._module), 1 / self._count)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Give the module the mean, and its own weights back afterwards, bit for bit."""
        own = [value.clone() for value in _numbers(self._module)]
        _set(self._module, self._mean)
        try:
            yield
        finally:
            _set(self._module, own)


def _numbers(module: nn.Module) -> list[Tensor]:
    return [value for value in module.state_dict().values() if value.is_floating_point()]


def _set(module: nn.Module, values: list[Tensor]) -> None:
    for there, value in zip(_numbers(module), values, strict=True):
        there.copy_(value)

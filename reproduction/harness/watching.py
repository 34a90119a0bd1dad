"""A training watched after every epoch: losses, right answers and curvatures, of samples trained on or not."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch.callbacks import Callback
from torch.nn import functional as F

from curvdetect import input_curvature

from .data import as_inputs
from .shared import Shared

ROWS = 512


class Watch(Callback):
    """Measure sets of samples after an epoch, in evaluation mode and without drawing from any generator.

    The sets are inputs, labels and a number of probes by name. For each set and epoch the store gets the arrays
    ``loss``, ``correct`` and ``curvature``, and the list ``epochs``.
    """

    def __init__(self, store: Shared, sets: Shared, *, h: float, power: int, seed: int, every: int = 1) -> None:
        self.store, self.sets = store, sets
        self.h, self.power, self.seed, self.every = h, power, seed, every

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        epoch = net.history[-1, "epoch"]
        if (net.max_epochs - epoch) % self.every:
            return
        self.store.setdefault("epochs", []).append(epoch)
        for name, (X, y, n) in self.sets.items():
            logits = outputs(net.module_, X)
            curvature = input_curvature(net.module_, X, y, h=self.h, n=n, power=self.power, seed=self.seed, epoch=epoch)
            measured = {
                "loss": F.cross_entropy(logits, y, reduction="none"),
                "correct": logits.argmax(1) == y,
                "curvature": curvature,
            }
            for what, values in measured.items():
                self.store.setdefault(f"{name} {what}", []).append(values.numpy())


def outputs(module: torch.nn.Module, X: torch.Tensor) -> torch.Tensor:
    """Return what a module makes of inputs in evaluation mode."""
    device, training = next(module.parameters()).device, module.training
    module.eval()
    with torch.no_grad():
        parts = [module(x.to(device)).float().cpu() for x in X.split(ROWS)]
    module.train(training)
    return torch.cat(parts)


def tensors(X: NDArray[Any], codes: NDArray[Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return samples as a network receives them from a detector, and labels."""
    return torch.from_numpy(as_inputs(X)), torch.as_tensor(codes).long()


def running_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over the epochs so far, for every epoch; epochs are the first axis."""
    return values.cumsum(0) / np.arange(1, len(values) + 1).reshape(-1, *[1] * (values.ndim - 1))

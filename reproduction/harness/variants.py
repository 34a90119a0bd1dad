"""Variants of the curvature, measured side by side after every epoch of one training."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback
from torch import Tensor, nn
from torch.nn import functional as F

from curvdetect import input_curvatures

from .shared import Shared

POWERS = (1, 2)
#: Direction, where the step is taken: their words in tables.
RANDOM, ADVERSARIAL, NORMALISED = "random", "adversarial", "normalised"


class Scaled(nn.Module):
    """A network that receives standardized inputs, around one that receives them as they are."""

    def __init__(self, module: nn.Module, center: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.module = module
        device = next(module.parameters()).device
        self.center, self.scale = center.to(device), scale.to(device)

    def forward(self, z: Tensor) -> Tensor:
        """Return logits."""
        return self.module(z * self.scale + self.center)


def standards(X: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation: of each channel of pictures, of each column of rows.

    A column that never varies has no scale of its own, and is given that of all.
    """
    axes = (0, 2, 3) if X.dim() == 4 else (0,)
    variance, mean = torch.var_mean(X.double(), axes, correction=0, keepdim=True)
    scale = torch.where(variance > 0, variance, X.double().var()).sqrt()
    return mean[0].float(), scale[0].float()


def adversarial_curvatures(module: nn.Module, X: Tensor, y: Tensor, h: float, rows: int = 512) -> dict[int, Tensor]:
    """Return the curvature along the sign of the gradient, by power: the direction of Garg and Roy (2023).

    The step moves every pixel by ``h``, as a Rademacher probe's does, so that only the direction differs from
    `input_curvature`; there is one, and so no ``n``.
    """
    device, training = next(module.parameters()).device, module.training
    convolutions: Any = torch.backends.cudnn.conv
    precision = convolutions.fp32_precision
    norms = []
    try:
        module.eval()
        convolutions.fp32_precision = "ieee"  # as the random direction is measured; torch's default on CUDA is TF32
        for x, labels in zip(X.split(rows), y.split(rows), strict=True):
            x, labels = x.to(device), labels.to(device)
            clean = gradient(module, x, labels)
            moved = gradient(module, x + h * clean.sign(), labels)
            norms.append((moved - clean).flatten(1).norm(dim=1).cpu().double())
    finally:
        convolutions.fp32_precision = precision
        module.train(training)
    norm = torch.cat(norms)
    return {power: norm**power for power in POWERS}


def gradient(module: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    x = x.detach().requires_grad_()
    return torch.autograd.grad(F.cross_entropy(module(x), y, reduction="sum"), x)[0]


class Variants(Callback):
    """Measure every variant after every epoch at ``X`` and ``y`` of the store; leave there ``total`` and ``last``."""

    def __init__(self, store: Shared, *, h: float, n: int, seed: int) -> None:
        self.store, self.h, self.n, self.seed = store, h, n, seed

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        X, y = self.store["X"], self.store["y"]
        center, scale = standards(X)
        probes = {"h": [self.h], "n": [self.n], "power": POWERS, "seed": self.seed, "epoch": net.history[-1, "epoch"]}
        module = net.module_
        random = input_curvatures(module, X, y, **probes)
        normalised = input_curvatures(Scaled(module, center, scale), (X - center) / scale, y, **probes)
        adversarial = adversarial_curvatures(module, X, y, self.h)
        last = {}
        for power in POWERS:
            last[RANDOM, power] = random[self.h, self.n, power].numpy()
            last[NORMALISED, power] = normalised[self.h, self.n, power].numpy()
            last[ADVERSARIAL, power] = adversarial[power].numpy()
        total = self.store.get("total", {})
        self.store["total"] = {variant: total.get(variant, 0) + values for variant, values in last.items()}
        self.store["last"] = last
        self.store["epochs"] = self.store.get("epochs", 0) + 1


def scores(store: Shared) -> dict[str, np.ndarray]:
    """Return the scores of all variants by name: averaged over the epochs, and at the end."""
    found = {}
    for (kind, power), values in store["total"].items():
        found[variant(kind, power, averaged=True)] = values / store["epochs"]
        found[variant(kind, power, averaged=False)] = store["last"][kind, power]
    return found


def variant(kind: str, power: int, *, averaged: bool) -> str:
    return f"{kind}, power={power}, {'averaged' if averaged else 'end'}"

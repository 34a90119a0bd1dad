"""Data and networks that tests share."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from curvdetect import corrupt_labels


@cache
def digits(n: int | None = None):
    """Return scikit-learn's digits as (n, 64) float32 in [0, 1], and their labels; don't write into them."""
    X, y = load_digits(return_X_y=True)
    return (X[:n] / 16).astype(np.float32), y[:n]


def noisy_digits(n: int | None = None, rate: float = 0.1, seed: int = 0):
    """Return digits, corrupted labels, the mask of wrong ones and the true labels."""
    X, y = digits(n)
    labels, mask = corrupt_labels(y, rate, random_state=seed)
    return X, labels, mask, y


def smooth_net(n_features: int = 5, n_classes: int = 3, seed: int = 0, width: int = 7) -> nn.Sequential:
    """Return a twice differentiable classifier in float64."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(n_features, width), nn.Tanh(), nn.Linear(width, n_classes)).double()

"""Data and networks that tests share."""

from __future__ import annotations

import random
from contextlib import contextmanager
from functools import cache

import numpy as np
import torch
from sklearn.datasets import load_digits
from skorch.callbacks import Callback
from torch import nn
from torch.utils.data import Dataset

from curvdetect import corrupt_labels, memorizing_net
from curvdetect.data.inputs import columns_of
from curvdetect.training.nets import MLP


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


def exact_curvature(module, X, y):
    """Return tr(H²) of the loss's exact Hessian at each input: the oracle of the curvature on smooth networks."""

    def loss(x, label):
        return -module(x[None]).log_softmax(1)[0].gather(0, label[None])[0]

    hessian = torch.func.vmap(torch.func.hessian(loss))(X, y)
    return hessian.flatten(1).square().sum(1).detach()


def quick_net(n_features: int = 64, n_classes: int = 10, *, width: int = 32, **options):
    """Return a small net with fixed weights behind the recipe, short enough for tests that don't look at quality."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = MLP(n_features, n_classes, width)
    return memorizing_net(module, **{"max_epochs": 4, "batch_size": 64, **options})


def digits_net(**options):
    """Return a net with fixed weights that memorizes 600 digits, wrong labels included, in half a second."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = MLP(64, 10, 64, columns=columns_of(torch.from_numpy(digits(600)[0])))
    return memorizing_net(module, **{"max_epochs": 20, "batch_size": 32, **options})


@contextmanager
def untouched_rng():
    """Fail where the block leaves a global generator (torch, numpy, random) elsewhere than it found it."""
    torch_before, numpy_before, python_before = _generators()
    yield
    torch_after, numpy_after, python_after = _generators()
    assert torch.equal(torch_before, torch_after), "torch's global generator moved"
    assert numpy_before[2:] == numpy_after[2:], "numpy's global generator moved"
    assert (numpy_before[1] == numpy_after[1]).all(), "numpy's global generator moved"
    assert python_before == python_after, "random's global generator moved"


def _generators():
    return torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002


class InterruptedTraining(Callback):
    """Stands for Ctrl-C in one epoch of the n-th training since ``trainings`` was set to 0."""

    trainings = 0

    def __init__(self, training, epoch):
        self.training, self.epoch = training, epoch

    def on_train_begin(self, net, **kwargs):
        InterruptedTraining.trainings += 1

    def on_grad_computed(self, net, **kwargs):
        if InterruptedTraining.trainings == self.training and len(net.history) == self.epoch:
            raise KeyboardInterrupt


class Items(Dataset):
    """A map-style dataset that yields the given items."""

    def __init__(self, items):
        self.items = list(items)

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


class RandomItems(Dataset):
    """A dataset with a random transform that draws from every global generator."""

    def __len__(self):
        return 20

    def __getitem__(self, index):
        jitter = torch.rand(3) + np.random.rand() + random.random()  # noqa: NPY002
        return index + jitter.float(), index % 2


def draw_from_every_generator():
    """Draw from each of the process's global generators."""
    return torch.rand(3).tolist(), np.random.rand(3).tolist(), [random.random() for _ in range(3)]  # noqa: NPY002

"""Trainings with the settings that tests write beside each other."""

from __future__ import annotations

import torch

from curvdetect.data.samples import as_samples
from curvdetect.signals.evaluated import Curvature
from curvdetect.training.memorize import memorize
from curvdetect.training.second_split import second_split
from curvdetect.training.settings import Settings
from tests.cases import digits

CPU = torch.device("cpu")


def of_digits(n=100, shape=(64,), labels=None):
    """Return digits as samples, under other labels where there are some."""
    X, y = digits(n)
    return as_samples(X.reshape(n, *shape), y if labels is None else labels)


def quick_curvature():
    """Return a signal of one probe."""
    return Curvature(h=1e-2, n=1, power=1, seed=3)


def train(net, samples, signals=(), *, watched=None, weights=None, device=CPU, seed=0, **settings):
    """Return the run of one training."""
    return memorize(samples, signals, Settings(net, device, seed, **settings), watched=watched, weights=weights)


def split(net, samples, *, first_epochs=None, device=CPU, seed=0, **options):
    """Return what a second split found."""
    own = {name: options.pop(name) for name in ("second_epochs", "first_signals") if name in options}
    return second_split(samples, Settings(net, device, seed, max_epochs=first_epochs, **options), **own)

"""Trainings with the settings that tests write beside each other."""

from __future__ import annotations

import torch

from curvdetect.training.memorize import memorize
from curvdetect.training.second_split import second_split
from curvdetect.training.settings import Settings

CPU = torch.device("cpu")


def train(net, samples, signals=(), *, watched=None, weights=None, device=CPU, seed=0, **settings):
    """Return the run of one training."""
    return memorize(samples, signals, Settings(net, device, seed, **settings), watched=watched, weights=weights)


def split(net, samples, *, first_epochs=None, device=CPU, seed=0, **options):
    """Return what a second split found."""
    own = {name: options.pop(name) for name in ("second_epochs", "first_signals") if name in options}
    return second_split(samples, Settings(net, device, seed, max_epochs=first_epochs, **options), **own)

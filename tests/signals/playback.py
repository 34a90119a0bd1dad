"""A training run from a table of logits, for tests of signals."""

from __future__ import annotations

import numpy as np
import torch

from curvdetect.signals.signal import QUARTERS, Batch, Plan


def recorded(n_epochs=7, n_samples=12, n_classes=4, seed=0, scale=3.0):
    """Return logits of shape (n_epochs, n_samples, n_classes) in float64, and labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, n_samples)
    return scale * rng.standard_normal((n_epochs, n_samples, n_classes)), labels


def show_epoch(signal, logits, labels, epoch, n_epochs, *, order=None, batch_size=5, device="cpu", gradients=None):
    """Show one epoch to a signal in batches, and leave it open."""
    order = torch.arange(len(labels)) if order is None else torch.as_tensor(order)
    for index in order.split(batch_size):
        signal.update(
            Batch(
                index.to(device),
                torch.zeros(len(index), 2, device=device),
                torch.as_tensor(labels)[index].to(device),
                epoch=epoch,
                quarter=(epoch - 1) * QUARTERS // n_epochs,
                forward=refuse,
                logits=torch.as_tensor(logits)[index].to(device),
                gradient=None if gradients is None else torch.as_tensor(gradients)[index].to(device),
            )
        )


def play(signal, logits, labels, *, orders=None, gradients=None, device="cpu", **options):
    """Show all epochs to a signal, from its start, and return it."""
    n_epochs, n_samples, n_classes = logits.shape
    signal.start(Plan(n_samples, n_classes, n_epochs, torch.device(device)))
    for e in range(n_epochs):
        show_epoch(
            signal,
            logits[e],
            labels,
            e + 1,
            n_epochs,
            order=None if orders is None else orders[e],
            gradients=None if gradients is None else gradients[e],
            device=device,
            **options,
        )
        signal.end_epoch()
    return signal


def refuse(x):
    """Stand in for a network that no test of a training signal may ask."""
    raise AssertionError("the network was asked for logits that the training pass had put out already")

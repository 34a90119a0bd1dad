"""A training run from a table of logits, and processes that are threads, for tests of signals."""

from __future__ import annotations

import threading

import numpy as np
import torch
from torch import nn

from curvdetect.signals.signal import QUARTERS, Batch, Plan


def inputs(n=23, *shape, n_classes=3, seed=0):
    """Return inputs in float64, by default of five columns, and labels."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, *(shape or (5,)), generator=generator, dtype=torch.float64)
    return x, torch.randint(n_classes, (n,), generator=generator)


def recorded(n_epochs=7, n_samples=12, n_classes=4, seed=0, scale=3.0):
    """Return logits of shape (n_epochs, n_samples, n_classes) in float64, and labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, n_samples)
    return scale * rng.standard_normal((n_epochs, n_samples, n_classes)), labels


def show_epoch(signal, logits, labels, epoch, n_epochs, *, order=None, batch_size=5, device="cpu", gradients=None):
    """Show one epoch to a signal in batches, and leave it open."""
    order = torch.arange(len(labels)) if order is None else torch.as_tensor(order, dtype=torch.int64)
    for index in order.split(batch_size) if len(order) else ():
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


def play(signal, logits, labels, *, orders=None, gradients=None, device="cpu", planned=None, exchange=None, **options):
    """Show all epochs of a run that was ``planned`` to be as long to a signal, from its start, and return it."""
    n_epochs, n_samples, n_classes = logits.shape
    planned = n_epochs if planned is None else planned
    signal.start(Plan(n_samples, n_classes, planned, torch.device(device), exchange=exchange))
    for e in range(n_epochs):
        shown = {
            "order": None if orders is None else orders[e],
            "gradients": None if gradients is None else gradients[e],
        }
        show_epoch(signal, logits[e], labels, e + 1, planned, device=device, **shown, **options)
        signal.end_epoch()
    return signal


class Counting(nn.Module):
    """Record how many rows each pass holds."""

    def __init__(self, net):
        super().__init__()
        self.net, self.rows = net, []

    def forward(self, x):
        self.rows.append(len(x))
        return self.net(x)


def refuse(x):
    """Stand in for a network that no test of a training signal may ask."""
    raise AssertionError("the network was asked for logits that the training pass had put out already")


class Seat:
    """The exchange of one of several threads, each of which stands for a process."""

    def __init__(self, rank, table, barrier):
        self.rank, self.table, self.barrier, self.turns = rank, table, barrier, 0

    def _all(self, tensors):
        self.table[self.rank] = [tensor.clone() for tensor in tensors]
        self.barrier.wait()
        table = list(self.table)
        self.barrier.wait()
        return table

    def sum(self, *tensors):
        for tensor, *others in zip(tensors, *self._all(tensors), strict=True):
            tensor.copy_(torch.stack(others).sum(0))

    def largest(self, *tensors):
        for tensor, *others in zip(tensors, *self._all(tensors), strict=True):
            tensor.copy_(torch.stack(others).amax(0))

    def in_turn(self, *tensors):
        self.turns += 1
        yield from map(tuple, self._all(tensors))


def play_together(make, logits, labels, visits):
    """Return what several processes end with, each of which saw what ``visits`` says, and their exchanges."""
    table, barrier = [None] * len(visits), threading.Barrier(len(visits), timeout=20)
    seats, played = [Seat(rank, table, barrier) for rank in range(len(visits))], [None] * len(visits)

    def run(rank):
        played[rank] = play(make(), logits, labels, orders=visits[rank], exchange=seats[rank], batch_size=2)

    running = [threading.Thread(target=run, args=(rank,)) for rank in range(len(visits))]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return played, seats

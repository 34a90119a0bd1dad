"""What hides wrong labels before the training begins: weights of classes, and a net that knows the labels already.

Both leave a ranking that looks like any other, so that all that can be done is to say so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from skorch import NeuralNet, NeuralNetBinaryClassifier
from torch import Tensor

from curvdetect.data.sources import Samples

#: How many times the weight of another class a class may have. Twice did no harm in trials, four times did.
HEAVIER = 2.0
#: Share of the given labels, among so many samples of all classes, that a net may know before it is trained. One that
#: knows the true labels ranks well, and agrees with the wrong ones no more than they with those.
KNOWN, AMONG = 0.98, 20
#: With as few classes an untrained net can be right by luck: where they lie apart so that neighbours share a label.
_BY_LUCK, _NEIGHBOURS = 3, 0.95


def weighted_classes(net: NeuralNet, samples: Samples, loader: Any) -> str | None:
    """Return what to say of a criterion, or a sampler, that gives some classes more weight than others.

    Parameters
    ----------
    net : skorch.NeuralNet
        Initialized.
    samples : Samples
        What it is to be trained on.
    loader : DataLoader, or any other iterable of batches, optional
        What feeds it; None for the recipe's own.
    """
    for what, weights in _weights(net, samples, loader):
        most, least = int(weights.argmax()), int(weights.argmin())
        ratio = float(weights[most] / weights[least])
        if ratio > HEAVIER:
            classes = samples.classes.tolist()
            return (
                f"net's {what} gives class {classes[most]!r} {ratio:.3g} times the weight of class {classes[least]!r}: "
                f"labels of {classes[most]!r} are fitted first, right or wrong, so that the wrong ones among them rank "
                "low and are missed. Leave the weights out to find them: a ranking needs no balanced classes."
            )
    return None


def _weights(net: NeuralNet, samples: Samples, loader: Any) -> Iterator[tuple[str, Tensor]]:
    """Yield the weights of the classes, and where they are from."""
    n_classes, criterion = len(samples.classes), type(net.criterion_).__name__
    names = ("pos_weight",) if isinstance(net, NeuralNetBinaryClassifier) else ("weight", "alpha")
    for name in names:
        weights = getattr(net.criterion_, name, None)
        if isinstance(weights, Tensor) and name == "pos_weight" and weights.numel() == 1:
            weights = torch.stack([torch.ones_like(weights), weights]).flatten()
        if isinstance(weights, Tensor) and weights.ndim == 1 and len(weights) >= n_classes:
            yield f"criterion {criterion}({name}=...)", weights.detach().cpu().double()[:n_classes]
    batches = getattr(loader, "batch_sampler", None)
    for sampler in (getattr(loader, "sampler", None), batches, getattr(batches, "sampler", None)):
        drawn = getattr(sampler, "weights", None)
        if drawn is not None and len(drawn) == len(samples):
            sums = torch.bincount(samples.labels, torch.as_tensor(drawn, dtype=torch.float64), n_classes)
            counts = torch.bincount(samples.labels, minlength=n_classes)
            # a class that has no samples here weighs as much as all of them
            means = torch.where(counts > 0, sums / counts, sums.sum() / counts.sum())
            yield f"sampler {type(sampler).__name__}", means


def known_labels(x: Tensor, y: Tensor, logits: Tensor, n_classes: int) -> str | None:
    """Return what to say of a net that gives nearly all samples their labels before it is trained.

    Parameters
    ----------
    x, y : Tensor
        Samples of all classes, as evenly as may be, and their labels.
    logits : Tensor of shape (batch, n_logits)
        What the net makes of them.
    n_classes : int
        How many there are.
    """
    right = int((logits.argmax(1) == y).sum())
    if len(y) < AMONG or right < KNOWN * len(y):
        return None
    if n_classes <= _BY_LUCK and _shared_with_neighbours(x, y) >= _NEIGHBOURS:
        return None
    return (
        f"net gives {right} of {len(y)} samples their given labels before it is trained, so that it seems to have been "
        "trained on them. What it knows by heart it doesn't learn again: wrong labels look like right ones, learning "
        "times are all alike, and the ranking is poor. Pass it untrained: its class, or a new module."
    )


def _shared_with_neighbours(x: Tensor, y: Tensor) -> float:
    """Return how often a sample's label is that of its nearest neighbour."""
    rows, y = x.flatten(1).cpu().double(), y.cpu()
    distances = torch.cdist(rows, rows).fill_diagonal_(torch.inf)
    return float((y[distances.argmin(1)] == y).float().mean())

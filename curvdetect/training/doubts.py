"""What makes a ranking doubtful: seen before the training, or from its course once it is over.

Each leaves a ranking that looks like any other, so that it is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from sklearn.exceptions import ConvergenceWarning
from skorch import NeuralNet, NeuralNetBinaryClassifier
from torch import Tensor, nn

from curvdetect.data.samples import Samples
from curvdetect.data.types import Record
from curvdetect.data.wording import warn

#: How many times the weight of another class a class may have. Twice did no harm in trials, four times did.
HEAVIER = 2.0
#: Share of the given labels, among at least so many samples of all classes, that a net may know before it is trained.
#: One that knows the true labels ranks well, and agrees with the wrong ones no more than they with those.
KNOWN, AMONG = 0.98, 20
#: With as few classes an untrained net can be right by luck: where they lie apart so that neighbours share a label.
_BY_LUCK, _NEIGHBOURS = 3, 0.95
#: Training accuracy below which the labels count as not memorized.
MEMORIZED = 0.99
#: What the training accuracy may lose from its highest epoch to the end.
FALL = 0.02
#: The same where late epochs are no longer listened to, or the end was not planned: a constant rate makes it waver.
APART = 0.1
#: Share of the planned epochs within which memorizing counts as at once.
AT_ONCE = 0.1


def changed_gradient(net: NeuralNet) -> str | None:
    """Return what to say of a criterion that weights or smooths the losses whose input gradients are measured."""
    criterion = net.criterion_
    binary = isinstance(net, NeuralNetBinaryClassifier)
    usual = (nn.BCEWithLogitsLoss, nn.BCELoss) if binary else (nn.CrossEntropyLoss, nn.NLLLoss)
    even = all(getattr(criterion, name, None) is None for name in ("weight", "pos_weight"))
    if type(criterion) in usual and even and not getattr(criterion, "label_smoothing", 0):
        return None
    return (
        "the input gradient is read off the training passes, and this criterion weights or smooths them: its scores "
        "follow the weights. A plain CrossEntropyLoss makes them comparable."
    )


def weighted_classes(net: NeuralNet, samples: Samples, loader: object) -> str | None:
    """Return what to say of a criterion, or a sampler of the loader, that weights some classes more than others."""
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


def _weights(net: NeuralNet, samples: Samples, loader: object) -> Iterator[tuple[str, Tensor]]:
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
    """Return what to say of a net that gives nearly all samples, of all classes, their labels before it is trained."""
    right = int((logits.argmax(1) == y).sum())
    if len(y) < AMONG or right < KNOWN * len(y):
        return None
    if n_classes <= _BY_LUCK:
        rows, labels = x.flatten(1).cpu().double(), y.cpu()
        nearest = torch.cdist(rows, rows).fill_diagonal_(torch.inf).argmin(1)
        if (labels[nearest] == labels).float().mean() >= _NEIGHBOURS:
            return None
    return (
        f"net gives {right} of {len(y)} samples their given labels before it is trained, so that it seems to have been "
        "trained on them. What it knows by heart it doesn't learn again: wrong labels look like right ones, learning "
        "times are all alike, and the ranking is poor. Pass it untrained: its class, or a new module."
    )


def fell_after(history: Sequence[Record], fall: float = FALL) -> int | None:
    """Return the epoch, counted from 1, after which the training accuracy fell by more than ``fall``, if it did."""
    accuracies = [record["train_accuracy"] for record in history]
    if not accuracies or accuracies[-1] >= max(accuracies) - fall:
        return None
    return accuracies.index(max(accuracies)) + 1


def judge(
    history: Sequence[Record],
    accuracy: float,
    samples: Samples,
    n_epochs: int,
    *,
    planned: bool = True,
    memorizes: bool = True,
) -> None:
    """Warn where the course of a training says that its signals tell little, or, not ``planned``, fell far.

    A recipe of few epochs that is not to memorize is not said to have failed at it.
    """
    peak = fell_after(history, FALL if planned else APART)
    first = [record["train_accuracy"] for record in history[: max(1, round(AT_ONCE * n_epochs))]]
    if peak is not None:
        text = (
            f"the training fell apart: its accuracy rose to {history[peak - 1]['train_accuracy']:.2f} in epoch {peak} "
            f"and was {history[-1]['train_accuracy']:.2f} in the last. The steps are too large: lower the learning "
            "rate (net__lr, a third of it), or bound the gradients by net=memorizing_net(module, for_tables=True). "
            "What was measured after the fall tells little."
        )
    elif not (planned and memorizes):
        return
    elif accuracy < MEMORIZED:
        said = min(accuracy, MEMORIZED - 1e-4)  # a shortfall of less is not rounded to the aim
        text = (
            f"the net did not memorize the labels: training accuracy {said:.4f} after {len(history)} epochs, below "
            f"{MEMORIZED}. The loss ranks well all the same; curvature, and copies under two labels, show best once "
            "wrong labels have been learned too: raise max_epochs, or take a larger net."
        )
    elif len(samples.shape) == 1 and samples.shape[0] > len(samples) and max(first) >= MEMORIZED:
        text = (
            f"the net memorized the labels at once: X has {samples.shape[0]} columns and {len(samples)} rows, so that "
            "wrong labels are learned as fast as right ones, and the training tells little. FusedDetector() and "
            "OutOfBagDetector() judge a label without its sample too, and rank well here; fewer columns help the "
            "training: scikit-learn's SelectKBest in a pipeline before the detector."
        )
    else:
        return
    warn(text, ConvergenceWarning)

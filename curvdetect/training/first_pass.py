"""One batch shown to a net before it is trained: either it works, or what is to be changed is said.

In evaluation mode the net itself is shown it; a copy is trained on it. No error of torch's is handed on as it is.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch import NeuralNet
from torch import Tensor, nn

from curvdetect.data.isolation import isolated_rng
from curvdetect.data.loading import is_ours
from curvdetect.data.sources import Samples
from curvdetect.signals.scoring import OutputKind, logits_of, measuring
from curvdetect.training.first_step import has_usual_loss, try_step
from curvdetect.training.hiding import known_labels, weighted_classes
from curvdetect.training.outputs import has_own_loss, take_whole_numbers, takes_whole_numbers
from curvdetect.training.remedies import refusal
from curvdetect.training.whole import whole_of

#: Samples shown, and most bytes of them; two at least.
SHOWN, SHOWN_BYTES = 64, 2**26
#: Up to here single precision holds every whole number.
WHOLE = 2**24
#: Criteria of torch's that compare logits with classes, and those that compare one number with 0 and 1.
_OF_CLASSES = (nn.CrossEntropyLoss, nn.NLLLoss, nn.MultiMarginLoss)
_OF_ONE = (nn.BCEWithLogitsLoss, nn.BCELoss)


def first_pass(net: NeuralNet, samples: Samples, output: OutputKind, *, untrained: bool) -> list[str]:
    """Show a net a batch; raise what has to change before it can be trained.

    Parameters
    ----------
    net : skorch.NeuralNet
        Initialized. Stays as it is, save that its module is made to take whole numbers where it refuses others and
        ``samples`` are such.
    samples : Samples
        What it is to be trained on.
    output : {"logits", "probabilities", "logit", "probability"}
        What it puts out.
    untrained : bool
        Whether it is meant to know nothing of the labels yet.

    Returns
    -------
    list of str
        What the user is to be warned of.

    Raises
    ------
    ValueError
        Naming the net, what was seen and the way out.
    """
    device, n_classes = torch.device(net.device), len(samples.classes)
    with isolated_rng(device):
        loader = _loader_of(net, samples)
        if has_usual_loss(net, loader):
            _check_criterion(net, output, n_classes)
        n_shown = max(2, min(SHOWN, SHOWN_BYTES // (4 * math.prod(samples.shape))))
        index = torch.from_numpy(_of_all_classes(samples.labels.numpy(), n_shown))
        x, y = samples.batch(index).to(device), samples.labels[index].to(device)
        logits = _shown(net, x, output, samples)
        _check_logits(net, logits, output, n_classes)
        try_step(net, x, y, loader, len(samples))
    said = [
        _merged(x) if takes_whole_numbers(net) else None,
        _needless_softmax(net, logits),
        weighted_classes(net, samples, loader),
        known_labels(x, y, logits, n_classes) if untrained else None,
    ]
    return [text for text in said if text is not None]


def _loader_of(net: NeuralNet, samples: Samples) -> Any:
    """Return what would feed the training, or None where that is the recipe's own loader."""
    if is_ours(net.iterator_train):
        return None
    # accelerate would take note of a loader that it prepares
    make = NeuralNet.get_iterator if hasattr(net, "accelerator") else type(net).get_iterator
    return make(net, samples.trained, training=True)


def _of_all_classes(labels: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Return the numbers of ``n`` samples, or of all: the first of each class, the second of each, and so on."""
    order, counts = np.argsort(labels, kind="stable"), np.bincount(labels)
    turn = np.arange(len(labels)) - (np.cumsum(counts) - counts)[labels[order]]
    return order[np.argsort(turn, kind="stable")][:n]


def _check_criterion(net: NeuralNet, output: OutputKind, n_classes: int) -> None:
    """Raise for a criterion of torch's that does not compare logits with classes."""
    criterion, binary = type(net.criterion_), output in ("logit", "probability")
    if binary and n_classes > 2:
        raise ValueError(
            f"net is a {type(net).__name__}, with one logit for two classes, and y holds {n_classes} classes. Pass a "
            f"skorch.NeuralNetClassifier with criterion=torch.nn.CrossEntropyLoss and a module of {n_classes} logits."
        )
    fitting = _OF_ONE if binary else _OF_CLASSES
    if criterion.__module__ == "torch.nn.modules.loss" and not issubclass(criterion, fitting):
        way = f"Pass criterion=torch.nn.{fitting[0].__name__}"
        way += ", or for one logit a skorch.NeuralNetBinaryClassifier." if n_classes == 2 and not binary else "."
        raise ValueError(
            f"net has criterion {criterion.__name__}, which does not compare logits with the number of one class of "
            f"{n_classes}. {way} A get_loss of your own may compare what it likes."
        )


def _shown(net: NeuralNet, x: Tensor, output: OutputKind, samples: Samples) -> Tensor:
    """Return what the net makes of a batch in evaluation mode: logits, or numbers that are ordered as they are."""
    kind: OutputKind = "logits" if output == "probabilities" else output
    version, found = x._version, list[Tensor]()
    with measuring(whole_of(net)), torch.no_grad():
        for part in x.tensor_split(max(1, -(-len(x) // net.batch_size))):  # its size is -1 for all at once
            try:
                raw = _infer(net, part, samples.integral)
            except (MemoryError, torch.OutOfMemoryError):
                raise
            except Exception as error:
                raise refusal(error, net, part, kind, len(samples.classes)) from error
            found.append(logits_of(raw, kind))
            if len(found[-1]) != len(part):
                raise ValueError(
                    f"net puts out {len(found[-1])} rows of logits for a batch of {len(part)} samples of shape "
                    f"{samples.shape}. Let forward return one row for each sample."
                )
    if x._version != version:
        raise ValueError(
            "net changes its input in place, so that what is measured would not be X. In forward write x = x - mean "
            "rather than x -= mean, and leave inplace=True out of the first layer."
        )
    return torch.cat(found)


def _infer(net: NeuralNet, x: Tensor, integral: bool) -> Any:
    """Return what the net makes of a batch: as whole numbers, where it refuses others and they are such."""
    try:
        return net.infer(x)
    except Exception as refused:
        if not integral:
            raise
        hook = take_whole_numbers(net)
        try:
            return net.infer(x)
        except Exception as error:
            hook.remove()
            # of a number that an embedding has no row for, only the second tells
            raise (error if isinstance(error, IndexError) else refused) from None


def _check_logits(net: NeuralNet, logits: Tensor, output: OutputKind, n_classes: int) -> None:
    """Raise where there are too few logits, or they are not what the criterion wants."""
    if logits.shape[1] < n_classes:
        one = " One logit is for a skorch.NeuralNetBinaryClassifier." if n_classes == 2 else ""
        raise ValueError(
            f"net puts out {logits.shape[1]} logits, but y holds {n_classes} classes. Widen its last layer.{one}"
        )
    if isinstance(net.criterion_, nn.NLLLoss) and not has_own_loss(net):
        weights = logits if output == "probabilities" else logits.exp()
        if not _are_probabilities(weights):
            wanted = "probabilities" if output == "probabilities" else "log-probabilities"
            raise ValueError(
                f"net has criterion NLLLoss, for which skorch wants {wanted}, but puts out something else. For "
                "logits pass criterion=torch.nn.CrossEntropyLoss."
            )


def _merged(x: Tensor) -> str | None:
    if x.abs().max() <= WHOLE:
        return None
    return (
        f"X holds whole numbers up to {x.abs().max():.0f} for a net that looks them up, and reaches it in single "
        "precision, where neighbours beyond 2**24 are one number. Number them anew from 0, by scikit-learn's "
        "OrdinalEncoder, say."
    )


def _needless_softmax(net: NeuralNet, logits: Tensor) -> str | None:
    if isinstance(net.criterion_, nn.CrossEntropyLoss) and _are_probabilities(logits):
        return (
            f"net puts out probabilities, and its criterion {type(net.criterion_).__name__} wants logits: it will "
            "hardly learn. Leave out the softmax at its end."
        )
    return None


def _are_probabilities(weights: Tensor) -> bool:
    total = weights.sum(1)
    return bool((weights >= 0).all()) and torch.allclose(total, torch.ones_like(total), atol=1e-3)

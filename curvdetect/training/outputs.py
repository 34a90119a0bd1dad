"""What a skorch net puts out, and what it is handed on as: to the criterion, and from whole numbers to the module."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from skorch import NeuralNet, NeuralNetBinaryClassifier, NeuralNetClassifier
from torch import Tensor, nn

from curvdetect.signals.scoring import OutputKind, first_of


def output_kind(net: NeuralNet) -> OutputKind:
    """Return what the net puts out, by skorch's own rules."""
    if isinstance(net, NeuralNetBinaryClassifier):
        return "probability" if isinstance(net.criterion_, nn.BCELoss) else "logit"
    # its classifier takes the log for NLLLoss
    if isinstance(net.criterion_, nn.NLLLoss) and isinstance(net, NeuralNetClassifier):
        return "probabilities"
    return "logits"


def is_plain(net: NeuralNet) -> bool:
    """Say whether the loss of a net is cross-entropy without weights and smoothing."""
    criterion = net.criterion_
    if isinstance(net, NeuralNetBinaryClassifier):
        plain = type(criterion) in (nn.BCEWithLogitsLoss, nn.BCELoss)
    else:
        plain = type(criterion) in (nn.CrossEntropyLoss, nn.NLLLoss)
    weights = [getattr(criterion, name, None) for name in ("weight", "pos_weight")]
    return plain and all(weight is None for weight in weights) and not getattr(criterion, "label_smoothing", 0)


def is_mean(criterion: nn.Module) -> bool:
    """Say whether a criterion takes the mean over a batch, rather than the sum."""
    return getattr(criterion, "reduction", "mean") == "mean"


def divisor(criterion: nn.Module, labels: Tensor) -> Tensor | int:
    """Return what a criterion divides the losses of a batch by: their number, the weights of their labels, or 1."""
    if not is_mean(criterion):
        return 1
    if isinstance(criterion, nn.CrossEntropyLoss | nn.NLLLoss) and criterion.weight is not None:
        return criterion.weight[labels.to(criterion.weight.device)].sum()
    return len(labels)


def weighted(mean: Tensor, weight: Tensor | float) -> Tensor:
    """Return a mean times what it counts; one over labels that weigh nothing is NaN, and adds nothing."""
    return torch.where(weight > 0, mean * weight, 0) if isinstance(weight, Tensor) else mean * weight


def has_own_loss(net: NeuralNet) -> bool:
    """Say whether the loss is computed by a method of the user's, rather than by one of skorch's."""
    return not getattr(type(net).get_loss, "__module__", "").startswith("skorch.")


@contextmanager
def taking_logits(net: NeuralNet) -> Iterator[None]:
    """Let skorch's loss take the logits out of whatever the net puts out; one of the user's gets all of it.

    Parameters
    ----------
    net : skorch.NeuralNet
        A binary classifier gets its labels as the floating point numbers that it compares with.
    """
    binary = isinstance(net, NeuralNetBinaryClassifier)
    net.get_loss = partial(_loss, net.get_loss, has_own_loss(net), binary)
    try:
        yield
    finally:
        del net.get_loss


def _loss(
    loss: Callable[..., Any], own: bool, binary: bool, y_pred: Any, y_true: Any, *args: Any, **kwargs: Any
) -> Any:
    """Return what ``loss`` makes of a batch, handed over as it wants it."""
    y_true = y_true.float() if binary else y_true
    return loss(y_pred if own else first_of(y_pred), y_true, *args, **kwargs)


def take_whole_numbers(net: NeuralNet) -> Any:
    """Let the module of a net take whole numbers, as embeddings want them; return what takes that back."""
    return net.module_.register_forward_pre_hook(_as_whole_numbers)


def takes_whole_numbers(net: NeuralNet) -> bool:
    """Say whether the module of a net was made to take whole numbers."""
    return _as_whole_numbers in net.module_._forward_pre_hooks.values()


def _as_whole_numbers(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
    return args[0].long(), *args[1:]

"""What a skorch net puts out, and whether that can be scored."""

from __future__ import annotations

import warnings

import torch
from skorch import NeuralNet, NeuralNetClassifier
from torch import Tensor, nn

from curvdetect.data.isolation import isolated_rng
from curvdetect.data.sources import Samples
from curvdetect.signals.scoring import OutputKind, logits_of, measuring
from curvdetect.training.whole import whole_of


def output_kind(net: NeuralNet) -> OutputKind:
    """Return what the net puts out, by skorch's own rule: its classifier takes the log for NLLLoss."""
    if isinstance(net.criterion_, nn.NLLLoss) and isinstance(net, NeuralNetClassifier):
        return "probabilities"
    return "logits"


def is_plain(criterion: nn.Module) -> bool:
    """Say whether a criterion is cross-entropy without weights and smoothing."""
    plain = type(criterion) in (nn.CrossEntropyLoss, nn.NLLLoss)
    return plain and criterion.weight is None and not getattr(criterion, "label_smoothing", 0)


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


def check_output(net: NeuralNet, samples: Samples, output: OutputKind) -> None:
    """Show the net two samples, so that what can't work is said before training starts."""
    with isolated_rng(torch.device(net.device)), measuring(whole_of(net)), torch.no_grad():
        try:
            raw = net.infer(samples.batch(torch.arange(min(2, len(samples)))))
        except Exception as error:
            error.add_note(f"The net met float32 samples of shape {samples.shape} from X.")
            raise
        logits = logits_of(raw, "logits")
    n_classes = len(samples.classes)
    if logits.shape[1] < n_classes:
        raise ValueError(
            f"net puts out {logits.shape[1]} logits, but y holds {n_classes} classes. Widen its last layer."
        )
    if isinstance(net.criterion_, nn.CrossEntropyLoss) and _are_probabilities(logits):
        warnings.warn(
            f"net puts out probabilities, and its criterion {type(net.criterion_).__name__} wants logits: it will "
            "hardly learn. Leave out the softmax at its end.",
            UserWarning,
            stacklevel=2,
        )
    if isinstance(net.criterion_, nn.NLLLoss):
        weights = logits if output == "probabilities" else logits.exp()
        if not _are_probabilities(weights):
            wanted = "probabilities" if output == "probabilities" else "log-probabilities"
            raise ValueError(
                f"net has criterion NLLLoss, for which skorch wants {wanted}, but puts out something else. For "
                "logits pass criterion=torch.nn.CrossEntropyLoss."
            )


def _are_probabilities(weights: torch.Tensor) -> bool:
    total = weights.sum(1)
    return bool((weights >= 0).all()) and torch.allclose(total, torch.ones_like(total), atol=1e-3)

"""What to change where a net refuses the samples: what it would take in their place is found by trying."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from skorch import NeuralNet
from torch import Tensor

from curvdetect.signals.scoring import OutputKind, logits_of
from curvdetect.training.copies import first_line
from curvdetect.training.whole import whole_of


class _Other(NamedTuple):
    """Another form of a batch."""

    axes: range
    """Of how many axes a batch has to be."""
    form: Callable[[Tensor], Tensor]
    how: str
    """The same of X."""


_OTHERS = (
    _Other(range(4, 5), lambda x: x.movedim(-1, 1), "X.transpose(0, 3, 1, 2)"),
    _Other(range(3, 4), lambda x: x.transpose(1, 2), "X.transpose(0, 2, 1)"),
    _Other(range(2, 5), lambda x: x[:, None], "X[:, None]"),
    _Other(range(3, 6), lambda x: x.flatten(1), "X.reshape(len(X), -1)"),
    _Other(range(4, 5), lambda x: x.repeat_interleave(3, 1), "X.repeat(3, axis=1)"),
    _Other(range(3, 4), lambda x: x[:, None].repeat_interleave(3, 1), "X[:, None].repeat(3, axis=1)"),
    _Other(range(2, 6), lambda x: x.long(), "X.astype('int64')"),
)


def refusal(error: Exception, net: NeuralNet, x: Tensor, output: OutputKind, n_classes: int) -> ValueError:
    """Return what to tell of a net that failed on a batch.

    Parameters
    ----------
    error : Exception
        What it failed with.
    net : skorch.NeuralNet
        In evaluation mode.
    x : Tensor of shape (batch, ...)
        What it was shown.
    output : {"logits", "logit", "probability"}
        What it is to put out.
    n_classes : int
        For how many classes.
    """
    way = _range_of(error, x) or _found(net, x, output, n_classes) or _precision(net)
    way = way or "Let its forward take such batches, or bring X into the form that it takes."
    return ValueError(f"net fails on a batch of X, float32 of shape {tuple(x.shape)}: {first_line(error)}. {way}")


def _range_of(error: Exception, x: Tensor) -> str | None:
    """Return what an embedding is too short for."""
    if not isinstance(error, IndexError):
        return None
    return f"X holds numbers from {x.min():.0f} to {x.max():.0f}: an embedding needs a row for each, counted from 0."


def _found(net: NeuralNet, x: Tensor, output: OutputKind, n_classes: int) -> str | None:
    """Return a form of the batch that the net takes, and gives logits for."""
    for other in _OTHERS:
        if x.ndim not in other.axes:
            continue
        few = other.form(x[:2])
        try:
            logits = logits_of(net.infer(few), output)
        except Exception:  # whatever it is, it is not the way out
            continue
        if logits.shape[0] == len(few) and logits.shape[1] >= n_classes:
            what = f"samples of shape {tuple(few.shape[1:])}" if few.is_floating_point() else "whole numbers"
            return f"It takes {what}: pass {other.how}."
    return None


def _precision(net: NeuralNet) -> str | None:
    """Return which weights are not of the precision that samples are in."""
    whole = whole_of(net)
    for name, part in (*whole.named_parameters(), *whole.named_buffers()):
        if part.is_floating_point() and part.dtype != torch.float32:
            kind = str(part.dtype).removeprefix("torch.")
            return f"Its {name} is of {kind}: make all of it float32, by module.float()."
    return None

"""The first step of a training, tried out on a copy of the net: forward in training mode, criterion and gradient.

Steps, losses and batches that are made in a way of the user's own are not judged: they may lean on what a training sets
up as it begins.
"""

from __future__ import annotations

from typing import Any

import torch
from skorch import NeuralNet
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, default_collate

from curvdetect.training.copies import first_line, with_copied_modules
from curvdetect.training.outputs import has_own_loss, taking_logits
from curvdetect.training.whole import whole_of

#: Samples of the step.
_FEW = 8


def has_usual_loss(net: NeuralNet, loader: Any) -> bool:
    """Say whether a batch is collated as torch does it, and its loss computed as skorch does.

    Parameters
    ----------
    net : skorch.NeuralNet
        Initialized.
    loader : DataLoader, or any other iterable of batches, optional
        What feeds it; None for the recipe's own.
    """
    usual = isinstance(loader, DataLoader) and type(loader).__iter__ is DataLoader.__iter__
    collated = loader is None or (usual and loader.collate_fn is default_collate)
    return collated and _has_usual_step(net) and not has_own_loss(net)


def _has_usual_step(net: NeuralNet) -> bool:
    return type(net).train_step_single is NeuralNet.train_step_single


def try_step(net: NeuralNet, x: Tensor, y: Tensor, loader: Any, n_samples: int) -> None:
    """Raise where a net can't be trained on a batch, or on the last one of an epoch.

    Parameters
    ----------
    net : skorch.NeuralNet
        Initialized. Stays as it is.
    x, y : Tensor
        Samples and their labels, of which a few are taken.
    loader : DataLoader, or any other iterable of batches, optional
        What feeds it; None for the recipe's own.
    n_samples : int
        How many there are in an epoch.

    Raises
    ------
    ValueError
        Naming what fails, and the way out.
    """
    if not _has_usual_step(net) or any(hasattr(part, "_orig_mod") for part in whole_of(net).modules()):
        return  # to compile a copy would take longer than the step
    try:
        own = with_copied_modules(net)
    except ValueError:  # that a module has no copy matters only where one is passed, not its class
        return
    own._set_training(True)
    with torch.enable_grad(), taking_logits(own):
        try:
            y_pred = own.infer(x[:_FEW].clone())
        except (MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            raise ValueError(
                f"net fails on a batch of X, float32 of shape {tuple(x[:_FEW].shape)}, in training mode: "
                f"{first_line(error)}. In evaluation mode it takes it: look at what forward does in training alone."
            ) from error
        if has_usual_loss(net, loader):
            _try_loss(own, y_pred, y[:_FEW])
        left = _left_alone(loader, n_samples, net.batch_size)
        if left is not None:
            _try_alone(own, x[:1], *left)


def _try_loss(own: NeuralNet, y_pred: Any, y: Tensor) -> None:
    """Raise where the loss of a batch can't be computed, or has no gradient."""
    criterion = own.criterion_
    try:
        loss = own.get_loss(y_pred, y, X=None, training=True)
        if loss.requires_grad:
            loss.backward()
            return
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        weight = getattr(criterion, "weight", None)
        wide = isinstance(weight, Tensor) and weight.dtype != torch.float32
        way = "Make its weight float32, weight.float()." if wide else "Take one for logits and numbers of classes."
        raise ValueError(
            f"net's criterion {type(criterion).__name__} fails on its logits, with labels as int64 from 0: "
            f"{first_line(error)}. {way}"
        ) from error
    raise ValueError(
        "net has nothing that a step would change: no parameter that its loss depends on has requires_grad=True. Let "
        "the last layer learn, at least, and let forward not detach what it returns."
    )


def _try_alone(own: NeuralNet, x: Tensor, n_samples: int, batch_size: int) -> None:
    """Raise where a net can't be trained on a batch of one, and name a size that leaves none."""
    try:
        own.infer(x.clone())
    except Exception as error:
        other = next(size for size in range(batch_size + 1, batch_size + n_samples + 2) if n_samples % size != 1)
        raise ValueError(
            f"net can't be trained on one sample ({first_line(error)}), and {n_samples} samples in batches of "
            f"{batch_size} leave one for the last. Pass batch_size={other}, or memorizing_net(module), whose batches "
            "are of nearly equal size."
        ) from error


def _left_alone(loader: Any, n_samples: int, batch_size: int) -> tuple[int, int] | None:
    """Return the numbers of samples in an epoch and in a batch, where one batch is of a single sample."""
    if loader is None:  # whose sizes differ by one at most
        return (n_samples, batch_size) if n_samples < 2 * -(-n_samples // batch_size) else None
    batches = getattr(loader, "batch_sampler", None)
    if type(batches) is not BatchSampler or batches.drop_last or not hasattr(loader.sampler, "__len__"):
        return None
    n_drawn = len(loader.sampler)
    return (n_drawn, batches.batch_size) if (n_drawn - 1) % batches.batch_size == 0 else None

"""One batch shown to a net before it is trained: either it works, or what is to be changed is said.

The net itself is shown it in evaluation mode, and a copy is trained on it. No error of torch's is handed on as it is:
where the net refuses the samples, what it would take in their place is found by trying. Steps, losses and batches that
are made in a way of the user's own are not judged: they may lean on what a training sets up as it begins.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sized
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch import NeuralNet
from torch import Tensor, nn
from torch.utils.data import BatchSampler, DataLoader, default_collate

from curvdetect.data.batches import is_ours
from curvdetect.data.isolation import isolated_rng
from curvdetect.data.samples import Samples
from curvdetect.signals.passes import OutputKind, logits_of, measuring
from curvdetect.training.doubts import known_labels, weighted_classes
from curvdetect.training.own_net import (
    first_line,
    has_own_loss,
    take_whole_numbers,
    takes_whole_numbers,
    taking_logits,
    whole_of,
    with_copied_modules,
)

#: Samples shown, and most bytes of them; two at least. Samples of the step.
SHOWN, SHOWN_BYTES = 64, 2**26
_FEW = 8
#: Up to here single precision holds every whole number.
WHOLE = 2**24
#: Criteria of torch's that compare logits with classes, and those that compare one number with 0 and 1.
_OF_CLASSES = (nn.CrossEntropyLoss, nn.NLLLoss, nn.MultiMarginLoss)
_OF_ONE = (nn.BCEWithLogitsLoss, nn.BCELoss)


#: Other forms of a batch that a net may take: the number of axes that a batch has then, the form, and the same of X.
_OTHERS: tuple[tuple[range, Callable[[Tensor], Tensor], str], ...] = (
    (range(4, 5), lambda x: x.movedim(-1, 1), "X.transpose(0, 3, 1, 2)"),
    (range(3, 4), lambda x: x.transpose(1, 2), "X.transpose(0, 2, 1)"),
    (range(2, 5), lambda x: x[:, None], "X[:, None]"),
    (range(3, 6), lambda x: x.flatten(1), "X.reshape(len(X), -1)"),
    (range(4, 5), lambda x: x.repeat_interleave(3, 1), "X.repeat(3, axis=1)"),
    (range(3, 4), lambda x: x[:, None].repeat_interleave(3, 1), "X[:, None].repeat(3, axis=1)"),
    (range(2, 6), lambda x: x.long(), "X.astype('int64')"),
)


def first_pass(net: NeuralNet, samples: Samples, output: OutputKind, *, untrained: bool) -> list[str]:
    """Show an initialized net a batch; raise what has to change before it can be trained, return warnings.

    The net stays as it is, except that its module is made to take whole numbers where it refuses others and the samples
    are such. ``untrained`` says whether it is meant to know nothing of the labels yet.
    """
    device, n_classes = torch.device(net.device), len(samples.classes)
    with isolated_rng(device):
        loader = _loader_of(net, samples)
        if _has_usual_loss(net, loader):
            _check_criterion(net, output, n_classes)
        n_shown = max(2, min(SHOWN, SHOWN_BYTES // (4 * math.prod(samples.shape))))
        index = torch.from_numpy(_of_all_classes(samples.labels.numpy(), n_shown))
        x, y = samples.batch(index).to(device), samples.labels[index].to(device)
        logits = _shown(net, x, output, samples)
        _check_logits(net, logits, output, n_classes)
        _try_step(net, x, y, loader, len(samples))
    said = [
        _merged(x) if takes_whole_numbers(net) else None,
        _needless_softmax(net, logits),
        weighted_classes(net, samples, loader),
        known_labels(x, y, logits, n_classes) if untrained else None,
    ]
    return [text for text in said if text is not None]


def _loader_of(net: NeuralNet, samples: Samples) -> Iterable[Any] | None:
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
                raise _refusal(error, net, part, kind, len(samples.classes)) from error
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
    """Return what the net makes of a batch: of whole numbers, where it refuses others and the samples are such."""
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


def _refusal(error: Exception, net: NeuralNet, x: Tensor, output: OutputKind, n_classes: int) -> ValueError:
    """Return what to tell of a net that failed on a batch in evaluation mode."""
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
    for axes, form, how in _OTHERS:
        if x.ndim not in axes:
            continue
        few = form(x[:2])
        try:
            logits = logits_of(net.infer(few), output)
        except Exception:  # this form is not the way out
            continue
        if logits.shape[0] == len(few) and logits.shape[1] >= n_classes:
            what = f"samples of shape {tuple(few.shape[1:])}" if few.is_floating_point() else "whole numbers"
            return f"It takes {what}: pass {how}."
    return None


def _precision(net: NeuralNet) -> str | None:
    """Return which weights are not of the precision that samples are in."""
    whole = whole_of(net)
    for name, part in (*whole.named_parameters(), *whole.named_buffers()):
        if part.is_floating_point() and part.dtype != torch.float32:
            kind = str(part.dtype).removeprefix("torch.")
            return f"Its {name} is of {kind}: make all of it float32, by module.float()."
    return None


def _has_usual_loss(net: NeuralNet, loader: Iterable[Any] | None) -> bool:
    """Say whether a batch is collated as torch does it, and its loss computed as skorch does."""
    collated = loader is None or (
        isinstance(loader, DataLoader)
        and type(loader).__iter__ is DataLoader.__iter__
        and loader.collate_fn is default_collate
    )
    return collated and _has_usual_step(net) and not has_own_loss(net)


def _has_usual_step(net: NeuralNet) -> bool:
    return type(net).train_step_single is NeuralNet.train_step_single


def _try_step(net: NeuralNet, x: Tensor, y: Tensor, loader: Iterable[Any] | None, n_samples: int) -> None:
    """Raise where a net can't be trained on a batch, or on the last one of an epoch of so many samples."""
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
        if _has_usual_loss(net, loader):
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


def _left_alone(loader: Iterable[Any] | None, n_samples: int, batch_size: int) -> tuple[int, int] | None:
    """Return the numbers of samples in an epoch and in a batch, where one batch is of a single sample."""
    if loader is None:  # whose sizes differ by one at most
        return (n_samples, batch_size) if n_samples < 2 * -(-n_samples // batch_size) else None
    batches, sampler = getattr(loader, "batch_sampler", None), getattr(loader, "sampler", None)
    if type(batches) is not BatchSampler or batches.drop_last or not isinstance(sampler, Sized):
        return None
    n_drawn = len(sampler)
    return (n_drawn, batches.batch_size) if (n_drawn - 1) % batches.batch_size == 0 else None

"""One batch shown to a net before it is trained: either it works, or what is to be changed is said.

The net itself is shown it in evaluation mode, and a copy is trained on it. Steps, losses and batches that are made in a
way of the user's own are not judged: they may lean on what a training sets up as it begins.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from functools import partial

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
    """Show an initialized net a batch; raise what has to change before it can be trained, return what to warn of."""
    device, n_classes, loader = torch.device(net.device), len(samples.classes), None
    with isolated_rng(device):
        if not is_ours(net.iterator_train):
            # accelerate would take note of a loader that it prepares
            make = NeuralNet.get_iterator if hasattr(net, "accelerator") else type(net).get_iterator
            loader = make(net, samples.trained, training=True)
        usual_step = type(net).train_step_single is NeuralNet.train_step_single
        usual_batches = loader is None or (
            isinstance(loader, DataLoader)
            and type(loader).__iter__ is DataLoader.__iter__
            and loader.collate_fn is default_collate
        )
        judged = usual_step and usual_batches and not has_own_loss(net)
        if judged:
            _check_criterion(net, output, n_classes)
        n_shown = max(2, min(SHOWN, SHOWN_BYTES // (4 * math.prod(samples.shape))))
        index = torch.from_numpy(_of_all_classes(samples.labels.numpy(), n_shown))
        x, y = samples.batch(index).to(device), samples.labels[index].to(device)
        logits = _shown(net, x, output, samples)
        _check_logits(net, logits, output, n_classes)
        # to compile a copy would take longer than the step
        if usual_step and not any(hasattr(part, "_orig_mod") for part in whole_of(net).modules()):
            _try_step(net, x[:_FEW], y[:_FEW], _left_alone(loader, len(samples), net.batch_size), judged=judged)
    said = [weighted_classes(net, samples, loader), known_labels(x, y, logits, n_classes) if untrained else None]
    if takes_whole_numbers(net) and x.abs().max() > WHOLE:
        said.append(
            f"X holds whole numbers up to {x.abs().max():.0f} for a net that looks them up, and reaches it in single "
            "precision, where neighbours beyond 2**24 are one number. Number them anew from 0, by scikit-learn's "
            "OrdinalEncoder, say."
        )
    if isinstance(net.criterion_, nn.CrossEntropyLoss) and _are_probabilities(logits):
        said.append(
            f"net puts out probabilities, and its criterion {type(net.criterion_).__name__} wants logits: it will "
            "hardly learn. Leave out the softmax at its end."
        )
    return [text for text in said if text is not None]


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


@contextmanager
def _saying(text: Callable[[Exception], str]) -> Iterator[None]:
    """Raise, in place of any error but that of too little memory, what ``text`` makes of it."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        raise ValueError(text(error)) from error


def _shown(net: NeuralNet, x: Tensor, output: OutputKind, samples: Samples) -> Tensor:
    """Return what the net makes of a batch in evaluation mode: logits, or numbers that are ordered as they are."""
    kind: OutputKind = "logits" if output == "probabilities" else output
    version, found = x._version, list[Tensor]()
    with measuring(whole_of(net)), torch.no_grad():
        for part in x.tensor_split(max(1, -(-len(x) // net.batch_size))):  # its size is -1 for all at once
            with _saying(partial(_refusal, net=net, x=part, output=kind, n_classes=len(samples.classes))):
                raw = _infer(net, part, samples.integral)
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


def _infer(net: NeuralNet, x: Tensor, integral: bool) -> object:
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


def _are_probabilities(weights: Tensor) -> bool:
    total = weights.sum(1)
    return bool((weights >= 0).all()) and torch.allclose(total, torch.ones_like(total), atol=1e-3)


def _refusal(error: Exception, net: NeuralNet, x: Tensor, output: OutputKind, n_classes: int) -> str:
    """Return what to say of a net that failed on a batch in evaluation mode."""
    if isinstance(error, IndexError):
        way = f"X holds numbers from {x.min():.0f} to {x.max():.0f}: an embedding needs a row for each, counted from 0."
    else:
        way = next(_ways(net, x, output, n_classes))
    return f"net fails on a batch of X, float32 of shape {tuple(x.shape)}: {first_line(error)}. {way}"


def _ways(net: NeuralNet, x: Tensor, output: OutputKind, n_classes: int) -> Iterator[str]:
    """Yield what would help: a form of the batch that the net takes, another precision of the net, and in general."""
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
            yield f"It takes {what}: pass {how}."
    whole = whole_of(net)
    for name, part in (*whole.named_parameters(), *whole.named_buffers()):
        if part.is_floating_point() and part.dtype != torch.float32:
            kind = str(part.dtype).removeprefix("torch.")
            yield f"Its {name} is of {kind}: make all of it float32, by module.float()."
    yield "Let its forward take such batches, or bring X into the form that it takes."


def _try_step(net: NeuralNet, x: Tensor, y: Tensor, left: tuple[int, int] | None, *, judged: bool) -> None:
    """Raise where a net can't be trained on a batch, or on the last one of an epoch, of which one sample is left."""
    try:
        own = with_copied_modules(net)
    except ValueError:  # that a module has no copy matters only where one is passed, not its class
        return
    own._set_training(True)
    with torch.enable_grad(), taking_logits(own):
        with _saying(
            lambda error: (
                f"net fails on a batch of X, float32 of shape {tuple(x.shape)}, in training mode: {first_line(error)}. "
                "In evaluation mode it takes it: look at what forward does in training alone."
            )
        ):
            y_pred = own.infer(x.clone())
        if judged:
            _try_loss(own, y_pred, y)
        if left is None:
            return
        n, size = left
        others = (other for other in range(size + 1, size + n + 2) if n % other != 1)
        with _saying(
            lambda error: (
                f"net can't be trained on one sample ({first_line(error)}), and {n} samples in batches of {size} leave "
                f"one for the last. Pass batch_size={next(others)}, or memorizing_net(module), whose batches are of "
                "nearly equal size."
            )
        ):
            own.infer(x[:1].clone())


def _try_loss(own: NeuralNet, y_pred: object, y: Tensor) -> None:
    """Raise where the loss of a batch can't be computed, or has no gradient."""
    weight = getattr(own.criterion_, "weight", None)
    wide = isinstance(weight, Tensor) and weight.dtype != torch.float32
    way = "Make its weight float32, weight.float()." if wide else "Take one for logits and numbers of classes."
    with _saying(
        lambda error: (
            f"net's criterion {type(own.criterion_).__name__} fails on its logits, with labels as int64 from 0: "
            f"{first_line(error)}. {way}"
        )
    ):
        loss = own.get_loss(y_pred, y, X=None, training=True)
        if loss.requires_grad:
            loss.backward()
            return
    raise ValueError(
        "net has nothing that a step would change: no parameter that its loss depends on has requires_grad=True. Let "
        "the last layer learn, at least, and let forward not detach what it returns."
    )


def _left_alone(loader: Iterable[object] | None, n_samples: int, batch_size: int) -> tuple[int, int] | None:
    """Return the numbers of samples in an epoch and in a batch, where one batch is of a single sample."""
    if loader is None:  # whose sizes differ by one at most
        return (n_samples, batch_size) if n_samples < 2 * -(-n_samples // batch_size) else None
    batches, sampler = getattr(loader, "batch_sampler", None), getattr(loader, "sampler", None)
    if type(batches) is not BatchSampler or batches.drop_last or not isinstance(sampler, Sized):
        return None
    n_drawn = len(sampler)
    return (n_drawn, batches.batch_size) if (n_drawn - 1) % batches.batch_size == 0 else None

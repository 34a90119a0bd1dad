"""The net that is trained, a copy of the user's or one made for the samples: what it puts out and is handed."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from numbers import Integral, Real
from textwrap import shorten
from typing import TypeVar

import torch
from sklearn.base import clone
from skorch import NeuralNet, NeuralNetBinaryClassifier, NeuralNetClassifier
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from curvdetect.data.batches import is_ours
from curvdetect.data.samples import Samples
from curvdetect.signals.passes import OutputKind, first_of
from curvdetect.training.finetuning import FineTuned, sized_from
from curvdetect.training.nets import MLP, module_for
from curvdetect.training.recipe import LARGEST_BATCH, MemorizingNet, memorizing_net

T = TypeVar("T")


def own_net(net: object, samples: Samples) -> NeuralNet:
    """Return a fresh skorch net made of what was passed as ``net``; nothing of it is shared with the caller."""
    if isinstance(net, NeuralNet):
        own = copied(net, clone)
    elif net is None or isinstance(net, str):
        own = memorizing_net(net)
    elif isinstance(net, nn.Module):
        own = memorizing_net(copied(net))
    elif isinstance(net, type) and issubclass(net, nn.Module):
        try:
            own = memorizing_net(net())
        except TypeError as error:
            raise TypeError(
                f"net={net.__name__} can't be made without arguments ({error}). Pass an instance, or "
                f"memorizing_net({net.__name__}(...))."
            ) from error
    elif isinstance(net, type) and issubclass(net, NeuralNet):
        raise TypeError(f"net is the class {net.__name__}. Pass an instance: net={net.__name__}(YourModule, ...).")
    else:
        got = type(net).__name__
        if inspect.isfunction(net):
            got = f"the function {net.__name__}: call it, net={net.__name__}(...)"
        raise TypeError(f"net must be None, a name, a skorch NeuralNet, or an nn.Module class or instance, got {got}.")
    if own.module is None or isinstance(own.module, str):
        module = module_for(own.module, samples).float()  # whatever torch's default is
        # made anew, since skorch lets no module be set from outside
        own = type(own)(**{**own.get_params(deep=False), "module": module})
        if isinstance(own, MemorizingNet) and own.for_tables is None:
            own.set_params(for_tables=isinstance(module, MLP))
        ways = {"optimizer__fused", "optimizer__foreach", "optimizer__differentiable"}
        if (
            isinstance(module, MLP)
            and own.optimizer is torch.optim.SGD
            and not ways & own.get_params(deep=False).keys()
        ):
            own.set_params(optimizer__fused=True)  # a step of so small a network takes half the time in one operation
    elif own.module is FineTuned:
        own.set_params(**sized_from(samples, own))
    else:
        return own.set_params(train_split=None, verbose=0)
    if own.batch_size is None:  # little data needs small batches to be stepped on often enough
        own.set_params(batch_size=min(LARGEST_BATCH, max(16, len(samples) // 32)))
    return own.set_params(train_split=None, verbose=0)


def check_settings(net: NeuralNetClassifier) -> None:
    """Raise where the length of a net's training, or of its batches, is out of range."""
    whole = net.batch_size == -1 and not is_ours(net.iterator_train)  # skorch's name for all samples at once
    for name, value in {"max_epochs": net.max_epochs, "batch_size": 1 if whole else net.batch_size}.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            raise ValueError(f"net has {name}={value!r}; it must be a whole number, at least 1.")
    if isinstance(net.lr, bool) or not isinstance(net.lr, Real) or not 0 <= float(net.lr) < float("inf"):
        raise ValueError(f"net has lr={net.lr!r}; a learning rate is a number, 0.1 for instance.")
    if not callable(net.iterator_train):
        raise TypeError(f"net has iterator_train={net.iterator_train!r}; it must be a DataLoader class.")
    if not isinstance(net.module, nn.Module) and not callable(net.module):
        raise TypeError(f"net has module={net.module!r}; it must be an nn.Module, its class, a name or None.")


def copied(net: T, copying: Callable[[T], T] = copy.deepcopy) -> T:
    """Return a copy of a net that can be trained; where there can be none, raise what stands in the way."""
    try:
        own = copying(net)
    except Exception as error:
        for name, part in (named for module in _modules_in(net) for named in module.named_modules()):
            computed = [key for key, value in vars(part).items() if isinstance(value, Tensor) and not value.is_leaf]
            if computed:
                where = ".".join(filter(None, (name, computed[0])))
                raise ValueError(
                    f"net keeps {where!r} as a computed tensor, and can't be copied. Take weight_norm and "
                    "spectral_norm from torch.nn.utils.parametrizations in place of the older ones in torch.nn.utils, "
                    "and call torch.nn.utils.prune.remove on what was pruned."
                ) from error
        raise ValueError(
            f"net can't be copied ({first_line(error)}), and it is a copy that is trained. Pass the class of its "
            "module, net=NeuralNetClassifier(YourModule, ...), or keep out of it what has no copy."
        ) from error
    # torch copies the parameters of a script as computed tensors, which no optimizer takes
    if not all(parameter.is_leaf for module in _modules_in(own) for parameter in module.parameters()):
        raise ValueError(
            "net holds a scripted or traced module, whose copy can't be trained. Pass the module that it was made of "
            "(torch.compile makes that fast, too)."
        )
    return own


def _modules_in(net: object) -> list[nn.Module]:
    """Return the modules that a net consists of, or is to be made of."""
    parts = net.get_params(deep=False) if isinstance(net, NeuralNet) else net
    values = parts.values() if isinstance(parts, dict) else [parts]
    return [value for value in values if isinstance(value, nn.Module)]


def with_copied_modules(net: NeuralNet) -> NeuralNet:
    """Return an initialized net with modules and criteria of its own, and all else of the other."""
    # skorch's own copying pickles them, which fails for local classes
    own: NeuralNet = object.__new__(type(net))
    own.__dict__.update(net.__dict__)
    parts = {f"{name}_": getattr(net, f"{name}_") for name in (*net._modules, *net._criteria)}
    own.__dict__.update(copied(parts))
    return own


def first_line(error: BaseException) -> str:
    """Return what an error says, in brief."""
    return shorten(str(error).strip().split("\n")[0] or type(error).__name__, 160, placeholder=" ...").rstrip(".")


def whole_of(net: NeuralNet) -> nn.Module:
    """Return the module of an initialized net, or its several modules as one that shares their state."""
    if len(net._modules) < 2:
        return net.module_
    return nn.ModuleDict({name: getattr(net, f"{name}_") for name in net._modules})


def output_kind(net: NeuralNet) -> OutputKind:
    """Return what the net puts out, by skorch's own rules."""
    if isinstance(net, NeuralNetBinaryClassifier):
        return "probability" if isinstance(net.criterion_, nn.BCELoss) else "logit"
    # its classifier takes the log for NLLLoss
    if isinstance(net.criterion_, nn.NLLLoss) and isinstance(net, NeuralNetClassifier):
        return "probabilities"
    return "logits"


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
    """Let skorch's loss take the logits out of what the net puts out; a loss of the user's gets all of it."""
    # not a function defined here: nets are pickled by callbacks
    net.get_loss = partial(_loss, net.get_loss, has_own_loss(net), isinstance(net, NeuralNetBinaryClassifier))
    try:
        yield
    finally:
        del net.get_loss


def _loss(
    loss: Callable[..., Tensor], own: bool, binary: bool, y_pred: object, y_true: Tensor, *args: object, **kw: object
) -> Tensor:
    """Return what ``loss`` makes of a batch, handed over as it wants it."""
    return loss(y_pred if own else first_of(y_pred), y_true.float() if binary else y_true, *args, **kw)


def take_whole_numbers(net: NeuralNet) -> RemovableHandle:
    """Let the module of a net take whole numbers, as embeddings want them; return what takes that back."""
    return net.module_.register_forward_pre_hook(_as_whole_numbers)


def takes_whole_numbers(net: NeuralNet) -> bool:
    """Say whether the module of a net was made to take whole numbers."""
    return _as_whole_numbers in net.module_._forward_pre_hooks.values()


def _as_whole_numbers(module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return args[0].long(), *args[1:]

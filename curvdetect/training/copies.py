"""Copies of a net of the user's, which stays as it is, or what of it can't be copied."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from textwrap import shorten
from typing import Any, TypeVar

from skorch import NeuralNet
from torch import Tensor, nn

_T = TypeVar("_T")


def copied(net: _T, copying: Callable[[_T], _T] = copy.deepcopy) -> _T:
    """Return a copy of a net that can be trained.

    Parameters
    ----------
    net : skorch.NeuralNet or nn.Module
        What is copied.
    copying : callable, default=copy.deepcopy
        Makes the copy.

    Raises
    ------
    ValueError
        Where there can be none, with what stands in the way.
    """
    try:
        own = copying(net)
    except Exception as error:
        raise ValueError(_why_not(net, error)) from error
    # torch copies the parameters of a script as computed tensors, which no optimizer takes
    if not all(parameter.is_leaf for module in _modules_in(own) for parameter in module.parameters()):
        raise ValueError(
            "net holds a scripted or traced module, whose copy can't be trained. Pass the module that it was made of "
            "(torch.compile makes that fast, too)."
        )
    return own


def with_copied_modules(net: NeuralNet) -> NeuralNet:
    """Return an initialized net with modules and criteria of its own, and all else of the other.

    Parameters
    ----------
    net : skorch.NeuralNet
        Initialized. Local classes will do: skorch's own copying pickles them.
    """
    own: NeuralNet = object.__new__(type(net))
    own.__dict__.update(net.__dict__)
    parts = {f"{name}_": getattr(net, f"{name}_") for name in (*net._modules, *net._criteria)}
    own.__dict__.update(copied(parts))
    return own


def first_line(error: BaseException) -> str:
    """Return what an error says, in brief."""
    return shorten(str(error).strip().split("\n")[0] or type(error).__name__, 160, placeholder=" ...").rstrip(".")


def _why_not(net: Any, error: Exception) -> str:
    for module in _modules_in(net):
        for name, part in module.named_modules():
            computed = [key for key, value in vars(part).items() if isinstance(value, Tensor) and not value.is_leaf]
            if computed:
                where = ".".join(filter(None, (name, computed[0])))
                return (
                    f"net keeps {where!r} as a computed tensor, and can't be copied. Take weight_norm and "
                    "spectral_norm from torch.nn.utils.parametrizations in place of the older ones in torch.nn.utils, "
                    "and call torch.nn.utils.prune.remove on what was pruned."
                )
    return (
        f"net can't be copied ({first_line(error)}), and it is a copy that is trained. Pass the class of its module, "
        "net=NeuralNetClassifier(YourModule, ...), or keep out of it what has no copy."
    )


def _modules_in(net: Any) -> Iterator[nn.Module]:
    """Yield the modules that a net consists of, or is to be made of."""
    if isinstance(net, NeuralNet):
        net = net.get_params(deep=False)
    for value in net.values() if isinstance(net, dict) else (net,):
        if isinstance(value, nn.Module):
            yield value

"""All of a skorch net that has weights: one module, or several that its own ``infer`` brings together."""

from __future__ import annotations

from typing import Any

from torch import nn


def whole_of(net: Any) -> nn.Module:
    """Return the module of an initialized net, or its modules as one whose state is that of all; none is copied.

    Parameters
    ----------
    net : skorch.NeuralNet
        One that makes more than ``module_`` in ``initialize_module`` has several.
    """
    if len(net._modules) < 2:
        return net.module_
    return nn.ModuleDict({name: getattr(net, f"{name}_") for name in net._modules})

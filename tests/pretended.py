"""A device that isn't there: tensors on it have shapes and no values, and can't be mixed with those of the CPU.

It is made of torch's `FakeTensorMode` and called ``"lazy"``, where torch takes gradients without any hardware.
"""

from __future__ import annotations

import contextlib
import warnings
from collections import Counter
from unittest import mock

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily

aten = torch.ops.aten
DEVICE = torch.device("lazy")


def there(value):
    """Say whether something is a tensor on the pretended device."""
    return isinstance(value, torch.Tensor) and value.device.type == DEVICE.type


class Pretending(FakeTensorMode):
    """Pretend tensors, and count in ``waits`` each number read and each copy, for which the CPU waits.

    Without ``doubles`` the device has no double precision, as MPS, not even while it copies to the CPU.
    """

    def __init__(self, doubles):
        super().__init__(allow_non_fake_inputs=True)
        self.doubles, self.waits = doubles, Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is aten._local_scalar_dense.default:
            self.waits["read"] += there(args[0])
            return 0.5 if args[0].is_floating_point() else 1
        if func in (aten.equal.default, aten.allclose.default):
            self.waits["compared"] += there(args[0])
            return True
        out = super().__torch_dispatch__(func, types, args, kwargs or {})
        if func in (aten._to_copy.default, aten.copy_.default):
            source = args[func is aten.copy_.default]
            self.waits["copied"] += there(source) != there(out)
            if there(source) and out.dtype == torch.float64:
                self._refuse_doubles()
        if there(out) and out.dtype == torch.float64:
            self._refuse_doubles()
        return out

    def _refuse_doubles(self):
        if not self.doubles:
            raise TypeError("the device knows no float64, on itself or on the way from it")


@contextlib.contextmanager
def pretended(*, doubles=True):
    """Compute on the pretended device within the block; yield the mode, which counts the waits."""
    mode, autocast = Pretending(doubles), torch.autocast

    def known(kind, *args, **kwargs):
        return contextlib.nullcontext() if kind == DEVICE.type else autocast(kind, *args, **kwargs)

    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        # bytes are counted by the addresses of storages; these have none
        warnings.filterwarnings("ignore", message="Accessing the data pointer of FakeTensor")
        for owner, name, instead in (
            (torch, "autocast", known),
            (torch, "get_rng_state", lambda: torch.zeros(8, dtype=torch.uint8)),
            (torch, "set_rng_state", lambda state: None),
            (nn.Module, "to", _moved),
            (FakeTensor, "numpy", _as_array),
            (FakeTensor, "tolist", lambda tensor: _as_array(tensor.cpu()).tolist()),
            (FakeTensor, "__deepcopy__", _copied),
        ):
            stack.enter_context(mock.patch.object(owner, name, instead, create=True))
        stack.enter_context(mode)
        yield mode


def _as_array(tensor, **kwargs):
    if there(tensor):
        raise TypeError("can't convert a tensor on a device to numpy: copy it to the CPU first")
    with unset_fake_temporarily():
        return torch.zeros(tuple(tensor.shape), dtype=tensor.dtype).numpy()


def _copied(tensor, memo):
    if id(tensor) not in memo:
        own = tensor.detach().clone()
        memo[id(tensor)] = nn.Parameter(own, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else own
    return memo[id(tensor)]


def _moved(module, *args, **kwargs):
    """Stand in for ``nn.Module.to``, which can't replace the data of pretended parameters."""
    device = torch._C._nn._parse_to(*args, **kwargs)[0]
    for part in module.modules():
        for name, p in part._parameters.items():
            if p is not None:
                part._parameters[name] = nn.Parameter(p.detach().to(device), p.requires_grad)
        for name, buffer in part._buffers.items():
            if buffer is not None:
                part._buffers[name] = buffer.to(device)
    return module

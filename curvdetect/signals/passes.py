"""Gradient passes made cheap: a copy of the network that is faster to measure, and how many rows fit in memory.

Nothing here changes what is measured beyond rounding. It refuses to guess: a network that can't be rewritten is
measured as it is.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from curvdetect.signals.scoring import first_of

#: Most bytes of activations that a gradient pass may keep for its way back; on CUDA half of the free memory at most.
BUDGET = {"cpu": 1024**3, "mps": 1024**3, "cuda": 4 * 1024**3}
#: Most rows of a pass, probes included. A CPU is slower with more, save where so little is kept of each that
#: `MANY` of them stay in its caches.
ROWS = {"cpu": 128, "mps": 512, "cuda": 2048}
MANY, CACHE = 1024, 2 * 1024**2
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def rows_within(forward: Callable[[Tensor], Tensor], x: Tensor, budget: int | None = None) -> int:
    """Return how many rows a gradient pass may have.

    Parameters
    ----------
    forward : callable
        From inputs to logits.
    x : Tensor of shape (2 or more, ...)
        Samples, of which two are shown to the network.
    budget : int, optional
        Most bytes of activations kept for the way back; by default that of `BUDGET`.

    Returns
    -------
    int
        At least 1, at most that of `ROWS` or, of a small network on a CPU, `MANY`.
    """
    kind = x.device.type
    most = ROWS.get(kind, ROWS["cpu"])
    if len(x) < 2:
        return most
    if budget is None:
        budget = BUDGET.get(kind, BUDGET["cpu"])
        if kind == "cuda":
            # what torch holds and doesn't use is free for it, and for nobody else
            held = torch.cuda.memory_reserved(x.device) - torch.cuda.memory_allocated(x.device)
            budget = min(budget, (torch.cuda.mem_get_info(x.device)[0] + held) // 2)
    # weights are saved too, once for however many rows: the difference leaves them out
    each = max(_saved_bytes(forward, x[:2]) - _saved_bytes(forward, x[:1]), x[0].nbytes)
    if kind == "cpu":
        most = max(most, min(MANY, CACHE // max(1, each)))
    return max(1, min(most, budget // max(1, each)))


def _saved_bytes(forward: Callable[[Tensor], Tensor], x: Tensor) -> int:
    """Return the bytes of all tensors that a forward pass keeps for its backward pass."""
    sizes: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        kept = forward(x.detach().requires_grad_(True))
    total = sum(sizes.values())
    del kept
    return total


def quicker(module: nn.Module, x: Tensor) -> nn.Module:
    """Return a network that does the same, faster to measure: ``module`` itself where there is no such copy.

    BatchNorm is folded into the convolution before it and, on a CPU, pictures are laid out with the channels last.

    Parameters
    ----------
    module : nn.Module
        In evaluation mode and frozen.
    x : Tensor of shape (batch, ...)
        A few samples, on which the copy has to agree.

    Returns
    -------
    nn.Module
        Of the weights as they are now: to be made anew once they have changed.
    """
    kinds = {type(part) for part in module.modules()}
    if not kinds & set(_CONVOLUTIONS) or hasattr(module, "_orig_mod"):
        return module
    with torch.no_grad():
        wanted = module(x)
        for candidate in _candidates(module, fold=bool(kinds & set(_NORMS))):
            try:
                found = candidate(x)
            except RuntimeError:  # a view of what is no longer contiguous
                continue
            if _agree(found, wanted):
                return candidate
    return module


def _candidates(module: nn.Module, *, fold: bool) -> Iterator[nn.Module]:
    """Yield rewritten copies, the fastest first."""
    copies = []
    if fold and (rewritten := _folded(module)) is not None:
        copies.append(rewritten)
    if next(module.parameters()).device.type == "cpu":
        last: torch.memory_format = torch.channels_last
        # parameters are exchanged in place: of a copy, always
        yield from (copy.deepcopy(one).to(memory_format=last) for one in (*copies, module))
    yield from copies


def _folded(module: nn.Module) -> nn.Module | None:
    """Return a copy whose normalisations are part of the layers before them; None where it can't be traced."""
    from torch.fx.experimental.optimization import fuse

    try:
        return fuse(module).requires_grad_(False)
    except Exception:  # whatever a forward of the user's does with a tracer
        return None


def _agree(found: object, wanted: object) -> bool:
    """Say whether two networks put out the same but for rounding."""
    found, wanted = first_of(found), first_of(wanted)
    if found.shape != wanted.shape:
        return False
    scale = float(wanted.abs().amax()) if wanted.numel() else 0.0
    return torch.allclose(found, wanted, rtol=1e-3, atol=1e-4 * max(scale, 1e-6))

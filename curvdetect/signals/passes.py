"""How a network is shown samples to be measured: its state meanwhile, the rows of a pass, and what its output means.

A network is measured in evaluation mode, frozen and in full precision, and left as it was found. A copy that is faster
to measure is taken where it puts out the same but for rounding; a network that can't be rewritten is measured as it is.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

OutputKind = Literal["logits", "probabilities", "logit", "probability"]
#: Most bytes of activations that a gradient pass may keep for its way back; on CUDA half of the free memory at most.
BUDGET = {"cpu": 1024**3, "mps": 1024**3, "cuda": 4 * 1024**3}
#: Most rows of a pass, probes included. A CPU is slower with more, unless so little is kept of each that `MANY` of them
#: stay in its caches.
ROWS = {"cpu": 128, "mps": 512, "cuda": 2048}
MANY, CACHE = 1024, 2 * 1024**2
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@contextmanager
def measuring(module: nn.Module) -> Iterator[None]:
    """Put ``module`` into evaluation mode with frozen weights, TF32 and autocast off, and restore all of it after."""
    modes = [(m, m.training) for m in module.modules()]
    frozen = [p for p in module.parameters() if p.requires_grad]
    with ExitStack() as stack:
        stack.enter_context(torch.enable_grad())
        stack.enter_context(_full_precision())
        for kind in {"cpu", *(p.device.type for p in module.parameters())}:
            stack.enter_context(torch.autocast(kind, enabled=False))
        try:
            module.eval()
            for p in frozen:
                p.requires_grad_(False)
            yield
        finally:
            for m, mode in modes:
                m.training = mode
            for p in frozen:
                p.requires_grad_(True)


@contextmanager
def _full_precision() -> Iterator[None]:
    """Switch TF32 off and put the caller's settings back, in both of torch's interfaces, which it refuses to mix."""
    backends: Any = torch.backends
    cuda, cudnn, onednn = backends.cuda, backends.cudnn, backends.mkldnn
    places = (cuda.matmul, cudnn.conv, cudnn.rnn, onednn.matmul, onednn.conv, onednn.rnn)
    before = [place.fp32_precision for place in places]
    older: list[Callable[[], None]] = []
    with suppress(RuntimeError):  # raised where the caller uses the newer interface
        older.append(partial(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision()))
        torch.set_float32_matmul_precision("highest")
    with suppress(RuntimeError):
        older.append(partial(setattr, cudnn, "allow_tf32", cudnn.allow_tf32))
        cudnn.allow_tf32 = False
    try:
        for place in places:
            place.fp32_precision = "ieee"
        yield
    finally:
        for restore in older:
            restore()
        for place, precision in zip(places, before, strict=True):
            place.fp32_precision = precision


def logits_of(output: object, kind: OutputKind) -> Tensor:
    """Return logits of shape (batch, classes) from what a network puts out; a single number is of the second class."""
    first = first_of(output)
    if kind in ("logit", "probability") and first.shape in ((len(first),), (len(first), 1)):
        one = first.reshape(-1, 1)
        first = torch.cat([torch.zeros_like(one) if kind == "logit" else 1 - one, one], 1)
    if first.ndim != 2:
        raise ValueError(
            f"net puts out a tensor of shape {tuple(first.shape)}; it needs (batch, n_classes) logits, two of them for "
            "two classes, or one in a skorch.NeuralNetBinaryClassifier."
        )
    return torch.log(first + torch.finfo(first.dtype).eps) if kind.startswith("probabilit") else first


def first_of(output: object) -> Tensor:
    """Return the logits in a net's output: ``.logits``, a dictionary's "logits" or only entry, a tuple's first one."""
    if isinstance(output, Tensor):
        return output
    found = getattr(output, "logits", None)
    if found is None and isinstance(output, Mapping):
        found = next(iter(output.values())) if len(output) == 1 else output.get("logits")
    elif found is None and isinstance(output, (tuple, list)) and output:
        found = output[0]
    if found is None:
        keys = f" with keys {', '.join(map(repr, list(output)[:5]))}" if isinstance(output, Mapping) else ""
        raise ValueError(
            f"net puts out a {type(output).__name__}{keys}; it needs a tensor of logits, or something that holds it: "
            "a tuple whose first entry it is, a dictionary that calls it 'logits', an object with .logits."
        )
    return first_of(found)


def in_full(output: object) -> object:
    """Return what a network puts out in float32, in the container that it comes in."""
    if isinstance(output, Tensor):
        return output.float() if output.is_floating_point() else output
    make: Any = type(output)
    if isinstance(output, Mapping):
        return make(**{name: in_full(part) for name, part in output.items()})
    if isinstance(output, (tuple, list)):
        parts = [in_full(part) for part in output]
        return make(*parts) if hasattr(output, "_fields") else make(parts)
    if hasattr(output, "logits"):
        output.logits = in_full(output.logits)
    return output


def rows_within(forward: Callable[[Tensor], Tensor], x: Tensor, budget: int | None = None) -> int:
    """Return how many rows a gradient pass may have, for its activations to take at most ``budget`` bytes."""
    kind = x.device.type
    most = ROWS.get(kind, ROWS["cpu"])
    if len(x) < 2:
        return most
    if budget is None:
        budget = BUDGET.get(kind, BUDGET["cpu"])
        if kind == "cuda":
            # what torch holds and doesn't use is free for it
            held = torch.cuda.memory_reserved(x.device) - torch.cuda.memory_allocated(x.device)
            budget = min(budget, (torch.cuda.mem_get_info(x.device)[0] + held) // 2)
    # weights are saved too, once for all rows: the difference leaves them out
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
    """Return a copy of a frozen network that is faster to measure and agrees on a few samples, or itself."""
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
    from torch.fx.experimental.optimization import fuse

    copies = []  # BatchNorm folded into the convolution before it and, on a CPU, channels last
    if fold:
        with suppress(Exception):  # a forward of the user's may raise anything under a tracer
            copies.append(fuse(module).requires_grad_(False))
    if next(module.parameters()).device.type == "cpu":
        last: torch.memory_format = torch.channels_last
        # `to` changes parameters in place
        yield from (copy.deepcopy(one).to(memory_format=last) for one in (*copies, module))
    yield from copies


def _agree(found: object, wanted: object) -> bool:
    """Say whether two networks put out the same but for rounding."""
    found, wanted = first_of(found), first_of(wanted)
    if found.shape != wanted.shape:
        return False
    scale = float(wanted.abs().amax()) if wanted.numel() else 0.0
    return torch.allclose(found, wanted, rtol=1e-3, atol=1e-4 * max(scale, 1e-6))

"""The state in which a network is measured: evaluation mode, frozen, in full precision, and left as it was found.

Also what a network's output means, since per-sample losses are always cross-entropy on logits of our own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

OutputKind = Literal["logits", "probabilities", "logit", "probability"]
#: Share of a step's change of the loss that counts as curvature: small beside what a kink does.
_STRAIGHT = 0.3


@contextmanager
def measuring(module: nn.Module) -> Iterator[None]:
    """Put ``module`` into evaluation mode with frozen weights, TF32 and autocast off, and restore all of it after.

    Parameters
    ----------
    module : nn.Module
        Each submodule gets its own mode back, each parameter its own ``requires_grad``.
    """
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


def logits_of(output: Any, kind: OutputKind) -> Tensor:
    """Return logits of shape (batch, classes) from what a network puts out.

    Parameters
    ----------
    output : Tensor, or what holds one
        See `first_of`.
    kind : {"logits", "probabilities", "logit", "probability"}
        Log-probabilities are logits already. "logit" and "probability" are one number, of the second of two classes.
    """
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


def first_of(output: Any) -> Tensor:
    """Return the tensor that counts of what a network puts out.

    Parameters
    ----------
    output : Tensor, or what holds one
        Something with ``.logits``, such as the outputs of transformers; a dictionary with ``"logits"``, or with one
        entry; a tuple or a list, of which the first entry counts, as in skorch.

    Raises
    ------
    ValueError
        Where it can't be told which it is.
    """
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


def in_full(output: Any) -> Any:
    """Return what a network puts out in float32, in the container that it comes in."""
    if isinstance(output, Tensor):
        return output.float() if output.is_floating_point() else output
    if isinstance(output, Mapping):
        return type(output)(**{name: in_full(part) for name, part in output.items()})
    if isinstance(output, (tuple, list)):
        parts = [in_full(part) for part in output]
        return type(output)(*parts) if hasattr(output, "_fields") else type(output)(parts)
    if hasattr(output, "logits"):
        output.logits = in_full(output.logits)
    return output


def losses_of(logits: Tensor, y: Tensor) -> Tensor:
    """Return the cross-entropy of each sample, shape (batch,)."""
    return F.cross_entropy(logits, y, reduction="none")


def margins_of(logits: Tensor, y: Tensor) -> Tensor:
    """Return the given label's logit minus the largest other one, shape (batch,)."""
    given = logits.gather(1, y[:, None])[:, 0]
    others = logits.scatter(1, y[:, None], -torch.inf)
    return given - others.amax(1)


def best_other(logits: Tensor, y: Tensor) -> Tensor:
    """Return the label with the largest logit other than ``y``, shape (batch,)."""
    return logits.detach().scatter(1, y[:, None], -torch.inf).argmax(1)


def with_other(y: Tensor) -> Callable[[Tensor], Tensor]:
    """Return the function that, from logits, makes two rows of labels: ``y``, and the best other one of each sample."""
    return lambda logits: torch.stack([y, best_other(logits, y)])


def share_of(given: Tensor, other: Tensor) -> Tensor:
    """Return ``given / (given + other)`` of numbers that are not negative; one half where both are zero."""
    total = given + other
    return torch.where(total == 0, 0.5, given / total)


def contrast_of(curvature: Tensor, clean: Tensor, *, h: float, power: int) -> Tensor:
    """Return the share of the given label in the curvature of both labels.

    A step that crosses no kink of the network leaves both curvatures without a difference, or without anything but
    rounding. To each a small part of its own gradient is added, `_STRAIGHT` of what a step changes the loss by: there
    the share is that of the gradients, which tell a label that was never learned from one that was.

    Parameters
    ----------
    curvature : Tensor of shape (2, batch)
        Of the given label, and of the other one.
    clean : Tensor of shape (2, batch, ...)
        Gradients at the samples.
    h : float
        Step.
    power : int
        Of the norms that the curvature is a mean of.

    Returns
    -------
    Tensor of shape (batch,)
        In [0, 1].
    """
    given, other = curvature + (_STRAIGHT * h * clean.flatten(2).norm(dim=2)) ** power
    return share_of(given, other)


def gradients_and_logits(
    forward: Callable[[Tensor], Tensor],
    x: Tensor,
    labels: Tensor | Callable[[Tensor], Tensor],
    units: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return each sample's gradients of its own losses at ``x``, one for each row of labels, and its logits.

    The sum of the losses is differentiated, whose gradient at one sample is that of its own loss as long as samples
    don't interact, as in evaluation mode they don't; a mean would scale it by the batch size. One forward pass, and
    one backward pass a row.

    Parameters
    ----------
    forward : callable
        From inputs to logits.
    x : Tensor of shape (batch, ...)
        Inputs.
    labels : Tensor of shape (rows, batch), or callable
        Labels that the losses are taken for; a callable finds them from the logits.
    units : Tensor of the shape of a sample, optional
        Lengths of a step of one, in which the gradients are given; by default the units of ``x``.

    Returns
    -------
    gradients : Tensor of shape (rows, batch, ...)
        Gradients with regard to the input.
    logits : Tensor of shape (batch, n_classes)
        Detached.
    """
    x = x.detach().requires_grad_(True)
    logits = forward(x)
    if not logits.requires_grad:
        raise ValueError(
            "net passes no gradient to its input (an embedding of whole numbers, torch.no_grad or detach in forward?), "
            "so neither curvature nor gradients can be measured. LossDetector and MarginDetector need none."
        )
    rows = labels(logits.detach()) if callable(labels) else labels
    try:
        gradients = [
            torch.autograd.grad(losses_of(logits, y).sum(), x, retain_graph=row < len(rows) - 1)[0]
            for row, y in enumerate(rows)
        ]
    except RuntimeError as error:
        if "donated" not in str(error):
            raise
        # a compiled module gives its buffers away in the first backward pass: a forward pass for each row, then
        gradients = [torch.autograd.grad(losses_of(forward(x), y).sum(), x)[0] for y in rows]
    stacked = torch.stack(gradients)
    return stacked if units is None else stacked * units, logits.detach()


def gradient_and_logits(
    forward: Callable[[Tensor], Tensor], x: Tensor, y: Tensor, units: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return each sample's gradient of the loss of label ``y``, of the shape of ``x``, and its logits."""
    gradients, logits = gradients_and_logits(forward, x, y[None], units)
    return gradients[0], logits

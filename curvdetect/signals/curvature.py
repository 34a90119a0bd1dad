"""Curvature of the loss around an input, by finite differences of the input gradient.

Pure functions on tensors. They refuse to decide when a sample is measured or what is done with the number: epochs
are averaged by the signal of the name, flags are for the detectors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Literal

import torch
from torch import Tensor, nn

from curvdetect.signals.arguments import check_curvature, check_measured, with_classes
from curvdetect.signals.passes import quicker, rows_within
from curvdetect.signals.probes import rademacher
from curvdetect.signals.scoring import (
    contrast_of,
    gradients_and_logits,
    logits_of,
    losses_of,
    measuring,
    with_other,
)


def input_curvature(
    module: nn.Module,
    X: Tensor,
    y: Tensor,
    *,
    h: float = 1e-2,
    n: int = 1,
    power: int = 1,
    contrast: bool = False,
    seed: int = 0,
    epoch: int = 0,
    index: Tensor | None = None,
    batch_size: int | None = None,
    output: Literal["logits", "probabilities"] = "logits",
    units: Tensor | None = None,
) -> Tensor:
    r"""Measure the curvature of the loss around each input; higher is more suspect.

    .. math:: C_p(x) = \frac{1}{n} \sum_{i=1}^{n} \lVert \nabla_x L(x + h v_i) - \nabla_x L(x) \rVert_2^p

    with Rademacher probes :math:`v_i` and the cross-entropy :math:`L` of the given label.

    Parameters
    ----------
    module : nn.Module
        A classifier. Measured in evaluation mode, with frozen weights, and left as it was, on its own device.
    X : Tensor of shape (n_samples, ...)
        Inputs, in the precision of the module.
    y : Tensor of shape (n_samples,), int64
        Given labels.
    h : float, default=1e-2
        Step of the finite difference, in ``units``.
    n : int, default=1
        Number of probes.
    power : {1, 2}, default=1
        1 averages norms, as the authors' code does; 2 averages squared norms, eq. (6) of the paper.
    contrast : bool, default=False
        Return :math:`C(y) / (C(y) + C(o))` instead, a share in [0, 1], with :math:`o` the label that the network
        would rather give than any other but :math:`y`: what makes a sample difficult under any label cancels. To each
        three tenths of ``h`` times its gradient are added, by which samples are told apart where nothing bends.
    seed, epoch : int, default=0
        Key of the probes, together with the probe's and the sample's number.
    index : Tensor of shape (n_samples,), int64, optional
        The samples' numbers; by default 0, 1, ....
    batch_size : int, optional
        Most rows in one gradient pass; by default what keeps its activations within 1 GiB (4 on CUDA). Bounds the
        memory, does not change the result beyond rounding.
    output : {"logits", "probabilities"}, default="logits"
        What the module puts out.
    units : Tensor of the shape of a sample, optional
        Lengths of a step of one, such as ``X.std(0)`` for rows of columns with units of their own: steps and gradients
        are given in them, so that the curvature doesn't depend on the units of ``X``. By default these are the units.

    Returns
    -------
    Tensor of shape (n_samples,), float64
        On the host.

    Raises
    ------
    ValueError
        Where a parameter is out of range.

    Notes
    -----
    Costs n + 1 gradients with regard to the input, that is 2 (n + 1) forward passes, and the memory of
    ``batch_size`` rows; with ``contrast`` 3 (n + 1) forward passes. Where the second derivative :math:`H` exists in
    a neighbourhood, :math:`\mathbb{E}\, C_2 / h^2 \to \operatorname{tr}(H^2)` as h shrinks. On networks of ReLUs it
    does not: the difference is made by the kinks that the step crosses, so that ``h`` is part of the definition.

    References
    ----------
    .. [1] Garg, Ravikumar, Roy, "Memorization Through the Lens of Curvature of Loss Function Around Samples",
       ICML 2024, eq. (6).

    Examples
    --------
    >>> import torch
    >>> from curvdetect import input_curvature
    >>> module = torch.nn.Linear(3, 2)
    >>> input_curvature(module, torch.zeros(4, 3), torch.tensor([0, 1, 0, 1])).shape
    torch.Size([4])
    """
    measured = input_curvatures(
        module,
        X,
        y,
        h=[h],
        n=[n],
        power=[power],
        contrast=contrast,
        seed=seed,
        epoch=epoch,
        index=index,
        batch_size=batch_size,
        output=output,
        units=units,
    )
    return measured[h, n, power]


def input_curvatures(
    module: nn.Module,
    X: Tensor,
    y: Tensor,
    *,
    h: Sequence[float],
    n: Sequence[int],
    power: Sequence[int],
    contrast: bool = False,
    seed: int = 0,
    epoch: int = 0,
    index: Tensor | None = None,
    batch_size: int | None = None,
    output: Literal["logits", "probabilities"] = "logits",
    units: Tensor | None = None,
) -> dict[tuple[float, int, int], Tensor]:
    """Measure the curvature around each input for many settings at once; higher is more suspect.

    The clean gradient is shared by all, and the probes of a smaller ``n`` are the first of a larger one's: all
    settings with the same ``h`` cost as much as the largest ``n`` among them.

    Parameters
    ----------
    module, X, y, contrast, seed, epoch, index, batch_size, output, units
        As in `input_curvature`.
    h, n, power : sequences
        Every combination is measured.

    Returns
    -------
    dict
        From ``(h, n, power)`` to a tensor of shape (n_samples,), float64, on the host.

    Raises
    ------
    ValueError
        Where a parameter is out of range, or has no value.

    Notes
    -----
    Costs ``1 + len(h) * max(n)`` gradients with regard to the input.

    Examples
    --------
    >>> import torch
    >>> from curvdetect import input_curvatures
    >>> X, y = torch.zeros(4, 3), torch.tensor([0, 1, 0, 1])
    >>> list(input_curvatures(torch.nn.Linear(3, 2), X, y, h=[1e-2], n=[1, 5], power=[1]))
    [(0.01, 1, 1), (0.01, 5, 1)]
    """
    for name, values in {"h": h, "n": n, "power": power}.items():
        if isinstance(values, str) or not hasattr(values, "__iter__"):
            raise ValueError(f"{name} must be a sequence of values to measure, got {values!r}.")
    settings = list(product(h, n, power))
    if not settings:
        raise ValueError(f"h, n and power need at least one value each, got {h!r}, {n!r} and {power!r}.")
    for step, probes, exponent in settings:
        check_curvature(h=step, n=probes, power=exponent)
    check_measured(module, X, y, index=index, batch_size=batch_size, output=output, seed=seed, units=units)
    n_classes = int(y.max()) + 1 if len(y) else 0
    device = next((p.device for p in module.parameters()), X.device)
    index = torch.arange(len(X)) if index is None else index
    units = None if units is None else units.to(device, X.dtype)
    scores = {setting: torch.empty(len(X), dtype=torch.float64) for setting in settings}
    with measuring(module):
        few = X[:2].to(device)
        rows = rows_within(module, few) if batch_size is None else batch_size
        # rewriting takes a while, and pays where there is more than a pass or two to be made
        network = quicker(module, few) if len(X) > 2 * rows else module

        def forward(x: Tensor) -> Tensor:
            return with_classes(logits_of(network(x), output), n_classes)

        for chunk in torch.split(torch.arange(len(X)), rows):
            x, given = X[chunk].to(device), y[chunk].to(device, torch.int64)
            clean, logits = gradients_and_logits(forward, x, with_other(given) if contrast else given[None], units)
            labels = with_other(given)(logits) if contrast else given[None]
            signs = probe_factory(index[chunk].to(device), x, seed=seed, epoch=epoch)
            for step in dict.fromkeys(h):
                squared = probe_norms(
                    forward, x, labels, clean, signs, h=step, probes=range(max(n)), rows=rows, units=units
                )
                for setting in (s for s in settings if s[0] == step):
                    part = mean_of_norms(squared[: setting[1]], setting[2])
                    measured = contrast_of(part, clean, h=step, power=setting[2]) if contrast else part[0]
                    scores[setting][chunk] = measured.cpu().double()
    return scores


def probe_norms(
    forward: Callable[[Tensor], Tensor],
    x: Tensor,
    labels: Tensor,
    clean: Tensor,
    signs: Callable[[int], Tensor],
    *,
    h: float,
    probes: range,
    rows: int | None = None,
    units: Tensor | None = None,
) -> Tensor:
    """Return the squared norms of what each probe does to the gradients of a batch, whose clean ones are known.

    Every curvature with this ``h`` is read off them: the probes of a smaller ``n`` are the first of a larger one's.

    Parameters
    ----------
    forward : callable
        From inputs to logits.
    x : Tensor of shape (batch, ...)
        Inputs.
    labels : Tensor of shape (n_labels, batch)
        Labels that the gradients are taken for.
    clean : Tensor of shape (n_labels, batch, ...)
        Gradients of the losses at ``x``.
    signs : callable
        Probe i for every sample of the batch, of the shape of ``x``.
    h : float
        Step.
    probes : range
        Numbers of the probes.
    rows : int, optional
        Most rows in one pass: as many probes are stacked as fit beside each other. By default none are, so that
        what one probe gives doesn't depend, in its last digits, on which others are asked for.
    units : Tensor of the shape of a sample, optional
        Lengths of a step of one, in which ``h`` and ``clean`` are given; by default the units of ``x``.

    Returns
    -------
    Tensor of shape (n_probes, n_labels, batch)
        ``||grad L(x + h v_i) - grad L(x)||²``.
    """
    stacked = max(1, (rows or 0) // max(1, len(x)))
    # made at once: small results kept between large buffers would break up the heap, by a MiB a probe
    norms = x.new_empty(len(probes), *labels.shape)
    for first in range(0, len(probes), stacked):
        chosen = probes[first : first + stacked]
        moved = torch.cat([torch.add(x, _in(units, signs(i)), alpha=h) for i in chosen])
        there, _ = gradients_and_logits(forward, moved, labels.repeat(1, len(chosen)), units)
        difference = there.reshape(len(labels), len(chosen), *x.shape) - clean[:, None]
        norms[first : first + stacked] = difference.flatten(3).square().sum(3).transpose(0, 1)
    return norms


def _in(units: Tensor | None, steps: Tensor) -> Tensor:
    return steps if units is None else steps * units


def mean_of_norms(squared: Tensor, power: int) -> Tensor:
    """Return the curvature, the mean over the first axis of squared norms or, with ``power=1``, of norms."""
    return (squared if power == 2 else squared.sqrt()).mean(0)


def probe_factory(index: Tensor, x: Tensor, *, seed: int, epoch: int) -> Callable[[int], Tensor]:
    """Return the function that draws probe i for the samples ``index``, in the shape and precision of ``x``."""
    return lambda i: rademacher(index, tuple(x.shape[1:]), seed=seed, epoch=epoch, probe=i, dtype=x.dtype)


def exact_curvature(module: nn.Module, X: Tensor, y: Tensor) -> Tensor:
    """Return tr(H²) of the loss's exact Hessian at each input: the oracle of `input_curvature` on smooth networks.

    Parameters
    ----------
    module : nn.Module
        A twice differentiable classifier, in float64 if the result is to be trusted to more than a few digits.
    X : Tensor of shape (n_samples, ...)
        Inputs.
    y : Tensor of shape (n_samples,), int64
        Labels.

    Returns
    -------
    Tensor of shape (n_samples,)
        ``(h**2).sum()`` over the entries of each Hessian. Cost and memory grow with the square of the input's size.
    """

    def loss(x: Tensor, label: Tensor) -> Tensor:
        return losses_of(logits_of(module(x[None]), "logits"), label[None])[0]

    with measuring(module):
        hessian = torch.func.vmap(torch.func.hessian(loss))(X, y)
    return hessian.flatten(1).square().sum(1)

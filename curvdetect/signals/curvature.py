"""Curvature of the loss around an input, by finite differences of the input gradient.

Pure functions on tensors. They refuse to decide when a sample is measured or what is done with the number: epochs
are averaged by `Curvature`, flags are for the detectors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from numbers import Real
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from curvdetect.signals.probes import rademacher
from curvdetect.signals.scoring import (
    OutputKind,
    gradients_and_logits,
    logits_of,
    losses_of,
    measuring,
    share_of,
    with_other,
)
from curvdetect.signals.signal import Batch, EpochMean, Plan, Stage

#: Rows of one gradient pass, probes included. More rows run slower on a CPU, whose caches they leave.
ROWS = 256


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
    batch_size: int = ROWS,
    output: OutputKind = "logits",
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
        Step of the finite difference, in the units of ``X``.
    n : int, default=1
        Number of probes.
    power : {1, 2}, default=1
        1 averages norms, as the authors' code does; 2 averages squared norms, eq. (6) of the paper.
    contrast : bool, default=False
        Return :math:`C(y) / (C(y) + C(o))` instead, a share in [0, 1], with :math:`o` the label that the network
        would rather give than any other but :math:`y`: what makes a sample difficult under any label cancels.
    seed, epoch : int, default=0
        Key of the probes, together with the probe's and the sample's number.
    index : Tensor of shape (n_samples,), int64, optional
        The samples' numbers; by default 0, 1, ....
    batch_size : int, default=256
        Most rows in one gradient pass. Bounds the memory, does not change the result beyond rounding.
    output : {"logits", "probabilities"}, default="logits"
        What the module puts out.

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
    check_curvature(h=h, n=n, power=power)
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size!r}.")
    if len(X) != len(y):
        raise ValueError(f"X has {len(X)} samples and y {len(y)} labels; pass one label for each sample.")
    if len(y) and int(y.min()) < 0:
        raise ValueError(f"y holds {int(y.min())}; labels are classes, counted from 0.")
    if index is not None and len(index) != len(X):
        raise ValueError(f"index has {len(index)} entries for {len(X)} samples.")
    if output not in ("logits", "probabilities"):
        raise ValueError(f"output must be 'logits' or 'probabilities', got {output!r}.")
    device = next((p.device for p in module.parameters()), X.device)
    index = torch.arange(len(X)) if index is None else index

    def forward(x: Tensor) -> Tensor:
        return logits_of(module(x), output)

    scores = torch.empty(len(X), dtype=torch.float64)
    with measuring(module):
        for chunk in torch.split(torch.arange(len(X)), batch_size):
            x, given = X[chunk].to(device), y[chunk].to(device, torch.int64)
            clean, logits = gradients_and_logits(forward, x, with_other(given) if contrast else given[None])
            labels = with_other(given)(logits) if contrast else given[None]
            signs = probe_factory(index[chunk].to(device), x, seed=seed, epoch=epoch)
            part = curvature_of_gradients(forward, x, labels, clean, signs, h=h, n=n, power=power, rows=batch_size)
            scores[chunk] = (share_of(*part) if contrast else part[0]).cpu().double()
    return scores


def curvature_of_gradients(
    forward: Callable[[Tensor], Tensor],
    x: Tensor,
    labels: Tensor,
    clean: Tensor,
    signs: Callable[[int], Tensor],
    *,
    h: float,
    n: int,
    power: int,
    rows: int = ROWS,
) -> Tensor:
    """Return the curvature of each sample of a batch, under each row of labels, whose clean gradients are known.

    Parameters
    ----------
    forward : callable
        From inputs to logits.
    x : Tensor of shape (batch, ...)
        Inputs.
    labels : Tensor of shape (n_labels, batch)
        Labels that the curvature is taken for.
    clean : Tensor of shape (n_labels, batch, ...)
        Gradients of the losses at ``x``.
    signs : callable
        Probe i for every sample of the batch, of the shape of ``x``.
    h, n, power
        As in `input_curvature`.
    rows : int
        Most rows in one pass: as many probes are stacked as fit beside each other.

    Returns
    -------
    Tensor of shape (n_labels, batch)
        Mean over the probes.
    """
    stacked = max(1, rows // max(1, len(x)))
    total = x.new_zeros(labels.shape)
    for first in range(0, n, stacked):
        probes = range(first, min(first + stacked, n))
        moved = torch.cat([x + h * signs(i) for i in probes])
        there, _ = gradients_and_logits(forward, moved, labels.repeat(1, len(probes)))
        difference = (there.reshape(len(labels), len(probes), *x.shape) - clean[:, None]).flatten(3)
        squared = difference.square().sum(3)
        total += (squared if power == 2 else squared.sqrt()).sum(1)
    return total / n


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


def check_curvature(*, h: float, n: int, power: int) -> None:
    """Raise where a parameter of the curvature is out of range."""
    if not (isinstance(h, Real) and math.isfinite(h) and h > 0):
        raise ValueError(
            f"h must be a positive number, got {h!r}. It is a step in the units of X; 1e-2 is a good start."
        )
    if isinstance(n, bool) or not hasattr(n, "__index__") or n < 1:
        raise ValueError(f"n must be a whole number of probes, at least 1, got {n!r}.")
    if isinstance(power, bool) or power not in (1, 2):
        raise ValueError(f"power must be 1 (norm) or 2 (squared norm, eq. 6), got {power!r}.")


class Curvature:
    """Curvature at each sample, averaged over the scored epochs; higher is more suspect.

    Parameters
    ----------
    h, n, power
        As in `input_curvature`.
    seed : int
        Key of the probes.
    """

    name: ClassVar[str] = "curvature"
    stage: ClassVar[Stage] = "scoring"

    def __init__(self, *, h: float, n: int, power: int, seed: int) -> None:
        check_curvature(h=h, n=n, power=power)
        self.h, self.n, self.power, self.seed = h, n, power, seed

    def start(self, plan: Plan) -> None:
        """Make room for a run."""
        self.mean = EpochMean(plan)

    def update(self, batch: Batch) -> None:
        """Measure a batch; its clean gradient is shared with other signals."""
        self.mean.add(batch, self.value(batch))

    def value(self, batch: Batch) -> Tensor:
        """Return the curvature, that which was measured already where there is one."""
        known = batch.kept.get(self._key)
        return self._measured(batch, batch.y[None], batch.gradient[None])[0] if known is None else known

    def end_epoch(self) -> None:
        """Take the epoch into the mean."""
        self.mean.end_epoch()

    def scores(self) -> NDArray[np.float64]:
        """Return the mean over the scored epochs, shape (n_samples,)."""
        return self.mean.values()

    @property
    def _key(self) -> tuple[Hashable, ...]:
        return ("curvature", self.h, self.n, self.power, self.seed)

    def _measured(self, batch: Batch, labels: Tensor, clean: Tensor) -> Tensor:
        signs = probe_factory(batch.index, batch.x, seed=self.seed, epoch=batch.epoch)
        return curvature_of_gradients(
            batch.forward, batch.x, labels, clean, signs, h=self.h, n=self.n, power=self.power
        )


class CurvatureContrast(Curvature):
    """Share of the given label in its curvature and that of the best other label; higher is more suspect.

    The mean over the scored epochs of ``c_y / (c_y + c_o)``, in [0, 1]. Parameters as for `Curvature`; that one costs
    nothing where this one, before it, has measured the same batch.
    """

    name = "curvature_contrast"

    def value(self, batch: Batch) -> Tensor:
        """Return the share, and leave the curvature itself for others."""
        clean = torch.stack([batch.other_gradient, batch.gradient])
        other, given = self._measured(batch, torch.stack([batch.other, batch.y]), clean)
        batch.kept[self._key] = given
        return share_of(given, other)

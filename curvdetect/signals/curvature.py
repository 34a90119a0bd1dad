"""Curvature of the loss around an input, by finite differences of the input gradient: functions on tensors.

They measure the weights as they are; the signal averages over epochs.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Literal

import torch
from torch import Tensor, nn

from curvdetect.signals.evaluated import Curvature, CurvatureContrast
from curvdetect.signals.passes import logits_of, measuring, quicker, rows_within
from curvdetect.signals.signal import Batch


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
        Return :math:`C(y) / (C(y) + C(o))` instead, a share in [0, 1], with :math:`o` the likeliest label other than
        :math:`y`: what makes a sample difficult under any label cancels. Three tenths of ``h`` times its
        gradient are added to each curvature, which tells samples apart where nothing bends.
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
        Lengths of a step of one, such as ``X.std(0)`` for columns with units of their own, on which the curvature then
        doesn't depend. By default one everywhere.

    Returns
    -------
    Tensor of shape (n_samples,), float64
        On the CPU.

    Raises
    ------
    ValueError
        Where a parameter is out of range.

    Notes
    -----
    Costs n + 1 gradients with regard to the input, that is 2 (n + 1) forward passes, and the memory of
    ``batch_size`` rows; with ``contrast`` 3 (n + 1) forward passes. On networks of ReLUs the difference is made by the
    kinks that the step crosses, so that ``h`` is part of the definition.

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

    The probes of a smaller ``n`` are the first of a larger one's: all of it costs ``1 + len(h) * max(n)`` gradients.

    Parameters
    ----------
    module, X, y, contrast, seed, epoch, index, batch_size, output, units
        As in `input_curvature`.
    h, n, power : sequences
        Every combination is measured.

    Returns
    -------
    dict
        From ``(h, n, power)`` to a tensor of shape (n_samples,), float64, on the CPU.

    Raises
    ------
    ValueError
        Where a parameter is out of range, or has no value.

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
    kind = CurvatureContrast if contrast else Curvature
    signals = {each: kind(h=each[0], n=each[1], power=each[2], seed=seed) for each in product(h, n, power)}
    if not signals:
        raise ValueError(f"h, n and power need at least one value each, got {h!r}, {n!r} and {power!r}.")
    if not isinstance(module, nn.Module):
        raise TypeError(
            f"module must be a torch.nn.Module, got {type(module).__name__}. A fitted skorch net has it as net.module_."
        )
    for name, value in {"X": X, "y": y, "index": index, "units": units}.items():
        if not isinstance(value, Tensor) and (value is not None or name in ("X", "y")):
            raise TypeError(f"{name} must be a tensor, got {type(value).__name__}: torch.as_tensor({name}) makes one.")
    if not X.is_floating_point():
        raise ValueError(f"X must hold real numbers, in the precision of the module, got {X.dtype}: X.float().")
    if y.is_floating_point() or y.is_complex() or y.dtype == torch.bool or y.ndim != 1:
        raise ValueError(f"y must hold whole numbers, one for each sample, got {y.dtype} of shape {tuple(y.shape)}.")
    if len(X) != len(y):
        raise ValueError(f"X has {len(X)} samples and y {len(y)} labels; pass one label for each sample.")
    if len(y) and int(y.min()) < 0:
        raise ValueError(f"y holds {int(y.min())}; labels are classes, counted from 0.")
    if batch_size is not None and (isinstance(batch_size, bool) or not hasattr(batch_size, "__index__")):
        raise ValueError(f"batch_size must be a whole number, got {batch_size!r}.")
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size!r}.")
    if index is not None and len(index) != len(X):
        raise ValueError(f"index has {len(index)} entries for {len(X)} samples.")
    if units is not None and (units.shape != X.shape[1:] or not (torch.isfinite(units) & (units >= 0)).all()):
        raise ValueError(
            f"units must hold one length for each entry of a sample, shape {tuple(X.shape[1:])}, none negative or "
            f"infinite, got shape {tuple(units.shape)}."
        )
    if output not in ("logits", "probabilities"):
        raise ValueError(f"output must be 'logits' or 'probabilities', got {output!r}.")
    if not hasattr(seed, "__index__"):
        raise ValueError(f"seed must be a whole number, got {seed!r}.")
    device = next((p.device for p in module.parameters()), X.device)
    index = torch.arange(len(X)) if index is None else index
    units = None if units is None else units.to(device, X.dtype)
    scores = {setting: torch.empty(len(X), dtype=torch.float64) for setting in signals}
    with measuring(module):
        few = X[:2].to(device)
        rows = rows_within(module, few) if batch_size is None else batch_size
        # rewriting takes a while, and pays where there is more than a pass or two to be made
        network = quicker(module, few) if len(X) > 2 * rows else module

        def forward(x: Tensor) -> Tensor:
            logits = logits_of(network(x), output)
            if len(y) and logits.shape[1] <= int(y.max()):
                n_logits = logits.shape[1]
                raise ValueError(f"y holds {int(y.max())}, but module puts out {n_logits} logits, for classes from 0.")
            return logits

        for chunk in torch.split(torch.arange(len(X)), rows):
            x, given, number = X[chunk].to(device), y[chunk].to(device, torch.int64), index[chunk].to(device)
            batch = Batch(number, x, given, epoch=epoch, quarter=0, forward=forward, units=units)
            for setting, signal in signals.items():
                scores[setting][chunk] = signal.value(batch).cpu().double()
    return scores

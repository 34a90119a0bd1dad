"""Checks of what a user hands to the pure functions of this room."""

from __future__ import annotations

from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn


def check_measured(
    module: Any, X: Any, y: Any, *, index: Any, batch_size: Any, output: Any, seed: Any, units: Any = None
) -> None:
    """Raise where what is to be measured, or how, makes no sense."""
    if not isinstance(module, nn.Module):
        raise TypeError(
            f"module must be a torch.nn.Module, got {type(module).__name__}. Of a fitted skorch net it is net.module_."
        )
    optional = {name: value for name, value in (("index", index), ("units", units)) if value is not None}
    for name, value in {"X": X, "y": y, **optional}.items():
        if not isinstance(value, Tensor):
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


def with_classes(logits: Tensor, n_classes: int) -> Tensor:
    """Return logits as they are; raise where labels name classes that they know nothing of."""
    if logits.shape[1] < n_classes:
        raise ValueError(f"y holds {n_classes - 1}, but module puts out {logits.shape[1]} logits, for classes from 0.")
    return logits


def check_curvature(*, h: float, n: int, power: int) -> None:
    """Raise where a parameter of the curvature is out of range."""
    # a network computes in single precision, which knows no larger number
    if isinstance(h, bool) or not (isinstance(h, Real) and 0 < h <= torch.finfo(torch.float32).max):
        raise ValueError(
            f"h must be a positive number, got {h!r}. It is a step in deviations of a column, or in the units of X: "
            "1e-2 is a good start."
        )
    if isinstance(n, bool) or not hasattr(n, "__index__") or n < 1:
        raise ValueError(f"n must be a whole number of probes, at least 1, got {n!r}.")
    if isinstance(power, bool) or power not in (1, 2):
        raise ValueError(f"power must be 1 (norm) or 2 (squared norm, eq. 6), got {power!r}.")

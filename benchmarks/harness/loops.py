"""Loops in plain PyTorch that the package is measured against."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LambdaLR

from curvdetect import one_cycle


def training(
    module: nn.Module, X: Tensor, y: Tensor, batch_size: int, *, half: bool = False, bound: float | None = None
) -> Callable[[], None]:
    """Return a training epoch with data on the device, as one would write it; gradients have a norm of ``bound``."""
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)

    def epoch() -> None:
        module.train()
        for index in torch.randperm(len(y)).to(X.device).split(batch_size):
            optimizer.zero_grad()
            with torch.autocast(X.device.type, torch.bfloat16, enabled=half):
                logits = module(X[index])
            F.cross_entropy(logits.float(), y[index]).backward()
            if bound is not None:
                nn.utils.clip_grad_norm_(module.parameters(), bound)
            optimizer.step()

    return epoch


def trained(
    module: nn.Module,
    X: Tensor,
    y: Tensor,
    batch_size: int,
    n_epochs: int,
    *,
    on_batch: Callable[[Tensor, Tensor, Tensor], None] = lambda logits, labels, index: None,
    on_epoch: Callable[[], None] = lambda: None,
) -> None:
    """Train from start to end by SGD with one cycle, data on the device, as one would write it."""
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    policy = LambdaLR(optimizer, one_cycle(n_epochs))
    for _ in range(n_epochs):
        module.train()
        for index in torch.randperm(len(y)).to(X.device).split(batch_size):
            optimizer.zero_grad()
            logits = module(X[index])
            F.cross_entropy(logits, y[index]).backward()
            optimizer.step()
            on_batch(logits.detach(), y[index], index)
        policy.step()
        on_epoch()


def authors_pass(
    module: nn.Module, X: Tensor, y: Tensor, *, n: int, batch_size: int, h: float = 1e-3
) -> Callable[[], Tensor]:
    """Return the curvature pass as the authors' public code has it, written anew from its description.

    For each probe both gradients, of the mean loss of the batch: 2 forward and 2 backward passes.
    """

    def measure() -> Tensor:
        module.eval()
        scores = torch.zeros(len(y))
        for index in torch.arange(len(y), device=X.device).split(batch_size):
            x = X[index].requires_grad_(True)
            total = torch.zeros(len(index), device=X.device)
            for _ in range(n):
                v = h * (2 * torch.randint(0, 2, x.shape, device=x.device) - 1)
                there = torch.autograd.grad(F.cross_entropy(module(x + v), y[index]), x)[0]
                here = torch.autograd.grad(F.cross_entropy(module(x), y[index]), x)[0]
                total += (there - here).flatten(1).norm(dim=1)
            scores[index.cpu()] = (total / n).detach().cpu()
        return scores

    return measure


def wait(device: torch.device) -> None:
    """Wait until a device has done what it was asked to."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)

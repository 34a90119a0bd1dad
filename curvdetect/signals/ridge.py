"""A ridge regression of one penalty, by a Cholesky factorization of the Gram matrix: what leaving samples out needs."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import get_blas_funcs
from torch import Tensor

from curvdetect.signals.factors import Factors

#: Rows of a matrix that are scaled at once.
_ROWS = 256


class Regression(Protocol):
    """A regression on centered targets."""

    def of(self, blocks: NDArray[np.int64], targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return residuals of blocks of samples, and the blocks of the matrix that turns targets into residuals.

        ``blocks`` has shape (n_blocks, size), ``targets`` and residuals (n_blocks, size, k), and the matrices
        (n_blocks, size, size).
        """

    def weights(self) -> Tensor:
        """Return coefficients of the standardized features, shape (n_features, k)."""


class OverColumns:
    """The regression by the Gram matrix of the columns; ``times`` is that of `Factors`, of the targets."""

    def __init__(self, factors: Factors, penalty: float, times: Tensor) -> None:
        self.factors, inverse = factors, factors.inverse(penalty)
        self._weights = (times.T @ inverse.T @ inverse).T
        self.slopes = (factors.scale[:, None] * self._weights).to(factors.dtype)
        # by it features become others, whose products are the hat matrix
        self.whitening = torch.empty_like(inverse, dtype=factors.dtype)
        for rows, into in zip(torch.split(inverse, _ROWS), torch.split(self.whitening, _ROWS), strict=True):
            into.copy_(rows * factors.scale)  # a copy of all in double precision would be the peak of the memory

    def of(self, blocks: NDArray[np.int64], targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return residuals and blocks of the residual matrix."""
        n_blocks, size = blocks.shape
        x = self.factors.rows(blocks.ravel())
        residual = targets - (self.slopes.T @ x.T).T.double().reshape(targets.shape)
        white = _by_triangle(x, self.whitening)
        if size == 1:
            leverage = torch.linalg.vector_norm(white, dim=1).double().square()
            return residual, 1 - leverage[:, None, None]
        white = white.double().reshape(n_blocks, size, -1)
        return residual, torch.eye(size, dtype=white.dtype, device=white.device) - white @ white.mT

    def weights(self) -> Tensor:
        """Return coefficients of the standardized features."""
        return self._weights


class OverSamples:
    """The regression by the Gram matrix of the samples; ``targets`` are those of all."""

    def __init__(self, factors: Factors, penalty: float, targets: Tensor) -> None:
        self.factors, self.penalty, self.inverse = factors, penalty, factors.inverse(penalty)
        self.dual = (targets.T @ self.inverse.T @ self.inverse).T

    def of(self, blocks: NDArray[np.int64], targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return residuals and blocks of the residual matrix."""
        index = torch.from_numpy(blocks).to(self.dual.device)
        some = self.inverse.T[index]
        return self.penalty * self.dual[index], self.penalty * (some @ some.mT)

    def weights(self) -> Tensor:
        """Return coefficients of the standardized features."""
        return self.factors.times(lambda rows: self.dual[rows])


def _by_triangle(x: Tensor, lower: Tensor) -> Tensor:
    """Return ``x @ lower.T``, of which BLAS leaves out the products with zeros."""
    if x.device.type != "cpu":
        return x @ lower.T
    transposed, triangle = x.numpy().T, lower.numpy()
    (multiply,) = get_blas_funcs(("trmm",), (triangle, transposed))
    return torch.from_numpy(multiply(1, triangle, transposed, lower=1).T)

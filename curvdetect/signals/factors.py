"""What ridge regressions of all penalties share: features as they are standardized, and the smaller Gram matrix.

Sums and Gram matrices are in float64; products of features in float32 are made in float32, but for very large and very
small numbers, a few megabytes of features at a time. Each of several processes works through its share of the features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import cholesky
from scipy.linalg.lapack import dtrtri
from torch import Tensor

from curvdetect.data.batches import Share
from curvdetect.data.inputs import MappedInputs, is_mapped
from curvdetect.data.types import Array
from curvdetect.signals.signal import Exchange

#: Penalties to choose from, as multiples of the mean eigenvalue of the Gram matrix.
PENALTIES = np.logspace(-5, 3, 17)
#: Penalties below this many times the largest eigenvalue are lost in rounding, in units of the features' precision.
ROUNDING = 100
#: Sizes of numbers between which their products and sums of squares are safe in float32.
SAFE = 1e-12, 1e12
#: Bytes of features that are worked on at once: more would leave the caches of a processor.
CHUNK_BYTES = 2**23
ALONE = Share(0, 1)


class Factors:
    """Features of all samples, standardized, and their Gram matrix."""

    def __init__(
        self,
        features: Array,
        device: torch.device | str = "cpu",
        exchange: Exchange | None = None,
        share: Share = ALONE,
    ) -> None:
        self.features, self.device = features, torch.device(device)
        self.exchange, self.share = exchange, share
        self.columns: slice | NDArray[np.int64] = slice(None)
        self._give_back = MappedInputs(features).give_back if is_mapped(features) else lambda: None
        self.dtype = torch.float64 if features.dtype == np.float64 else torch.float32
        self.eps = torch.finfo(self.dtype).eps
        n, d = features.shape
        total, size = self.summed(
            (2, d), (torch.stack([x.double().sum(0), x.abs().amax(0).double()]) for _, x in self._chunks())
        )
        self.center = total / n
        if ((size < SAFE[0]) & (size > 0)).any() or (size > SAFE[1]).any():
            self.dtype = torch.float64
        self.over_samples = n <= d
        self.gram = self._gram_of_samples() if self.over_samples else self._gram_of_columns()
        self._kept: tuple[float, Tensor] | None = None

    @property
    def penalties(self) -> Tensor:
        """Penalties to choose from, none of which is lost in rounding."""
        rank, trace = min(len(self.features) - 1, int((self.scale > 0).sum())), self.gram.trace()
        mean = trace / rank if trace > 0 else torch.ones_like(trace)
        penalties = mean * torch.from_numpy(PENALTIES).to(self.device)
        # the norm is the largest eigenvalue, or more
        return penalties[penalties >= ROUNDING * self.eps * self.gram.norm()]

    def inverse(self, penalty: float) -> Tensor:
        """Return the inverse of the lower Cholesky factor of the Gram matrix and a penalty; the last one is kept."""
        if self._kept is None or self._kept[0] != penalty:
            self._kept = None  # as large as the Gram matrix
            penalized = self.gram.clone()
            penalized.diagonal().add_(penalty)
            self._kept = penalty, _inverse_factor(penalized)
        return self._kept[1]

    def at_once(self, size: int) -> int:
        """Return how many rows, or columns, of a size are worked on at once."""
        return max(1, CHUNK_BYTES // (self.dtype.itemsize * max(1, size)))

    def rows(self, index: NDArray[np.int64]) -> Tensor:
        """Return the features of some samples, less their mean."""
        x = self._centered(self._tensor(self.features[index][:, self.columns]))
        self._give_back()
        return x

    def times(self, targets: Callable[[slice], Tensor]) -> Tensor:
        """Return standardized features, transposed, times targets of slices of samples, shape (n_features, k)."""
        k = targets(slice(0, 1)).shape[1]
        parts = ((targets(rows).to(x.dtype).T @ self._centered(x)).double() for rows, x in self._chunks())
        return self.scale[:, None] * self.summed((k, len(self.scale)), parts).T

    def summed(self, shape: tuple[int, ...], parts: Iterator[Tensor]) -> Tensor:
        """Return the sum of parts, of all processes."""
        total = torch.zeros(shape, dtype=torch.float64, device=self.device)
        for part in parts:
            total += part
        if self.exchange is not None:
            self.exchange.sum(total)
        return total

    def of_some(self, n: int) -> Factors:
        """Return the factors of some columns, drawn at random, without a copy of the features."""
        some, drawn = copy(self), np.sort(np.random.default_rng(0).permutation(len(self.scale))[:n])
        columns = torch.from_numpy(drawn).to(self.device)
        some.columns, some.center, some.scale = drawn, self.center[columns], self.scale[columns]
        some.gram, some._kept = self.gram[columns][:, columns], None
        return some

    def of_first(self, values: Sequence[float]) -> list[float]:
        """Return the numbers that the first process has: another machine may round otherwise."""
        told = torch.tensor(values, dtype=torch.float64, device=self.device)
        return self.summed(told.shape, iter([told] if self.share.rank == 0 else [])).tolist()

    def _centered(self, x: Tensor) -> Tensor:
        return x - self.center.to(x.dtype)

    def _tensor(self, part: Array) -> Tensor:
        wanted = np.float64 if self.dtype == torch.float64 else np.float32
        # torch warns of arrays that are not to be written to, as those of a memory map are
        return torch.from_numpy(np.require(part, wanted, ["C", "W"])).to(self.device)

    def _chunks(self) -> Iterator[tuple[slice, Tensor]]:
        """Yield slices of this process's samples, with their features."""
        for rows in self._slices(*self.features.shape):
            yield rows, self._tensor(self.features[rows][:, self.columns])
            self._give_back()

    def _slices(self, n: int, size: int) -> Iterator[slice]:
        """Yield slices of this process's share of ``n`` rows, or columns, of a size."""
        mine = self.share.of(torch.arange(n))
        for part in torch.split(mine, self.at_once(size)):
            if len(part):
                yield slice(int(part[0]), int(part[-1]) + 1)

    def _gram_of_columns(self) -> Tensor:
        size = len(self.center)
        gram = self.summed((size, size), (_squared(self._centered(x)) for _, x in self._chunks()))
        self._scale_by(gram.diagonal())
        return gram.mul_(self.scale).mul_(self.scale[:, None])

    def _gram_of_samples(self) -> Tensor:
        n, d = self.features.shape
        self._scale_by(self.summed((d,), ((x.double() - self.center).square().sum(0) for _, x in self._chunks())))

        def standardized(some: slice) -> Tensor:
            x = self._tensor(self.features[:, some])
            return (x - self.center[some].to(x.dtype)) * self.scale[some].to(x.dtype)

        gram = self.summed((n, n), (_squared(standardized(some).T) for some in self._slices(d, n)))
        # centered again: the center was rounded to the precision of the features
        means = gram.mean(0)
        return gram.sub_(means).sub_((means - means.mean())[:, None])

    def _scale_by(self, squares: Tensor) -> None:
        """Set one over the standard deviation of each column, 0 where it differs by no more than rounding."""
        variance = squares / len(self.features)
        least = (1e-7 * self.center).square()
        self.scale = torch.where(variance > least, variance.clamp(min=1e-300).rsqrt(), 0.0)


def _squared(x: Tensor) -> Tensor:
    """Return ``x.T @ x``, of which numpy computes half, since it is symmetric."""
    if x.device.type != "cpu":
        return x.T @ x
    array = x.numpy()
    return torch.from_numpy(array.T @ array)


def _inverse_factor(matrix: Tensor) -> Tensor:
    """Return the inverse of the lower Cholesky factor; the matrix may be overwritten."""
    if matrix.device.type != "cpu":
        factor = torch.linalg.cholesky(matrix)
        return torch.linalg.solve_triangular(factor, torch.eye(len(factor)).to(factor), upper=False)
    # torch knows no inverse of a triangle, and takes three times as long
    factor = cholesky(matrix.numpy().T, lower=True, overwrite_a=True, check_finite=False)
    return torch.from_numpy(dtrtri(factor, lower=1, overwrite_c=1)[0])

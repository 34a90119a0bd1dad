"""What all other samples say of a label, exactly and in closed form: ridge regressions on features.

One factorization of the smaller of the two Gram matrices serves the regressions on one-hot labels of every penalty,
and what each would predict for a sample, or for a group of samples, had it been fitted without them. Nothing is
trained. Sums are made in float64; products of features in float32 are made in float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import one_hot

from curvdetect.data.types import Array
from curvdetect.signals.calibration import calibrated

#: Penalties to choose from, as multiples of the mean of the Gram matrix's positive eigenvalues.
PENALTIES = np.logspace(-5, 3, 17)
#: Samples by whose likelihood penalty and temperature are chosen, at most.
N_CHOOSING = 5000
#: Bytes of features, or of what is made of them, that are worked on at once.
CHUNK_BYTES = 2**26
#: Eigenvalues below this many times the largest are rounding, in units of the precision of the features.
ROUNDING = 100
#: Size of a Gram matrix beyond which its eigenvectors are found in single precision, in less than half the time.
LARGE = 2048
#: Steps of Newton's method for the temperature, more than it ever took.
N_NEWTON = 50


class Factors:
    """What the regressions of all penalties share: the features as they are standardized, and their Gram matrix."""

    def __init__(self, features: Array, device: torch.device | str = "cpu") -> None:
        self.features, self.device = features, torch.device(device)
        n, d = features.shape
        self.center = sum((x.double().sum(0) for _, x in self._chunks()), torch.zeros((), device=device)) / n
        self.over_samples = n <= d
        gram = self._gram_of_samples() if self.over_samples else self._gram_of_columns()
        values, vectors = torch.linalg.eigh(gram if len(gram) <= LARGE else gram.float())
        # a direction of rounding would tell every sample from all others, and so give its label away
        kept = values > ROUNDING * torch.finfo(torch.from_numpy(features[:0]).dtype).eps * values[-1].clamp(min=0)
        self.values, self.vectors = values[kept].double(), vectors[:, kept].double()

    @property
    def penalties(self) -> Tensor:
        """Penalties to choose from."""
        mean = self.values.mean() if len(self.values) else self.values.new_ones(())
        return mean * torch.from_numpy(PENALTIES).to(self.device)

    def projected(self, index: NDArray[np.int64]) -> Tensor:
        """Return samples along the eigenvectors, shape (len(index), rank), float64."""
        if self.over_samples:
            return self.vectors[torch.from_numpy(index).to(self.device)] * self.values.sqrt()
        x = self.standardized(torch.from_numpy(np.ascontiguousarray(self.features[index])).to(self.device))
        return (x @ self.vectors.to(x.dtype)).double()

    def times(self, targets: Callable[[slice], Tensor]) -> Tensor:
        """Return the projected features, transposed, times targets of slices of samples: shape (rank, n_targets)."""
        if self.over_samples:
            return self.values.sqrt()[:, None] * (self.vectors.T @ targets(slice(None)))
        return self.vectors.T @ self._columns_times(targets)

    def weights(self, solved: Tensor) -> Tensor:
        """Return coefficients of the standardized features for those of the eigenvectors, shape (n_features, k)."""
        if not self.over_samples:
            return self.vectors @ solved
        dual = self.vectors @ (solved / self.values.sqrt()[:, None])
        return self._columns_times(lambda rows: dual[rows])

    def standardized(self, x: Tensor) -> Tensor:
        """Return features less the mean and over the standard deviation of their column; constant ones become 0."""
        return (x - self.center.to(x.dtype)) * self.scale.to(x.dtype)

    def _columns_times(self, targets: Callable[[slice], Tensor]) -> Tensor:
        parts = (
            (x.T @ targets(rows).to(x.dtype)).double()
            for rows, x in ((rows, self.standardized(x)) for rows, x in self._chunks())
        )
        return sum(parts, torch.zeros((), dtype=torch.float64, device=self.device))

    def _chunks(self) -> Iterator[tuple[slice, Tensor]]:
        """Yield slices of samples with their features."""
        step = max(1, CHUNK_BYTES // (self.features.shape[1] * self.features.dtype.itemsize))
        for start in range(0, len(self.features), step):
            rows = slice(start, start + step)
            yield rows, torch.from_numpy(np.ascontiguousarray(self.features[rows])).to(self.device)

    def _gram_of_columns(self) -> Tensor:
        gram = torch.zeros(2 * self.center.shape, dtype=torch.float64, device=self.device)
        for _, x in self._chunks():
            x = x - self.center.to(x.dtype)
            gram += x.T @ x
        self._scale_by(gram.diagonal())
        return gram * self.scale * self.scale[:, None]

    def _gram_of_samples(self) -> Tensor:
        self._scale_by(sum(((x.double() - self.center).square().sum(0) for _, x in self._chunks()), torch.zeros(())))
        n, d = self.features.shape
        gram = torch.zeros(n, n, dtype=torch.float64, device=self.device)
        step = max(1, CHUNK_BYTES // (self.features.dtype.itemsize * n))
        for start in range(0, d, step):
            some = slice(start, start + step)
            x = torch.from_numpy(np.ascontiguousarray(self.features[:, some])).to(self.device)
            x = (x - self.center[some].to(x.dtype)) * self.scale[some].to(x.dtype)
            gram += x @ x.T
        # centred again: the centre was rounded to the precision of the features
        return gram - gram.mean(0) - gram.mean(1, keepdim=True) + gram.mean()

    def _scale_by(self, squares: Tensor) -> None:
        """Set one over the standard deviation of each column, 0 where it differs by no more than rounding."""
        variance = squares / len(self.features)
        least = (1e-7 * self.center).square()
        self.scale = torch.where(variance > least, variance.clamp(min=1e-300).rsqrt(), 0.0)


class Choice(NamedTuple):
    """A penalty, how outputs become probabilities, and the mean log-probability of the labels left out."""

    penalty: float
    temperature: float
    likelihood: float
    scales: Array = np.ones(1)
    """Factors of the classes, beside the temperature."""
    offsets: Array = np.zeros(1)

    def logits(self, outputs: Tensor) -> Tensor:
        """Return logarithms of probabilities, but for a constant, of outputs (..., n_classes)."""
        scales, offsets = (torch.from_numpy(one).to(outputs.device) for one in (self.scales, self.offsets))
        return (outputs - 1 / outputs.shape[-1]) * scales / self.temperature + offsets


class LeaveOneOut:
    """The regression on one-hot labels whose left-out likelihood is highest, and what it says with samples left out."""

    name = "leave_one_out"

    def __init__(
        self,
        factors: Factors,
        labels: Tensor,
        n_classes: int,
        groups: NDArray[np.int64] | None = None,
        choice: Choice | None = None,
    ) -> None:
        self.factors, self.labels, self.n_classes = factors, labels.to(factors.device), n_classes
        self.blocks = [np.arange(len(labels))[:, None]] if groups is None else blocks_of(groups)
        self.mean = self.labels.bincount(minlength=n_classes).double() / len(labels)
        self.solved = factors.times(lambda rows: self.targets(rows) - self.mean)
        self.choice = self._chosen() if choice is None else choice

    def targets(self, index: slice | Tensor) -> Tensor:
        """Return one-hot labels of samples."""
        return one_hot(self.labels[index], self.n_classes).double()

    def parts(self) -> Iterator[tuple[NDArray[np.int64], Tensor, Tensor]]:
        """Yield positions of samples, and log-probabilities of all classes with them left out, and with them in."""
        values = self.factors.values + self.choice.penalty
        rows = max(1, CHUNK_BYTES // (8 * max(1, len(values))))
        for block in self.blocks:
            for part in _split(block, rows):
                left_out, fitted = self._outputs(part, values[:, None])
                yield part.ravel(), self._log(left_out), self._log(fitted)

    def _log(self, outputs: Tensor) -> Tensor:
        return self.choice.logits(outputs[0].flatten(0, 1)).log_softmax(1)

    def coefficients(self) -> Tensor:
        """Return weights of the standardized features, shape (n_features, n_classes); the intercept is ``mean``."""
        return self.factors.weights(self.solved / (self.factors.values + self.choice.penalty)[:, None])

    def _outputs(self, block: NDArray[np.int64], values: Tensor) -> tuple[Tensor, Tensor]:
        """Return the outputs for blocks of samples left out, and with them, for each column of penalized eigenvalues.

        ``block`` has shape (n_blocks, size), ``values`` (rank, n_penalties), and either output
        (n_penalties, n_blocks, size, n_classes).
        """
        n_blocks, size = block.shape
        n, shrunk = len(self.labels), 1 / values
        p = self.factors.projected(block.ravel())
        # one product for all penalties
        fitted = p @ (shrunk[:, :, None] * self.solved[:, None]).flatten(1)
        fitted = self.mean + fitted.reshape(n_blocks, size, -1, self.n_classes).permute(2, 0, 1, 3)
        targets = self.targets(torch.from_numpy(block).to(self.factors.device))
        residual = targets - fitted
        if size == 1:
            leverage = (p.square() @ shrunk + 1 / n).T
            return targets - residual / (1 - leverage)[:, :, None, None], fitted
        p = p.reshape(n_blocks, size, -1)
        eye = torch.eye(size, dtype=p.dtype, device=p.device)
        each = (torch.linalg.solve(eye - (p * s) @ p.mT - 1 / n, r) for s, r in zip(shrunk.T, residual, strict=True))
        return targets - torch.stack(list(each)), fitted

    def _chosen(self) -> Choice:
        """Return the penalty and the temperature by which labels left out are most likely."""
        penalties, some = self.factors.penalties, _some(self.blocks, N_CHOOSING)
        values = self.factors.values[:, None] + penalties
        rows = max(1, CHUNK_BYTES // (8 * max(len(values), len(penalties) * self.n_classes)))
        parts = [part for block in some for part in _split(block, rows)]
        outputs = torch.cat([self._outputs(part, values)[0].flatten(1, 2) for part in parts], 1)
        labels = self.labels[torch.from_numpy(np.concatenate([part.ravel() for part in parts])).to(outputs.device)]
        temperatures, likelihoods = temperatures_of(outputs, labels)
        best = int(likelihoods.argmax())
        plain = Choice(float(penalties[best]), float(temperatures[best]), float(likelihoods[best]))
        fine = calibrated(plain.logits(outputs[best]), labels)
        return plain._replace(scales=fine.factors, offsets=fine.offsets, likelihood=fine.likelihood)


def temperatures_of(outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the temperature by which outputs make labels most likely, and the mean log-probability that they get.

    ``outputs`` has shape (n_penalties, n_samples, n_classes); either result has an entry for each penalty.
    """
    at = labels.expand(len(outputs), -1)[:, :, None]
    own, steepness = outputs.gather(2, at), outputs.new_ones(len(outputs), 1, 1)
    for _ in range(N_NEWTON):
        p = (steepness * outputs).softmax(2)
        mean = (p * outputs).sum(2, keepdim=True)
        slope, curved = (own - mean).mean(1, keepdim=True), (p * (outputs - mean).square()).sum(2, keepdim=True)
        step = slope / curved.mean(1, keepdim=True).clamp(min=1e-12)
        step = torch.minimum(torch.maximum(step, -steepness / 2), steepness)
        steepness = (steepness + step).clamp(1e-3, 1e4)
        if bool((step.abs() < 1e-6 * steepness).all()):
            break
    likelihood = (steepness * outputs).log_softmax(2).gather(2, at).mean((1, 2))
    return 1 / steepness.flatten(), likelihood


def blocks_of(groups: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the positions of the members of groups: an array for each size of group, a row for each group."""
    _, code, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    members = np.split(np.argsort(code, kind="stable"), sizes.cumsum()[:-1])
    return [np.array([own for own in members if len(own) == size]) for size in np.unique(sizes)]


def _some(blocks: Sequence[NDArray[np.int64]], n: int) -> list[NDArray[np.int64]]:
    """Return blocks of about ``n`` samples in all, drawn from each size in proportion."""
    total, rng = sum(block.size for block in blocks), np.random.default_rng(0)
    if total <= n:
        return list(blocks)
    return [block[rng.permutation(len(block))[: math.ceil(len(block) * n / total)]] for block in blocks]


def _split(block: NDArray[np.int64], n_samples: int) -> Iterator[NDArray[np.int64]]:
    """Yield rows of a block, some samples at a time."""
    step = max(1, n_samples // block.shape[1])
    yield from (block[start : start + step] for start in range(0, len(block), step))

"""What all other samples say of a label, exactly and in closed form: ridge regressions on features.

What each regression on one-hot labels would predict for a sample, or for a group of samples, had it been fitted without
them, comes out of one factorization of the smaller of the two Gram matrices. Nothing is trained.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import one_hot

from curvdetect.data.types import Array
from curvdetect.signals.calibration import calibrated
from curvdetect.signals.factors import Factors
from curvdetect.signals.ridge import OverColumns, OverSamples, Regression

#: Samples by whose likelihood penalties are compared, and temperature, factors and offsets chosen, at most.
N_COMPARING, N_CHOOSING = 2000, 5000
#: Columns that are alike by which penalties are compared, about: with twice as many or more, by some of them.
N_COLUMNS = 1000
#: Samples on which penalties from all over are tried, at most: each of so many, then those around the best. With more
#: samples, those around the best of these are tried again.
N_FIRST, STRIDE = 600, 4
#: Steps of Newton's method for the temperature, more than it ever took.
N_NEWTON = 50


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
    """The regression on one-hot labels whose left-out likelihood is highest, and what it says with samples left out.

    Where columns are ``alike``, as those of patches drawn at random, some of many choose the penalty for all.
    """

    name = "leave_one_out"

    def __init__(
        self,
        factors: Factors,
        labels: Tensor,
        n_classes: int,
        groups: NDArray[np.int64] | None = None,
        choice: Choice | None = None,
        *,
        alike: bool = False,
    ) -> None:
        self.factors, self.labels, self.n_classes = factors, labels.to(factors.device), n_classes
        self.groups, self.alike = groups, alike
        self.blocks = [np.arange(len(labels))[:, None]] if groups is None else blocks_of(groups)
        self.mean = self.labels.bincount(minlength=n_classes).double() / len(labels)
        self._known: dict[bytes, tuple[Tensor, Tensor]] = {}
        self._times = None if factors.over_samples else factors.times(self.targets)
        self.choice, self.regression = self._chosen() if choice is None else (choice, self._regression(choice.penalty))

    def targets(self, index: slice | Tensor) -> Tensor:
        """Return one-hot labels of samples, less their mean."""
        return one_hot(self.labels[index], self.n_classes) - self.mean

    def parts(self) -> Iterator[tuple[NDArray[np.int64], Tensor, Tensor]]:
        """Yield positions of samples, and log-probabilities of all classes with them left out, and with them in.

        Of several processes each yields those of its share.
        """
        share = self.factors.share
        for block in self.blocks:
            for part in self._split(block[share.of(torch.arange(len(block))).numpy()]):
                left_out, fitted = self._known.get(part.tobytes()) or self._outputs(self.regression, part)
                yield part.ravel(), self._log(left_out), self._log(fitted)

    def coefficients(self) -> Tensor:
        """Return weights of the standardized features, shape (n_features, n_classes); the intercept is ``mean``."""
        return self.regression.weights()

    def _log(self, outputs: Tensor) -> Tensor:
        return self.choice.logits(outputs).log_softmax(1)

    def _regression(self, penalty: float) -> Regression:
        if self._times is not None:
            return OverColumns(self.factors, penalty, self._times)
        return OverSamples(self.factors, penalty, self.targets(slice(None)))

    def _outputs(self, regression: Regression, blocks: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Return the outputs for blocks of samples left out, and with them, shape (n_samples, n_classes)."""
        targets = self.targets(torch.from_numpy(blocks).to(self.factors.device))
        residual, matrices = regression.of(blocks, targets)
        # of the mean, too, the samples had a part
        matrices = matrices - 1 / len(self.labels)
        left_out = residual / matrices if blocks.shape[1] == 1 else torch.linalg.solve(matrices, residual)
        given = self.mean + targets
        return (given - left_out).flatten(0, 1), (given - residual).flatten(0, 1)

    def _chosen(self) -> tuple[Choice, Regression]:
        """Return the choice by which labels left out are most likely, and the regression."""
        penalty, kept = self._compared()
        outputs, labels = self._some_left_out(kept, N_CHOOSING, self._known)
        plain = Choice(penalty, *temperature_of(outputs, labels))
        scales, offsets, likelihood = calibrated(plain.logits(outputs), labels)
        told = self.factors.of_first([*plain[:2], likelihood, *scales, *offsets])
        first, temperature, likelihood = told[:3]
        choice = Choice(first, temperature, likelihood, *np.split(np.array(told[3:]), 2))
        if first == penalty:
            return choice, kept
        self._known.clear()
        return choice, self._regression(first)

    def _compared(self) -> tuple[float, Regression]:
        """Return the penalty by which labels left out are most likely, and its regression."""
        if self.alike and not self.factors.over_samples and len(self.factors.scale) >= 2 * N_COLUMNS:
            some = self.factors.of_some(N_COLUMNS)
            if some.gram.trace() > 0:
                # in proportion to the sum of the squares of the columns, it stays the same
                ratio = float(self.factors.gram.trace() / some.gram.trace())
                found = LeaveOneOut(some, self.labels, self.n_classes, self.groups).choice.penalty
                penalty = max(ratio * found, float(self.factors.penalties[0]))
                return penalty, self._regression(penalty)
        penalties, likelihoods, temperature = self.factors.penalties.tolist(), dict[int, float](), 1.0
        step, wanted = STRIDE, list(range(0, len(penalties), STRIDE))
        if len(self.labels) > N_FIRST:
            first = self._first_penalty()
            step, wanted = 1, [min(range(len(penalties)), key=lambda at: abs(math.log(penalties[at] / first)))]
        while wanted or step > 1:
            for at in wanted:
                regression = self._regression(penalties[at])
                left_out = self._some_left_out(regression, N_COMPARING)
                temperature, likelihoods[at] = temperature_of(*left_out, start=temperature)
                best = max(likelihoods, key=lambda at: likelihoods[at])
                if best == at:
                    kept = regression
            step = max(1, step // 2)
            wanted = [at for at in (best - step, best + step) if 0 <= at < len(penalties) and at not in likelihoods]
        return penalties[best], kept

    def _first_penalty(self) -> float:
        """Return the penalty that some of the samples choose, at most one of each group."""
        alone = np.concatenate([block[:, 0] for block in self.blocks])
        some = np.sort(np.random.default_rng(0).permutation(alone)[:N_FIRST])
        factors = Factors(self.factors.rows(some).cpu().numpy(), self.factors.device)
        return LeaveOneOut(factors, self.labels[torch.from_numpy(some)], self.n_classes).choice.penalty

    def _some_left_out(
        self, regression: Regression, n: int, known: dict[bytes, tuple[Tensor, Tensor]] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return outputs for about ``n`` samples left out, and their labels; ``known`` takes those of each part."""
        parts = [part for block in _some(self.blocks, n) for part in self._split(block)]
        found = {part.tobytes(): self._outputs(regression, part) for part in parts}
        outputs = torch.cat([left_out for left_out, _ in found.values()])
        if known is not None:
            known |= found
        index = torch.from_numpy(np.concatenate([part.ravel() for part in parts])).to(outputs.device)
        return outputs, self.labels[index]

    def _split(self, blocks: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """Yield some blocks of one size at a time."""
        step = self.factors.at_once(self.factors.features.shape[1] * blocks.shape[1])
        yield from (blocks[start : start + step] for start in range(0, len(blocks), step))


def temperature_of(outputs: Tensor, labels: Tensor, start: float = 1.0) -> tuple[float, float]:
    """Return the temperature by which outputs make labels most likely, and the mean log-probability that they get."""
    at = labels[:, None]
    own, steepness = outputs.gather(1, at).mean(), outputs.new_tensor(1 / start)
    for _ in range(N_NEWTON):
        p = (steepness * outputs).softmax(1)
        mean = (p * outputs).sum(1, keepdim=True)
        slope, curved = own - mean.mean(), (p * (outputs - mean).square()).sum(1).mean()
        step = torch.clamp(slope / curved.clamp(min=1e-12), -steepness / 2, steepness)
        before, steepness = steepness, (steepness + step).clamp(1e-3, 1e4)
        if (steepness - before).abs() < 1e-6 * steepness:
            break
    likelihood = (steepness * outputs).log_softmax(1).gather(1, at).mean()
    return float(1 / steepness), float(likelihood)


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

"""What is said of each label by something fitted without its sample: a ridge regression on features, and a forest.

Nothing is trained, and no label is said anything of by a model that has seen it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import issparse
from scipy.special import log_softmax
from sklearn.base import TransformerMixin, clone

from curvdetect.data.inputs import check_finite
from curvdetect.data.isolation import spread
from curvdetect.data.samples import Samples
from curvdetect.data.types import Array, Record
from curvdetect.detectors.probabilities import Passed
from curvdetect.detectors.trees import READ_BYTES, Forest, rows_of
from curvdetect.features.patches import PatchFeatures
from curvdetect.features.radial import RadialBasis, SquareRoots
from curvdetect.signals.factors import Factors
from curvdetect.signals.leave_one_out import LeaveOneOut
from curvdetect.training.in_step import check_same
from curvdetect.training.ranks import by_first, ranks_here

#: Samples on which features are compared, at most, and bytes of features that are held at once.
N_TRIED, HELD_BYTES = 600, 2**31
#: Pictures with a shorter side have no patches worth the name, and are taken as rows.
LEAST_SIDE = 4
#: Pictures that are looked at to see whether they show anything.
N_LOOKED_AT = 100
#: Widths of radial basis functions.
WIDTHS = (0.3, 1.0, 3.0)
#: Samples or columns, whichever are fewer, up to which the numbers of rows are taken as they are.
N_FACTORIZED = 5000
#: Least and most landmarks of the radial basis, a quarter of the samples between.
N_LANDMARKS = 500, 1000
#: Filters of `PatchFeatures`, at most.
N_FILTERS = 200
#: How far the likelihood must speak for weights other than equal ones.
PRIOR = 0.01


class Witness(Protocol):
    """Something that was fitted to all samples, and knows what it would say of each without it."""

    left_out: NDArray[np.float64]
    """Log-probabilities of all classes, shape (n_samples, n_classes); a file does not keep them."""

    def says(self, samples: Samples, device: torch.device) -> NDArray[np.float64]:
        """Return log-probabilities for samples that were not fitted."""


class Ridge:
    """The ridge regression on features whose left-out likelihood is highest."""

    def __init__(
        self, samples: Samples, features: object, groups: NDArray[np.int64] | None, device: torch.device, seed: int
    ) -> None:
        device = _with_float64(device)
        best: LeaveOneOut | None = None
        ranks = ranks_here()
        if ranks.size > 1:
            check_same(ranks, samples)
        for kind, transformer in finalists(samples, features, groups, device, seed).items():
            own = None if transformer is None else clone(transformer)
            features_of_all = featurized(own, samples, device, fit=True)
            factors = Factors(features_of_all, device, ranks if ranks.size > 1 else None, ranks.share)
            alike = isinstance(own, PatchFeatures)
            ridge = LeaveOneOut(factors, samples.labels, len(samples.classes), groups, alike=alike)
            if best is None or ridge.choice.likelihood > best.choice.likelihood:
                best, self.kind, self.transformer = ridge, kind, own
        assert best is not None
        ridge, factors = best, best.factors
        self.choice = ridge.choice
        # zeros where another process fills in
        said = torch.zeros(len(samples), len(samples.classes), dtype=torch.float64)
        memorization = said.new_zeros(len(samples))
        for index, left_out, fitted in ridge.parts():
            rows = torch.from_numpy(index)
            label = samples.labels[rows][:, None].to(device)
            said[rows] = left_out.cpu()
            memorization[rows] = (fitted.exp() - left_out.exp()).gather(1, label)[:, 0].cpu()
        ranks.sum(said, memorization)
        self.left_out, self.memorization = said.numpy(), memorization.numpy()
        # of the features as they are, rather than standardized
        weights = ridge.coefficients() * factors.scale[:, None]
        self.weights = weights.cpu().numpy() * (self.choice.scales / self.choice.temperature)
        self.intercept = self.choice.logits(ridge.mean - factors.center @ weights).cpu().numpy()

    def __getstate__(self) -> Record:
        """Return what new samples need; the transformer, which may be of any kind, first."""
        return {name: getattr(self, name) for name in ("transformer", "weights", "intercept")}

    def says(self, samples: Samples, device: torch.device) -> NDArray[np.float64]:
        """Return log-probabilities for samples that were not fitted."""
        features = featurized(self.transformer, samples, _with_float64(device))
        found: NDArray[np.float64] = log_softmax(features @ self.weights + self.intercept, axis=1)
        return found


def _with_float64(device: torch.device) -> torch.device:
    """Return the device, or the CPU in place of Apple's, which know no float64."""
    return torch.device("cpu") if device.type == "mps" else device


def automatic(samples: Samples) -> list[str]:
    """Return the names of the witnesses for samples of their shape."""
    names = ["leave_one_out", "out_of_bag"] if len(samples.shape) == 1 else ["leave_one_out"]
    return names if samples.pred_probs is None else [*names, "pred_probs"]


def witness_of(name: str, samples: Samples, device: torch.device, seed: int) -> Witness:
    """Return the witness of a name, fitted."""
    if name == "pred_probs":
        return Passed(samples)
    return Forest(samples, seed) if name == "out_of_bag" else Ridge(samples, "auto", None, device, seed)


def judged(said: NDArray[np.float64], labels: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return minus the log-probability of each given label, and the most probable other one."""
    rows, others = np.arange(len(labels)), said.copy()
    others[rows, labels] = -np.inf
    return -said[rows, labels], others.argmax(1)


def accuracy_of(said: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Return the share of the labels that are the most probable."""
    return float((said.argmax(1) == labels).mean())


def pooled(
    said: Mapping[str, NDArray[np.float64]], labels: NDArray[np.int64]
) -> tuple[NDArray[np.float64], dict[str, float]]:
    """Return a weighted sum of log-probabilities, and its weights: those by which the labels are most likely.

    Their mean is 1. A witness that knows little has a small one.
    """
    if len(said) == 1:
        return next(iter(said.values())), dict.fromkeys(said, 1.0)
    each = np.stack(list(said.values()))
    rows, start = np.arange(len(labels)), np.full(len(each), -np.log(len(each)))

    def unlikely(logarithms: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights, drawn = np.exp(logarithms), logarithms - start
        together = log_softmax(np.tensordot(weights, each, 1), axis=1)
        expected = (np.exp(together) * each).sum(2).mean(1)
        slope = weights * (expected - each[:, rows, labels].mean(1)) + 2 * PRIOR * drawn
        return float(PRIOR * drawn @ drawn - together[rows, labels].mean()), slope

    weights = np.exp(minimize(unlikely, start, jac=True, method="L-BFGS-B", bounds=[(-6, 3)] * len(each)).x)
    weights *= len(each) / weights.sum()
    return np.tensordot(weights, each, 1), dict(zip(said, weights.tolist(), strict=True))


def finalists(
    samples: Samples, features: object, groups: NDArray[np.int64] | None, device: torch.device, seed: int
) -> dict[str, TransformerMixin | None]:
    """Return what makes features to be compared on all samples, by name: of each kind, the best on some of them."""
    if not isinstance(features, str):
        return {type(features).__name__: features}
    if features == "linear":
        return {"linear": None}
    part, kinds = _some(samples, groups, seed), candidates(samples, seed)
    if len(part) == len(samples):
        kinds = [{name: made for kind in kinds for name, made in kind.items()}]
    found = {}
    for kind in kinds:
        best = next(iter(kind)) if len(kind) == 1 else by_first(partial(_likeliest, kind, part, device))
        found[best] = kind[best]
    return found


def _likeliest(kind: dict[str, TransformerMixin | None], samples: Samples, device: torch.device) -> str:
    """Return the name of the features by which the labels are most likely."""
    return max(kind, key=lambda name: _likelihood(kind[name], samples, device))


def _likelihood(transformer: TransformerMixin | None, samples: Samples, device: torch.device) -> float:
    """Return the left-out likelihood of the labels by features."""
    made = None if transformer is None else clone(transformer)
    factors = Factors(featurized(made, samples, device, fit=True), device)
    return LeaveOneOut(factors, samples.labels, len(samples.classes)).choice.likelihood


def _some(samples: Samples, groups: NDArray[np.int64] | None, seed: int) -> Samples:
    """Return samples by which features are chosen, at most one of each group."""
    index = np.random.default_rng(seed).permutation(len(samples))
    if groups is not None:
        index = index[np.sort(np.unique(groups[index], return_index=True)[1])]
    return samples.only(torch.from_numpy(np.sort(index[:N_TRIED])))


def candidates(samples: Samples, seed: int) -> list[dict[str, TransformerMixin | None]]:
    """Return kinds of features for samples of their shape, by name; None takes the numbers as they are."""
    n, seed = len(samples), seed % 2**32
    if is_pictures(samples):
        n_filters = int(np.clip(HELD_BYTES // (4 * 18 * n), 1, N_FILTERS))
        made = {"patches": False, "mirrored patches": True}
        return [
            {
                name: PatchFeatures(n_filters=n_filters, mirrored=mirrored, random_state=seed)
                for name, mirrored in made.items()
            }
        ]
    n_landmarks = int(np.clip(HELD_BYTES // (4 * n), 1, np.clip(n // 4, *N_LANDMARKS)))
    radial = [RadialBasis(width=width, n_landmarks=n_landmarks, random_state=seed) for width in WIDTHS]
    kinds: list[dict[str, TransformerMixin | None]] = [{f"radial basis, width {one.width:g}": one for one in radial}]
    if min(n, torch.Size(samples.shape).numel()) > N_FACTORIZED:
        return kinds
    if all(bool((x >= 0).all()) for x in samples.in_chunks(READ_BYTES)):
        kinds.append({"square roots": SquareRoots()})
    return [{"linear": None}, *kinds]


def is_pictures(samples: Samples) -> bool:
    """Say whether samples have patches that differ."""
    if len(samples.shape) != 3 or min(samples.shape[1:]) < LEAST_SIDE:
        return False
    few = samples.batch(spread(len(samples), N_LOOKED_AT))
    return bool((few.amax((2, 3)) > few.amin((2, 3))).any())


def featurized(
    transformer: TransformerMixin | None, samples: Samples, device: torch.device, *, fit: bool = False
) -> Array:
    """Return the features of samples, shape (n_samples, n_features)."""
    if transformer is None:
        return rows_of(samples)
    if isinstance(transformer, PatchFeatures):
        transformer.set_params(device=str(device))
        return transformer.fit_transform(samples) if fit else transformer.transform(samples)
    inputs = rows_of(samples).reshape(len(samples), *samples.shape)
    if fit:
        transformer.fit(inputs, samples.labels.numpy())
    step = max(1, READ_BYTES // (8 * N_LANDMARKS[1]))
    parts = (transformer.transform(inputs[at : at + step]) for at in range(0, len(inputs), step))
    dense = (part.toarray() if issparse(part) else np.asarray(part) for part in parts)
    features = np.concatenate([_flat(part).astype(np.float32, copy=False) for part in dense])
    name = type(transformer).__name__
    if len(features) != len(inputs) or not features.shape[1]:
        raise ValueError(
            f"features={name} returned {features.shape[1]} column(s) for {len(features)} samples of {len(inputs)}. It "
            "has to return a row of numbers for each sample."
        )
    check_finite(features, features, f"X, as features={name} returns it,", first=0)
    return features


def _flat(samples: Array) -> Array:
    """Return a row for each sample."""
    return samples.reshape(len(samples), -1)

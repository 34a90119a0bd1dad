"""How many labels are wrong, which ``q="auto"`` flags: plant wrong ones, train once more, and count the others.

Where it is known what is said of samples that were left out, nothing is trained: `left_out_rate` counts then.

Planted labels are of use as far as they are like the wrong ones. They follow the confusions among the samples that the
first training found suspect: uniform noise gets uniform ones, cats called dogs get more of these.

A network treats labels planted wrong at random places like those that were wrong before. Scores are counted in
categories that hold a tenth of the planted labels each, by rank, with ties in one. With f1 and f0 for the shares of
wrong and of right labels in the categories, h for ``healed`` and p for the rate, planted labels follow
(1 - h p) f1 + h p f0, and all others p f1 + (1 - p) f0. Any f1 is possible. f0 is binormal, the model of ROC curves of
Dorfman and Alf (1969): on the scale on which wrong labels are standard normal, right ones are normal with a lower mean
and a spread of their own. A sampler draws f1 by the planted labels and those found wrong, p and the binormal's two
parameters by all others, and which labels are wrong.

The interval covers the finite number of planted labels, which samples are wrong, and the tail of the right ones. It
needs no term for the training, since planted and other wrong labels went through the same one. It rests on the two
being alike. Counting takes half a second, four times that for two classes, whatever the number of samples.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import gammaln, ndtr, ndtri
from sklearn.exceptions import ConvergenceWarning

from curvdetect.data.noise import CorruptedLabels
from curvdetect.data.samples import Samples
from curvdetect.detectors.left_out_rate import wrong_left_out
from curvdetect.detectors.measured import Measured, derived_seed, one_run
from curvdetect.detectors.ranking import n_flagged
from curvdetect.training.settings import Settings

if TYPE_CHECKING:
    from curvdetect.detectors.base import BaseNoiseDetector

#: Share of the labels that is planted, unless that is less than `AT_LEAST` and than a quarter of them.
SHARE, AT_LEAST = 0.1, 20
#: An interval wider than this is warned of.
VAGUE = 0.25
#: Samples that may be added to each row of confusions; the largest make it even.
ADDED = tuple(2.0**k for k in range(-3, 11))
TINY = 1e-12
#: Categories of equal numbers of planted labels that scores are counted in.
N_CATEGORIES = 10
#: Chains of the sampler, how many are worked on at once, their steps, and how many of these count.
N_CHAINS, N_AT_ONCE, N_STEPS, N_KEPT = 128, 32, 8, 4
#: Where planting makes that share of the wrong labels right, as with two classes, a step moves little: there are four
#: times as many.
SLOW = 0.5
#: Each step leaves the grid of rates by as many steps of its own.
N_WITHIN = 5
#: Beta prior of the rate. Where scores say nothing it is all there is, and its median is near a tenth.
PRIOR = (0.5, 2.0)
#: Grid of rates, of which none above `MOST` is proposed; and of the distance and spread of right labels on the
#: scale on which wrong ones are standard normal. The logarithm of the spread is normal about zero: far above 1, the
#: highest scores of all would be right labels'.
RATES, MOST = np.geomspace(1e-4, 0.95, 32), 0.5
DISTANCES = np.linspace(0, 7, 29)
SPREADS, SPREAD_OF_SPREADS = np.exp(np.linspace(-0.5, 0.1, 7)), 0.2


class NoiseRate(NamedTuple):
    """Share of wrong labels, and how well it is known: the median of the posterior and the ends of an interval."""

    rate: float
    low: float
    high: float


def find_rate(detector: BaseNoiseDetector, samples: Samples, measured: Measured, settings: Settings) -> int:
    """Return how many samples to flag; the rate, and what ended the second training early, go into ``measured``."""
    found, started = NoiseRate(np.nan, 0.0, 1.0), perf_counter()
    try:
        if measured.interrupt is None:
            found = _rate(detector, samples, measured, settings)
    except (KeyboardInterrupt, Exception) as error:
        measured.interrupt = error
    if found.high - found.low > VAGUE and measured.interrupt is None:
        warnings.warn(
            f"q='auto': the share of wrong labels is somewhere between {found.low:.1%} and {found.high:.1%}, since "
            f"planted wrong labels score much like the others or are few. {found.rate:.1%} are flagged. Pass q as a "
            "number, or a net or features that tell them apart.",
            UserWarning,
            stacklevel=3,
        )
    if "seconds_" in measured.attributes:
        measured.attributes["seconds_"]["noise_rate"] = perf_counter() - started
    measured.attributes["noise_rate_"] = found.rate
    measured.attributes["noise_rate_interval_"] = (found.low, found.high)
    n_scored = samples.n_scored
    return n_flagged("auto", n_scored) if np.isnan(found.rate) else int(found.rate * n_scored + 0.5)


def _rate(detector: BaseNoiseDetector, samples: Samples, measured: Measured, settings: Settings) -> NoiseRate:
    """Return the rate among the samples that are scored, by what is said of them left out, or by a second training.

    That one is on a copy with planted wrong labels. The loss separates best, whatever is ranked by.
    """
    labels = samples.labels.numpy()
    scored = np.arange(len(labels)) if samples.scored is None else samples.scored.numpy()
    if measured.left_out is not None:
        seed = derived_seed(settings.seed, 0, 2)
        return _summary(wrong_left_out(measured.left_out, labels, scored, seed=seed))
    found = measured.only(scored)
    scores = found.signal_scores.get("loss")
    suspects = suspicious(detector._score(found) if scores is None else scores)
    given, other = labels[scored][suspects], found.other[suspects]
    confusions = confused(given, other, len(samples.classes))
    seeds = [derived_seed(settings.seed, 0, part) for part in range(4)]
    planted = CorruptedLabels(labels.copy(), np.zeros(len(labels), dtype=np.bool_))
    # for themselves, so that some are planted among however few are scored
    for rows, own_seed in ((scored, seeds[0]), (np.setdiff1d(np.arange(len(labels)), scored), seeds[3])):
        if len(rows):
            some = plant_like(labels[rows], confusions, n_planted(len(rows)), seed=own_seed)
            planted.labels[rows], planted.mask[rows] = some
    twin = replace(samples, labels=torch.from_numpy(planted.labels))
    with warnings.catch_warnings():
        # the first training, of the same length, has said it already
        warnings.simplefilter("ignore", ConvergenceWarning)
        plain = replace(
            settings,
            seed=seeds[1],
            patience=1,
            every="auto",
            progress=settings.progress and "planted labels",
            checkpoints=settings.checkpoints.part("planted"),
            keep_snapshots=0,
        )
        again = one_run(twin, [], plain)
    if again.interrupt is not None:
        raise again.interrupt
    healed = float(confusions[given, other].mean())
    return noise_rate(again.signal_scores["loss"][scored], planted.mask[scored], healed=healed, seed=seeds[2])


def n_planted(n_samples: int) -> int:
    """Return how many labels to plant among ``n_samples``."""
    return max(1, int(SHARE * n_samples + 0.5), min(AT_LEAST, n_samples // 4))


def suspicious(scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return the upper of the two groups that scores fall into with the least variance within (Otsu's method).

    It is a rough guess, good enough to tell which classes are confused, and never empty.
    """
    ordered = np.sort(scores)
    size = np.arange(1, len(ordered))
    lower = ordered.cumsum()[:-1] / size
    upper = (ordered.sum() - lower * size) / size[::-1]
    cut = np.argmax(size * size[::-1] * (upper - lower) ** 2)
    return scores >= ordered[cut + 1]


def confused(given: NDArray[np.int64], other: NDArray[np.int64], n_classes: int) -> NDArray[np.float64]:
    """Return how often samples of each class were given each other label: rows sum to 1, the diagonal is zero.

    Rows are drawn towards even ones, the more so the more they look like draws from such: each gets as many samples
    more, spread evenly, as make the table most likely (the concentration of a Dirichlet-multinomial distribution).
    """
    table = np.zeros((n_classes, n_classes))
    np.add.at(table, (other, given), 1)
    off = ~np.eye(n_classes, dtype=np.bool_)
    added = max(ADDED, key=lambda total: _log_likelihood(table[off].reshape(n_classes, -1), total))
    table[off] += added / (n_classes - 1)
    return table / table.sum(1, keepdims=True)


def _log_likelihood(table: NDArray[np.float64], total: float) -> float:
    """Return that of rows of counts under an even Dirichlet-multinomial distribution, but for a constant."""
    each = total / table.shape[1]
    rows = (gammaln(total) - gammaln(total + table.sum(1))).sum()
    return float(rows + (gammaln(each + table) - gammaln(each)).sum())


def plant_like(labels: NDArray[np.int64], confusions: NDArray[np.float64], n: int, *, seed: int) -> CorruptedLabels:
    """Return labels of which exactly ``n`` were changed, spread over the classes by their size.

    ``confusions`` holds, in the row of a given label, the probability of each that it may become.
    """
    rng = np.random.default_rng(seed)
    by_class = np.lexsort((rng.random(len(labels)), labels))
    places = by_class[((np.arange(n) + rng.random()) * len(labels) / n).astype(np.int64)]
    changed, mask = labels.copy(), np.zeros(len(labels), dtype=np.bool_)
    reached = confusions[labels[places]].cumsum(1)
    # the last label may be reached a rounding error below 1
    changed[places] = (rng.random((n, 1)) * reached[:, -1:] >= reached).sum(1)
    mask[places] = True
    return CorruptedLabels(changed, mask)


def noise_rate(
    scores: NDArray[np.float64], planted: NDArray[np.bool_], *, healed: float = 0.0, level: float = 0.95, seed: int
) -> NoiseRate:
    """Return the share of labels that were wrong before some were planted, from the order of scores.

    ``healed`` is the probability that planting made a wrong label right: 1 for two classes.
    """
    return _summary(wrong_counts(*counts(scores, planted), healed=healed, seed=seed) / len(scores), level)


def _summary(draws: NDArray[np.float64], level: float = 0.95) -> NoiseRate:
    """Return the median of draws from the posterior, and the interval that holds a share of them."""
    tail = (1 - level) / 2
    low, rate, high = np.quantile(draws, [tail, 0.5, 1 - tail])
    return NoiseRate(float(rate), float(low), float(high))


def counts(scores: NDArray[np.float64], planted: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return how many planted and how many other samples there are in each category, the least suspect first."""
    shares = np.arange(1, N_CATEGORIES) / N_CATEGORIES
    edges = np.unique(np.quantile(scores[planted], shares, method="inverted_cdf"))
    category = np.searchsorted(edges, scores, side="right")
    known, rest = (np.bincount(category[which], minlength=len(edges) + 1) for which in (planted, ~planted))
    return known, rest


def wrong_counts(known: NDArray[np.int64], rest: NDArray[np.int64], *, healed: float, seed: int) -> NDArray[np.float64]:
    """Return draws from the posterior of the number of labels that were wrong before planting."""
    rng = np.random.default_rng(seed)
    wrong = np.zeros((N_CHAINS, len(known)), dtype=np.int64)  # at first, only planted ones are known to be
    became_right = rng.binomial(known, _share(*_unmixed(known, rest, healed)), size=wrong.shape)
    draws = []
    for _ in range(N_STEPS if healed < SLOW else 4 * N_STEPS):
        f1 = rng.standard_gamma(known - became_right + wrong + 1 / len(known))
        f1 = (f1 / f1.sum(1, keepdims=True)).clip(TINY)
        parts = [_fitted(rest, part, rng) for part in np.split(f1, N_CHAINS // N_AT_ONCE)]
        rate, f0 = (np.concatenate(each) for each in zip(*parts, strict=True))
        for _ in range(N_WITHIN):
            wrong = rng.binomial(rest, _share(rate, f1, f0))
            total = wrong.sum(1, keepdims=True)
            rate = rng.beta(PRIOR[0] + total, PRIOR[1] + rest.sum() - total)
        became_right = rng.binomial(known, _share(healed * rate, f0, f1))
        # labels that were planted over had been wrong as often as others
        draws.append(total + rng.binomial(known.sum(), rate))
    return np.concatenate(draws[-N_KEPT:]).ravel().astype(np.float64)


def _unmixed(
    known: NDArray[np.int64], rest: NDArray[np.int64], healed: float
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Return a guess at what share of the planted labels became right, and at how right and wrong ones score."""
    half = len(known) // 2
    planted, others = known / known.sum(), rest / rest.sum()
    ratio = others[half:].sum() / planted[half:].sum()  # were none of these right, rate / (1 - healed * rate)
    rate = ratio / (1 + healed * ratio)
    f1 = ((1 - rate) * planted - healed * rate * others).clip(TINY)
    f0 = ((1 - healed * rate) * others - rate * planted).clip(TINY)
    return healed * rate, f0 / f0.sum(), f1 / f1.sum()


def _fitted(
    rest: NDArray[np.int64], f1: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a rate and shares of right labels for each draw of ``f1``, from their posterior on the grid."""
    distance, spread = (grid.ravel() for grid in np.meshgrid(DISTANCES, SPREADS))
    edges = ndtri(f1.cumsum(1)[:, :-1].clip(TINY, 1 - TINY))
    below = ndtr((edges[:, None] + distance[:, None]) / spread[:, None])
    f0 = np.diff(below, prepend=0, append=1).clip(TINY)
    rates = RATES[:, None, None]
    prior = (PRIOR[0] * np.log(RATES) + (PRIOR[1] - 1) * np.log1p(-RATES))[:, None]  # of the logarithm of the rate
    prior = prior - (np.log(spread) / SPREAD_OF_SPREADS) ** 2 / 2
    prior[RATES > MOST] = -np.inf
    fit = np.log(rates * f1[:, None, None] + (1 - rates) * f0[:, None]) @ rest + prior
    flat = fit.reshape(len(f1), -1)
    at, which = np.divmod((flat + rng.gumbel(size=flat.shape)).argmax(1), len(distance))  # with probability exp(fit)
    return RATES[at, None], f0[np.arange(len(f1)), which]


def _share(
    rate: float | NDArray[np.float64], of: NDArray[np.float64], others: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the share of one kind, of which there is ``rate`` in all, in each category."""
    return rate * of / (rate * of + (1 - rate) * others)

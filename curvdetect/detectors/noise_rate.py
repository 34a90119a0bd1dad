"""How many labels are wrong, from scores of samples some of which are known to be.

Labels planted wrong at random places are, to a network, like those that were wrong before: ranks among them say what
share of the wrong labels a threshold finds. What else lies above it is judged by the tail of the rest. Pure functions
of counts: nothing here trains, plants, or looks at more than the order of the scores.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

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
    """Share of wrong labels, and how well it is known."""

    rate: float
    """Median of the posterior."""
    low: float
    """Lower end of the interval."""
    high: float
    """Upper end of the interval."""


def noise_rate(
    scores: NDArray[np.float64], planted: NDArray[np.bool_], *, healed: float = 0.0, level: float = 0.95, seed: int
) -> NoiseRate:
    r"""Return the share of labels that were wrong before some were planted.

    Parameters
    ----------
    scores : array of shape (n_samples,)
        Higher is more suspect. Only the order counts.
    planted : array of shape (n_samples,), bool
        True where the label was made wrong on purpose, at places chosen without regard to the inputs.
    healed : float in [0, 1], default=0
        Probability that a label which was wrong already became right by planting: 1 for two classes, and
        1 / (n_classes - 1) for labels planted uniformly.
    level : float in (0, 1), default=0.95
        Probability that the interval is meant to hold the share with.
    seed : int
        Of the sampling.

    Returns
    -------
    NoiseRate
        Of the samples in hand, planted ones counted by what they were before; not of where they came from. That more
        than half of the labels are wrong is next to ruled out beforehand.

    Notes
    -----
    Scores are counted in categories that hold a tenth of the planted labels each, by rank, with ties in one. With
    :math:`f_1, f_0` the shares of wrong and of right labels in the categories, planted labels follow
    :math:`(1 - h\pi) f_1 + h\pi f_0`, with :math:`h` for ``healed``, and all others :math:`\pi f_1 + (1 - \pi) f_0`.
    Any :math:`f_1` is possible; :math:`f_0` is binormal, the model of ROC curves of Dorfman and Alf: on the scale on
    which wrong labels are standard normal, right ones are normal with a lower mean and a spread of their own. Drawn in
    turn are :math:`f_1`, by the planted labels and those found wrong; :math:`\pi` and the binormal's two parameters, by
    all others; and who is wrong. The result is read off the numbers of wrong labels.

    The interval holds the finite number of planted labels, which samples are wrong, and the tail of the right ones.
    It needs no term for the training: whichever way that went, planted and other wrong labels went through it
    together. What it rests on is that the two are alike.

    Costs about half a second, four times that for two classes, whatever the number of samples.

    References
    ----------
    .. [1] Dorfman, Alf, "Maximum-Likelihood Estimation of Parameters of Signal-Detection Theory and Determination of
       Confidence Intervals: Rating-Method Data", Journal of Mathematical Psychology 6, 1969.
    .. [2] Garg, Wu, Smola, Balakrishnan, Lipton, "Mixture Proportion Estimation and PU Learning: A Modern Approach",
       NeurIPS 2021.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> wrong, planted = np.arange(2000) < 100, rng.permutation(2000) < 200
    >>> rate, low, high = noise_rate(rng.normal(4.0 * (wrong | planted)), planted, seed=0)
    >>> abs(rate - 0.05) < 0.01, low < rate < high < low + 0.03
    (True, True)
    """
    draws = wrong_counts(*counts(scores, planted), healed=healed, seed=seed) / len(scores)
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
    """Return draws from the posterior of the number of labels that were wrong before planting.

    Parameters
    ----------
    known, rest : array of shape (n_categories,)
        Numbers of planted and of other samples in each category.
    healed, seed
        As in `noise_rate`.
    """
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
        # what was planted on was wrong as often as anything else
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

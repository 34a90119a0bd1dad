"""How many labels are wrong, by what is said of each sample without it: nothing is planted, trained or fitted again.

What a witness says of a sample that was left out does not depend on the sample's own label. So it holds for every label
that the sample might have been given: minus the log-probability of another class is the score that this sample would
have as a wrong label, in the same fit. Each sample is such a planted label once for every class but its own.

Wrong labels are not uniform. A given label is compared with labels planted on samples of which the best class but
that label is the same, by the share of these that score below it. Of wrong labels the shares are uniform, whichever
classes are confused, and no confusions have to be known. Those of right labels are binormal, as in `noise_rate`. The
likelihood is that of the given labels, one for each sample, however many are planted.

Samples that are wrong already are planted on as what they probably are, which the rate tells: both are found in turns.
Where nothing tells classes apart, all depends on a trifle: a class is rarer by one sample where one of its own is left
out. So differences as small as a few samples of the class make count as none.

The interval covers which samples are wrong, the tail of the right ones, and planted labels as if there were one for
each sample.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

#: Categories of equal numbers of planted labels.
N_CATEGORIES = 20
#: Turns of planting and finding the rate.
N_TURNS = 4
#: Draws of the shares of planted labels, and draws from the posterior for each.
N_SHARES, N_DRAWS = 20, 20
#: Each draw leaves the grid of rates by as many steps of its own.
N_WITHIN = 5
#: As many planted labels of all samples are added to those of samples with the same best class.
ADDED = 5.0
#: Beta prior of the rate.
PRIOR = (0.5, 2.0)
#: Grids of rates, and of the distance and spread of right labels where wrong ones are standard normal. Spreads above 1
#: are allowed: right labels of samples unlike their class have a long tail.
RATES = np.geomspace(1e-4, 0.5, 48)
DISTANCES = np.linspace(0, 7, 29)
SPREADS, SPREAD_OF_SPREADS = np.exp(np.linspace(-0.5, 1, 11)), 0.4
TINY = 1e-12
#: Log-probabilities that differ by less than this many samples of the class make are in random order. Where features
#: tell nothing, that of the own label lies lower by what the one sample that was left out adds to its class.
SAME = 4


def wrong_left_out(
    said: NDArray[np.float64], labels: NDArray[np.int64], scored: NDArray[np.int64], *, seed: int
) -> NDArray[np.float64]:
    """Return draws from the posterior of the share of wrong labels among the samples that are scored.

    ``said`` has log-probabilities of all classes with each sample left out, shape (n_samples, n_classes).
    """
    rng = np.random.default_rng(seed)
    ties = rng.random(len(labels))
    best, second = np.argsort(said, axis=1)[:, :-3:-1].T
    other = np.where(best == labels, second, best)
    wrong = np.zeros(len(labels))
    even = np.full(N_CATEGORIES, 1 / N_CATEGORIES)
    for _ in range(N_TURNS):
        shares = np.empty(len(labels))
        for given in range(said.shape[1]):
            planted = 1 - np.where(labels == given, 1 - wrong, np.where(other == given, wrong, 0))
            rest = np.where(best == given, second, best)
            own = labels == given
            shares[own] = _shares_below(SAME / own.sum() * ties - said[:, given], rest, planted)[own]
        category = (shares * N_CATEGORIES).astype(np.int64).clip(0, N_CATEGORIES - 1)
        counts = np.bincount(category[scored], minlength=N_CATEGORIES)
        fit, right = _fit(even, counts)
        among = RATES[:, None, None] * even / (RATES[:, None, None] * even + (1 - RATES[:, None, None]) * right)
        wrong = (fit[:, :, None] * among).sum((0, 1))[category]
    return np.concatenate([_draws(counts, rng) for _ in range(N_SHARES)]) / len(scored)


def _shares_below(
    scores: NDArray[np.float64], cell: NDArray[np.int64], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return for each sample the weighted share of those in its cell that score below it.

    `ADDED` of all samples, of every cell, count with them.
    """
    order = np.lexsort((scores, cell))
    sizes = np.bincount(cell)
    start = np.r_[0, sizes.cumsum()[:-1]][cell[order]]
    sums = np.r_[0, weight[order].cumsum()]
    within = np.empty((2, len(scores)))
    within[0, order] = (sums[1:] + sums[:-1]) / 2 - sums[start]
    within[1, order] = sums[start + sizes[cell[order]]] - sums[start]
    order = np.argsort(scores)
    sums = np.r_[0, weight[order].cumsum()]
    overall = np.empty(len(scores))
    overall[order] = (sums[1:] + sums[:-1]) / 2 / max(sums[-1], TINY)
    below: NDArray[np.float64] = (within[0] + ADDED * overall) / (within[1] + ADDED)
    return below


def _fit(planted: NDArray[np.float64], counts: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the posterior on the grid, shape (n_rates, n_shapes), and shares of right labels for each shape."""
    distance, spread = (grid.ravel() for grid in np.meshgrid(DISTANCES, SPREADS))
    edges = ndtri(planted.cumsum()[:-1].clip(TINY, 1 - TINY))
    below = ndtr((edges + distance[:, None]) / spread[:, None])
    right = np.diff(below, prepend=0, append=1).clip(TINY)
    rates = RATES[:, None, None]
    fit = np.log(rates * planted + (1 - rates) * right) @ counts - (np.log(spread) / SPREAD_OF_SPREADS) ** 2 / 2
    fit += (PRIOR[0] * np.log(RATES) + (PRIOR[1] - 1) * np.log1p(-RATES))[:, None]  # of the logarithm of the rate
    fit = np.exp(fit - fit.max())
    return fit / fit.sum(), right


def _draws(counts: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return draws of the number of wrong labels, for one draw of the shares of planted ones."""
    n = counts.sum()
    planted = rng.dirichlet(np.full(N_CATEGORIES, n / N_CATEGORIES)).clip(TINY)
    fit, right = _fit(planted, counts)
    at, shape = np.divmod(rng.choice(fit.size, N_DRAWS, p=fit.ravel()), fit.shape[1])
    rate = RATES[at, None]
    for _ in range(N_WITHIN):
        wrong = rng.binomial(counts, rate * planted / (rate * planted + (1 - rate) * right[shape]))
        total = wrong.sum(1, keepdims=True)
        rate = rng.beta(PRIOR[0] + total, PRIOR[1] + n - total)
    return total.ravel().astype(np.float64)

"""The rate of wrong labels from scores, against simulations whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta

from curvdetect.detectors.noise_rate import MOST, N_AT_ONCE, PRIOR, noise_rate

SHAPES = {
    "normal": lambda rng, n: rng.normal(size=n),
    "logistic": lambda rng, n: rng.logistic(size=n) / 1.8,
    "skewed": lambda rng, n: 1.4 - rng.gamma(2.0, size=n) / 1.4,
}


def simulated(n, rate, seed, *, distance=4.0, share=0.1, healed=0.0, shape="normal"):
    """Return scores, which of them are planted, and the share that was wrong before."""
    rng = np.random.default_rng(seed)
    wrong, planted = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    wrong[rng.permutation(n)[: round(rate * n)]] = True
    planted[rng.permutation(n)[: round(share * n)]] = True
    became_right = wrong & planted & (rng.random(n) < healed)
    scores = SHAPES[shape](rng, n) + distance * ((wrong | planted) & ~became_right)
    return scores, planted, wrong.mean()


@pytest.fixture
def a_quarter_of_the_chains(monkeypatch):
    """Draw by as many chains as are worked on at once: the estimate is the same, and known nearly as well."""
    monkeypatch.setattr("curvdetect.detectors.noise_rate.N_CHAINS", N_AT_ONCE)


@pytest.mark.usefixtures("a_quarter_of_the_chains")
@pytest.mark.parametrize(("rate", "shape"), [(0.0, "normal"), (0.02, "skewed"), (0.2, "logistic")])
def test_the_estimate_goes_to_the_truth(rate, shape):
    errors, widths = [], []
    for n in (1000, 40_000):
        scores, planted, truth = simulated(n, rate, 0, shape=shape)
        found = noise_rate(scores, planted, seed=0)
        errors.append(abs(found.rate - truth))
        widths.append(found.high - found.low)
    assert errors[0] < 0.02
    assert errors[1] < 0.007
    assert widths[1] < max(widths[0] / 2, 0.002)


@pytest.mark.usefixtures("few_chains")
def test_the_interval_holds_the_truth_as_often_as_it_promises():
    held = []
    for seed in range(8):
        rate, distance = (0.01, 0.05, 0.1, 0.2)[seed % 4], (2.5, 4.0)[seed // 4 % 2]
        scores, planted, truth = simulated(1000, rate, seed, distance=distance)
        found = noise_rate(scores, planted, level=0.8, seed=seed)
        held.append(found.low <= truth <= found.high)
        assert noise_rate(np.exp(scores), planted, level=0.8, seed=seed) == found  # the order alone counts
        inner = noise_rate(scores, planted, level=0.5, seed=seed)
        assert found.low <= inner.low <= inner.rate == found.rate <= inner.high <= found.high
        tied = noise_rate(scores.round(1), planted, seed=seed)
        assert tied.rate == pytest.approx(found.rate, abs=0.05)
    assert sum(held) >= 4  # 6.4 are promised, and 1.1 is what they vary by


@pytest.mark.usefixtures("a_quarter_of_the_chains")
@pytest.mark.parametrize(("healed", "close"), [(1 / 9, 0.008), (1.0, 0.04)], ids=["ten_classes", "two_classes"])
def test_labels_that_planting_made_right_are_allowed_for(healed, close):
    scores, planted, truth = simulated(20_000, 0.2, 0, healed=healed)
    found = noise_rate(scores, planted, healed=healed, seed=0)
    assert found.low <= truth <= found.high
    assert found.rate == pytest.approx(truth, abs=close)


def test_scores_that_say_nothing_leave_the_prior():
    found = noise_rate(np.zeros(2000), np.arange(2000) < 200, seed=0)
    prior = beta(*PRIOR)
    assert found == pytest.approx(prior.ppf(np.array([0.5, 0.025, 0.975]) * prior.cdf(MOST)), abs=0.12)

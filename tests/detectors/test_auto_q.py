"""q="auto": what is planted, and detectors that find out how many labels are wrong."""

from __future__ import annotations

import pickle
from math import log, prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

from curvdetect import (
    ConfidentLearningDetector,
    CurvatureNoiseDetector,
    FusedDetector,
    LossDetector,
    SSFTDetector,
    corrupt_labels,
)
from curvdetect.detectors.noise_rate import NoiseRate, _log_likelihood, plant_like, suspicious
from tests.cases import InterruptedTraining, digits, digits_net, noisy_digits, quick_net

N = 600
DETECTORS = [FusedDetector, SSFTDetector, ConfidentLearningDetector]


def fit(labels, detector=LossDetector, **params):
    net = params.pop("net", None) or digits_net()
    X, _ = digits(len(labels))
    return detector(net, **{"q": "auto", "device": "cpu", "random_state": 0, **params}).fit(X, labels)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("kind", "rate"), [("uniform", 0.0), ("uniform", 0.2), ("pair", 0.1)])
def test_the_rate_is_found(kind, rate):
    labels, mask = corrupt_labels(digits(N)[1], rate, kind=kind, random_state=1)
    detector = fit(labels)
    low, high = detector.noise_rate_interval_
    # of few samples, fewer than in the tables of the documentation: 30 labels, where the worst of seven trainings was
    # off by 21, and some room for the interval, which one in twenty misses
    assert detector.noise_rate_ == pytest.approx(mask.mean(), abs=max(0.05, 0.4 * rate))
    assert low - 0.03 <= mask.mean() <= high + 0.03  # 18 of 600 labels
    assert high - low < 0.2
    assert detector.labels_.sum() == int(detector.noise_rate_ * N + 0.5)


def test_a_rate_of_nothing_is_no_flag(monkeypatch):
    monkeypatch.setattr("curvdetect.detectors.noise_rate._rate", lambda *_: NoiseRate(0.0, 0.0, 0.01))
    detector = fit(digits(N)[1], max_epochs=2)
    assert detector.noise_rate_ == 0
    assert detector.labels_.sum() == detector.predict().sum() == 0
    assert (detector.decision_function() < 0).all()
    assert not detector.ranking()["flagged"].any()
    assert detector.threshold_ == detector.offset_ == np.nextafter(detector.scores_.max(), np.inf)


@pytest.mark.usefixtures("few_chains")
def test_scores_are_those_of_the_first_training():
    labels, _ = corrupt_labels(digits(N)[1], 0.1, random_state=0)
    plain, found = fit(labels, q=0.1), fit(labels)
    assert np.array_equal(plain.scores_, found.scores_)
    n_top = found.labels_.sum()
    assert n_top > 0
    assert np.array_equal(np.flatnonzero(found.labels_), np.sort(found.ranking_[:n_top]))
    assert np.array_equal(plain.suggested_labels_, found.suggested_labels_)
    assert plain.n_iter_ == found.n_iter_
    assert not hasattr(plain, "noise_rate_")


@pytest.mark.usefixtures("few_chains", "few_trees")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("detector", DETECTORS, ids=lambda c: c.__name__)
def test_every_detector_finds_a_rate(detector):
    X, labels, _, _ = noisy_digits(80)
    options = {"cv": 2} if detector is ConfidentLearningDetector else {}
    found = detector(quick_net(), q="auto", device="cpu", random_state=0, **options).fit(X, labels)
    low, high = found.noise_rate_interval_
    assert 0 <= low <= found.noise_rate_ <= high <= 1
    assert found.labels_.sum() == int(found.noise_rate_ * 80 + 0.5)
    assert clone(found).q == "auto"
    assert pickle.loads(pickle.dumps(found)).noise_rate_ == found.noise_rate_


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_rate_that_is_hardly_known_is_warned_of():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(80, 64)).astype(np.float32), rng.integers(0, 10, 80)  # nothing to learn
    detector = LossDetector(quick_net(max_epochs=2), q="auto", device="cpu", random_state=0)
    with pytest.warns(UserWarning, match=r"q='auto': .* between .*% and .*%.*Pass q as"):
        detector.fit(X, y)
    low, high = detector.noise_rate_interval_
    assert high - low > 0.25
    assert detector.noise_rate_ < 0.5


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("training", [1, 2], ids=["own", "planted"])
def test_ctrl_c_keeps_the_scores_and_flags_a_tenth(training):
    X, labels, _, _ = noisy_digits(80)
    net = quick_net(callbacks=[InterruptedTraining(training, 3)])
    detector = LossDetector(net, q="auto", device="cpu", random_state=0)
    InterruptedTraining.trainings = 0
    with pytest.raises(KeyboardInterrupt):
        detector.fit(X, labels)
    assert InterruptedTraining.trainings == training
    assert detector.interrupted_
    assert np.isnan(detector.noise_rate_)
    assert detector.noise_rate_interval_ == (0.0, 1.0)
    assert detector.labels_.sum() == 8
    if training == 2:
        whole = LossDetector(quick_net(), q=0.1, device="cpu", random_state=0).fit(X, labels)
        assert np.array_equal(detector.scores_, whole.scores_)


@pytest.mark.usefixtures("few_chains")
def test_curvature_costs_one_plain_training_more():
    X, labels, _, _ = noisy_digits(200)
    InterruptedTraining.trainings = 0
    net = digits_net(callbacks=[InterruptedTraining(0, 0)])  # only counts
    detector = CurvatureNoiseDetector(net, q="auto", device="cpu", random_state=0).fit(X, labels)
    assert InterruptedTraining.trainings == 2
    assert detector.noise_rate_ == fit(labels).noise_rate_  # whatever is ranked by


@given(st.lists(st.integers(-5, 5), min_size=2, max_size=12))
def test_suspects_are_the_upper_group_with_the_least_variance_within(values):
    scores = np.array(values, dtype=float)
    chosen = suspicious(scores)
    assert chosen.any()
    assert chosen.all() or scores[chosen].min() > scores[~chosen].max()

    def within(cut):
        upper = scores >= cut
        return sum(((part - part.mean()) ** 2).sum() for part in (scores[upper], scores[~upper]))

    cuts = np.unique(scores)[1:]
    if len(cuts):
        assert within(scores[chosen].min()) == pytest.approx(min(map(within, cuts)))


@pytest.mark.parametrize("total", [0.5, 64.0])
def test_likelihood_is_that_of_drawing_from_an_urn(total):
    draws = [[0, 1, 1, 2], [2, 2], []]
    table = np.array([np.bincount(row, minlength=3) for row in draws], dtype=float)
    chances = [(total / 3 + row[:k].count(c)) / (total + k) for row in draws for k, c in enumerate(row)]
    assert _log_likelihood(table, total) == pytest.approx(log(prod(chances)))


@given(
    labels=st.lists(st.integers(0, 3), min_size=1, max_size=60).map(np.array),
    seed=st.integers(0, 99),
    data=st.data(),
)
def test_exactly_so_many_labels_are_planted_evenly_over_the_classes(labels, seed, data):
    n = data.draw(st.integers(1, len(labels)))
    before, even = labels.copy(), (1 - np.eye(4)) / 3
    planted = plant_like(labels, even, n, seed=seed)
    assert np.array_equal(labels, before)
    assert np.array_equal(planted.mask, planted.labels != labels)
    assert planted.mask.sum() == n
    assert set(planted.labels) <= set(range(4))
    for c in range(4):
        members = labels == c
        assert abs(planted.mask[members].sum() - n * members.mean()) < 1 + 1e-9

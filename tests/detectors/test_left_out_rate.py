"""q="auto" by what is said of samples that were left out: the number of wrong labels without a second training."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from curvdetect import FusedDetector, LeaveOneOutDetector, LossDetector, OutOfBagDetector, corrupt_labels
from curvdetect.detectors.left_out_rate import wrong_left_out
from curvdetect.signals.factors import Factors
from curvdetect.signals.leave_one_out import LeaveOneOut
from tests.cases import InterruptedTraining, digits, quick_net


def said_of(n, rate, kind, seed, *, distance=3.0, n_classes=5):
    """Return what an ideal observer of normal classes says of samples, labels, and the share of wrong ones."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, n_classes, n)
    labels, mask = corrupt_labels(y, rate, kind=kind, random_state=seed)
    logits = distance * (distance * np.eye(n_classes)[y] + rng.normal(size=(n, n_classes)))
    right = np.exp(logits - logits.max(1, keepdims=True))
    right /= right.sum(1, keepdims=True)
    off = (1 - np.eye(n_classes)) / (n_classes - 1) if kind == "uniform" else np.roll(np.eye(n_classes), 1, axis=1)
    return np.log(right @ ((1 - rate) * np.eye(n_classes) + rate * off) + 1e-6), labels, mask.mean()


def of(draws):
    return np.quantile(draws, [0.025, 0.5, 0.975])


@pytest.mark.parametrize(("kind", "rate"), [("uniform", 0.0), ("uniform", 0.02), ("uniform", 0.2), ("pair", 0.05)])
def test_the_estimate_goes_to_the_truth(kind, rate):
    errors, widths = [], []
    for n in (500, 10_000):
        said, labels, truth = said_of(n, rate, kind, 0)
        low, found, high = of(wrong_left_out(said, labels, np.arange(n), seed=0))
        errors.append(abs(found - truth))
        widths.append(high - low)
    assert errors[0] < 0.04
    assert errors[1] < 0.012
    assert widths[1] < max(0.7 * widths[0], 0.005)


def test_the_interval_holds_the_truth_as_often_as_it_promises():
    held = []
    for seed in range(12):
        rate, distance = (0.02, 0.05, 0.1, 0.2)[seed % 4], (1.8, 2.5, 3.5)[seed // 4]
        said, labels, truth = said_of(800, rate, ("uniform", "pair")[seed % 2], seed, distance=distance)
        low, _, high = of(wrong_left_out(said, labels, np.arange(800), seed=seed))
        held.append(low <= truth <= high)
    assert sum(held) >= 9  # 11.4 are promised


def test_the_rate_is_that_of_the_scored_samples():
    said, labels, _ = said_of(6000, 0.1, "uniform", 0)
    mask = corrupt_labels(np.random.default_rng(0).integers(0, 5, 6000), 0.1, random_state=0).mask
    scored = np.sort(np.r_[np.flatnonzero(mask)[:400], np.flatnonzero(~mask)[:1600]])
    _, found, _ = of(wrong_left_out(said, labels, scored, seed=0))
    assert found == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize("said", [np.zeros((600, 10)), np.random.default_rng(0).normal(size=(600, 10))])
def test_a_witness_that_knows_nothing_says_so(said):
    labels = np.random.default_rng(1).integers(0, 10, 600)
    low, _, high = of(wrong_left_out(said, labels, np.arange(600), seed=0))
    assert high - low > 0.25
    assert low < 0.05


@pytest.mark.parametrize("shares", [[0.1] * 10, [0.4, 0.2, *[0.05] * 8], [0.7, 0.2, 0.1]])
@pytest.mark.parametrize("spread", [1, 0], ids=["noise", "constant"])
def test_little_that_is_known_is_warned_of(spread, shares):
    rng = np.random.default_rng(2)
    X, y = spread * rng.normal(size=(300, 5)).astype(np.float32), rng.choice(len(shares), 300, p=shares)
    with pytest.warns(UserWarning, match=r"q='auto': .* between [01]\.\d% and .*%"):
        LeaveOneOutDetector(q="auto", device="cpu", random_state=0).fit(X, y)


def test_what_is_said_of_a_sample_is_the_same_whatever_its_label():
    X, y = digits(150)
    labels = torch.as_tensor(y)
    factors = Factors(X.reshape(len(X), -1).astype(np.float64))
    first = LeaveOneOut(factors, labels, 10)
    every = {int(i): row for index, said, _ in first.parts() for i, row in zip(index, said, strict=True)}
    for i, planted in ((3, 7), (70, 1)):
        changed = labels.clone()
        changed[i] = planted
        again = LeaveOneOut(factors, changed, 10, choice=first.choice)
        (own,) = [row for index, said, _ in again.parts() for j, row in zip(index, said, strict=True) if j == i]
        assert torch.allclose(own, every[i], atol=1e-9, rtol=0)


@pytest.mark.parametrize("detector", [LeaveOneOutDetector, OutOfBagDetector])
def test_nothing_is_fitted_again(detector, monkeypatch):
    fits = []
    witness = detector._witness
    monkeypatch.setattr(detector, "_witness", lambda self, *args: fits.append(self) or witness(self, *args))
    X, y = digits(300)
    labels, mask = corrupt_labels(y, 0.1, random_state=0)
    found = [detector(q="auto", device="cpu", random_state=0).fit(X, labels) for _ in range(2)]
    assert len(fits) == 2
    assert found[0].noise_rate_ == pytest.approx(mask.mean(), abs=0.03)
    assert found[0].labels_.sum() == int(found[0].noise_rate_ * 300 + 0.5)
    assert found[0].noise_rate_interval_ == found[1].noise_rate_interval_
    groups = np.r_[np.arange(150), np.arange(150)]
    if detector is LeaveOneOutDetector:
        grouped = detector(q="auto", groups=groups, device="cpu", random_state=0).fit(X, labels)
        assert grouped.noise_rate_ == pytest.approx(mask.mean(), abs=0.05)


@pytest.mark.usefixtures("few_chains", "few_trees")
@pytest.mark.filterwarnings("ignore:q='auto'", "ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("signals", "trainings"), [("auto", 1), (["loss", "out_of_bag"], 1), (["loss"], 2)])
def test_a_detector_with_a_witness_trains_once(signals, trainings):
    X, y = digits(100)
    labels, _ = corrupt_labels(y, 0.1, random_state=0)
    InterruptedTraining.trainings = 0
    net = quick_net(callbacks=[InterruptedTraining(0, 0)])  # only counts
    detector = FusedDetector(net, signals=signals, q="auto", device="cpu", random_state=0).fit(X, labels)
    assert InterruptedTraining.trainings == trainings
    if trainings == 2:
        loss = LossDetector(quick_net(), q="auto", device="cpu", random_state=0).fit(X, labels)
        assert detector.noise_rate_ == loss.noise_rate_

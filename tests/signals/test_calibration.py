"""Outputs of a regression as probabilities."""

import numpy as np
import pytest
import torch
from scipy.special import softmax

from curvdetect.metrics import auroc
from curvdetect.signals.calibration import calibrated


def drawn(n: int, factors: np.ndarray, offsets: np.ndarray, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return outputs, and labels that follow them by factors and offsets."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, len(factors)))
    shares = softmax(z * factors + offsets, axis=1).cumsum(1)
    return torch.from_numpy(z), torch.from_numpy((rng.random((n, 1)) >= shares).sum(1).clip(max=len(factors) - 1))


def test_factors_and_offsets_are_found_again():
    factors, offsets = np.array([0.5, 1.0, 2.0, 1.0]), np.array([0.7, -0.7, 0.0, 0.0])
    found = calibrated(*drawn(20_000, factors, offsets))
    np.testing.assert_allclose(found.factors, factors, rtol=0.1)
    np.testing.assert_allclose(found.offsets, offsets, atol=0.1)


def test_no_other_factors_and_offsets_are_better():
    outputs, labels = drawn(500, np.array([0.5, 1.0, 2.0]), np.array([1.0, -1.0, 0.0]))
    found = calibrated(outputs, labels)
    with_prior = 5 / 500 * np.square([*np.log(found.factors), *found.offsets]).sum() - found.likelihood
    rng, rows = np.random.default_rng(1), np.arange(500)
    for step in (1e-3, 1e-1):
        for growth, shift in rng.normal(size=(20, 2, 3)) * step:
            factors, offsets = np.log(found.factors) + growth, found.offsets + shift
            p = softmax(outputs.numpy() * np.exp(factors) + offsets, axis=1)[rows, labels]
            assert 5 / 500 * np.square([*factors, *offsets]).sum() - np.log(p).mean() > with_prior


@pytest.mark.parametrize("n", [4, 12])
def test_few_samples_change_little(n):
    found = calibrated(*drawn(n, np.ones(4), np.zeros(4)))
    assert (np.abs(np.log(found.factors)) < 0.5).all()
    assert (np.abs(found.offsets) < 0.5).all()


def test_a_class_that_is_often_called_by_the_next_ones_name_does_not_excuse_it():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 4000)
    outputs = torch.from_numpy(3 * np.eye(4)[y] + rng.normal(size=(4000, 4)))
    wrong = rng.random(4000) < 0.2
    labels = torch.from_numpy(np.where(wrong, (y + 1) % 4, y))
    found, rows = calibrated(outputs, labels), np.arange(4000)
    before, after = (
        auroc(wrong, -np.log(softmax(logits, axis=1))[rows, labels])
        for logits in (outputs.numpy(), outputs.numpy() * found.factors + found.offsets)
    )
    assert after > before - 1e-3

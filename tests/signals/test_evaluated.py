"""The signals of the curvature's name and the contrasts: functions averaged over epochs, at few passes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from curvdetect.signals.curvature import input_curvature
from curvdetect.signals.evaluated import Curvature, CurvatureContrast, GradientContrast
from curvdetect.signals.gradients import best_other, gradients_and_logits
from curvdetect.signals.signal import Batch, Plan
from tests.cases import smooth_net
from tests.signals.playback import Counting, inputs

N = 23
X, Y = inputs(N)
OPTIONS = {"h": 0.05, "n": 3, "power": 1, "seed": 9}


@pytest.mark.parametrize("orders", [(1, 3), (3, 1), (2, 2)], ids=str)
def test_signals_with_one_step_measure_only_the_probes_that_miss(orders):
    net = Counting(smooth_net())
    batch = Batch(torch.arange(N), X, Y, epoch=1, quarter=0, forward=net)
    assert batch.gradient.shape == X.shape
    for n in orders:
        signal = Curvature(h=1e-2, n=n, power=1, seed=0)
        signal.start(Plan(N, 3, 1, torch.device("cpu")))
        signal.update(batch)
        signal.end_epoch()
        alone = input_curvature(smooth_net(), X, Y, h=1e-2, n=n, seed=0, epoch=1, batch_size=N)
        assert np.array_equal(signal.scores(), alone.numpy())
    # the clean pass, and one a probe: none of them stacked, so that n = 1 is bit by bit the start of n = 3
    assert net.rows == [N] * (1 + max(orders))


def norms(net, y):
    """Return the norm of each sample's gradient under other labels."""
    return gradients_and_logits(net, X, y[None])[0][0].norm(dim=1)


def share(net, measure, *, h=1.0, power=2):
    """Return the share of the given label in a curvature of both labels, and a little of the gradients."""
    given_, other = (measure(y) + (0.3 * h * norms(net, y)) ** power for y in (Y, best_other(net(X), Y)))
    return given_ / (given_ + other)


@pytest.mark.parametrize("power", [1, 2])
def test_contrast_is_the_share_of_two_plain_curvatures_with_a_little_of_the_gradients(power):
    net, options = smooth_net(), {**OPTIONS, "power": power, "epoch": 2}
    expected = share(net, lambda y: input_curvature(net, X, y, **options), h=OPTIONS["h"], power=power)
    measured = input_curvature(net, X, Y, contrast=True, **options)
    torch.testing.assert_close(measured, expected, rtol=1e-9, atol=0)
    assert ((measured > 0) & (measured < 1)).all()


@pytest.mark.parametrize("power", [1, 2])
def test_a_label_that_was_never_learned_is_told_where_nothing_bends(power):
    net = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 3)).double()
    generator = torch.Generator().manual_seed(0)
    for p in net.parameters():
        nn.init.normal_(p, std=4, generator=generator)
    options = {"h": 1e-3, "contrast": True, "power": power}
    y = net(X).argmax(1)
    learned, never = (input_curvature(net, X, labels, **options) for labels in (y, best_other(net(X), y)))
    assert learned.max() < 0.5 < never.min()  # between kinks both labels have one Hessian: plain curvature ties
    flat = nn.Linear(5, 3).double()
    nn.init.zeros_(flat.weight)
    assert (input_curvature(flat, X, Y, contrast=True) == 0.5).all()
    single = input_curvature(net.float(), X.float(), y, **options)
    torch.testing.assert_close(single, learned, rtol=0, atol=1e-3)


def test_what_is_measured_with_the_contrast_comes_to_the_last_bit_and_without_another_pass():
    net = Counting(smooth_net())
    expected = {
        "curvature": input_curvature(smooth_net(), X, Y, **OPTIONS, epoch=1, batch_size=N),
        "gradient_contrast": norms(net.net, Y) / (norms(net.net, Y) + norms(net.net, best_other(net.net(X), Y))),
        "another step": input_curvature(smooth_net(), X, Y, **{**OPTIONS, "h": 0.2}, epoch=1),
    }
    signals = [CurvatureContrast(**OPTIONS), Curvature(**OPTIONS), GradientContrast()]
    batch = Batch(torch.arange(N), X, Y, epoch=1, quarter=0, forward=net)
    for signal in [*signals, Curvature(**{**OPTIONS, "h": 0.2}, name="another step")]:
        if signal.name == "another step":
            assert net.rows == [N] * 4  # the sample and three probes
        signal.start(Plan(N, 3, 1, torch.device("cpu")))
        signal.update(batch)
        signal.end_epoch()
        if signal.name in expected:
            np.testing.assert_allclose(signal.scores(), expected[signal.name], rtol=1e-9)
    assert np.array_equal(signals[1].scores(), expected["curvature"].numpy())

"""The share of the given label in what is measured under it and under the best other one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from curvdetect.signals.curvature import exact_curvature, input_curvature
from curvdetect.signals.dynamics import GradientContrast
from curvdetect.signals.mean_curvature import Curvature, CurvatureContrast
from curvdetect.signals.scoring import best_other, gradient_and_logits, gradients_and_logits, share_of
from curvdetect.signals.signal import Batch, Plan
from tests.cases import smooth_net

N = 23
GENERATOR = torch.Generator().manual_seed(3)
X = torch.randn(N, 5, generator=GENERATOR, dtype=torch.float64)
Y = torch.randint(3, (N,), generator=GENERATOR)
OPTIONS = {"h": 0.05, "n": 3, "power": 1, "seed": 9}


def other_labels(net):
    """Return, sample by sample, the label that the net likes best among those that are not given."""
    return torch.tensor(
        [max((c for c in range(3) if c != y), key=lambda c: z[c]) for z, y in zip(net(X), Y.tolist(), strict=True)]
    )


def show(signals, net, epochs=(1, 4), batch_size=7):
    """Show the samples to signals, one pass an epoch, and return their scores by name."""
    for signal in signals:
        signal.start(Plan(N, 3, max(epochs), torch.device("cpu")))
    for epoch in epochs:
        for index in torch.randperm(N).split(batch_size):
            batch = Batch(index, X[index], Y[index], epoch=epoch, quarter=0, forward=net)
            for signal in signals:
                signal.update(batch)
        for signal in signals:
            signal.end_epoch()
    return {signal.name: signal.scores() for signal in signals}


def test_several_rows_of_labels_give_each_rows_own_gradient_from_one_forward_pass():
    net, passes = smooth_net(), []
    rows = torch.stack([Y, (Y + 1) % 3, (Y + 2) % 3])
    gradients, logits = gradients_and_logits(lambda x: passes.append(1) or net(x), X, rows)
    assert len(passes) == 1
    for row, gradient in zip(rows, gradients, strict=True):
        expected, same = gradient_and_logits(net, X, row)
        assert torch.equal(gradient, expected)
        assert torch.equal(logits, same)


def test_the_best_other_label_is_never_the_given_one():
    net = smooth_net()
    assert torch.equal(best_other(net(X), Y), other_labels(net))


def with_gradient(net, y, curvature, *, h=1.0, power=2):
    """Return a curvature and the part of the gradient that counts as one."""
    return curvature + (0.3 * h * gradient_and_logits(net, X, y)[0].norm(dim=1)) ** power


@pytest.mark.parametrize("power", [1, 2])
def test_contrast_is_the_share_of_two_plain_curvatures_with_a_little_of_the_gradients(power):
    net = smooth_net()
    options = {**OPTIONS, "power": power, "epoch": 2}
    given, other = (
        with_gradient(net, y, input_curvature(net, X, y, **options), h=OPTIONS["h"], power=power)
        for y in (Y, other_labels(net))
    )
    measured = input_curvature(net, X, Y, contrast=True, **options)
    torch.testing.assert_close(measured, given / (given + other), rtol=1e-9, atol=0)
    assert ((measured > 0) & (measured < 1)).all()


def test_the_squared_contrast_converges_to_that_of_the_exact_hessians():
    net = smooth_net()
    given, other = (with_gradient(net, y, exact_curvature(net, X, y).detach()) for y in (Y, other_labels(net)))
    errors = []
    for n in (4, 4000):
        measured = input_curvature(net, X, Y, h=1e-4, n=n, power=2, contrast=True, batch_size=4000)
        errors.append(float((measured - given / (given + other)).abs().max()))
    assert errors[1] < 0.01
    assert errors[1] < errors[0]


@given(
    order=st.permutations(range(N)),
    cut=st.integers(1, N - 1),
    batch_size=st.integers(1, 3 * N),
    n=st.integers(1, 4),
    dtype=st.sampled_from([torch.float64, torch.float32]),
)
def test_order_parts_and_chunks_do_not_change_a_contrast(order, cut, batch_size, n, dtype):
    net, x = smooth_net().to(dtype), X.to(dtype)
    options = {"h": 0.1, "n": n, "seed": 5, "contrast": True}
    expected = input_curvature(net, x, Y, **options)
    measured = torch.empty(N, dtype=torch.float64)
    for part in torch.tensor(order).split([cut, N - cut]):
        measured[part] = input_curvature(net, x[part], Y[part], **options, index=part, batch_size=batch_size)
    torch.testing.assert_close(measured, expected, rtol=0, atol=1e-9 if dtype == torch.float64 else 1e-3)


def test_with_two_classes_the_labels_swapped_make_the_complement():
    net = smooth_net(n_classes=2)
    y = Y % 2
    given, swapped = (input_curvature(net, X, labels, contrast=True, n=2) for labels in (y, 1 - y))
    torch.testing.assert_close(given + swapped, torch.ones(N, dtype=torch.float64))


def test_nothing_against_nothing_is_one_half():
    flat = nn.Linear(5, 3).double()
    nn.init.zeros_(flat.weight)
    assert (input_curvature(flat, X, Y, contrast=True) == 0.5).all()
    assert share_of(torch.zeros(1), torch.zeros(1)).item() == 0.5
    assert share_of(torch.tensor([3.0]), torch.tensor([1.0])).item() == 0.75
    assert share_of(torch.tensor([torch.nan]), torch.tensor([1.0])).isnan()  # not hidden


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
    single = input_curvature(net.float(), X.float(), y, **options)
    torch.testing.assert_close(single, learned, rtol=0, atol=1e-3)


def test_a_net_that_frees_its_buffers_in_the_first_backward_pass_gets_a_forward_pass_for_each_row():
    net = smooth_net()

    class OnePass(torch.autograd.Function):
        """What torch.compile does: the second backward pass through one forward pass is refused."""

        @staticmethod
        def forward(ctx, z):
            ctx.used = False
            return z.clone()

        @staticmethod
        def backward(ctx, gradient):
            if ctx.used:
                raise RuntimeError("compiled with non-empty donated buffers which requires retain_graph=False")
            ctx.used = True
            return gradient

    rows = torch.stack([Y, (Y + 1) % 3])
    expected, _ = gradients_and_logits(net, X, rows)
    measured, _ = gradients_and_logits(lambda x: OnePass.apply(net(x)), X, rows)
    torch.testing.assert_close(measured, expected)


def test_signal_is_the_mean_over_epochs_of_the_function():
    net = smooth_net()
    expected = sum(input_curvature(net, X, Y, **OPTIONS, epoch=e, contrast=True) for e in (1, 4)) / 2
    scores = show([CurvatureContrast(**OPTIONS)], net)["curvature_contrast"]
    np.testing.assert_allclose(scores, expected, rtol=1e-9)


def test_curvature_itself_comes_with_the_contrast_to_the_last_bit_and_without_another_pass():
    net, passes = smooth_net(), []
    alone = show([Curvature(**OPTIONS)], net)
    torch.manual_seed(0)
    both = show([CurvatureContrast(**OPTIONS), Curvature(**OPTIONS)], lambda x: passes.append(len(x)) or net(x), (1,))
    torch.manual_seed(0)
    again = show([Curvature(**OPTIONS)], net, (1,))
    assert np.array_equal(both["curvature"], again["curvature"])
    assert alone["curvature"].shape == (N,)
    assert sum(passes) == 4 * N  # the sample itself and three probes


def test_curvature_of_another_step_is_not_taken_from_the_contrast():
    net = smooth_net()
    other = {**OPTIONS, "h": 0.2}
    torch.manual_seed(0)
    both = show([CurvatureContrast(**OPTIONS), Curvature(**other)], net)
    torch.manual_seed(0)
    np.testing.assert_allclose(both["curvature"], show([Curvature(**other)], net)["curvature"])


def test_gradient_contrast_is_the_share_of_two_norms_and_shares_the_pass():
    net, passes = smooth_net(), []
    given, other = (gradient_and_logits(net, X, y)[0].norm(dim=1) for y in (Y, other_labels(net)))
    signals = [CurvatureContrast(**OPTIONS), GradientContrast()]
    scores = show(signals, lambda x: passes.append(len(x)) or net(x), (1,))
    np.testing.assert_allclose(scores["gradient_contrast"], given / (given + other), rtol=1e-9)
    assert sum(passes) == 4 * N


def test_on_a_linear_net_of_two_classes_the_gradient_contrast_is_the_doubt_in_the_label():
    net = nn.Linear(5, 2).double()
    y = Y % 2
    signal = GradientContrast()
    signal.start(Plan(N, 2, 1, torch.device("cpu")))
    signal.update(Batch(torch.arange(N), X, y, epoch=1, quarter=0, forward=net))
    signal.end_epoch()
    doubt = 1 - net(X).softmax(1).gather(1, y[:, None])[:, 0]
    np.testing.assert_allclose(signal.scores(), doubt.detach(), rtol=1e-9)

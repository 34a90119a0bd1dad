"""What may not change a curvature: company, order, chunks, threads, device. And what measuring may not change."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from curvdetect.signals.curvature import input_curvature
from tests.cases import smooth_net, untouched_rng

N = 23
GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(N, 5, generator=GENERATOR, dtype=torch.float64)
Y = torch.randint(3, (N,), generator=GENERATOR)
RTOL = {torch.float64: 1e-9, torch.float32: 1e-4}


def assert_same(measured, expected, dtype):
    """Check for equality up to rounding, of each number and, where it is small, of the typical one."""
    np.testing.assert_allclose(measured, expected, rtol=RTOL[dtype], atol=RTOL[dtype] * expected.mean())


@given(
    order=st.permutations(range(N)),
    cut=st.integers(1, N - 1),
    batch_size=st.integers(1, 3 * N),
    n=st.integers(1, 4),
    power=st.sampled_from([1, 2]),
    seed=st.integers(0, 2**31 - 1),
    dtype=st.sampled_from([torch.float64, torch.float32]),
)
def test_order_parts_and_chunks_do_not_change_a_score(order, cut, batch_size, n, power, seed, dtype):
    net, x = smooth_net().to(dtype), X.to(dtype)
    options = {"h": 0.1, "n": n, "power": power, "seed": seed, "epoch": 2}
    expected = input_curvature(net, x, Y, **options)
    measured = torch.empty(N, dtype=torch.float64)
    for part in torch.tensor(order).split([cut, N - cut]):
        measured[part] = input_curvature(net, x[part], Y[part], **options, index=part, batch_size=batch_size)
    assert_same(measured, expected, dtype)


@pytest.mark.parametrize("dtype", list(RTOL), ids=str)
def test_the_number_of_threads_does_not_change_a_score(dtype):
    net = smooth_net(n_features=200, width=400).to(dtype)
    x = torch.randn(256, 200, generator=torch.Generator().manual_seed(1), dtype=dtype)
    y = torch.arange(256) % 3
    before = torch.get_num_threads()
    scores = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            scores.append(input_curvature(net, x, y, h=0.1, n=2))
    finally:
        torch.set_num_threads(before)
    assert_same(scores[1], scores[0], dtype)


@pytest.mark.parametrize("dtype", list(RTOL), ids=str)
def test_the_device_does_not_change_a_score(dtype, device):
    expected = input_curvature(smooth_net().to(dtype), X.to(dtype), Y, h=0.1, n=3)
    net = smooth_net().to(dtype).to(device)
    for x, y in ((X.to(dtype), Y), (X.to(device, dtype), Y.to(device))):
        measured = input_curvature(net, x, y, h=0.1, n=3)
        assert measured.device.type == "cpu"
        assert measured.dtype == torch.float64
        assert_same(measured, expected, dtype)


def test_float32_agrees_with_float64_at_the_usual_step():
    exact = input_curvature(smooth_net(), X, Y, h=1e-2)
    single = input_curvature(smooth_net().float(), X.float(), Y, h=1e-2)
    np.testing.assert_allclose(single, exact, rtol=1e-2)


def test_a_sample_scores_the_same_alone_and_in_an_uneven_last_batch():
    expected = input_curvature(smooth_net(), X, Y)
    uneven = input_curvature(smooth_net(), X, Y, batch_size=N - 1)
    alone = [
        input_curvature(smooth_net(), X[i : i + 1], Y[i : i + 1], index=torch.tensor([i])).item() for i in range(N)
    ]
    np.testing.assert_allclose(uneven, expected, rtol=1e-9)
    np.testing.assert_allclose(alone, expected, rtol=1e-9)


class Counting(nn.Module):
    """Record how many rows each pass holds."""

    def __init__(self, net):
        super().__init__()
        self.net, self.rows = net, []

    def forward(self, x):
        self.rows.append(len(x))
        return self.net(x)


@pytest.mark.parametrize(("n", "batch_size"), [(1, 256), (1, 5), (4, 256), (7, 50), (10, 7)])
def test_each_sample_costs_one_row_for_itself_and_one_for_each_probe_in_passes_of_bounded_size(n, batch_size):
    net = Counting(smooth_net())
    input_curvature(net, X, Y, n=n, batch_size=batch_size)
    assert sum(net.rows) == N * (n + 1)
    assert max(net.rows) <= batch_size


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"epoch": 1}, {"index": torch.arange(N) + 1}], ids=["seed", "epoch", "index"]
)
def test_other_keys_draw_other_probes(change):
    assert (input_curvature(smooth_net(), X, Y, n=3) != input_curvature(smooth_net(), X, Y, n=3, **change)).all()


def composite():
    """Return a net with BatchNorm and Dropout whose modules differ in mode, trained parameters and gradients."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 3)).double()
        net(torch.randn(30, 5, dtype=torch.float64)).sum().backward()
    net[1].eval()
    net[0].weight.requires_grad_(False)
    net[4].weight.grad = None
    return net


def test_weights_buffers_modes_and_gradients_are_left_as_they_were():
    net, twin = composite(), composite()
    gradients = [p.grad for p in net.parameters()]
    x, y = X.clone(), Y.clone()
    input_curvature(net, x, y, n=3, batch_size=10)
    for name, value in twin.state_dict().items():
        assert torch.equal(net.state_dict()[name], value), name
    assert [m.training for m in net.modules()] == [m.training for m in twin.modules()]
    assert [p.requires_grad for p in net.parameters()] == [p.requires_grad for p in twin.parameters()]
    for before, p, other in zip(gradients, net.parameters(), twin.parameters(), strict=True):
        assert p.grad is before
        assert before is None or torch.equal(before, other.grad)
    assert torch.equal(x, X)
    assert torch.equal(y, Y)
    assert not x.requires_grad


def test_scores_are_those_of_evaluation_mode_whatever_mode_the_module_is_in():
    expected = input_curvature(composite().eval(), X, Y)
    assert torch.equal(input_curvature(composite().train(), X, Y), expected)
    assert torch.equal(input_curvature(composite(), X, Y), expected)


def test_measuring_leaves_the_global_generators_alone():
    with untouched_rng():
        input_curvature(composite(), X, Y, n=3)


def test_the_callers_gradient_mode_makes_no_difference():
    expected = input_curvature(smooth_net(), X, Y)
    with torch.no_grad():
        assert torch.equal(input_curvature(smooth_net(), X, Y), expected)
    assert torch.equal(input_curvature(smooth_net(), X.clone().requires_grad_(True), Y), expected)


class WithFeatures(nn.Module):
    """Put out logits and something beside them."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x), x


@pytest.mark.parametrize(
    ("wrap", "output"),
    [
        (lambda net: nn.Sequential(net, nn.Softmax(1)), "probabilities"),
        (lambda net: nn.Sequential(net, nn.LogSoftmax(1)), "logits"),
        (WithFeatures, "logits"),
    ],
    ids=["probabilities", "log-probabilities", "tuple"],
)
def test_whatever_the_module_puts_out_the_score_is_that_of_its_logits(wrap, output):
    measured = input_curvature(wrap(smooth_net()), X, Y, n=2, output=output)
    np.testing.assert_allclose(measured, input_curvature(smooth_net(), X, Y, n=2), rtol=1e-8)


def test_a_module_without_parameters_is_measured_where_the_inputs_are():
    class Bowl(nn.Module):
        def forward(self, x):
            return torch.stack([x.square().sum(1), x.sum(1)], 1)

    scores = input_curvature(Bowl(), X, Y % 2)
    assert scores.shape == (N,)
    assert scores.min() > 0

"""The curvature of the loss: oracles, the formula itself, what may not change it, and what is refused."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from curvdetect.signals.curvature import check_curvature, input_curvature, input_curvatures
from curvdetect.signals.evaluated import Curvature
from curvdetect.signals.gradients import rademacher
from tests.cases import exact_curvature, smooth_net, untouched_rng
from tests.signals.playback import Counting

N = 23
GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(N, 5, generator=GENERATOR, dtype=torch.float64)
Y = torch.randint(3, (N,), generator=GENERATOR)
RTOL = {torch.float64: 1e-9, torch.float32: 1e-4}


def inputs(n, *shape, seed=0, n_classes=3):
    """Return inputs in float64 and labels."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, *shape, generator=generator, dtype=torch.float64)
    return x, torch.randint(n_classes, (n,), generator=generator)


def naive_curvature(net, X, y, *, h, n, power, seed, epoch, index):
    """Return the curvature by the letter of its formula, one sample and one probe at a time."""

    def gradient(x, label):
        x = x.clone().requires_grad_(True)
        (-net(x[None]).log_softmax(1)[0, label]).backward()
        return x.grad

    scores = []
    for x, label, number in zip(X, y, index, strict=True):
        total = 0.0
        for i in range(n):
            v = rademacher(number[None], tuple(x.shape), seed=seed, epoch=epoch, probe=i, dtype=torch.float64)[0]
            norm = math.sqrt(sum(d**2 for d in (gradient(x + h * v, label) - gradient(x, label)).flatten().tolist()))
            total += norm**power
        scores.append(total / n)
    return torch.tensor(scores, dtype=torch.float64)


def relu_net(n_features=10, width=20_000):
    """Return a wide random network of ReLUs in float64."""
    generator = torch.Generator().manual_seed(0)
    net = nn.Sequential(nn.Linear(n_features, width), nn.ReLU(), nn.Linear(width, 3)).double()
    for p in net.parameters():
        p.data = torch.randn(p.shape, generator=generator, dtype=torch.float64) / p.shape[-1] ** 0.5
    return net


NETS = {
    "table": (smooth_net(), (5,)),
    "pictures": (nn.Sequential(nn.Flatten(), smooth_net(n_features=12, seed=1)), (3, 2, 2)),
    "single feature": (smooth_net(n_features=1, seed=2), (1,)),
}


@pytest.mark.parametrize(("net", "shape"), list(NETS.values()), ids=list(NETS))
def test_the_squared_estimate_converges_to_the_exact_curvature(net, shape):
    X, y = inputs(8, *shape)
    exact = exact_curvature(net, X, y)
    runs = torch.stack(
        [input_curvature(net, X, y, h=1e-4, n=200, power=2, seed=s, batch_size=1600) / 1e-8 for s in range(10)]
    )  # 2000 probes
    error = runs.std(0) / math.sqrt(len(runs))
    assert (error < 0.05 * exact).all()
    assert ((runs.mean(0) - exact).abs() < 5 * error + 1e-3 * exact).all()


@pytest.mark.parametrize("h", [1e-3, 1e-6], ids="{:g}".format)
def test_with_one_feature_every_probe_is_exact_up_to_the_order_of_h(h):
    net, _ = NETS["single feature"]
    X, y = inputs(12, 1)
    exact = exact_curvature(net, X, y)
    for power, expected in ((1, exact.sqrt()), (2, exact)):
        measured = input_curvature(net, X, y, h=h, n=1, power=power) / h**power
        assert ((measured - expected).abs() <= 20 * h * exact.max()).all()


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("options", [{}, {"h": 0.3, "n": 3, "seed": 11, "epoch": 4}], ids=["defaults", "others"])
@pytest.mark.parametrize(
    ("net", "shape"), [*list(NETS.values())[:2], (relu_net(width=50), (10,))], ids=[*list(NETS)[:2], "ReLU"]
)
def test_the_score_is_the_mean_over_probes_that_the_formula_says(net, shape, options, power):
    X, y = inputs(6, *shape)
    index = torch.tensor([3, 0, 77, 10**6, 5, 4])
    expected = naive_curvature(
        net, X, y, **{"h": 1e-2, "n": 1, "seed": 0, "epoch": 0, **options}, power=power, index=index
    )
    measured = input_curvature(net, X, y, **options, power=power, index=index)
    torch.testing.assert_close(measured, expected, rtol=1e-8, atol=1e-15)


def test_on_a_smooth_network_the_step_cancels_and_on_relus_it_does_not():
    def ratio(net, n_features):
        X, y = inputs(10, n_features)
        coarse, fine = (input_curvature(net, X, y, h=h, n=32, power=2) / h**2 for h in (1e-2, 1e-3))
        return fine / coarse

    smooth = ratio(smooth_net(n_features=10), 10)
    kinked = ratio(relu_net(), 10)
    assert (smooth - 1).abs().max() < 0.01
    assert kinked.min() > 2
    assert 5 < kinked.mean() < 15  # the number of kinks within reach is proportional to h
    # far above the almost-everywhere Hessian
    x, y = inputs(10, 10)
    assert (input_curvature(relu_net(), x, y, n=16, power=2) / 1e-4 > 10 * exact_curvature(relu_net(), x, y)).all()


REFUSED = {
    "zero h": ({"h": 0}, r"^h must be a positive number, got 0"),
    "h beyond single precision": ({"h": 1e300}, r"^h must be a positive number, got 1e\+300"),
    "negative h": ({"h": -1e-2}, r"^h must be"),
    "NaN h": ({"h": math.nan}, r"^h must be"),
    "text h": ({"h": "small"}, r"^h must be .* got 'small'"),
    "zero n": ({"n": 0}, r"^n must be a whole number of probes, at least 1, got 0"),
    "fractional n": ({"n": 1.5}, r"^n must be"),
    "boolean n": ({"n": True}, r"^n must be"),
    "zero power": ({"power": 0}, r"^power must be 1 \(norm\) or 2 \(squared norm, eq. 6\), got 0"),
    "text power": ({"power": "norm"}, r"^power must be"),
    "zero batch_size": ({"batch_size": 0}, r"^batch_size must be at least 1, got 0"),
    "fewer labels": ({"y": torch.tensor([0, 1])}, r"^X has 4 samples and y 2 labels"),
    "fewer numbers": ({"index": torch.arange(3)}, "index"),
    "no module": ({"module": None}, r"^module must be a torch\.nn\.Module, got NoneType.*net\.module_"),
    "list": ({"y": [0, 1, 2, 0]}, r"^y must be a tensor, got list: torch\.as_tensor\(y\)"),
    "whole numbers": ({"X": torch.ones(4, 5, dtype=torch.int64)}, r"^X must hold real numbers.*X\.float\(\)"),
    "real labels": ({"y": torch.ones(4)}, r"^y must hold whole numbers, .* got torch.float32"),
    "negative labels": ({"y": torch.tensor([0, 1, -1, 0])}, "^y holds -1; labels are classes"),
    "beyond the logits": ({"y": torch.tensor([0, 1, 7, 0])}, "^y holds 7, but module puts out 3 logits"),
    "fractional batch_size": ({"batch_size": 1.5}, r"^batch_size must be a whole number, got 1\.5"),
    "other units": ({"units": torch.ones(4)}, r"^units must hold one length .* shape \(5,\)"),
    "text seed": ({"seed": "x"}, "^seed must be a whole number, got 'x'"),
    "unknown output": ({"output": "probability"}, "output .*'probability'"),
}


@pytest.mark.parametrize(("options", "message"), REFUSED.values(), ids=REFUSED)
def test_arguments_out_of_range_are_refused_by_name(options, message):
    kind = TypeError if "tensor" in message or "Module" in message else ValueError
    with pytest.raises(kind, match=message):
        input_curvature(**{"module": smooth_net(), "X": X[:4], "y": Y[:4], **options})
    if options.keys() <= {"h", "n", "power"}:
        with pytest.raises(ValueError, match=message):
            Curvature(**{"h": 1e-2, "n": 1, "power": 1, "seed": 0, **options})


@pytest.mark.parametrize(
    "options", [{"h": 1}, {"h": np.float32(0.1)}, {"n": np.int64(2)}, {"power": np.int64(2)}], ids=str
)
def test_whole_numbers_and_numpys_numbers_are_accepted(options):
    check_curvature(**{"h": 1e-2, "n": 1, "power": 1, **options})
    X, y = inputs(4, 5)
    assert input_curvature(smooth_net(), X, y, **options).min() > 0
    assert input_curvature(smooth_net(), X[:0], y[:0], **options).shape == (0,)


@pytest.mark.parametrize(("n", "batch_size"), [(1, 256), (1, 5), (4, 256), (7, 50), (10, 7)])
def test_each_sample_costs_one_row_for_itself_and_one_for_each_probe_in_passes_of_bounded_size(n, batch_size):
    net = Counting(smooth_net())
    input_curvature(net, X, Y, n=n, batch_size=batch_size)
    assert sum(net.rows) == N * (n + 1)
    assert max(net.rows) <= batch_size


def assert_same(measured, expected, dtype):
    """Check for equality up to rounding, of each number and, where it is small, of the typical one."""
    np.testing.assert_allclose(measured, expected, rtol=RTOL[dtype], atol=RTOL[dtype] * expected.mean())


@settings(max_examples=10)
@given(
    order=st.permutations(range(N)),
    cut=st.integers(1, N - 1),
    batch_size=st.integers(1, 3 * N),
    n=st.integers(1, 4),
    power=st.sampled_from([1, 2]),
    seed=st.integers(0, 2**31 - 1),
    contrast=st.booleans(),
    dtype=st.sampled_from([torch.float64, torch.float32]),
)
def test_order_parts_and_chunks_do_not_change_a_score(order, cut, batch_size, n, power, seed, contrast, dtype):
    net, x = smooth_net().to(dtype), X.to(dtype)
    options = {"h": 0.1, "n": n, "power": power, "seed": seed, "epoch": 2, "contrast": contrast}
    expected = input_curvature(net, x, Y, **options)
    measured = torch.empty(N, dtype=torch.float64)
    for part in torch.tensor(order).split([cut, N - cut]):
        measured[part] = input_curvature(net, x[part], Y[part], **options, index=part, batch_size=batch_size)
    if contrast:
        torch.testing.assert_close(measured, expected, rtol=0, atol=1e-9 if dtype == torch.float64 else 1e-3)
    else:
        assert_same(measured, expected, dtype)


def test_the_number_of_threads_does_not_change_a_score():
    net = smooth_net(n_features=200, width=400).float()
    x = torch.randn(256, 200, generator=torch.Generator().manual_seed(1))
    y = torch.arange(256) % 3
    before = torch.get_num_threads()
    scores = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            scores.append(input_curvature(net, x, y, h=0.1, n=2))
    finally:
        torch.set_num_threads(before)
    assert_same(scores[1], scores[0], torch.float32)


@pytest.mark.parametrize("dtype", list(RTOL), ids=str)
def test_the_device_does_not_change_a_score(dtype, device):
    expected = input_curvature(smooth_net().to(dtype), X.to(dtype), Y, h=0.1, n=3)
    net = smooth_net().to(dtype).to(device)
    for x, y in ((X.to(dtype), Y), (X.to(device, dtype), Y.to(device))):
        measured = input_curvature(net, x, y, h=0.1, n=3)
        assert measured.device.type == "cpu"
        assert measured.dtype == torch.float64
        assert_same(measured, expected, dtype)


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"epoch": 1}, {"index": torch.arange(N) + 1}], ids=["seed", "epoch", "index"]
)
def test_other_keys_draw_other_probes(change):
    assert (input_curvature(smooth_net(), X, Y, n=3) != input_curvature(smooth_net(), X, Y, n=3, **change)).all()


def test_scores_are_those_of_evaluation_mode_and_nothing_of_the_callers_is_changed():
    net = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 3)).double()
    net(torch.randn(30, 5, dtype=torch.float64)).sum().backward()
    before, x, y = copy.deepcopy(net), X.clone().requires_grad_(True), Y.clone()
    expected = input_curvature(before.eval(), X, Y)
    with torch.no_grad(), untouched_rng():
        assert torch.equal(input_curvature(net.train(), x, y, batch_size=10), expected)
    assert all(torch.equal(value, before.state_dict()[name]) for name, value in net.state_dict().items())
    assert torch.equal(x, X)
    assert torch.equal(y, Y)
    assert x.grad is None


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


def test_settings_measured_together_are_those_measured_alone_and_share_what_they_can():
    net = Counting(smooth_net())
    together = input_curvatures(net, X, Y, h=[1e-2, 1e-3], n=[1, 3, 2], power=[1, 2], seed=4, epoch=2, batch_size=N)
    assert len(net.rows) == 1 + 3 + 3
    assert list(together) == [(h, n, p) for h in (1e-2, 1e-3) for n in (1, 3, 2) for p in (1, 2)]
    for name in ("h", "n", "power"):
        for wrong, message in (([], "at least one value each"), (1, f"{name} must be a sequence")):
            with pytest.raises(ValueError, match=message):
                input_curvatures(net, X, Y, **{"h": [1e-2], "n": [1], "power": [1], name: wrong})
    for (h, n, power), measured in together.items():
        alone = input_curvature(net, X, Y, h=h, n=n, power=power, seed=4, epoch=2, batch_size=N)
        assert torch.equal(measured, alone)

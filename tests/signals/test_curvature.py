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

from curvdetect.signals.curvature import input_curvature, input_curvatures
from curvdetect.signals.evaluated import Curvature, check_curvature
from curvdetect.signals.gradients import rademacher
from tests.cases import exact_curvature, smooth_net, untouched_rng
from tests.signals.playback import Counting, inputs

N = 23
X, Y = inputs(N)
RTOL = {torch.float64: 1e-9, torch.float32: 1e-4}


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


def kinked_net():
    """Return a network of ReLUs."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(10, 50), nn.ReLU(), nn.Linear(50, 3)).double()


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


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("options", [{}, {"h": 0.3, "n": 3, "seed": 11, "epoch": 4}], ids=["defaults", "others"])
@pytest.mark.parametrize(
    ("net", "shape"), [*list(NETS.values())[:2], (kinked_net(), (10,))], ids=[*list(NETS)[:2], "ReLU"]
)
def test_the_score_is_the_mean_over_probes_that_the_formula_says(net, shape, options, power):
    X, y = inputs(6, *shape)
    index = torch.tensor([3, 0, 77, 10**6, 5, 4])
    expected = naive_curvature(
        net, X, y, **{"h": 1e-2, "n": 1, "seed": 0, "epoch": 0, **options}, power=power, index=index
    )
    measured = input_curvature(net, X, y, **options, power=power, index=index)
    torch.testing.assert_close(measured, expected, rtol=1e-8, atol=1e-15)


REFUSED = {
    "zero h": ({"h": 0}, r"^h must be a positive number, got 0"),
    "h beyond single precision": ({"h": 1e300}, r"^h must be a positive number, got 1e\+300"),
    "NaN h": ({"h": math.nan}, r"^h must be"),
    "text h": ({"h": "small"}, r"^h must be .* got 'small'"),
    "zero n": ({"n": 0}, r"^n must be a whole number of probes, at least 1, got 0"),
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


@pytest.mark.parametrize("dtype", list(RTOL), ids=str)
def test_the_device_does_not_change_a_score(dtype, device):
    expected = input_curvature(smooth_net().to(dtype), X.to(dtype), Y, h=0.1, n=3)
    net = smooth_net().to(dtype).to(device)
    for x, y in ((X.to(dtype), Y), (X.to(device, dtype), Y.to(device))):
        measured = input_curvature(net, x, y, h=0.1, n=3)
        assert measured.device.type == "cpu"
        assert measured.dtype == torch.float64
        assert_same(measured, expected, dtype)


def test_scores_are_those_of_evaluation_mode_and_nothing_of_the_callers_is_changed():
    net = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 3)).double()
    net(torch.randn(30, 5, dtype=torch.float64)).sum().backward()
    before, x, y = copy.deepcopy(net), X.clone().requires_grad_(True), Y.clone()
    expected = input_curvature(before.eval(), X, Y)
    with torch.no_grad(), untouched_rng():
        assert torch.equal(input_curvature(net.train(), x, y), expected)
    assert all(torch.equal(value, before.state_dict()[name]) for name, value in net.state_dict().items())
    assert torch.equal(x, X)
    assert torch.equal(y, Y)
    assert x.grad is None


def test_of_probabilities_the_score_is_that_of_their_logits():
    measured = input_curvature(nn.Sequential(smooth_net(), nn.Softmax(1)), X, Y, n=2, output="probabilities")
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

"""The curvature converges to an exact oracle where there is one, and is what its formula says where there is none."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from curvdetect.signals.arguments import check_curvature
from curvdetect.signals.curvature import exact_curvature, input_curvature, input_curvatures
from curvdetect.signals.mean_curvature import Curvature
from curvdetect.signals.probes import rademacher
from curvdetect.signals.scoring import losses_of
from curvdetect.signals.signal import Batch, Plan
from tests.cases import smooth_net


def inputs(n, *shape, seed=0, n_classes=3):
    """Return inputs in float64 and labels."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, *shape, generator=generator, dtype=torch.float64)
    return x, torch.randint(n_classes, (n,), generator=generator)


def hessians(net, X, y):
    """Return the Hessian of each sample's loss by double backpropagation, one sample at a time."""
    results = []
    for x, label in zip(X, y, strict=True):

        def loss(flat, shape=x.shape, label=label):
            return -net(flat.reshape(1, *shape)).log_softmax(1)[0, label]

        results.append(torch.autograd.functional.hessian(loss, x.flatten()))
    return torch.stack(results)


def probe_deviation(hessian):
    """Return the standard deviation of |H v|² over Rademacher probes v, known in closed form."""
    a = hessian @ hessian
    off = a - torch.diag_embed(a.diagonal(dim1=-2, dim2=-1))
    return (2 * off.square().sum((1, 2))).sqrt()


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
    "wide table": (smooth_net(n_features=30, width=20, seed=3), (30,)),
    "pictures": (nn.Sequential(nn.Flatten(), smooth_net(n_features=12, seed=1)), (3, 2, 2)),
    "single feature": (smooth_net(n_features=1, seed=2), (1,)),
}


@pytest.mark.parametrize(("net", "shape"), list(NETS.values()), ids=list(NETS))
def test_exact_curvature_is_the_squared_norm_of_an_independent_hessian(net, shape):
    X, y = inputs(8, *shape)
    expected = hessians(net, X, y).square().sum((1, 2))
    torch.testing.assert_close(exact_curvature(net, X, y), expected, rtol=1e-9, atol=1e-15)
    assert expected.min() > 0


@pytest.mark.parametrize(("net", "shape"), list(NETS.values()), ids=list(NETS))
def test_the_squared_estimate_converges_to_the_exact_curvature(net, shape):
    X, y = inputs(8, *shape)
    exact = exact_curvature(net, X, y)
    runs = torch.stack(
        [input_curvature(net, X, y, h=1e-4, n=200, power=2, seed=s, batch_size=1600) / 1e-8 for s in range(20)]
    )  # 4000 probes
    error = runs.std(0) / math.sqrt(len(runs))
    assert (error < 0.03 * exact).all()
    assert ((runs.mean(0) - exact).abs() < 5 * error + 1e-3 * exact).all()


def test_the_error_falls_as_the_square_root_of_the_number_of_probes():
    net = smooth_net()
    X, y = inputs(40, 5)
    exact, deviation = exact_curvature(net, X, y), probe_deviation(hessians(net, X, y))
    counts, seeds = np.array([4, 16, 64, 256]), 15
    errors = []
    for n in counts:
        estimates = torch.stack(
            [input_curvature(net, X, y, h=1e-4, n=int(n), power=2, seed=s, batch_size=4000) for s in range(seeds)]
        )
        errors.append((((estimates / 1e-8 - exact) / deviation) ** 2).mean().sqrt().item())
    slope = np.polyfit(np.log(counts), np.log(errors), 1)[0]
    assert slope == pytest.approx(-0.5, abs=0.1)
    # and not only the slope: the error is the one that theory gives
    np.testing.assert_allclose(errors * np.sqrt(counts), 1, atol=0.15)


@pytest.mark.parametrize("h", [1e-3, 1e-4, 1e-5, 1e-6], ids="{:g}".format)
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
    ("net", "shape"), [*list(NETS.values())[:3], (relu_net(width=50), (10,))], ids=[*list(NETS)[:3], "ReLU"]
)
def test_the_score_is_the_mean_over_probes_that_the_formula_says(net, shape, options, power):
    X, y = inputs(6, *shape)
    index = torch.tensor([3, 0, 77, 10**6, 5, 4])
    expected = naive_curvature(
        net, X, y, **{"h": 1e-2, "n": 1, "seed": 0, "epoch": 0, **options}, power=power, index=index
    )
    measured = input_curvature(net, X, y, **options, power=power, index=index)
    torch.testing.assert_close(measured, expected, rtol=1e-8, atol=1e-15)


def test_the_defaults_are_norms_of_one_probe_at_a_hundredth_and_samples_are_numbered_from_zero():
    X, y = inputs(6, 5)
    spelled = input_curvature(smooth_net(), X, y, h=1e-2, n=1, power=1, seed=0, epoch=0, index=torch.arange(6))
    assert torch.equal(input_curvature(smooth_net(), X, y), spelled)


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


def test_on_relus_the_score_is_far_above_the_almost_everywhere_hessian():
    net = relu_net()
    X, y = inputs(10, 10)
    measured = input_curvature(net, X, y, h=1e-2, n=16, power=2) / 1e-4
    assert (measured > 10 * exact_curvature(net, X, y)).all()


def test_the_norm_is_no_larger_than_the_root_of_the_squared_norm():
    X, y = inputs(20, 5)
    first, second = (input_curvature(smooth_net(), X, y, n=32, power=p) for p in (1, 2))
    assert (first < second.sqrt()).all()


def test_scores_depend_on_the_labels():
    X, y = inputs(20, 5)
    assert (input_curvature(smooth_net(), X, y) != input_curvature(smooth_net(), X, (y + 1) % 3)).all()


REFUSED = {
    "zero h": ({"h": 0}, r"^h must be a positive number, got 0"),
    "h beyond single precision": ({"h": 1e300}, r"^h must be a positive number, got 1e\+300"),
    "negative h": ({"h": -1e-2}, r"^h must be"),
    "NaN h": ({"h": math.nan}, r"^h must be"),
    "infinite h": ({"h": math.inf}, r"^h must be"),
    "text h": ({"h": "small"}, r"^h must be .* got 'small'"),
    "no h": ({"h": None}, r"^h must be"),
    "zero n": ({"n": 0}, r"^n must be a whole number of probes, at least 1, got 0"),
    "negative n": ({"n": -2}, r"^n must be"),
    "fractional n": ({"n": 1.5}, r"^n must be"),
    "boolean n": ({"n": True}, r"^n must be"),
    "no n": ({"n": None}, r"^n must be"),
    "zero power": ({"power": 0}, r"^power must be 1 \(norm\) or 2 \(squared norm, eq. 6\), got 0"),
    "power of three": ({"power": 3}, r"^power must be"),
    "text power": ({"power": "norm"}, r"^power must be"),
}
REFUSED_CALLS = {
    **REFUSED,
    "zero batch_size": ({"batch_size": 0}, r"^batch_size must be at least 1, got 0"),
    "negative batch_size": ({"batch_size": -4}, r"^batch_size must be"),
    "fewer labels": ({"y": torch.tensor([0, 1])}, r"^X has 4 samples and y 2 labels"),
    "more labels": ({"y": torch.tensor([0, 1, 2, 0, 1])}, r"^X has 4 samples and y 5 labels"),
    "fewer numbers": ({"index": torch.arange(3)}, "index"),
    "more numbers": ({"index": torch.arange(5)}, "index"),
    "unknown output": ({"output": "probability"}, "output .*'probability'"),
}


@pytest.mark.parametrize(("options", "message"), list(REFUSED_CALLS.values()), ids=list(REFUSED_CALLS))
def test_arguments_out_of_range_are_refused_by_name(options, message):
    X, y = inputs(4, 5)
    with pytest.raises(ValueError, match=message):
        input_curvature(smooth_net(), X, **{"y": y, **options})


@pytest.mark.parametrize(("options", "message"), list(REFUSED.values()), ids=list(REFUSED))
def test_the_signal_refuses_the_same_parameters(options, message):
    with pytest.raises(ValueError, match=message):
        Curvature(**{"h": 1e-2, "n": 1, "power": 1, "seed": 0, **options})


@pytest.mark.parametrize(
    "options", [{"h": 1}, {"h": np.float32(0.1)}, {"n": np.int64(2)}, {"power": np.int64(2)}], ids=str
)
def test_whole_numbers_and_numpys_numbers_are_accepted(options):
    check_curvature(**{"h": 1e-2, "n": 1, "power": 1, **options})
    X, y = inputs(4, 5)
    assert input_curvature(smooth_net(), X, y, **options).min() > 0


def test_no_samples_give_no_scores():
    X, y = inputs(0, 5)
    assert input_curvature(smooth_net(), X, y).shape == (0,)


def played(signal, net, X, y, epochs, *, batch_size):
    """Show the samples to the signal in batches over some epochs."""
    signal.start(Plan(len(X), 3, max(epochs), torch.device("cpu")))
    for epoch in epochs:
        for index in torch.randperm(len(X)).split(batch_size):
            signal.update(Batch(index, X[index], y[index], epoch=epoch, quarter=0, forward=net))
        signal.end_epoch()
    return signal.scores()


@pytest.mark.parametrize(("power", "n"), [(1, 1), (2, 3)])
def test_the_signal_is_the_mean_over_epochs_of_the_function(power, n):
    net = smooth_net()
    X, y = inputs(11, 5)
    options = {"h": 0.05, "n": n, "power": power, "seed": 9}
    expected = sum(input_curvature(net, X, y, **options, epoch=e) for e in (1, 4, 7)) / 3
    signal = Curvature(**options)
    for _ in range(2):  # a second run forgets the first
        scores = played(signal, net, X, y, (1, 4, 7), batch_size=4)
        assert scores.dtype == np.float64
        np.testing.assert_allclose(scores, expected, rtol=1e-9)


def test_the_signal_uses_the_gradient_that_the_batch_holds():
    net = smooth_net()
    X, y = inputs(6, 5)
    calls = []

    def forward(x):
        calls.append(len(x))
        return net(x)

    batch = Batch(torch.arange(6), X, y, epoch=1, quarter=0, forward=forward)
    assert batch.gradient.shape == X.shape
    assert torch.equal(batch.loss, losses_of(net(X), y).detach())
    signal = Curvature(h=1e-2, n=3, power=1, seed=0)
    signal.start(Plan(6, 3, 1, torch.device("cpu")))
    signal.update(batch)
    # the clean pass, and one a probe: none of them stacked, so that n = 3 is bit by bit the start of n = 10
    assert calls == [6, 6, 6, 6]


def test_settings_measured_together_are_those_measured_alone():
    net, (X, y) = smooth_net(), inputs(9, 5)
    together = input_curvatures(net, X, y, h=[1e-2, 1e-3], n=[1, 3], power=[1, 2], seed=4, epoch=2, batch_size=9)
    assert list(together) == [(h, n, p) for h in (1e-2, 1e-3) for n in (1, 3) for p in (1, 2)]
    for (h, n, power), measured in together.items():
        alone = input_curvature(net, X, y, h=h, n=n, power=power, seed=4, epoch=2, batch_size=9)
        assert torch.equal(measured, alone)


def test_settings_that_share_a_step_share_its_probes():
    calls = []

    class Counting(nn.Module):
        def forward(self, x):
            calls.append(len(x))
            return x[:, :3]

    X, y = inputs(6, 5)
    input_curvatures(Counting(), X, y, h=[1e-2, 1e-3], n=[1, 4, 2], power=[1, 2], batch_size=6)
    assert len(calls) == 1 + 4 + 4


@pytest.mark.parametrize("orders", [(1, 3), (3, 1), (2, 2)], ids=str)
def test_signals_with_one_step_measure_only_the_probes_that_miss(orders):
    net, (X, y) = smooth_net(), inputs(6, 5)
    calls = []

    def forward(x):
        calls.append(len(x))
        return net(x)

    batch = Batch(torch.arange(6), X, y, epoch=1, quarter=0, forward=forward)
    for n in orders:
        signal = Curvature(h=1e-2, n=n, power=1, seed=0)
        signal.start(Plan(6, 3, 1, torch.device("cpu")))
        signal.update(batch)
        signal.end_epoch()
        alone = input_curvature(net, X, y, h=1e-2, n=n, seed=0, epoch=1, batch_size=6)
        assert np.array_equal(signal.scores(), alone.numpy())
    # the network itself was asked once for the clean gradient and once a probe; `alone` asks the module
    assert len(calls) == 1 + max(orders)


@pytest.mark.parametrize("missing", ["h", "n", "power"])
def test_settings_without_a_value_are_refused(missing):
    X, y = inputs(2, 5)
    settings = {"h": [1e-2], "n": [1], "power": [1], missing: []}
    with pytest.raises(ValueError, match="at least one value each"):
        input_curvatures(smooth_net(), X, y, **settings)

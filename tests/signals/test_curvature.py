"""The curvature, and its contrast: oracles, the formula itself, what may not change it, and the signals of the name."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from curvdetect.signals.curvature import check_curvature, input_curvature, input_curvatures
from curvdetect.signals.evaluated import Curvature, CurvatureContrast, GradientContrast
from curvdetect.signals.gradients import best_other, gradients_and_logits, rademacher
from curvdetect.signals.signal import Batch, Plan
from tests.cases import exact_curvature, smooth_net, untouched_rng

N = 23
GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(N, 5, generator=GENERATOR, dtype=torch.float64)
Y = torch.randint(3, (N,), generator=GENERATOR)
RTOL = {torch.float64: 1e-9, torch.float32: 1e-4}
OPTIONS = {"h": 0.05, "n": 3, "power": 1, "seed": 9}


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
        [input_curvature(net, X, y, h=1e-4, n=200, power=2, seed=s, batch_size=1600) / 1e-8 for s in range(10)]
    )  # 2000 probes
    error = runs.std(0) / math.sqrt(len(runs))
    assert (error < 0.05 * exact).all()
    assert ((runs.mean(0) - exact).abs() < 5 * error + 1e-3 * exact).all()


def test_the_error_falls_as_the_square_root_of_the_number_of_probes():
    net = smooth_net()
    X, y = inputs(40, 5)
    exact, deviation = exact_curvature(net, X, y), probe_deviation(hessians(net, X, y))
    counts, seeds = np.array([4, 16, 64]), 12
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
    kind = TypeError if "torch" in message else ValueError
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
    with untouched_rng():
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
    net = composite()
    with torch.no_grad():
        assert torch.equal(input_curvature(net, X.clone().requires_grad_(True), Y), expected)


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


def played(signal, net, epochs, *, batch_size):
    """Show the samples to the signal in batches over some epochs."""
    signal.start(Plan(N, 3, max(epochs), torch.device("cpu")))
    for epoch in epochs:
        for index in torch.randperm(N).split(batch_size):
            signal.update(Batch(index, X[index], Y[index], epoch=epoch, quarter=0, forward=net))
        signal.end_epoch()
    return signal.scores()


@pytest.mark.parametrize("contrast", [False, True], ids=["curvature", "contrast"])
@pytest.mark.parametrize(("power", "n"), [(1, 1), (2, 3)])
def test_the_signal_is_the_mean_over_epochs_of_the_function(power, n, contrast):
    net, options = smooth_net(), {"h": 0.05, "n": n, "power": power, "seed": 9}
    expected = sum(input_curvature(net, X, Y, **options, epoch=e, contrast=contrast) for e in (1, 4, 7)) / 3
    signal = (CurvatureContrast if contrast else Curvature)(**options)
    for _ in range(2):  # a second run forgets the first
        scores = played(signal, net, (1, 4, 7), batch_size=4)
        np.testing.assert_allclose(scores, expected, rtol=1e-9)


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

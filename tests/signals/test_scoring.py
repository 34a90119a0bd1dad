"""A network is measured in a known state and left as it was; gradients are each sample's own."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from curvdetect.signals.scoring import gradient_and_logits, logits_of, losses_of, margins_of, measuring
from tests.cases import smooth_net, untouched_rng


def mixed_net():
    """Return a net whose modules differ in mode and whose parameters differ in what is trained and has a gradient."""
    net = nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.5), nn.Linear(6, 3))
    net[1].eval()
    net[0].bias.requires_grad_(False)
    net[4].weight.grad = torch.ones(3, 6)
    return net


def state_of(net):
    """Return everything about a net that measuring may not change."""
    return {
        "modes": [m.training for m in net.modules()],
        "trained": [p.requires_grad for p in net.parameters()],
        "gradients": [None if p.grad is None else p.grad.tolist() for p in net.parameters()],
        "weights and buffers": {name: value.tolist() for name, value in net.state_dict().items()},
    }


def precision():
    """Return what is in force for products and for convolutions."""
    return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32


def test_inside_all_modules_are_in_evaluation_mode_frozen_and_gradients_are_on():
    net = mixed_net()
    with torch.no_grad(), measuring(net):
        assert not any(m.training for m in net.modules())
        assert not any(p.requires_grad for p in net.parameters())
        assert torch.is_grad_enabled()


@pytest.mark.parametrize("mode", ["mixed", "train", "eval"])
def test_afterwards_every_module_and_parameter_has_its_own_state_back(mode):
    net = mixed_net()
    if mode != "mixed":
        net.train(mode == "train")
    before = state_of(net)
    with measuring(net):
        gradient_and_logits(net, torch.rand(4, 5), torch.tensor([0, 1, 2, 0]))
    assert state_of(net) == before
    assert net[0].weight.grad is None


def test_the_state_is_put_back_when_measuring_fails():
    net = mixed_net()
    before = state_of(net), precision()
    with pytest.raises(KeyError), measuring(net):
        raise KeyError
    assert (state_of(net), precision()) == before


def test_the_callers_gradient_mode_is_put_back():
    with torch.no_grad():
        with measuring(mixed_net()):
            pass
        assert not torch.is_grad_enabled()


def test_parameters_shared_by_two_modules_are_put_back():
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    net[1].weight = net[0].weight
    with measuring(net):
        assert not net[0].weight.requires_grad
    assert all(p.requires_grad for p in net.parameters())


@pytest.mark.parametrize("named", ["highest", "high", "medium"])
@pytest.mark.parametrize("convolutions", [True, False], ids=["TF32", "exact"])
def test_float32_is_exact_inside_and_as_the_caller_set_it_afterwards(named, convolutions):
    before = precision()
    try:
        torch.set_float32_matmul_precision(named)
        torch.backends.cudnn.allow_tf32 = convolutions
        with measuring(nn.Linear(2, 2)):
            assert torch.backends.cuda.matmul.fp32_precision in ("ieee", "none")
            assert torch.backends.cudnn.conv.fp32_precision in ("ieee", "none")
        assert precision() == (named, convolutions)
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]


# each in a process of its own, since torch has no way back from these settings
NEWER_SETTINGS = """
import multiprocessing
import torch
from curvdetect.signals.scoring import measuring

of = torch.backends
places = of, of.cudnn, of.cuda.matmul, of.mkldnn.matmul, of.cudnn.conv, of.cudnn.rnn

def check(place, precision):
    place.fp32_precision = precision
    before = [place.fp32_precision.replace("none", "ieee") for place in places]
    with measuring(torch.nn.Linear(2, 2)):
        assert of.cuda.matmul.fp32_precision in ("ieee", "none"), "products inside"
        assert of.cudnn.conv.fp32_precision in ("ieee", "none"), "convolutions inside"
    assert [place.fp32_precision.replace("none", "ieee") for place in places] == before, "afterwards"

for setting in (of.cuda.matmul, "tf32"), (of.cudnn.conv, "ieee"), (of, "tf32"):
    child = multiprocessing.get_context("fork").Process(target=check, args=setting)
    child.start()
    child.join()
    assert child.exitcode == 0, setting
"""


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_precision_set_in_torchs_newer_way_is_respected():
    done = subprocess.run([sys.executable, "-c", NEWER_SETTINGS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_autocast_is_off_inside_and_on_again_after(device):
    net = nn.Linear(4, 4).to(device)
    x = torch.rand(2, 4, device=device)
    with torch.autocast(device.type, dtype=torch.bfloat16):
        with measuring(net):
            assert net(x).dtype == torch.float32
        assert net(x).dtype == torch.bfloat16


def test_measuring_leaves_the_global_generators_alone():
    net = mixed_net()
    x = torch.rand(4, 5)
    with untouched_rng(), measuring(net):
        net(x)


@pytest.mark.parametrize(
    ("net", "shape"),
    [
        (smooth_net(), (5,)),
        (
            nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.GELU(), nn.Flatten(), nn.Linear(27, 3)).double(),
            (2, 5, 5),
        ),
        (nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3)).double(), (5,)),
    ],
    ids=["table", "pictures and BatchNorm", "ReLU and Dropout"],
)
def test_gradients_are_those_of_each_samples_own_loss(net, shape, device):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(7, *shape, generator=generator, dtype=torch.float64).to(device)
    y = torch.randint(3, (7,), generator=generator).to(device)
    net = net.to(device).train()
    with measuring(net):
        gradient, logits = gradient_and_logits(net, x, y)
        for i in range(7):
            one = x[i : i + 1].clone().requires_grad_(True)
            loss = -net(one).log_softmax(1)[0, y[i]]
            loss.backward()
            torch.testing.assert_close(gradient[i], one.grad[0], rtol=1e-10, atol=1e-14)
            torch.testing.assert_close(logits[i], net(one)[0].detach(), rtol=1e-10, atol=1e-14)
    assert not logits.requires_grad
    assert not gradient.requires_grad
    assert all(p.grad is None for p in net.parameters())
    assert not x.requires_grad


def test_the_gradient_agrees_with_central_differences_of_the_loss():
    net = smooth_net()
    x = torch.randn(6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    y = torch.tensor([0, 1, 2, 2, 1, 0])
    gradient, _ = gradient_and_logits(net, x, y)
    for j, step in enumerate(1e-5 * torch.eye(5, dtype=torch.float64)):
        slope = (losses_of(net(x + step), y) - losses_of(net(x - step), y)) / 2e-5
        torch.testing.assert_close(gradient[:, j], slope.detach(), rtol=1e-6, atol=1e-9)


def test_losses_and_margins_agree_with_their_definitions():
    logits = torch.randn(50, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    y = torch.arange(50) % 4
    for row, label, loss, margin in zip(
        logits.numpy(), y.tolist(), losses_of(logits, y).tolist(), margins_of(logits, y).tolist(), strict=True
    ):
        assert loss == pytest.approx(np.log(np.exp(row).sum()) - row[label])
        assert margin == pytest.approx(row[label] - np.delete(row, label).max())


def test_margins_of_ties_are_zero_and_of_two_classes_the_difference():
    assert margins_of(torch.tensor([[2.0, 2.0, -1.0]]), torch.tensor([1])).tolist() == [0]
    assert margins_of(torch.tensor([[3.0, -1.0]] * 2), torch.tensor([0, 1])).tolist() == [4, -4]


LOGITS = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, 3.0]], dtype=torch.float64)


@pytest.mark.parametrize(
    ("output", "kind"),
    [
        (LOGITS, "logits"),
        ((LOGITS, "features"), "logits"),
        ([LOGITS, None], "logits"),
        (LOGITS.log_softmax(1), "logits"),
        (LOGITS.softmax(1), "probabilities"),
        ((LOGITS.softmax(1), 0), "probabilities"),
    ],
    ids=["logits", "tuple", "list", "log-probabilities", "probabilities", "tuple of probabilities"],
)
def test_whatever_a_net_puts_out_becomes_logits_of_the_same_probabilities(output, kind):
    torch.testing.assert_close(logits_of(output, kind).softmax(1), LOGITS.softmax(1))


def test_a_probability_of_zero_gives_a_finite_loss():
    logits = logits_of(torch.tensor([[1.0, 0.0]]), "probabilities")
    assert 10 < losses_of(logits, torch.tensor([1])).item() < 20


@pytest.mark.parametrize("shape", [(4,), (4, 3, 2), ()], ids=str)
def test_outputs_that_are_not_one_row_a_sample_are_refused_with_their_shape(shape):
    with pytest.raises(ValueError, match=r"net puts out a tensor of shape .*\(batch, n_classes\)") as caught:
        logits_of(torch.zeros(shape), "logits")
    assert str(shape) in str(caught.value)


def test_a_net_that_passes_no_gradient_to_its_input_is_named():
    net = nn.EmbeddingBag(9, 3)
    with measuring(net), pytest.raises(ValueError, match=r"net passes no gradient to its input.*LossDetector"):
        gradient_and_logits(lambda x: net(x.long()), torch.ones(2, 4), torch.zeros(2, dtype=torch.int64))

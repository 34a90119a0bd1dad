"""Probes are fair independent signs, functions of their key alone; gradients are each sample's own."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import nn

from curvdetect.signals.gradients import best_other, gradients_and_logits, rademacher, share_of
from curvdetect.signals.passes import measuring
from tests.cases import smooth_net, untouched_rng
from tests.signals.playback import inputs

INDEX = torch.arange(4096)
KEY = {"seed": 0, "epoch": 1, "probe": 0}
X, Y = inputs()


def test_samples_probes_epochs_and_seeds_are_uncorrelated():
    index = torch.tensor([0, 1, 2, 64, 4096])
    keys = itertools.product((0, 1, 2), (0, 1, 2), (0, 1, 2))
    vectors = torch.cat([rademacher(index, (4096,), seed=s, epoch=e, probe=p) for s, e, p in keys])
    assert set(vectors.unique().tolist()) == {-1, 1}
    assert vectors.sum(1).abs().max() < 5 * math.sqrt(4096)
    assert (vectors @ vectors.T).fill_diagonal_(0).abs().max() < 6 * math.sqrt(4096)


MASK = 2**64 - 1


def splitmix(state):
    """Return the word that splitmix64 puts out for a state, in whole numbers of Python."""
    z = (state + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


@pytest.mark.parametrize(
    ("seed", "epoch", "probe", "sample"),
    [(0, 0, 0, 0), (0, 1, 0, 5), (7, 30, 9, 59_999), (2**31 - 1, 10_000, 127, 2**40), (-3, 2, 1, 8)],
)
def test_signs_are_the_bits_of_splitmix64(seed, epoch, probe, sample):
    key = splitmix(seed & MASK)
    for part in (epoch, probe, sample):
        key = splitmix((key + part) & MASK)
    words = [splitmix((key + k * 0x9E3779B97F4A7C15) & MASK) for k in range(3)]
    expected = [2.0 * (words[i // 64] >> (i % 64) & 1) - 1 for i in range(150)]
    assert rademacher(torch.tensor([sample]), (150,), seed=seed, epoch=epoch, probe=probe)[0].tolist() == expected


def test_the_mixing_is_that_of_the_published_generator():
    # the first outputs of splitmix64 from state 0 and from 1234567, as published with the generator
    assert splitmix(0) == 0xE220A8397B1DCDAF
    assert splitmix(1234567) == 6457827717110365317


@pytest.mark.parametrize("shape", [(), (1,), (63,), (64,), (65,), (3, 5, 7), (1, 28, 28)], ids=str)
def test_any_shape_is_filled_from_one_stream_and_a_sample_gets_its_signs_in_any_company(shape):
    with untouched_rng():
        signs = rademacher(INDEX[:9], shape, **KEY)
    assert signs.shape == (9, *shape)
    assert rademacher(INDEX[:0], shape, **KEY).shape == (0, *shape)
    assert torch.equal(signs.reshape(9, -1), rademacher(INDEX[:9], (1000,), **KEY)[:, : math.prod(shape)])
    assert torch.equal(signs[[7, 2, 2]], rademacher(INDEX[[7, 2, 2]], shape, **KEY))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16], ids=str)
def test_signs_are_the_same_in_any_precision_for_any_integers_and_on_every_device(dtype, device):
    signs = rademacher(INDEX[:50].int().to(device), (33,), **KEY, dtype=dtype)
    assert (signs.dtype, signs.device.type) == (dtype, device.type)
    assert torch.equal(signs.cpu().float(), rademacher(INDEX[:50], (33,), **KEY))


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
    x, y = (part.to(device) for part in inputs(7, *shape))
    net = net.to(device).train()
    with measuring(net):
        (gradient,), logits = gradients_and_logits(net, x, y[None])
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


def test_shares_and_the_best_other_label_agree_with_their_definitions():
    logits = smooth_net()(X)
    others = [max((c for c in range(3) if c != y), key=lambda c: z[c]) for z, y in zip(logits, Y.tolist(), strict=True)]
    assert best_other(logits, Y).tolist() == others
    for given_, other, share in ((0, 0, 0.5), (3, 1, 0.75), (0, 2, 0), (torch.nan, 1, torch.nan)):  # NaN is not hidden
        found = share_of(torch.tensor([float(given_)]), torch.tensor([float(other)]))
        torch.testing.assert_close(found, torch.tensor([share]).float(), equal_nan=True)


def test_a_net_that_passes_no_gradient_to_its_input_is_named():
    net = nn.EmbeddingBag(9, 3)
    with measuring(net), pytest.raises(ValueError, match=r"net passes no gradient to its input.*LossDetector"):
        gradients_and_logits(lambda x: net(x.long()), torch.ones(2, 4), torch.zeros(1, 2, dtype=torch.int64))

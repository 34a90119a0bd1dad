"""Quicker copies measure the same, and a pass keeps within its budget."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from curvdetect.signals import passes
from curvdetect.signals.curvature import input_curvature
from curvdetect.signals.passes import BUDGET, MANY, ROWS, quicker, rows_within
from curvdetect.signals.scoring import gradient_and_logits, measuring
from curvdetect.training.nets import MLP, compact_resnet, resnet18_cifar, resnet_mnist


class WithView(nn.Module):
    """Reshapes in a way that is an error on another layout."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.head = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4 * 36, 3)

    def forward(self, x):
        return self.head(self.bn(self.conv(x)).view(x.shape[0], -1))


class Branching(WithView):
    """Decides by the values it sees, which can't be traced."""

    def forward(self, x):
        return super().forward(x if x.sum() > 0 else -x)


class Twice(WithView):
    """Uses what the convolution puts out a second time: it must not be folded away."""

    def forward(self, x):
        found = self.conv(x)
        return self.head((self.bn(found) + found).flatten(1))


class Unreliable(WithView):
    """Does something else each time it is traced or copied."""

    def __deepcopy__(self, memo):
        other = Unreliable()
        other.load_state_dict({k: v + 0.1 for k, v in self.state_dict().items()})
        return other


NETS = {
    "compact": (lambda: compact_resnet(3, 3, 8, 100), (3, 8, 8), True),
    "stem_halves": (lambda: compact_resnet(3, 1, 28, 100), (28, 28), True),
    "resnet_mnist": (lambda: resnet_mnist(3), (1, 8, 8), True),
    "resnet18": (lambda: resnet18_cifar(3), (3, 8, 8), True),
    "mobilenet": (lambda: torchvision.models.mobilenet_v2(num_classes=3), (3, 32, 32), True),
    "view": (WithView, (3, 8, 8), True),
    "twice": (Twice, (3, 8, 8), True),
    "branching": (Branching, (3, 8, 8), False),
    "unreliable": (Unreliable, (3, 8, 8), False),
    "no_convolution": (lambda: MLP(5, 3), (5,), False),
}


def lived_in(make, shape, seed=0):
    """Return a network whose running statistics and weights are not those of the start, and samples."""
    torch.manual_seed(seed)
    net = make()
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.weight, 1, 0.3), nn.init.normal_(part.bias, 0, 0.3)
            nn.init.normal_(part.running_mean, 0, 0.3), nn.init.uniform_(part.running_var, 0.5, 2)
    return net.eval().requires_grad_(False), torch.rand(6, *shape)


@pytest.mark.parametrize(("make", "shape", "rewritten"), NETS.values(), ids=NETS)
def test_a_quicker_copy_has_the_same_gradients(make, shape, rewritten):
    net, x = lived_in(make, shape)
    net.double()
    x, y = x.double(), torch.tensor([0, 1, 2, 0, 1, 2])
    before = {name: value.clone() for name, value in net.state_dict().items()}
    quick = quicker(net, x[:2])
    assert (quick is not net) == rewritten
    for found, wanted in zip(gradient_and_logits(quick, x, y), gradient_and_logits(net, x, y), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name])
        assert value.stride() == before[name].stride()


def test_a_quicker_copy_stays_on_its_device(device):
    net, x = lived_in(*NETS["compact"][:2])
    net, x, y = net.to(device), x.to(device), torch.tensor([0, 1, 2, 0, 1, 2], device=device)
    with measuring(net):
        quick = quicker(net, x[:2])
        assert {p.device.type for p in quick.parameters()} == {device.type}
        assert 1 <= rows_within(quick, x) <= ROWS[device.type]
        found, wanted = gradient_and_logits(quick, x, y), gradient_and_logits(net, x, y)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["compact", "stem_halves", "resnet_mnist", "resnet18", "mobilenet"])
def test_no_normalisation_is_left(name):
    make, shape, _ = NETS[name]
    net, x = lived_in(make, shape)
    quick = quicker(net, x[:2])
    assert not any(isinstance(part, nn.BatchNorm2d) for part in quick.modules())
    assert not any(p.requires_grad for p in quick.parameters())


def test_a_layer_that_is_used_twice_is_not_folded():
    net, x = lived_in(Twice, (3, 8, 8))
    assert any(isinstance(part, nn.BatchNorm2d) for part in quicker(net, x[:2]).modules())


@given(seed=st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_scores_are_those_of_the_plain_network_to_float32_rounding(seed):
    # against float64: the quicker copy must not be further away than the plain network is
    net, _ = lived_in(lambda: compact_resnet(3, 3, 8, 100), (3, 8, 8), seed)
    x, y = torch.rand(300, 3, 8, 8), torch.arange(300) % 3
    # in parts too small to be worth a quicker copy
    index = torch.arange(300)
    plain = torch.cat([input_curvature(net, x[i], y[i], h=0.1, index=i) for i in index.split(100)])
    quick = input_curvature(net, x, y, h=0.1)
    exact = input_curvature(net.double(), x.double(), y, h=0.1)
    scale = exact.mean()
    # a kink crossed by one and not by the other is a jump: the median is free of them
    assert (quick - exact).abs().median() / scale < max(1e-5, 3 * float((plain - exact).abs().median() / scale))
    assert np.corrcoef(quick, plain)[0, 1] > 0.9999


def test_a_pass_has_as_many_rows_as_its_budget_allows():
    net = nn.Sequential(nn.Flatten(), *(nn.Sequential(nn.Linear(2000, 2000), nn.Tanh()) for _ in range(4)))
    x = torch.rand(2, 2000)
    with measuring(net):
        # tanh keeps its result, once a layer; the weights are there for however many rows
        each = 4 * 2000 * 4
        assert rows_within(net, x, budget=50 * each) == 50
        assert rows_within(net, x, budget=1) == 1
        assert rows_within(net, x, budget=10**12) == ROWS["cpu"]
        assert rows_within(net, x) == ROWS["cpu"]


def test_on_cuda_half_of_what_is_free_is_taken_at_most_and_what_torch_only_holds_is_free(monkeypatch):
    mib = 1024**2
    monkeypatch.setattr(passes, "_saved_bytes", lambda forward, x: len(x) * mib)
    for name, found in {"mem_get_info": (20 * mib, 80 * mib), "memory_reserved": 50 * mib}.items():
        monkeypatch.setattr(torch.cuda, name, lambda device, found=found: found)
    with FakeTensorMode():
        x = torch.empty(2, 3, device="cuda")
    for used, expected in ((50, 10), (20, 25), (0, 35)):
        monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device, used=used: used * mib)
        assert rows_within(nn.Identity(), x) == expected


def test_a_small_network_has_more_rows_where_they_stay_in_the_caches():
    x = torch.rand(2, 64)
    with measuring(small := MLP(64, 10, 64)):
        assert rows_within(small, x) == MANY
        assert rows_within(small, x, budget=1) == 1


MEASURE = """
import re, sys, torch
from pathlib import Path
from torch import nn
from curvdetect.signals import passes
from curvdetect.signals.curvature import input_curvature

def peak():
    # getrusage would count what the parent had when it forked
    return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])

torch.set_num_threads(1)
passes.BUDGET["cpu"] = 16 * 1024**2
wide = [nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.Tanh()) for _ in range(8)]
net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), *wide, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))
X, y = torch.rand(20, 3, 32, 32), torch.arange(20) % 3
input_curvature(net, X[:2], y[:2], n=1)
before = peak()
input_curvature(net, X, y, n=int(sys.argv[1]))
print((peak() - before) / 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the process's peak memory in KiB")
def test_peak_memory_is_bounded_by_the_budget_at_200_probes():
    grown = subprocess.run([sys.executable, "-c", MEASURE, "200"], capture_output=True, text=True, check=True)
    # 20 rows of this network keep 11 MiB for their way back, and 200 probes of them 2 GiB
    assert float(grown.stdout) < 3 * 16
    assert BUDGET["cpu"] == 1024**3

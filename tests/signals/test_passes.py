"""A network is measured in a known state and left as it was; quicker copies measure the same, within a budget."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress

import pytest
import torch
import torchvision
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from curvdetect.signals import passes
from curvdetect.signals.gradients import gradients_and_logits, losses_of
from curvdetect.signals.passes import BUDGET, MANY, ROWS, logits_of, measuring, quicker, rows_within
from curvdetect.training.nets import MLP, NAMED, compact_resnet


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


@pytest.mark.parametrize("mode", ["mixed", "train", "eval"])
def test_inside_a_net_is_frozen_and_afterwards_it_has_its_own_state_back_also_where_measuring_fails(mode):
    net = mixed_net()
    if mode != "mixed":
        net.train(mode == "train")
    before = state_of(net), precision()
    for fails in (False, True):
        with suppress(KeyError), torch.no_grad(), measuring(net):
            assert not any(m.training for m in net.modules())
            assert not any(p.requires_grad for p in net.parameters())
            assert torch.is_grad_enabled()
            gradients_and_logits(net, torch.rand(4, 5), torch.tensor([[0, 1, 2, 0]]))
            if fails:
                raise KeyError
        assert (state_of(net), precision()) == before


@pytest.mark.parametrize(("named", "convolutions"), [("highest", True), ("high", False), ("medium", True)])
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


def test_autocast_is_off_inside_and_on_again_after(device):
    net = nn.Linear(4, 4).to(device)
    x = torch.rand(2, 4, device=device)
    with torch.autocast(device.type, dtype=torch.bfloat16):
        with measuring(net):
            assert net(x).dtype == torch.float32
        assert net(x).dtype == torch.bfloat16


def test_a_probability_of_zero_gives_a_finite_loss():
    logits = logits_of(torch.tensor([[1.0, 0.0]]), "probabilities")
    assert 10 < losses_of(logits, torch.tensor([1])).item() < 20


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
    "resnet_mnist": (lambda: NAMED["resnet-mnist"](3, 1), (1, 8, 8), True),
    "mobilenet": (lambda: torchvision.models.mobilenet_v2(num_classes=3, width_mult=0.25), (3, 32, 32), True),
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
    found_and_wanted = (gradients_and_logits(module, x, y[None]) for module in (quick, net))
    for found, wanted in zip(*found_and_wanted, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name])
        assert value.stride() == before[name].stride()
    # a layer that is used twice is not folded
    left = any(isinstance(part, nn.BatchNorm2d) for part in quick.modules())
    assert left == (make in (Twice, Branching, Unreliable))
    assert not any(p.requires_grad for p in quick.parameters())


def test_a_quicker_copy_stays_on_its_device(device):
    net, x = lived_in(*NETS["compact"][:2])
    net, x, y = net.to(device), x.to(device), torch.tensor([0, 1, 2, 0, 1, 2], device=device)
    with measuring(net):
        quick = quicker(net, x[:2])
        assert {p.device.type for p in quick.parameters()} == {device.type}
        assert 1 <= rows_within(quick, x) <= ROWS[device.type]
        found, wanted = (gradients_and_logits(module, x, y[None]) for module in (quick, net))
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


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
    # a small one has more, where they stay in the caches
    with measuring(small := MLP(64, 10, 64)):
        assert rows_within(small, torch.rand(2, 64)) == MANY
        assert rows_within(small, torch.rand(2, 64), budget=1) == 1


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


# in a process of its own: torch has no way back from these settings, and the peak would be that of all tests before
ALONE = """
import multiprocessing, re
from pathlib import Path
import torch
from torch import nn
from curvdetect.signals import passes
from curvdetect.signals.curvature import input_curvature
from curvdetect.signals.passes import measuring

torch.set_num_threads(1)
passes.BUDGET["cpu"] = 16 * 1024**2
wide = [nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.Tanh()) for _ in range(8)]
net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), *wide, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))
X, y = torch.rand(20, 3, 32, 32), torch.arange(20) % 3

def peak():
    # getrusage would count what the parent had when it forked
    return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])

input_curvature(net, X[:2], y[:2], n=1)
before = peak()
input_curvature(net, X, y, n=40)
# 20 rows of this network keep 11 MiB for their way back, and 40 probes of them 440
assert peak() - before < 3 * 16 * 1024, peak() - before

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


@pytest.mark.skipif(sys.platform != "linux", reason="reads the process's peak memory, and forks")
def test_the_budget_bounds_the_peak_memory_and_precision_set_in_torchs_newer_way_is_respected():
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert BUDGET["cpu"] == 1024**3

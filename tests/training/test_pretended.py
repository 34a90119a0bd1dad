"""What is trained and measured on a device mixes it with the host nowhere, and waits for it only between epochs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from curvdetect import input_curvature, memorizing_net
from curvdetect.data import samples as room
from curvdetect.data.samples import as_samples
from curvdetect.signals.dynamics import OtherLabelVote
from curvdetect.signals.registry import SIGNALS
from curvdetect.signals.signal import Plan
from tests.pretended import DEVICE, pretended
from tests.training.trainings import split, train

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def pictures(n):
    return as_samples(np.random.default_rng(0).integers(0, 256, (n, 1, 8, 8), dtype=np.uint8), np.arange(n) % 3)


def module():
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(72, 3))


def small_net(**options):
    return memorizing_net(module(), batch_size=16, max_epochs=1, **options)


def every_signal():
    options = {"h": 1e-2, "n": 2, "power": 1, "seed": 0}
    made = [entry.make(**(options if entry.recorded == "probed" else {})) for entry in SIGNALS.values() if entry.make]
    return [*made, OtherLabelVote()]


def fit(n=32, signals=None, **options):
    """Train on the pretended device, and let every signal say what it found."""
    signals = every_signal() if signals is None else signals
    run = train(small_net(**options), pictures(n), signals, every=1, device=DEVICE, seed=0)
    if run.interrupt is not None:
        raise run.interrupt
    assert {p.device for p in run.net.module_.parameters()} == {DEVICE}
    assert [len(signal.scores()) for signal in signals] == [n] * len(signals)


def waits(n, **options):
    with pretended() as mode:
        fit(n, **options)
    return mode.waits


def test_no_batch_more_is_a_wait_more():
    few = waits(32, augment=True)
    assert few["read"]
    assert few["copied"]
    assert waits(64, augment=True) == few


def test_of_a_device_without_double_precision_none_is_asked(monkeypatch):
    # as the plan has it for such a device
    monkeypatch.setattr(Plan, "zeros", lambda plan, *shape, dtype=torch.float64: torch.zeros(shape, dtype=dtype))
    with pretended(doubles=False):
        fit()


def from_the_host():
    fit(augment=True)


def by_a_loader():
    fit(iterator_train=DataLoader, iterator_train__shuffle=True)


def in_two_stages():
    split(small_net(), pictures(32), device=DEVICE, seed=0)


def without_a_detector():
    net = module().to(DEVICE)
    for where in ("cpu", DEVICE):
        x, y, index = torch.rand(9, 1, 8, 8, device=where), torch.arange(9, device=where) % 3, torch.arange(9)
        for contrast in (False, True):
            scores = input_curvature(net, x, y, n=2, contrast=contrast, index=index.to(where), batch_size=4)
            assert (scores.device.type, scores.dtype) == ("cpu", torch.float64)


@pytest.mark.parametrize("compute", [from_the_host, by_a_loader, in_two_stages, without_a_detector])
def test_devices_are_not_mixed(monkeypatch, compute):
    if compute is from_the_host:
        monkeypatch.setattr(room, "RESIDENT_BYTES", 0)
    with pretended():
        compute()

"""The net that the recipe makes: it never waits within an epoch, and trains in the precision asked for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.base import clone
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from curvdetect import memorizing_net
from curvdetect.data.sources import as_samples
from curvdetect.signals.dynamics import Loss, Margin
from curvdetect.signals.mean_curvature import Curvature
from curvdetect.training.nets import MLP, compact_resnet
from curvdetect.training.recipe import MemorizingNet
from tests.cases import digits, quick_net
from tests.training.trainings import train

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
CPU = torch.device("cpu")


class Waits(TorchDispatchMode):
    """Count what makes the host wait for a device: numbers read from tensors."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default)
        return func(*args, **(kwargs or {}))


def pictures(n):
    rng = np.random.default_rng(0)
    return as_samples(rng.random((n, 1, 8, 8), dtype=np.float32), np.arange(n) % 3)


def waits(n, epochs):
    with torch.random.fork_rng():
        net = memorizing_net(compact_resnet(3, 1, 8, 100), batch_size=16)
    signals = [Loss(), Margin(), Curvature(h=1e-2, n=1, power=1, seed=0)]
    with Waits() as counted:
        train(net, pictures(n), signals, max_epochs=epochs, every=1, device=CPU, seed=0)
    return counted.count


def test_nothing_is_waited_for_within_an_epoch():
    # twice the batches and passes of an epoch: not one wait more
    assert waits(640, 2) == waits(320, 2)
    # and the count does see waits, those of an epoch's end
    assert waits(320, 3) > waits(320, 2) > 0


class RefusesToWait(Callback):
    """Let CUDA raise where the host waits for it, from the beginning of a batch to its end."""

    def on_batch_begin(self, net, **kwargs):
        torch.cuda.set_sync_debug_mode("error")

    def on_batch_end(self, net, **kwargs):
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_cuda_is_not_waited_for_within_a_batch(precision):
    net = memorizing_net(compact_resnet(3, 1, 8, 100), callbacks=[RefusesToWait()], batch_size=16, precision=precision)
    signals = [Loss(), Margin(), Curvature(h=1e-2, n=1, power=1, seed=0)]
    try:
        train(net, pictures(160), signals, max_epochs=3, every=1, device=torch.device("cuda"), seed=0)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_losses_in_the_history_are_numbers_as_skorch_has_them():
    X, y = digits(200)
    histories = []
    for kind in (MemorizingNet, NeuralNetClassifier):
        torch.manual_seed(0)
        net = kind(
            MLP(64, 10, 16), criterion=nn.CrossEntropyLoss, batch_size=32, max_epochs=2, train_split=None, verbose=0
        )
        histories.append(net.fit(X, y).history)
    ours, theirs = histories
    assert ours[:, "train_loss"] == theirs[:, "train_loss"]
    assert ours[:, "batches", :, "train_loss"] == theirs[:, "batches", :, "train_loss"]
    assert ours[:, "batches", :, "train_batch_size"] == theirs[:, "batches", :, "train_batch_size"]
    assert ours[:, "train_batch_count"] == theirs[:, "train_batch_count"]
    assert all(type(loss) is float for losses in ours[:, "batches", :, "train_loss"] for loss in losses)


class Interrupts(Callback):
    """Ctrl-C in the third batch."""

    def on_batch_end(self, net, **kwargs):
        if len(net.history[-1, "batches"]) == 3:
            raise KeyboardInterrupt


def test_an_interrupted_epoch_leaves_numbers_in_the_history():
    X, y = digits(200)
    net = quick_net(callbacks=[Interrupts()])
    net.initialize()
    net.partial_fit(as_samples(X, y), y)
    assert [type(batch["train_loss"]) for batch in net.history[-1]["batches"]] == [float] * 3


class SeesDtypes(nn.Module):
    """Notes the precision that its layer works in, by mode."""

    def __init__(self):
        super().__init__()
        self.layer, self.seen = nn.Linear(64, 10), set()

    def forward(self, x):
        out = self.layer(x)
        self.seen.add((self.training, out.dtype))
        return out


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_precision_is_that_of_training_alone(precision):
    X, y = digits(100)
    net = memorizing_net(SeesDtypes(), precision=precision, max_epochs=2)
    run = train(net, as_samples(X, y), [Curvature(h=1e-2, n=1, power=1, seed=0)], device=CPU, seed=0)
    assert run.net.module_.seen == {(True, getattr(torch, precision)), (False, torch.float32)}
    assert all(p.dtype == torch.float32 for p in run.net.module_.parameters())


def test_training_in_bfloat16_still_memorizes():
    X, y = digits(300)
    net = memorizing_net(MLP(64, 10, 64), batch_size=16, precision="bfloat16", max_epochs=25)
    assert train(net, as_samples(X, y), [Loss()], device=CPU, seed=0).train_accuracy > 0.98


def test_precision_can_be_set_and_is_checked():
    net = quick_net().set_params(precision="float16")
    assert clone(net).precision == "float16"
    with pytest.raises(ValueError, match="precision must be 'float32' or 'bfloat16', got 'float16'"):
        train(net, as_samples(*digits(50)), [Loss()], device=CPU, seed=0)


def test_the_default_network_has_its_channels_last_on_a_cpu():
    run = train(None, pictures(40), [Loss()], max_epochs=1, device=CPU, seed=0)
    weights = [p for p in run.net.module_.parameters() if p.ndim == 4 and p.shape[1] > 1 and p.shape[2] > 1]
    assert weights
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in weights)

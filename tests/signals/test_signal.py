"""What signals share: a batch that computes once, and a mean over epochs that were closed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from curvdetect.signals.registry import SIGNALS, closed_form
from curvdetect.signals.signal import Batch, MeanOverEpochs, Plan
from tests.cases import smooth_net
from tests.signals.playback import Counting

X = torch.randn(8, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
Y = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
LAZY = ["logits", "loss", "margin", "probabilities", "correct", "gradient"]


def batch_of(forward, **known):
    return Batch(torch.arange(8), X, Y, epoch=1, quarter=0, forward=forward, **known)


@pytest.mark.parametrize("names", [*([name] for name in LAZY), LAZY[:-1], LAZY[::-1]], ids="-".join)
def test_a_batch_asks_the_network_once_and_not_before_it_is_asked(names):
    net = Counting(smooth_net())
    batch = batch_of(net)
    assert net.rows == []
    first = [getattr(batch, name) for name in names]
    assert all(getattr(batch, name) is found for name, found in zip(names, first, strict=True))
    assert net.rows == [8]


@pytest.mark.parametrize("known", [(), ("logits",), ("logits", "gradient")], ids=str)
def test_what_is_known_is_neither_computed_again_nor_exchanged(known):
    net = Counting(smooth_net())
    given = {"logits": torch.randn(8, 3, dtype=torch.float64), "gradient": torch.randn(8, 5, dtype=torch.float64)}
    given = {name: given[name] for name in known}
    batch = batch_of(net, **given)
    logits = batch.logits
    for name in LAZY:
        getattr(batch, name)
    assert batch.logits is logits
    assert all(getattr(batch, name) is value for name, value in given.items())
    assert net.rows == [8] * (2 - len(known))


def test_what_a_batch_derives_agrees_with_its_definition():
    batch = batch_of(smooth_net())
    rows = smooth_net()(X).detach().numpy()
    torch.testing.assert_close(batch.logits.numpy(), rows)
    torch.testing.assert_close(batch.probabilities, batch.logits.softmax(1))
    for row, y, loss, margin, correct, other in zip(
        rows, Y.tolist(), batch.loss, batch.margin, batch.correct, batch.other, strict=True
    ):
        assert float(loss) == pytest.approx(np.log(np.exp(row).sum()) - row[y])
        assert float(margin) == pytest.approx(row[y] - np.delete(row, y).max())
        assert bool(correct) == (row.argmax() == y)
        assert int(other) == max((c for c in range(3) if c != y), key=lambda c: row[c])
    assert 0 < batch.correct.sum() < 8
    assert not any(getattr(batch, name).requires_grad for name in LAZY)


@pytest.mark.parametrize("name", sorted(SIGNALS.keys() - closed_form()))
def test_every_signal_of_the_registry_has_its_name_and_one_number_for_each_sample(name):
    entry = SIGNALS[name]
    signal = entry.make(**({"h": 1e-2, "n": 1, "power": 1, "seed": 0} if entry.recorded == "probed" else {}))
    assert signal.name == name
    assert signal.stage == ("final" if name == "inconfidence" else "training" if entry.cost == "0" else "scoring")
    signal.start(Plan(8, 3, 1, torch.device("cpu")))
    signal.update(batch_of(smooth_net()))
    signal.end_epoch()
    scores = signal.scores()
    assert (scores.shape, scores.dtype) == ((8,), np.float64)
    assert np.isfinite(scores).all()


def mean_of(rows=1, n_samples=4, device="cpu"):
    """Return a started mean of the inputs."""
    signal = type("Given", (MeanOverEpochs,), {"rows": rows, "value": lambda self, batch: batch.x})()
    signal.start(Plan(n_samples, 3, 8, torch.device(device)))
    return signal


def add(mean, index, values, quarter=0, device="cpu"):
    """Add numbers of samples to the running epoch."""
    index = torch.tensor(index, device=device)
    x = torch.tensor(values, device=device, requires_grad=True)
    mean.update(Batch(index, x, index, epoch=1, quarter=quarter, forward=smooth_net()))


def test_the_mean_is_over_the_epochs_in_which_a_sample_was_seen(device):
    mean = mean_of(device=device)
    add(mean, [0, 1], [1.0, 5.0], device=device)
    add(mean, [2], [7.0], device=device)
    mean.end_epoch()
    add(mean, [2, 0, 0], [8.0, 2.0, 6.0], device=device)  # one of them twice
    np.testing.assert_array_equal(mean.scores(), [1, 5, 7, np.nan])  # until the epoch is closed
    mean.end_epoch()
    np.testing.assert_array_equal(mean.scores(), [3, 5, 7.5, np.nan])
    mean.end_epoch()  # in which nothing was seen
    np.testing.assert_array_equal(mean.scores(), [3, 5, 7.5, np.nan])


def test_sums_are_kept_in_double_precision():
    mean = mean_of(n_samples=1)
    for value in [2.0**30, *[1.0] * 99]:
        add(mean, [0], [value])
        mean.end_epoch()
    assert mean.scores()[0] == (2**30 + 99) / 100


def test_accumulators_are_on_the_host_where_the_device_knows_no_double_precision():
    zeros = Plan(3, 2, 1, torch.device("mps")).zeros(2, 3)
    assert (zeros.device.type, zeros.dtype, zeros.shape) == ("cpu", torch.float64, (2, 3))

"""What signals share: a batch that computes once, and a mean over epochs that were closed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from curvdetect.signals.dynamics import (
    AveragedMargin,
    Inconfidence,
    InputGradient,
    LearningTime,
    Loss,
    Margin,
)
from curvdetect.signals.mean_curvature import Curvature
from curvdetect.signals.scoring import losses_of, margins_of
from curvdetect.signals.signal import Batch, EpochMean, Plan
from curvdetect.signals.vote import OtherLabelVote
from tests.cases import smooth_net

X = torch.randn(8, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
Y = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
LAZY = ["logits", "loss", "margin", "probabilities", "correct", "gradient"]


class Counting(nn.Module):
    """Count passes."""

    def __init__(self):
        super().__init__()
        self.net, self.passes = smooth_net(), 0

    def forward(self, x):
        self.passes += 1
        return self.net(x)


def batch_of(forward, **known):
    return Batch(torch.arange(8), X, Y, epoch=1, quarter=0, forward=forward, **known)


def test_a_batch_asks_the_network_for_nothing_until_it_is_asked():
    net = Counting()
    batch_of(net)
    assert net.passes == 0


@pytest.mark.parametrize("name", LAZY)
def test_what_is_asked_for_twice_is_computed_once(name):
    net = Counting()
    batch = batch_of(net)
    first = getattr(batch, name)
    assert getattr(batch, name) is first
    assert net.passes == 1


def test_the_gradient_brings_the_logits_with_it():
    net = Counting()
    batch = batch_of(net)
    for name in reversed(LAZY):
        getattr(batch, name)
    assert net.passes == 1


def test_everything_without_the_gradient_takes_one_pass():
    net = Counting()
    batch = batch_of(net)
    for name in LAZY[:-1]:
        getattr(batch, name)
    assert net.passes == 1


def test_signals_of_the_scoring_pass_share_the_clean_gradient():
    net = Counting()
    batch = batch_of(net)
    signals = [Curvature(h=h, n=1, power=1, seed=0) for h in (1e-2, 1e-3)] + [InputGradient(), Loss()]
    for signal in signals:
        signal.start(Plan(8, 3, 1, torch.device("cpu")))
        signal.update(batch)
    assert net.passes == 3  # the sample's own, and one for each step


def test_known_logits_and_gradients_are_not_computed_again():
    net = Counting()
    logits, gradient = torch.randn(8, 3), torch.randn(8, 5)
    batch = batch_of(net, logits=logits, gradient=gradient)
    assert batch.logits is logits
    assert batch.gradient is gradient
    for name in LAZY:
        getattr(batch, name)
    assert net.passes == 0


@pytest.mark.parametrize("known", [True, False], ids=["of the training pass", "computed"])
def test_asking_for_the_gradient_does_not_exchange_the_logits(known):
    logits = torch.randn(8, 3, dtype=torch.float64)
    batch = batch_of(Counting(), logits=logits) if known else batch_of(Counting())
    before = batch.logits
    assert batch.gradient.shape == X.shape
    assert batch.logits is before


def test_what_a_batch_derives_agrees_with_its_definition():
    net = smooth_net()
    batch = batch_of(net)
    logits = net(X).detach()
    torch.testing.assert_close(batch.logits, logits)
    torch.testing.assert_close(batch.loss, losses_of(logits, Y))
    torch.testing.assert_close(batch.margin, margins_of(logits, Y))
    torch.testing.assert_close(batch.probabilities, logits.softmax(1))
    assert batch.correct.tolist() == [row.argmax().item() == y for row, y in zip(logits, Y.tolist(), strict=True)]
    assert 0 < batch.correct.sum() < 8
    assert not any(getattr(batch, name).requires_grad for name in LAZY)


@pytest.mark.parametrize(
    "signal",
    [
        Curvature(h=1e-2, n=1, power=1, seed=0),
        Loss(),
        Margin(),
        InputGradient(),
        Inconfidence(),
        LearningTime(),
        AveragedMargin(),
        OtherLabelVote(),
    ],
    ids=lambda signal: signal.name,
)
def test_a_signal_has_a_name_a_stage_and_one_number_for_each_sample(signal):
    assert isinstance(signal.name, str)
    assert signal.stage in ("training", "scoring", "final")
    signal.start(Plan(8, 3, 1, torch.device("cpu")))
    signal.update(batch_of(smooth_net()))
    signal.end_epoch()
    scores = signal.scores()
    assert scores.shape == (8,)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()


def mean_of(rows=1, n_samples=4, device="cpu"):
    return EpochMean(Plan(n_samples, 3, 8, torch.device(device)), rows)


def add(mean, index, values, quarter=0, device="cpu"):
    """Add numbers of samples to the running epoch."""
    index = torch.tensor(index, device=device)
    batch = Batch(index, index, index, epoch=1, quarter=quarter, forward=smooth_net())
    mean.add(batch, torch.tensor(values, device=device))


def test_the_mean_is_over_the_epochs_in_which_a_sample_was_seen(device):
    mean = mean_of(device=device)
    add(mean, [0, 1], [1.0, 5.0], device=device)
    add(mean, [2], [7.0], device=device)
    mean.end_epoch()
    add(mean, [2, 0], [8.0, 2.0], device=device)
    mean.end_epoch()
    np.testing.assert_array_equal(mean.values(), [1.5, 5, 7.5, np.nan])


def test_a_sample_seen_several_times_in_an_epoch_counts_each_time():
    mean = mean_of()
    add(mean, [1, 1, 1], [1.0, 2.0, 6.0])
    mean.end_epoch()
    assert mean.values()[1] == 3


def test_a_running_epoch_does_not_count_until_it_is_closed():
    mean = mean_of()
    add(mean, [0, 1, 2, 3], [1.0, 2.0, 3.0, 4.0])
    mean.end_epoch()
    add(mean, [0, 1], [100.0, 100.0])
    np.testing.assert_array_equal(mean.values(), [1, 2, 3, 4])
    mean.end_epoch()
    np.testing.assert_array_equal(mean.values(), [50.5, 51, 3, 4])


def test_closing_an_epoch_in_which_nothing_was_seen_changes_nothing():
    mean = mean_of(rows=4)
    add(mean, [0, 1, 2, 3], [1.0, 2.0, 3.0, 4.0], quarter=2)
    mean.end_epoch()
    mean.end_epoch()
    np.testing.assert_array_equal(mean.values(), [1, 2, 3, 4])


def test_the_latest_mean_is_over_the_samples_of_the_last_completed_epoch():
    mean = mean_of()
    add(mean, [0, 1], [1.0, 5.0])
    mean.end_epoch()
    add(mean, [2], [100.0])
    assert mean.latest == 3
    mean.end_epoch()
    assert mean.latest == 100


def test_means_of_quarters_stand_side_by_side_and_average_to_the_whole():
    mean = mean_of(rows=4, n_samples=2)
    for quarter, value in [(0, 1.0), (0, 3.0), (1, 5.0), (3, 7.0)]:
        add(mean, [0, 1], [value, -value], quarter=quarter)
        mean.end_epoch()
    np.testing.assert_array_equal(mean.quarters(), [[2, -2], [5, -5], [np.nan, np.nan], [7, -7]])
    np.testing.assert_array_equal(mean.values(), [4, -4])


def test_means_of_quarters_take_little_more_memory_than_they_are():
    mean = mean_of(rows=4, n_samples=1000)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched:
        found = mean.quarters()
    taken = [event.nbytes() for event in watched.profiler.kineto_results.events() if event.name() == "[memory]"]
    # beside them, one quarter's counts in double precision
    assert max(np.cumsum(taken)) == found.nbytes * 5 // 4


def test_sums_are_kept_in_double_precision():
    mean = mean_of(n_samples=1)
    for value in [2.0**30, *[1.0] * 99]:
        add(mean, [0], [value])
        mean.end_epoch()
    assert mean.values()[0] == (2**30 + 99) / 100


def test_accumulators_are_on_the_host_where_the_device_knows_no_double_precision():
    zeros = Plan(3, 2, 1, torch.device("mps")).zeros(2, 3)
    assert zeros.device.type == "cpu"
    assert zeros.dtype == torch.float64
    assert zeros.shape == (2, 3)


def test_adding_takes_no_graph_along():
    mean = mean_of(n_samples=2)
    index = torch.arange(2)
    batch = Batch(index, index, index, epoch=1, quarter=0, forward=smooth_net())
    mean.add(batch, torch.ones(2, requires_grad=True) * 2)
    mean.end_epoch()
    assert mean.values().tolist() == [2, 2]

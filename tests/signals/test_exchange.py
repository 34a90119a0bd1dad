"""What several processes saw of the samples is brought together as if one had seen all of it."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from curvdetect.signals.dynamics import (
    AveragedMargin,
    EarlyMargin,
    FinalLoss,
    Inconfidence,
    LateLoss,
    LateMargin,
    LearningTime,
    Loss,
    Margin,
)
from curvdetect.signals.forgetting import ForgettingLoss, ForgettingTime, ForgottenShare, Learned
from curvdetect.signals.signal import Batch, Plan
from curvdetect.signals.vote import OtherLabelVote

N, CLASSES, EPOCHS = 9, 4, 6


class Threads:
    """An exchange between threads, one for each process: what one puts on the table all of them take."""

    def __init__(self, size):
        self.size, self.table = size, [None] * size
        self.barrier = threading.Barrier(size, timeout=20)

    def seat(self, rank):
        return Seat(self, rank)


class Seat:
    def __init__(self, threads, rank):
        self.threads, self.rank = threads, rank

    def _all(self, tensors):
        self.threads.table[self.rank] = [tensor.clone() for tensor in tensors]
        self.threads.barrier.wait()
        table = list(self.threads.table)
        self.threads.barrier.wait()
        return table

    def sum(self, *tensors):
        for tensor, *others in zip(tensors, *self._all(tensors), strict=True):
            tensor.copy_(torch.stack(others).sum(0))

    def largest(self, *tensors):
        for tensor, *others in zip(tensors, *self._all(tensors), strict=True):
            tensor.copy_(torch.stack(others).amax(0))

    def in_turn(self, *tensors):
        yield from self._all(tensors)


SIGNALS = (
    Loss,
    Margin,
    EarlyMargin,
    LateLoss,
    LateMargin,
    FinalLoss,
    Inconfidence,
    LearningTime,
    AveragedMargin,
    OtherLabelVote,
    ForgettingTime,
    ForgottenShare,
    ForgettingLoss,
    Learned,
)
LOGITS = torch.randn(EPOCHS, N, CLASSES, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
LABELS = torch.arange(N) % CLASSES


def play(make, visits, exchange=None):
    """Show a signal what one process visits in each epoch, in batches of two."""
    signal = make()
    plan = Plan(N, CLASSES, EPOCHS, torch.device("cpu"), exchange=exchange)
    signal.start(plan)
    for epoch, index in enumerate(visits, 1):
        for some in torch.tensor(index, dtype=torch.int64).split(2) if index else ():
            x = LOGITS[epoch - 1, some]
            signal.update(
                Batch(some, x, LABELS[some], epoch=epoch, quarter=plan.quarter(epoch), forward=lambda x: x, logits=x)
            )
        signal.end_epoch()
    return signal.scores()


def play_together(make, visits):
    """Return the scores that each of several processes ends with."""
    threads, scores = Threads(len(visits)), [None] * len(visits)

    def run(rank):
        scores[rank] = play(make, visits[rank], threads.seat(rank))

    running = [threading.Thread(target=run, args=(rank,)) for rank in range(len(visits))]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return scores


@pytest.mark.parametrize("make", SIGNALS, ids=lambda make: make.__name__)
@settings(max_examples=15)
@given(data=st.data(), size=st.integers(1, 3))
def test_whoever_saw_a_sample_all_end_with_the_scores_of_one_process(make, data, size):
    orders = [data.draw(st.permutations(range(N))) for _ in range(EPOCHS)]
    owners = [data.draw(st.lists(st.integers(0, size - 1), min_size=N, max_size=N)) for _ in range(EPOCHS)]
    visits = [
        [
            [i for i, owner in zip(order, owned, strict=True) if owner == rank]
            for order, owned in zip(orders, owners, strict=True)
        ]
        for rank in range(size)
    ]
    alone = play(make, orders)
    for scores in play_together(make, visits):
        np.testing.assert_allclose(scores, alone, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("make", [m for m in SIGNALS if m is not OtherLabelVote], ids=lambda make: make.__name__)
@settings(max_examples=15)
@given(data=st.data())
def test_every_visit_counts_where_samples_are_drawn_with_replacement(make, data):
    drawn = st.lists(st.integers(0, N - 1), max_size=2 * N)
    visits = [[data.draw(drawn) for _ in range(EPOCHS)] for _ in range(2)]
    alone = play(make, [first + second for first, second in zip(*visits, strict=True)])
    for scores in play_together(make, visits):
        np.testing.assert_allclose(scores, alone, rtol=1e-12, atol=1e-12)


def test_a_process_that_never_saw_a_sample_knows_what_part_of_the_training_it_is():
    everything = [list(range(N))] * EPOCHS
    nothing = [[]] * EPOCHS
    for make in (Loss, LateMargin, FinalLoss):
        alone = play(make, everything)
        for scores in play_together(make, [nothing, everything]):
            np.testing.assert_array_equal(scores, alone)

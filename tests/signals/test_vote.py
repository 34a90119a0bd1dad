"""Votes that several processes cast are counted as those of one: at once, or in turn where two saw one sample."""

from __future__ import annotations

import threading

import pytest
import torch

from curvdetect.signals.signal import Batch, Plan
from curvdetect.signals.vote import OtherLabelVote

N, CLASSES = 9, 4


class Threads:
    """The exchange of several threads, each of which stands for a process."""

    def __init__(self, size):
        self.barrier, self.size, self.told, self.turns = threading.Barrier(size), size, {}, 0

    def of(self, rank):
        exchange = Threads.__new__(Threads)
        exchange.__dict__ |= {**self.__dict__, "rank": rank}
        return exchange

    def _each(self, tensors):
        self.barrier.wait()
        self.told[self.rank] = [tensor.clone() for tensor in tensors]
        self.barrier.wait()
        return [self.told[rank] for rank in range(self.size)]

    def sum(self, *tensors):
        for tensor, *each in zip(tensors, *self._each(tensors), strict=True):
            tensor.copy_(sum(each))

    def in_turn(self, *tensors):
        self.turns += 1
        yield from map(tuple, self._each(tensors))


def voted(seen, epochs, size):
    """Return the candidates and weights of each of several processes that see these samples, and how often in turn."""
    threads, found = Threads(size), {}

    def process(rank):
        exchange = threads.of(rank) if size > 1 else None
        vote = OtherLabelVote()
        vote.start(Plan(N, CLASSES, len(epochs), torch.device("cpu"), exchange=exchange))
        for epoch, logits in enumerate(epochs, 1):
            index = torch.tensor(seen[rank], dtype=torch.int64)
            if len(index):
                y = torch.zeros(len(index), dtype=torch.int64)
                vote.update(
                    Batch(index, logits[index], y, epoch=epoch, quarter=0, forward=torch.relu, logits=logits[index])
                )
            vote.end_epoch()
        found[rank] = vote.candidate, vote.weight, getattr(exchange, "turns", 0)

    running = [threading.Thread(target=process, args=(rank,)) for rank in range(size)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(timeout=30)
    return found


EVERYONE = list(range(N))
SEEN = {
    "two": ([[0, 3, 4, 8], [1, 2, 5, 6, 7]], 0),
    "one of three saw nothing": ([[0, 3, 4, 8], [], [1, 2, 5, 6, 7]], 0),
    "both saw the same": ([EVERYONE, EVERYONE], 5),
}


@pytest.mark.parametrize(("seen", "turns"), SEEN.values(), ids=SEEN)
def test_votes_of_several_processes_are_those_of_one(seen, turns):
    torch.manual_seed(0)
    epochs = [torch.randn(N, CLASSES) for _ in range(5)]
    found = voted(seen, epochs, len(seen))
    # one process that sees each sample as often as all of them do
    expected = voted([EVERYONE], doubled(epochs) if turns else epochs, 1)[0]
    for candidate, weight, in_turn in found.values():
        assert candidate.tolist() == expected[0].tolist()
        torch.testing.assert_close(weight, expected[1])
        assert in_turn == turns


def doubled(epochs):
    return [logits for logits in epochs for _ in range(2)]

"""What several processes saw of the samples is brought together as if one had seen all of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curvdetect.signals.dynamics import LearningTime, Loss, OtherLabelVote
from curvdetect.signals.evaluated import Learned
from curvdetect.signals.registry import SIGNALS
from tests.signals.playback import play, play_together, recorded

N, EPOCHS = 9, 6
LOGITS, LABELS = recorded(EPOCHS, N)
GRADIENTS = ("input_gradient", "gradient_contrast", "curvature", "curvature_contrast")
MAKERS = {name: entry.make for name, entry in SIGNALS.items() if entry.make and name not in GRADIENTS} | {
    "learned": Learned,
    "other_label": OtherLabelVote,
}


def assert_as_alone(make, orders, visits):
    alone = play(make(), LOGITS, LABELS, orders=orders, batch_size=2).scores()
    for signal in play_together(make, LOGITS, LABELS, visits)[0]:
        np.testing.assert_allclose(signal.scores(), alone, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=4)
@given(data=st.data(), size=st.integers(1, 3))
def test_however_samples_are_shared_all_end_with_the_scores_of_one_process(name, data, size):
    orders = [data.draw(st.permutations(range(N))) for _ in range(EPOCHS)]
    owners = [data.draw(st.lists(st.integers(0, size - 1), min_size=N, max_size=N)) for _ in range(EPOCHS)]
    shares = [list(zip(order, owned, strict=True)) for order, owned in zip(orders, owners, strict=True)]
    visits = [[[i for i, owner in share if owner == rank] for share in shares] for rank in range(size)]
    assert_as_alone(MAKERS[name], orders, visits)


@pytest.mark.parametrize("make", [Loss, LearningTime, MAKERS["averaged_margin"]])
@settings(max_examples=4)
@given(data=st.data())
def test_every_visit_counts_where_samples_are_drawn_with_replacement(make, data):
    drawn = st.lists(st.integers(0, N - 1), max_size=2 * N)
    visits = [[data.draw(drawn) for _ in range(EPOCHS)] for _ in range(2)]
    assert_as_alone(make, [first + second for first, second in zip(*visits, strict=True)], visits)


@pytest.mark.parametrize("name", ["loss", "late_margin", "final_loss"])
def test_a_process_that_never_saw_a_sample_knows_what_part_of_the_training_it_is(name):
    everything = [list(range(N))] * EPOCHS
    assert_as_alone(MAKERS[name], everything, [[[]] * EPOCHS, everything])


SEEN = {
    "two": ([[0, 3, 4, 8], [1, 2, 5, 6, 7]], 0),
    "one of three saw nothing": ([[0, 3, 4, 8], [], [1, 2, 5, 6, 7]], 0),
    "both saw the same": ([list(range(N)), list(range(N))], EPOCHS),
}


@pytest.mark.parametrize(("seen", "turns"), SEEN.values(), ids=SEEN)
def test_votes_of_several_processes_are_counted_at_once_or_in_turn_where_two_saw_one_sample(seen, turns):
    votes, seats = play_together(OtherLabelVote, LOGITS, LABELS, [[mine] * EPOCHS for mine in seen])
    # one process that sees each sample as often as all of them do
    logits = LOGITS.repeat(2, axis=0) if turns else LOGITS
    alone = play(OtherLabelVote(), logits, LABELS)
    for vote, seat in zip(votes, seats, strict=True):
        assert vote.candidate.tolist() == alone.candidate.tolist()
        np.testing.assert_allclose(vote.weight, alone.weight)
        assert seat.turns == turns

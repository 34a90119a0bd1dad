"""Second-split forgetting on tables of what was right in which epoch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from curvdetect.signals.forgetting import ForgettingLoss, ForgettingTime, ForgottenShare, Learned
from curvdetect.signals.signal import Plan
from tests.signals.playback import play, recorded, show_epoch

# six samples over five epochs of the second stage, worked out by hand
RIGHT = [
    # never forgotten, forgotten in epoch 3, in epoch 1, back at the end, right only in epoch 4, never learned
    [1, 1, 0, 1, 0, 1],
    [1, 1, 0, 0, 0, 0],
    [1, 0, 0, 0, 0, 1],
    [1, 0, 0, 0, 1, 0],
    [1, 0, 0, 1, 0, 0],
]
LEARNED = np.array([True, True, True, True, True, False])
TIMES = [6, 3, 1, 6, 5, 1]
SHARES = [0, 3 / 5, 1, 3 / 5, 4 / 5, 3 / 5]


def as_logits(right):
    """Return logits of two classes and labels 0 such that a sample is right where the table says so."""
    right = np.asarray(right, dtype=float)
    return np.stack([right, 1 - right], axis=-1), np.zeros(right.shape[1], dtype=np.int64)


def test_the_table_worked_out_by_hand():
    logits, labels = as_logits(RIGHT)
    signal = play(ForgettingTime(LEARNED), logits, labels)
    assert signal.times().tolist() == TIMES
    assert signal.scores().tolist() == [-t for t in TIMES]
    np.testing.assert_allclose(play(ForgottenShare(), logits, labels).scores(), SHARES)


def test_without_a_record_of_who_learned_all_count_as_having():
    logits, labels = as_logits(RIGHT)
    assert play(ForgettingTime(), logits, labels).times().tolist() == [*TIMES[:5], 4]


def naive_time(right, learned, planned):
    """Return the definition, read aloud."""
    if not learned:
        return 1
    return next((t + 1 for t in range(len(right)) if not any(right[t:])), planned + 1)


@given(
    table=st.integers(1, 8).flatmap(
        lambda n: st.lists(st.lists(st.booleans(), min_size=n, max_size=n), min_size=1, max_size=7)
    ),
    data=st.data(),
)
def test_times_agree_with_the_definition(table, data):
    right = np.array(table)
    n = right.shape[1]
    learned = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    order = data.draw(st.permutations(range(n)))
    logits, labels = as_logits(right)
    signal = play(ForgettingTime(learned), logits, labels, orders=[order] * len(right), batch_size=3)
    expected = [naive_time(right[:, i], learned[i], len(right)) for i in range(n)]
    assert signal.times().tolist() == expected


def test_a_stage_that_ended_early_says_planned_plus_one_of_what_was_never_forgotten():
    logits, labels = as_logits(RIGHT)
    signal = ForgettingTime(LEARNED)
    signal.start(Plan(6, 2, 20, torch.device("cpu")))
    for epoch, row in enumerate(logits, 1):
        show_epoch(signal, row, labels, epoch, 20)
        signal.end_epoch()
    assert signal.times().tolist() == [21, 3, 1, 21, 5, 1]


def test_an_epoch_that_was_not_closed_does_not_count():
    logits, labels = as_logits(RIGHT)
    signal = play(ForgettingTime(LEARNED), logits, labels)
    show_epoch(signal, 1 - logits[0], labels, 6, 6)
    assert signal.times().tolist() == TIMES


def test_a_second_run_forgets_the_first():
    logits, labels = as_logits(RIGHT)
    signal = play(ForgettingTime(LEARNED), *as_logits(1 - np.array(RIGHT)))
    assert play(signal, logits, labels).times().tolist() == TIMES


def test_the_forgetting_loss_is_the_mean_loss():
    logits, labels = recorded()
    expected = np.mean([np.log(np.exp(z).sum(1)) - z[np.arange(12), labels] for z in logits], axis=0)
    np.testing.assert_allclose(play(ForgettingLoss(), logits, labels).scores(), expected, rtol=1e-9)


@pytest.mark.parametrize("make", [ForgettingTime, ForgottenShare, ForgettingLoss])
def test_what_is_forgotten_sooner_scores_higher_on_every_device(make, device):
    right = np.array([[1, 1, 0], [1, 0, 0], [1, 0, 0]])
    logits, labels = as_logits(right)
    scores = play(make(), logits, labels, device=device).scores()
    assert scores[0] < scores[1] < scores[2]
    assert make().stage == "scoring"


def test_learned_is_who_is_right_at_the_end():
    logits, labels = as_logits([[1, 0, 1]])
    assert play(Learned(), logits, labels).scores().tolist() == [1, 0, 1]
    assert Learned().stage == "final"

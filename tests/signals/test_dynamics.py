"""Each signal against a plain reference over a table of logits."""

from __future__ import annotations

import math
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curvdetect.signals.dynamics import (
    AveragedMargin,
    InputGradient,
    LearningTime,
    Loss,
    Margin,
    OtherLabelVote,
    gathering,
)
from curvdetect.signals.evaluated import ForgettingLoss, ForgettingTime, ForgottenShare, Inconfidence, Learned
from curvdetect.signals.registry import SIGNALS
from tests.signals.playback import play, recorded, show_epoch


def softmax(logits):
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def per_sample(number):
    """Return the reference that takes the mean over epochs of ``number(logits of one sample, label)``."""

    def reference(logits, labels):
        return np.array(
            [np.mean([number(row[i], label) for row in logits]) for i, label in enumerate(labels)], dtype=float
        )

    return reference


def learning_time(logits, labels, right=True):
    """Return the first epoch from which each sample stays right, or wrong, that after the last where there is none."""
    stays = (logits.argmax(-1) == labels) == right
    return np.array([next((t + 1 for t in range(len(s)) if all(s[t:])), len(s) + 1) for s in stays.T])


def averaged_margin(logits, labels):
    mean = softmax(logits).mean(0)
    return np.array([np.log(np.delete(p, c).max()) - np.log(p[c]) for p, c in zip(mean, labels, strict=True)])


def other_label_vote(logits, labels):
    winners = []
    for i, label in enumerate(labels):
        held, weight = -1, 0.0
        for p in softmax(logits[:, i]):
            vote = max((c for c in range(len(p)) if c != label), key=lambda c: p[c])
            weight += p[vote] if vote == held else -p[vote]
            if weight < 0:
                held, weight = vote, -weight
        winners.append(held)
    return np.array(winners)


def loss_of(z, c):
    return np.log(np.exp(z).sum()) - z[c]


def margin_of(z, c):
    return np.delete(z, c).max() - z[c]


REFERENCES = {
    "loss": (Loss, per_sample(loss_of)),
    "margin": (Margin, per_sample(margin_of)),
    "inconfidence": (Inconfidence, per_sample(lambda z, c: 1 - softmax(z)[c])),
    "learning_time": (LearningTime, learning_time),
    "averaged_margin": (AveragedMargin, averaged_margin),
    "other_label": (OtherLabelVote, other_label_vote),
    "forgetting_time": (ForgettingTime, lambda logits, labels: -learning_time(logits, labels, right=False)),
    "forgotten_share": (ForgottenShare, per_sample(lambda z, c: z.argmax() != c)),
    "forgetting_loss": (ForgettingLoss, per_sample(loss_of)),
    "learned": (Learned, per_sample(lambda z, c: z.argmax() == c)),
}
each_signal = pytest.mark.parametrize(("make", "reference"), list(REFERENCES.values()), ids=list(REFERENCES))


@each_signal
@pytest.mark.parametrize(("n_epochs", "n_samples", "n_classes"), [(7, 12, 4), (1, 5, 2), (30, 40, 3)])
def test_scores_agree_with_a_plain_reference(make, reference, n_epochs, n_samples, n_classes, device):
    logits, labels = recorded(n_epochs, n_samples, n_classes)
    signal = play(make(), *recorded(seed=5, n_samples=9), device=device)
    scores = play(signal, logits, labels, device=device).scores()  # a second run forgets the first
    assert (scores.dtype, scores.shape) == (np.float64, (n_samples,))
    np.testing.assert_allclose(scores, reference(logits, labels), rtol=1e-9)


@each_signal
@settings(max_examples=5)
@given(data=st.data(), batch_size=st.integers(1, 12))
def test_order_and_batches_do_not_change_a_score(make, reference, data, batch_size):
    logits, labels = recorded()
    orders = data.draw(st.lists(st.permutations(range(12)), min_size=7, max_size=7))
    scores = play(make(), logits, labels, orders=orders, batch_size=batch_size).scores()
    np.testing.assert_allclose(scores, reference(logits, labels), rtol=1e-9)


@pytest.mark.parametrize("name", [name for name in REFERENCES if name != "other_label"])
def test_an_epoch_that_was_not_closed_does_not_count(name):
    make, reference = REFERENCES[name]
    logits, labels = recorded()
    signal = play(make(), logits[:5], labels)
    show_epoch(signal, -logits[5], labels, 6, 7, order=[0, 3, 4, 8])
    np.testing.assert_allclose(signal.scores(), reference(logits[:5], labels), rtol=1e-9)


@pytest.mark.parametrize("name", ["loss", "inconfidence", "other_label"])
def test_a_sample_that_was_never_seen_has_no_mean_and_no_other_label(name):
    logits, labels = recorded(2)
    scores = play(REFERENCES[name][0](), logits, labels, orders=[[0, 1], [1, 2]]).scores()
    none = -1 if name == "other_label" else np.nan
    np.testing.assert_array_equal(scores[3:], np.full(9, none))
    assert (scores[:3] >= 0).all()


@pytest.mark.parametrize(("make", "n_epochs"), [(Loss, 8), (Margin, 4), (Loss, 30)])
def test_losses_and_margins_are_kept_for_each_quarter_of_the_training(make, n_epochs):
    logits, labels = recorded(n_epochs)
    reference = REFERENCES[make.name][1]
    quarters = play(make(), logits, labels).quarters()
    assert quarters.shape == (4, 12)
    for quarter in range(4):
        epochs = [e for e in range(n_epochs) if e * 4 // n_epochs == quarter]
        np.testing.assert_allclose(quarters[quarter], reference(logits[epochs], labels), rtol=1e-9)
    reached = play(make(), logits[:1], labels, planned=8).quarters()
    assert np.isnan(reached).all(1).tolist() == [False, True, True, True]


#: What each part is of, and its epochs of eight.
PARTS = {
    "early_margin": (Margin, margin_of, slice(0, 2)),
    "late_loss": (Loss, loss_of, slice(4, None)),
    "late_margin": (Margin, margin_of, slice(4, None)),
    "final_loss": (Loss, loss_of, slice(6, None)),
}


@pytest.mark.parametrize("name", PARTS)
def test_signals_of_a_part_of_the_epochs_listen_to_that_part(name):
    logits, labels = recorded(n_epochs=8)
    _, number, epochs = PARTS[name]
    scores = play(SIGNALS[name].make(), logits, labels).scores()
    np.testing.assert_allclose(scores, per_sample(number)(logits[epochs], labels), rtol=1e-9)


@pytest.mark.parametrize("ended", [3, 5])
@pytest.mark.parametrize("name", ["late_loss", "late_margin", "final_loss"])
def test_a_part_listens_to_all_of_a_training_that_ended_before_half_of_it(name, ended):
    logits, labels = recorded(n_epochs=8)
    whole = play(PARTS[name][0](), logits[:ended], labels, planned=8)
    part = play(SIGNALS[name].make(), logits[:ended], labels, planned=8)
    np.testing.assert_allclose(part.scores(), whole.scores(), rtol=1e-12)


def test_a_sample_that_was_missed_late_gets_its_mean_over_all_epochs():
    logits, labels = recorded(n_epochs=8)
    orders = [range(12)] * 4 + [range(11)] * 4
    expected = per_sample(loss_of)(logits[4:], labels)
    expected[11] = per_sample(loss_of)(logits[:4], labels)[11]
    scores = play(SIGNALS["late_loss"].make(), logits, labels, orders=orders).scores()
    np.testing.assert_allclose(scores, expected, rtol=1e-9)


@pytest.mark.parametrize("beside", [[Loss], []], ids=["its whole is there", "alone"])
def test_parts_of_one_signal_are_gathered_once(beside):
    logits, labels = recorded(n_epochs=8)
    parts = [SIGNALS[name].make() for name in ("late_loss", "final_loss", "early_margin")]
    looking = gathering([*parts, *(make() for make in beside), LearningTime()])
    assert sorted(signal.name for signal in looking) == ["learning_time", "loss", "margin"]
    assert gathering(looking) == looking
    for signal in looking:
        play(signal, logits, labels)
    for part in parts:
        _, number, epochs = PARTS[part.name]
        np.testing.assert_allclose(part.scores(), per_sample(number)(logits[epochs], labels), rtol=1e-9)


GRADIENTS = np.random.default_rng(1).standard_normal((7, 12, 3, 2, 2))


def test_the_input_gradient_is_the_mean_of_norms_of_whatever_shape():
    signal = play(InputGradient(), *recorded(), gradients=GRADIENTS)
    np.testing.assert_allclose(signal.scores(), np.sqrt((GRADIENTS**2).sum((2, 3, 4))).mean(0), rtol=1e-6)
    np.testing.assert_array_equal(signal.quarters(), signal.scores()[None])  # it keeps no quarters


@pytest.mark.parametrize("gap", [1, 10, 40, 100, 600], ids=lambda gap: f"e^-{gap}")
def test_inconfidence_keeps_its_precision_where_the_label_is_all_but_certain(gap):
    logits = np.array([[[gap, 0.0, 0.0], [gap, -1.0, -2.0], [0.0, 0.0, -gap]]])
    expected = [
        2 * math.exp(-gap) / (1 + 2 * math.exp(-gap)),
        (math.exp(-gap - 1) + math.exp(-gap - 2)) / (1 + math.exp(-gap - 1) + math.exp(-gap - 2)),
        (1 + math.exp(-gap)) / (2 + math.exp(-gap)),
    ]
    scores = play(Inconfidence(), logits, np.zeros(3, dtype=int)).scores()
    np.testing.assert_allclose(scores, expected, rtol=1e-10)


def test_inconfidence_of_single_precision_logits_does_not_tie():
    logits = np.array([[[20.0, 0.0], [25.0, 0.0], [30.0, 0.0]]], dtype=np.float32)
    scores = play(Inconfidence(), logits, np.zeros(3, dtype=int)).scores()
    assert scores[0] > scores[1] > scores[2] > 0


@pytest.mark.parametrize(("n_classes", "fits"), [(134, True), (135, False)])
def test_a_table_of_samples_by_classes_is_refused_before_it_is_made(n_classes, fits):
    plan = SimpleNamespace(n_samples=1_000_000, n_classes=n_classes, zeros=lambda *shape, dtype=None: shape)
    if fits:
        AveragedMargin().start(plan)
        return
    with pytest.raises(ValueError, match=r"'averaged_margin' .* 2\.2 GB of 1,000,000 samples and 135 classes.*2\.1 GB"):
        AveragedMargin().start(plan)


def test_probabilities_that_underflow_leave_the_averaged_margin_finite():
    logits = np.array([[[5000.0, 0.0], [0.0, 5000.0]]])
    right, wrong = play(AveragedMargin(), logits, np.zeros(2, dtype=int)).scores()
    assert math.isfinite(right)
    assert math.isfinite(wrong)
    assert right < -500
    assert wrong > 500


@settings(max_examples=30)
@given(st.data())
def test_a_label_with_more_than_half_of_the_votes_weight_wins(data):
    n_classes = data.draw(st.integers(2, 5))
    favoured = data.draw(st.integers(1, n_classes - 1))
    votes = data.draw(st.lists(st.tuples(st.integers(1, n_classes - 1), st.integers(1, 40)), min_size=1, max_size=12))
    total = sum((Fraction(percent) for _, percent in votes), Fraction(0))
    own = sum((Fraction(percent) for c, percent in votes if c == favoured), Fraction(0))
    while 2 * own <= total:  # top up until it has the majority
        votes.insert(data.draw(st.integers(0, len(votes))), (favoured, 40))
        own, total = own + 40, total + 40
    logits = np.full((len(votes), 1, n_classes), -60.0)
    for e, (c, percent) in enumerate(votes):
        logits[e, 0, 0], logits[e, 0, c] = math.log(1 - percent / 100), math.log(percent / 100)
    assert play(OtherLabelVote(), logits, np.array([0])).scores().tolist() == [favoured]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_vote_never_goes_to_the_given_label_even_where_probabilities_underflow(dtype):
    logits, labels = recorded(20, 200, 5)
    logits[:, np.arange(200), labels] += 2000
    winners = play(OtherLabelVote(), logits.astype(dtype), labels).scores()
    assert (winners != labels).all()
    assert winners.min() >= 0


# six samples over five epochs of a second stage, worked out by hand
RIGHT = [
    # never forgotten, forgotten in epoch 3, in epoch 1, back at the end, right only in epoch 4, never learned
    [1, 1, 0, 1, 0, 1],
    [1, 1, 0, 0, 0, 0],
    [1, 0, 0, 0, 0, 1],
    [1, 0, 0, 0, 1, 0],
    [1, 0, 0, 1, 0, 0],
]
LEARNED = np.array([True, True, True, True, True, False])


@pytest.mark.parametrize("planned", [5, 20], ids=["whole", "ended early"])
def test_forgetting_times_of_a_table_worked_out_by_hand(planned):
    right = np.array(RIGHT, dtype=float)
    logits, labels = np.stack([right, 1 - right], axis=-1), np.zeros(6, dtype=np.int64)
    signal = play(ForgettingTime(LEARNED), logits, labels, planned=planned)
    # planned, not trained: what is never forgotten has the number of planned epochs plus one
    assert signal.times().tolist() == [planned + 1, 3, 1, planned + 1, 5, 1]
    assert signal.scores().tolist() == [-t for t in signal.times()]
    assert play(ForgettingTime(), logits, labels).times().tolist() == [6, 3, 1, 6, 5, 4]
    np.testing.assert_allclose(play(ForgottenShare(), logits, labels).scores(), [0, 0.6, 1, 0.6, 0.8, 0.6])

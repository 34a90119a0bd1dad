"""How a training ends: as planned, early, interrupted or in an error."""

from __future__ import annotations

import signal

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback, Checkpoint, EarlyStopping

from curvdetect import memorizing_net
from curvdetect.signals.dynamics import AveragedMargin, InputGradient, LearningTime, Loss, Margin, OtherLabelVote
from curvdetect.training import tracker
from curvdetect.training.nets import MLP
from curvdetect.training.schedules import Schedule, one_cycle
from tests.cases import quick_net
from tests.training.trainings import of_digits, quick_curvature, train

quietly = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def _signals():
    return [quick_curvature(), Loss(), Margin(), LearningTime(), InputGradient(), AveragedMargin()]


class At(Callback):
    """Raise an exception in an epoch, at one of skorch's hooks: in the second batch, where batches end."""

    def __init__(self, hook, epoch, error=KeyboardInterrupt, count=0):
        self.hook, self.epoch, self.error, self.count = hook, epoch, error, count

    def _raise(self, net, hook):
        if hook == self.hook and len(net.history) == self.epoch:
            self.count += 1
            if self.count == (2 if "batch" in hook else 1):
                raise self.error

    def on_grad_computed(self, net, **kwargs):
        self._raise(net, "on_grad_computed")

    def on_batch_end(self, net, **kwargs):
        self._raise(net, "on_batch_end")

    def on_epoch_end(self, net, **kwargs):
        self._raise(net, "on_epoch_end")


class InterruptedSignal(Loss):
    """Stands for Ctrl-C in the scoring pass of an epoch, or in the pass over the finished net."""

    name = "interrupted"

    def __init__(self, epoch, stage="scoring"):
        self.epoch, self.stage = epoch, stage

    def update(self, batch):
        super().update(batch)
        if batch.epoch == self.epoch:
            raise KeyboardInterrupt


def _net(*callbacks, **options):
    """Return a net of 8 planned epochs, two batches each, whose schedule is kept beside the callbacks."""
    torch.manual_seed(0)
    every = [("schedule", Schedule(one_cycle)), *callbacks]
    return memorizing_net(MLP(64, 10, 32), **{"max_epochs": 8, "batch_size": 50, "callbacks": every, **options})


def same_scores(signals, expected):
    for kept, twin in zip(signals, expected, strict=True):
        assert np.array_equal(kept.scores(), twin.scores()), kept.name


@quietly
def test_the_votes_of_a_broken_off_epoch_count_as_far_as_it_came(monkeypatch):
    def votes(at_once):
        monkeypatch.setattr(tracker, "AT_ONCE", at_once)
        vote = OtherLabelVote()
        run = train(_net(("stop", At("on_batch_end", 3)), batch_size=25), of_digits(), [vote])
        assert (run.stop_reason, len(run.history)) == ("interrupted", 2)
        return vote

    kept, shown, whole = votes(2**18), votes(0), OtherLabelVote()
    train(_net(batch_size=25), of_digits(), [whole], max_epochs=2)
    assert torch.equal(kept.weight, shown.weight)
    assert torch.equal(kept.candidate, shown.candidate)
    assert not torch.equal(kept.weight, whole.weight)


@quietly
@pytest.mark.parametrize("where", ["on_grad_computed", "on_batch_end", "scoring", "final"])
def test_interrupt_keeps_the_completed_epochs_of_every_signal(where):
    signals, expected, n_epochs = _signals(), _signals(), 8 if where == "final" else 2
    if where in ("scoring", "final"):
        run = train(_net(), of_digits(), [*signals, InterruptedSignal(min(8, n_epochs + 1), where)])
    else:
        run = train(_net(("stop", At(where, 3))), of_digits(), signals)
    assert isinstance(run.interrupt, KeyboardInterrupt)
    assert run.stop_reason == "interrupted"
    assert [record["epoch"] for record in run.history] == list(range(1, n_epochs + 1))
    assert run.train_accuracy == run.history[-1]["train_accuracy"]
    assert all(p.requires_grad for p in run.net.module_.parameters())
    # the same training, ended by a callback after as many epochs
    train(_net(("stop", At("on_epoch_end", n_epochs))), of_digits(), expected)
    same_scores(signals, expected)


@quietly
@pytest.mark.parametrize("shape", [(64,), (1, 8, 8)], ids=["rows", "pictures"])
def test_interrupt_before_the_first_scored_epoch_leaves_the_scores_of_the_last(shape):
    signal = quick_curvature()
    net = memorizing_net(None, batch_size=50, callbacks=[At("on_batch_end", 3)])
    run = train(net, of_digits(shape=shape), [signal])
    assert (run.stop_reason, [record["scored"] for record in run.history]) == ("interrupted", [False, True])
    assert (signal.scores() > 0).all()


@quietly
@pytest.mark.parametrize("place", [0, 1], ids=["before_the_schedule", "after_the_schedule"])
def test_early_stopping_ends_the_training_without_losing_an_epoch(place):
    callbacks = [("schedule", Schedule(one_cycle))]
    stopping = EarlyStopping(monitor="train_loss", patience=1, threshold=0.5, sink=lambda _: None)
    callbacks.insert(place, ("stopping", stopping))
    signals = _signals()
    run = train(_net(callbacks=callbacks), of_digits(), signals, every=1)
    assert run.interrupt is None
    assert run.stop_reason == "early_stopping"
    assert 1 < len(run.history) == len(run.net.history) < 8
    assert signals[1].count.sum(0).eq(len(run.history)).all()
    assert signals[0].count.sum(0).eq(len(run.history)).all()


class Signalled(Callback):
    """Ctrl-C that arrives while a callback closes the second epoch."""

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            signal.raise_signal(signal.SIGINT)


@pytest.fixture
def _heard_interrupts():
    """Ctrl-C reaches Python also where the tests were started in the background, which makes a shell ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@quietly
@pytest.mark.usefixtures("_heard_interrupts")
def test_interrupt_that_arrives_in_a_callback_is_not_taken_for_early_stopping():
    run = train(_net(("signalled", Signalled())), of_digits(), [Loss()])
    assert run.stop_reason == "interrupted"
    assert isinstance(run.interrupt, KeyboardInterrupt)


@quietly
@pytest.mark.parametrize("callback", [EarlyStopping(), Checkpoint(dirname="never-made")], ids=["stopping", "keeping"])
def test_a_callback_that_wants_held_out_data_is_told_that_there_is_none(callback, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"callback of net asks for .*valid_loss.*train_loss"):
        train(_net(("held_out", callback)), of_digits(), [Loss()])


@quietly
@pytest.mark.parametrize("error", [ZeroDivisionError, KeyError])
def test_other_errors_of_a_callback_are_handed_on_with_what_was_measured_before(error):
    signals = [Loss()]
    run = train(_net(("stop", At("on_epoch_end", 2, error))), of_digits(), signals)
    assert isinstance(run.interrupt, error)
    assert run.stop_reason == "interrupted"
    assert np.isfinite(signals[0].scores()).all()
    for raised in (error, KeyboardInterrupt):  # in the first epoch there is nothing to keep
        with pytest.raises(raised):
            train(_net(("stop", At("on_batch_end", 1, raised))), of_digits(), [Loss()])


def test_stop_at_ends_with_the_first_epoch_that_reaches_it_and_changes_nothing_before():
    signals, expected, net = _signals(), _signals(), quick_net(width=64, batch_size=16, max_epochs=40)
    run = train(net, of_digits(), signals, stop_at=0.8, every=1)
    assert run.stop_reason == "stop_at"
    accuracies = [record["train_accuracy"] for record in run.history]
    assert accuracies[-1] >= 0.8 > max(accuracies[:-1])
    assert all(record["scored"] for record in run.history)
    ended = net.set_params(callbacks=[*net.callbacks, ("stop", At("on_epoch_end", len(run.history)))])
    with pytest.warns(ConvergenceWarning):
        train(ended, of_digits(), expected, every=1)
    same_scores(signals, expected)


def test_stop_at_that_is_not_reached_runs_to_the_end_in_silence(recwarn):
    run = train(quick_net(), of_digits(), [Loss()], stop_at=1.0)
    assert run.stop_reason == "max_epochs"
    assert len(run.history) == 4
    assert not [w for w in recwarn if issubclass(w.category, ConvergenceWarning)]


def _raise(run):
    """Raise what ended a run after its first epoch."""
    raise run.interrupt


NOT_FINITE = {
    "training": (Loss, r"the training loss became (nan|inf) in epoch 2.*learning rate"),
    "scoring": (lambda: _signals()[0], r"the net puts out NaN or infinity after epoch 1.*learning rate"),
}


@pytest.mark.parametrize(("make", "message"), NOT_FINITE.values(), ids=NOT_FINITE)
def test_training_that_is_not_finite_is_an_error_that_names_the_epoch(make, message):
    # one step is enough to send the weights so far that their products overflow
    with pytest.raises(FloatingPointError, match=message):
        _raise(train(quick_net(lr=1e30, batch_size=100), of_digits(), [make()]))


def test_an_accuracy_just_below_the_aim_is_not_rounded_to_it(monkeypatch):
    monkeypatch.setattr("curvdetect.training.tracker.Tracker.finish", lambda tracker, net: 0.98997)
    with pytest.warns(ConvergenceWarning, match=r"training accuracy 0\.9899 after 1 epochs, below 0\.99"):
        train(quick_net(max_epochs=1), of_digits(50), [Loss()])

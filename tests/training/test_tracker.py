"""What the tracker shows to signals and records, and that showing it changes nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, EarlyStopping
from torch import nn
from torch.utils.data import DataLoader

from curvdetect import TwoViews, memorizing_net
from curvdetect.data import batches as batching
from curvdetect.data import samples as room
from curvdetect.data.samples import as_samples
from curvdetect.signals.dynamics import AveragedMargin, InputGradient, LearningTime, Loss, Margin, OtherLabelVote
from curvdetect.signals.evaluated import CurvatureContrast, Inconfidence
from curvdetect.signals.gradients import gradients_and_logits
from curvdetect.signals.passes import measuring
from curvdetect.signals.signal import accumulated
from curvdetect.training import tracker as tracking
from curvdetect.training.nets import ResNet
from curvdetect.training.tracker import Tracker
from tests.cases import Items, digits, draw_from_every_generator, quick_net
from tests.training.trainings import of_digits, quick_curvature, train

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Recorder:
    """A signal that keeps everything it is shown, epoch by epoch."""

    def __init__(self, stage, name="recorder", look=None):
        self.stage, self.name, self.look = stage, name, look

    def start(self, plan):
        self.plan, self.epochs, self.pending = plan, {}, []

    def update(self, batch):
        seen = (batch.index.clone(), batch.x.clone(), batch.y.clone(), batch.quarter)
        self.pending.append((batch.epoch, *seen, self.look(batch) if self.look else None))

    def end_epoch(self):
        epochs = {record[0] for record in self.pending}
        assert len(epochs) == 1
        self.epochs[epochs.pop()] = [record[1:] for record in self.pending]
        self.pending = []

    def column(self, epoch, i):
        """Return index (0), x (1), y (2) or what was looked at (4) of all samples of an epoch."""
        return torch.cat([record[i] for record in self.epochs[epoch]])


class GradientRecorder(Recorder):
    """One that is to be given the gradient of the training pass."""

    wants_gradient = True


class Glutton(Recorder):
    """A signal that draws from every global generator whenever it may."""

    def update(self, batch):
        draw_from_every_generator()
        super().update(batch)


class Shifting(nn.Module):
    """A net whose logits tell its mode: shifted by 100 in training, by nothing in evaluation."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 10))

    def forward(self, x):
        modes = [m.training for m in self.modules()]
        return self.body(x) + 100 * sum(modes) / len(modes)


NETS = {
    "dropout_and_batchnorm": (lambda: memorizing_net(Shifting(), max_epochs=3, batch_size=32), (64,)),
    "residual": (lambda: memorizing_net(ResNet(10, 1, (8, 16)), max_epochs=2, augment=True), (1, 8, 8)),
}


@pytest.mark.parametrize(("net", "shape"), NETS.values(), ids=NETS)
def test_watching_leaves_the_weights_bit_for_bit_as_they_would_be(net, shape):
    samples, net = of_digits(100, shape), net()
    plain = train(net, samples, []).net.module_.state_dict()
    watchers = [quick_curvature(), InputGradient(), Loss(), AveragedMargin(), LearningTime(), Inconfidence()]
    watched = train(net, samples, [*watchers, Glutton("scoring")], every=2).net.module_.state_dict()
    assert all(torch.equal(plain[key], watched[key]) for key in plain)


def test_scoring_signals_meet_every_sample_once_in_index_order_in_evaluation_mode():
    samples, at = of_digits(200), lambda batch: batch.logits
    recorders = training, scoring, final = [Recorder(stage, stage, at) for stage in ("training", "scoring", "final")]
    train(memorizing_net(Shifting(), max_epochs=3), samples, recorders, every=1)
    assert (list(training.epochs), list(scoring.epochs), list(final.epochs)) == ([1, 2, 3], [1, 2, 3], [3])
    for epoch in scoring.epochs:
        assert torch.equal(scoring.column(epoch, 0), torch.arange(200))
        assert torch.equal(scoring.column(epoch, 1), samples.inputs.tensor)
        assert torch.equal(scoring.column(epoch, 2), samples.labels)
        assert training.column(epoch, 4).mean() > 50 > scoring.column(epoch, 4).mean()
    assert final.column(3, 4).mean() < 50


SCORED = {
    "every_second_of_odd": (2, 5, [1, 3, 5]),
    "more_than_there_are": (9, 4, [4]),
    "auto": ("auto", 30, [1, 2, 3, 4, 7, 11, 18, 30]),
}


@pytest.mark.parametrize(("every", "n_epochs", "expected"), SCORED.values(), ids=SCORED)
def test_scored_epochs_are_counted_back_from_the_last(every, n_epochs, expected):
    scoring, training = Recorder("scoring"), Recorder("training", "other")
    run = train(quick_net(), of_digits(30), [scoring, training], every=every, max_epochs=n_epochs)
    assert list(scoring.epochs) == expected
    assert [record["epoch"] for record in run.history if record["scored"]] == expected
    quarters = {epoch: records[0][3] for epoch, records in training.epochs.items()}
    assert quarters == {epoch: 4 * (epoch - 1) // n_epochs for epoch in range(1, n_epochs + 1)}


def test_augmentation_reaches_training_signals_and_not_scoring_signals():
    samples = of_digits(100, (1, 8, 8))
    training, scoring = Recorder("training"), Recorder("scoring", "other")
    train(quick_net(augment=True, max_epochs=2), samples, [training, scoring], every=1)
    for epoch in (1, 2):
        index, x = training.column(epoch, 0), training.column(epoch, 1)
        changed = (x != samples.inputs.tensor[index]).flatten(1).any(1)
        assert changed.float().mean() > 0.5
        assert torch.equal(scoring.column(epoch, 1), samples.inputs.tensor)


def _gathered(samples, at_once, net, monkeypatch):
    """Return all that is measured where batches of ``at_once`` numbers are shown together, and the batches shown."""
    for room_of_it in (tracking, batching):
        monkeypatch.setattr(room_of_it, "AT_ONCE", at_once)
    recorder = Recorder("training", look=lambda batch: torch.stack([batch.loss, batch.margin, batch.correct], 1))
    signals = [Loss(), Margin(), LearningTime(), AveragedMargin(), OtherLabelVote(), recorder]
    run = train(net, samples, signals)
    assert not signals[3]._pending
    gathered = [value for signal in signals[:-1] for value in accumulated(signal).values()]
    looked = [recorder.column(epoch, column) for epoch in recorder.epochs for column in (0, 1, 2, 4)]
    weights = list(run.net.module_.state_dict().values())
    accuracy = [record["train_accuracy"] for record in run.history]
    return [*gathered, *looked, *weights, *accuracy], run, recorder


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(n=st.integers(20, 150), batch_size=st.integers(3, 70), at_once=st.integers(100, 2**14))
def test_batches_shown_together_measure_what_they_do_one_by_one(n, batch_size, at_once, monkeypatch):
    samples, net = of_digits(n), quick_net(max_epochs=3, batch_size=batch_size)
    together, run, _ = _gathered(samples, at_once, net, monkeypatch)
    apart, expected, one_by_one = _gathered(samples, 0, net, monkeypatch)
    assert len(one_by_one.epochs[1]) == math.ceil(n / batch_size)
    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(together, apart, strict=True))
    for mine, theirs in zip(run.history, expected.history, strict=True):
        assert mine["train_loss"] == pytest.approx(theirs["train_loss"], rel=1e-12)


class Repeating(DataLoader):
    """A loader that may hold a sample in several batches of an epoch."""

    def __init__(self, dataset, **options):
        super().__init__(dataset, **{**options, "batch_size": 4, "sampler": [0, 1, 2, 3, 0, 1, 2, 0]})


#: A net, signals, and how many batches are shown of the four, or of a loader's two, that an epoch has.
TOGETHER = {
    "small batches": (quick_net(), [Loss()], 1),
    "that ask for the gradient": (quick_net(), [Loss(), InputGradient()], 4),
    "of a loader that may repeat samples": (quick_net(iterator_train=Repeating), [Loss()], 2),
}


@pytest.mark.parametrize(("net", "signals", "shown"), TOGETHER.values(), ids=TOGETHER)
def test_small_batches_that_hold_a_sample_once_are_shown_together(net, signals, shown):
    recorder = Recorder("training")
    train(net.set_params(batch_size=10), of_digits(40), [*signals, recorder], max_epochs=2)
    assert [len(batches) for batches in recorder.epochs.values()] == [shown, shown]


def test_what_is_kept_to_be_shown_is_not_written_over(monkeypatch):
    class Overwriting(Callback):
        """Stand for a compiled net, which puts the outputs of all batches into one place."""

        def on_batch_end(self, net, y_pred, **kwargs):
            y_pred.detach().zero_()

    def measured(*callbacks):
        loss = Loss()
        train(quick_net(batch_size=10, callbacks=list(callbacks)), of_digits(40), [loss], max_epochs=2)
        return loss.scores()

    assert np.array_equal(measured(Overwriting()), measured())


def _collate(items):
    return torch.stack([x for x, _ in items]), torch.tensor([y for _, y in items])


@pytest.mark.parametrize("collated", [{}, {"iterator_train__collate_fn": _collate}], ids=["plain", "collating"])
def test_training_signals_are_told_which_samples_a_batch_holds(collated):
    samples, recorder = of_digits(100), Recorder("training")
    options = {"iterator_train": DataLoader, "iterator_train__shuffle": True, "iterator_train__num_workers": 1}
    train(quick_net(max_epochs=2, **options, **collated), samples, [recorder])
    for epoch in (1, 2):
        index = recorder.column(epoch, 0)
        assert torch.equal(index.sort().values, torch.arange(100))
        assert torch.equal(recorder.column(epoch, 1), samples.inputs.tensor[index])
        assert torch.equal(recorder.column(epoch, 2), samples.labels[index])


GRADIENTS = {
    "mean": {},
    "sum": {"criterion__reduction": "sum"},
    "dataloader_with_short_last_batch": {"iterator_train": DataLoader},
    "probabilities": {"criterion": nn.NLLLoss, "module": nn.Sequential(nn.Linear(64, 10), nn.Softmax(1))},
    "several_passes_a_step": {"optimizer": torch.optim.LBFGS},
    "weights_of_classes": {"criterion__weight": torch.linspace(0.1, 3.0, 10)},
}


@pytest.mark.parametrize("options", GRADIENTS.values(), ids=GRADIENTS)
def test_gradient_of_the_training_pass_is_each_samples_own(options):
    # a learning rate of zero keeps the weights, so that the gradient can be taken again afterwards
    module = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
    params = {
        "module": module,
        "criterion": nn.CrossEntropyLoss,
        "lr": 0.0,
        "batch_size": 32,
        "max_epochs": 1,
    }
    samples, recorder = of_digits(50), GradientRecorder("training", look=lambda batch: batch.gradient)
    run = train(NeuralNetClassifier(**{**params, **options}), samples, [recorder])
    module = run.net.module_
    logits = module[:-1] if isinstance(module[-1], nn.Softmax) else module
    with measuring(module):
        (expected,), _ = gradients_and_logits(logits, samples.inputs.tensor, samples.labels[None])
    expected = expected * options.get("criterion__weight", torch.ones(10))[samples.labels, None]
    index = recorder.column(1, 0)
    torch.testing.assert_close(recorder.column(1, 4), expected[index], rtol=1e-4, atol=1e-6)


def test_input_gradient_says_that_a_net_passes_none():
    class Deaf(nn.Linear):
        def forward(self, x):
            return super().forward(x.detach())

    with pytest.raises(ValueError, match=r"net passes no gradient to its input.*'input_gradient' and 'mine'"):
        train(memorizing_net(Deaf(64, 10)), of_digits(20), [InputGradient(), GradientRecorder("training", "mine")])


PASSES = {
    "gradient that it did not ask for": Recorder("training", look=lambda batch: batch.gradient),
    "other gradient": GradientRecorder("training", look=lambda batch: batch.other_gradient),
    "pass": Recorder("training", look=lambda batch: batch.forward(batch.x)),
}


@pytest.mark.parametrize("signal", PASSES.values(), ids=PASSES)
def test_a_training_signal_makes_no_pass_of_its_own(signal):
    with pytest.raises(ValueError, match=r"signal 'recorder' has stage 'training' and asks.*wants_gradient = True"):
        train(quick_net(), of_digits(20), [Loss(), signal])


ENDINGS = {
    "planned": {"net": quick_net(), "every": 2},
    "stop_at": {"net": quick_net(), "every": 4, "stop_at": 0.01},
    "callback": {"net": quick_net(callbacks=[EarlyStopping("train_loss", patience=1, threshold=1e9)]), "every": 4},
}


@pytest.mark.parametrize("name", ENDINGS)
def test_a_scored_epoch_holds_the_mean_of_every_signal_that_has_one_also_where_it_is_scored_after_all(name):
    curvature, contrast = quick_curvature(), CurvatureContrast(h=1e-2, n=1, power=1, seed=3)
    signals = [curvature, contrast, Recorder("scoring"), Loss()]
    history = train(samples=of_digits(90), signals=signals, **ENDINGS[name]).history
    scored = [record["epoch"] for record in history if record["scored"]]
    assert scored == ([2, 4] if name == "planned" else [len(history)])
    assert (len(history) == 4) == (name == "planned")
    for record in history:
        means = {key for key in record if key.startswith("mean_")}
        assert means == ({"mean_curvature_contrast", "mean_curvature"} if record["scored"] else set())
    means = [record["mean_curvature"] for record in history if record["scored"]]
    assert sum(means) / len(means) == pytest.approx(curvature.scores().mean())


LOADED = {"iterator_train": DataLoader, "iterator_train__shuffle": True, "iterator_valid__num_workers": 1}


@pytest.mark.parametrize(("options", "resident"), [({}, True), ({}, False), (LOADED, False)])
def test_one_view_is_trained_on_and_the_other_is_scored(options, resident, monkeypatch):
    X, y = digits(90)
    clean, turned = torch.tensor(X), torch.tensor(X.reshape(-1, 8, 8).transpose(0, 2, 1).reshape(-1, 64).copy())
    if not resident:
        monkeypatch.setattr(room, "RESIDENT_BYTES", 0)
    samples = as_samples(TwoViews(Items(zip(clean, y, strict=True)), Items((x, None) for x in turned)))
    signals = training, scoring, final = Recorder("training"), Recorder("scoring", "other"), Recorder("final", "last")
    run = train(quick_net(max_epochs=2, **options), samples, signals, every=1)
    for epoch in (1, 2):
        index = training.column(epoch, 0)
        assert sorted(index.tolist()) == list(range(90))
        assert torch.equal(training.column(epoch, 1), turned[index])
        assert training.column(epoch, 2).tolist() == y[index].tolist()
        assert scoring.column(epoch, 0).tolist() == list(range(90))
        assert torch.equal(scoring.column(epoch, 1), clean)
    assert torch.equal(final.column(2, 1), clean)
    with torch.no_grad():
        right = (run.net.module_(clean).argmax(1).numpy() == y).mean()
    assert run.train_accuracy == pytest.approx(right)


def test_samples_are_counted_beyond_what_float32_holds(monkeypatch):
    far, begin, show = 2**30, Tracker.on_epoch_begin, Tracker._show

    def begin_far_on(self, net, **kwargs):
        begin(self, net, **kwargs)
        self._seen, self._correct, self._loss = far, self._correct + far, self._loss + far

    def show_far_on(self, batch, stage):
        self._correct += far if stage == "final" else 0
        show(self, batch, stage)

    monkeypatch.setattr(Tracker, "on_epoch_begin", begin_far_on)
    monkeypatch.setattr(Tracker, "_show", show_far_on)
    recorder = Recorder("training", look=lambda batch: torch.stack([batch.loss, batch.correct.float()], 1))
    final = Recorder("final", "final", lambda batch: batch.correct)
    run = train(quick_net(), of_digits(60), [recorder, final], max_epochs=1)
    loss, correct = recorder.column(1, 4).double().sum(0).tolist()
    assert min(correct, final.column(1, 4).sum()) > 0
    assert run.history[0]["train_accuracy"] == (far + correct) / (far + 60)
    assert run.history[0]["train_loss"] == pytest.approx((far + loss) / (far + 60), rel=1e-12)
    assert run.train_accuracy == (far * len(final.epochs[1]) + int(final.column(1, 4).sum())) / 60
    assert set(run.seconds) == {"training", "recorder", "final"}
    assert min(run.seconds.values()) > 0

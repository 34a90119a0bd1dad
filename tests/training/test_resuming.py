"""A training that was cut short goes on elsewhere as if nothing had happened."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, EarlyStopping, Freezer, LRScheduler, TrainEndCheckpoint, Unfreezer
from torch import nn
from torch.utils.data import DataLoader

from curvdetect import finetuning_net, memorizing_net, step_decay
from curvdetect.data.samples import as_samples
from curvdetect.signals.dynamics import AveragedMargin, LearningTime, Loss, Margin, OtherLabelVote
from curvdetect.signals.evaluated import Inconfidence
from curvdetect.signals.registry import SIGNALS
from curvdetect.training.checkpoints import NOWHERE, Checkpoints
from tests.cases import digits, untouched_rng
from tests.training.trainings import quick_curvature, train

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
N, EPOCHS = 120, 6
X, Y = digits(N)


class Cut(Callback):
    """Ends the training in the middle of an epoch, as losing the process would."""

    at: int | None = None

    def on_batch_end(self, net, training=False, **kwargs):
        if len(net.history) == Cut.at:
            raise KeyboardInterrupt


class DrawsAndCounts(Callback):
    """Draws from every generator and counts in attributes of its own, as users' callbacks do."""

    def initialize(self):
        self.count_, self.seen_ = 0, []
        return self

    def on_epoch_begin(self, net, **kwargs):
        self.count_ += 1
        self.seen_.append((self.count_, float(np.random.rand())))  # noqa: NPY002
        net.optimizer_.param_groups[0]["weight_decay"] = 1e-4 * self.count_


def _mlp(*layers):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 32), *layers, nn.ReLU(), nn.Linear(32, 10))


def _conv():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 16, 3), nn.BatchNorm2d(16), nn.ReLU())


def _adam(**options):
    settings = {"criterion": nn.CrossEntropyLoss, "optimizer": torch.optim.Adam, "lr": 1e-2, "batch_size": 32}
    return NeuralNetClassifier(_mlp(nn.BatchNorm1d(32)), **{**settings, "iterator_train__shuffle": True, **options})


def _recipe():
    return memorizing_net(_mlp(nn.BatchNorm1d(32)), batch_size=32)


NETS = {
    "recipe": _recipe,
    "dropout": lambda: memorizing_net(_mlp(nn.Dropout(0.3)), batch_size=32, schedule=step_decay),
    "plateau": lambda: _adam(callbacks=[("lr", LRScheduler("ReduceLROnPlateau", monitor="train_loss", patience=0))]),
    "counting": lambda: memorizing_net(_mlp(), callbacks=[("counts", DrawsAndCounts())]),
    "freezing": lambda: memorizing_net(_mlp(), callbacks=[Freezer("0.*"), Unfreezer("0.*", at=4)], batch_size=32),
    "stopping": lambda: memorizing_net(
        _mlp(), callbacks=[("stopping", EarlyStopping("train_loss", patience=2, threshold=0.5, load_best=True))]
    ),
    "workers": lambda: memorizing_net(
        _mlp(), iterator_train=DataLoader, iterator_train__shuffle=True, iterator_train__num_workers=1
    ),
}


def _run(net, place=NOWHERE, X=X, **options):
    signals = [quick_curvature(), Loss(), Margin(), SIGNALS["late_loss"].make(), LearningTime()]
    signals += [AveragedMargin(), Inconfidence(), OtherLabelVote()]
    callbacks = [*(net.callbacks or []), ("cut", Cut())]
    run = train(
        net.set_params(callbacks=callbacks), as_samples(X, Y), signals, seed=7, device=torch.device("cpu"),
        **{"max_epochs": EPOCHS, "checkpoints": place, **options},
    )  # fmt: skip
    return run, {signal.name: signal.scores() for signal in signals}


@pytest.fixture(autouse=True)
def _uncut():
    Cut.at = None
    yield
    Cut.at = None


def _assert_equal(one, other):
    (run, scores), (run_again, scores_again) = one, other
    for name, expected in scores.items():
        np.testing.assert_array_equal(scores_again[name], expected, err_msg=name)
    for name, weights in run.net.module_.state_dict().items():
        assert torch.equal(run_again.net.module_.state_dict()[name], weights), name
    assert run_again.stop_reason == run.stop_reason
    assert run_again.train_accuracy == run.train_accuracy
    assert run_again.net.classes_.tolist() == run.net.classes_.tolist()
    timeless = [{k: v for k, v in record.items() if "seconds" not in k} for record in run.history]
    assert [{k: v for k, v in r.items() if "seconds" not in k} for r in run_again.history] == timeless
    assert run_again.net.history[:, "train_loss"] == run.net.history[:, "train_loss"]
    for counts, again in zip(*(dict(r.net.callbacks_).values() for r in (run, run_again)), strict=True):
        assert getattr(again, "seen_", []) == getattr(counts, "seen_", [])


CASES = {name: (make, {}) for name, make in NETS.items()} | {
    "aim": (_recipe, {"stop_at": 0.9}),
    "pictures": (lambda: memorizing_net(None, augment=True), {"X": X.reshape(N, 1, 8, 8), "max_epochs": 3}),
    "head first": (
        lambda: finetuning_net(_conv(), mean=[0], std=[1], head_epochs=3, batch_size=32),
        {"X": X.reshape(N, 1, 8, 8)},
    ),
}


@pytest.mark.parametrize(("make", "options"), CASES.values(), ids=CASES)
def test_cut_twice_and_resumed_is_as_never_cut_and_what_is_finished_is_not_trained_again(tmp_path, make, options):
    expected, place = _run(make(), **options), Checkpoints(tmp_path)
    n_epochs = len(expected[0].history)
    assert n_epochs > 2
    assert (n_epochs < EPOCHS) == (expected[0].stop_reason != "max_epochs" or "max_epochs" in options)
    for Cut.at in (2, max(3, n_epochs - 1)):
        with untouched_rng():
            run, _ = _run(make(), place, **options)
        assert isinstance(run.interrupt, KeyboardInterrupt)
        assert len(run.history) == Cut.at - 1
        assert isinstance(run.net.history[-1]["epoch"], int)
    Cut.at = None
    _assert_equal(expected, _run(make(), place, **options))
    Cut.at = 1  # would be noticed
    _assert_equal(expected, _run(make(), place, **options))


def test_a_callback_that_keeps_the_net_at_the_end_does_so_once_more(tmp_path):
    for i in range(2):
        net = memorizing_net(_mlp(), callbacks=[TrainEndCheckpoint(dirname=str(tmp_path / str(i)))])
        _run(net, Checkpoints(tmp_path / "kept"), max_epochs=2)
    ends = [torch.load(tmp_path / str(i) / "train_end_params.pt") for i in range(2)]
    assert all(torch.equal(value, ends[1][name]) for name, value in ends[0].items())

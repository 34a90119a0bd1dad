"""What a net brings along that shares work out, or places it, by itself; several processes are in test_ranks."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from curvdetect import LossDetector
from curvdetect.data.batches import Share
from curvdetect.data.samples import as_samples
from curvdetect.signals.dynamics import Loss, OtherLabelVote
from curvdetect.signals.signal import Plan
from curvdetect.training import memorize
from curvdetect.training.checkpoints import Checkpoints
from curvdetect.training.in_step import InStep
from curvdetect.training.ranks import Ranks
from tests.cases import noisy_digits
from tests.training.together import COMMON, Accelerated, skorch_net
from tests.training.trainings import train

X, LABELS, *_ = noisy_digits(40)


def accelerated(placing):
    """Return a net whose accelerator places what it is given, or does not."""
    net = Accelerated(**skorch_net(max_epochs=2).get_params(deep=False))
    net.accelerator = SimpleNamespace(device_placement=placing)
    return net


class Alone(Ranks):
    """The only one of its processes, which notes that it exchanges something."""

    def __init__(self):
        super().__init__(0, 2)
        self.share, self.exchanged = Share(0, 1), 0

    def _note(self, *tensors):
        self.exchanged += 1

    sum = largest = from_first = _note

    def first(self, make):
        self._note()
        return make()

    def each(self, value):
        self._note()
        return [value]


class FailIn(Callback):
    """Fails in the middle of an epoch."""

    def on_batch_end(self, net, **kwargs):
        if len(net.history) == 2:
            memorize.ranks_here().exchanged = 0
            raise OSError("a disk is gone")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_process_that_failed_exchanges_nothing_more(tmp_path, monkeypatch):
    alone = Alone()
    monkeypatch.setattr(memorize, "ranks_here", lambda: alone)
    run = train(
        skorch_net(max_epochs=9, callbacks=[("fail", FailIn())]),
        as_samples(X, LABELS),
        [Loss(), OtherLabelVote()],
        checkpoints=Checkpoints(tmp_path),
        keep_snapshots=1,
    )
    assert isinstance(run.interrupt, OSError)
    assert len(run.history) == 1
    assert alone.exchanged == 0


def test_losses_of_an_epoch_are_added_up_beyond_what_float32_holds():
    alone = SimpleNamespace(size=1, sum=lambda *tensors: None, from_first=lambda *tensors: None)
    in_step = InStep(alone, Plan(1, 2, 1, torch.device("cpu")))
    net = SimpleNamespace(
        _modules=["module"], module_=nn.Linear(1, 2), criterion_=nn.CrossEntropyLoss(), history=[{"batches": [{}]}]
    )
    batch, (record,) = (torch.zeros(1, 1), torch.zeros(1, dtype=torch.int64)), net.history[0]["batches"]
    record["train_loss"] = 0.0
    for n, loss in ((2**24, 1.0), *[(1, 5.0)] * 3):
        in_step.on_share(n, n)
        in_step.on_grad_computed(net, [], batch=(batch[0].expand(n, 1), batch[1].expand(n)))
        in_step.on_batch_end(net, training=True, loss=torch.tensor(loss))
    in_step.on_epoch_end(net)
    assert record["train_loss"] == (2**24 + 15) / (2**24 + 3)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_an_accelerator_that_places_nothing_changes_nothing():
    found, expected = (
        LossDetector(net, **COMMON).fit(X, LABELS) for net in (accelerated(False), skorch_net(max_epochs=2))
    )
    np.testing.assert_array_equal(found.scores_, expected.scores_)


def test_an_accelerator_that_chooses_the_device_is_refused():
    with pytest.raises(ValueError, match=r"whose accelerator chooses the device.*device_placement=False"):
        LossDetector(accelerated(True), **COMMON).fit(X, LABELS)

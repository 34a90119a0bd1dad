"""Weights kept during the training, and what samples look like on them."""

from __future__ import annotations

import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from curvdetect import memorizing_net
from curvdetect.data.samples import as_samples
from curvdetect.signals.dynamics import Loss
from curvdetect.training.checkpoints import NOWHERE, Checkpoints
from curvdetect.training.settings import snapshot_epochs
from tests.cases import digits
from tests.training.trainings import train

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, Y = digits(120)
CHOICES = [
    (range(1, 11), 0, []),
    (range(1, 11), 1, [6]),
    (range(1, 11), 2, [3, 8]),
    ([2, 3, 5, 9], 3, [2, 5, 9]),
    ([2, 3, 5], 99, [2, 3, 5]),
]


@pytest.mark.parametrize(("scored", "keep", "expected"), CHOICES)
def test_epochs_are_chosen_evenly_among_those_that_are_scored(scored, keep, expected):
    assert sorted(snapshot_epochs(scored, keep)) == expected


class Weights(Callback):
    """Keep the weights of every epoch."""

    def on_train_begin(self, net, **kwargs):
        self.seen = []

    def on_epoch_end(self, net, **kwargs):
        self.seen.append({name: value.clone() for name, value in net.module_.state_dict().items()})


def _train(place=NOWHERE, **options):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.BatchNorm1d(64), nn.Linear(64, 10))
    module[2].weight = module[0].weight  # shared within the net
    net = memorizing_net(module, callbacks=[("weights", Weights())])
    return train(
        net, as_samples(X, Y), [Loss()], every=1, checkpoints=place, **{"max_epochs": 6, "keep_snapshots": 3, **options}
    )


def _seen(run):
    return dict(run.net.callbacks_)["weights"].seen


def _same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_weights_are_those_of_their_epoch_and_stay_so_in_memory_and_in_files(tmp_path):
    memory, files = _train(), _train(Checkpoints(tmp_path))
    assert [snapshot.weights for snapshot in files.snapshots] == [
        tmp_path / "snapshots" / f"epoch-000{epoch}.safetensors" for epoch in (2, 4, 6)
    ]
    for run in (memory, files):
        assert [snapshot.epoch for snapshot in run.snapshots] == [2, 4, 6]
        assert all(_same(snapshot.load(), _seen(run)[snapshot.epoch - 1]) for snapshot in run.snapshots)
    assert not _same(memory.snapshots[0].load(), memory.snapshots[1].load())
    again = _train(Checkpoints(tmp_path))  # finished: only looked up
    assert again.snapshots == files.snapshots
    files.snapshots[0].weights.unlink()
    files.snapshots[1].weights.write_bytes(b"torn")
    for snapshot in files.snapshots[:2]:
        with pytest.raises(ValueError, match=f"weights of epoch {snapshot.epoch} can't be read.*checkpoint_dir"):
            snapshot.load()


def test_a_training_that_ends_before_the_first_keeps_its_last_weights():
    run = _train(stop_at=0.01)
    assert [snapshot.epoch for snapshot in run.snapshots] == [1]
    assert _same(run.snapshots[0].load(), run.net.module_.state_dict())


def test_where_there_is_no_room_weights_stay_in_memory(tmp_path):
    (tmp_path / "snapshots").write_text("in the way")
    with pytest.warns(RuntimeWarning, match=r"weights of epoch 2 could not be written.*kept in memory"):
        run = _train(Checkpoints(tmp_path))
    assert _same(run.snapshots[0].load(), _seen(run)[1])

"""Weights kept during the training, and what samples look like on them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from curvdetect import memorizing_net
from curvdetect.data.samples import as_samples
from curvdetect.signals.dynamics import Loss
from curvdetect.training.checkpoints import NOWHERE, Checkpoints
from curvdetect.training.snapshots import snapshot_epochs
from tests.cases import digits
from tests.training.trainings import train

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, Y = digits(120)
CHOICES = {
    "none": (range(1, 11), 0, []),
    "one": (range(1, 11), 1, [6]),
    "two": (range(1, 11), 2, [3, 8]),
    "most": ([2, 3, 5, 9], 3, [2, 5, 9]),
    "all": ([2, 3, 5], 3, [2, 3, 5]),
    "more_than_there_are": ([2, 3, 5], 99, [2, 3, 5]),
}


@pytest.mark.parametrize(("scored", "keep", "expected"), CHOICES.values(), ids=CHOICES)
def test_epochs_are_chosen_evenly_among_those_that_are_scored(scored, keep, expected):
    assert sorted(snapshot_epochs(scored, keep)) == expected


def _train(place=NOWHERE, **options):
    torch.manual_seed(0)
    net = memorizing_net(nn.Sequential(nn.Linear(64, 16), nn.BatchNorm1d(16), nn.Linear(16, 10)))
    return train(
        net, as_samples(X, Y), [Loss()], device=torch.device("cpu"), seed=0, every=1, checkpoints=place,
        **{"max_epochs": 6, "keep_snapshots": 3, **options},
    )  # fmt: skip


def _weights_after(epoch):
    return _train(max_epochs=6, keep_snapshots=6).snapshots[epoch - 1].load()


def _same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_weights_are_those_of_their_epoch_and_stay_so():
    run = _train()
    assert [snapshot.epoch for snapshot in run.snapshots] == [2, 4, 6]
    assert _same(run.snapshots[-1].load(), run.net.module_.state_dict())
    assert _same(run.snapshots[0].load(), _weights_after(2))
    assert not _same(run.snapshots[0].load(), run.snapshots[1].load())


def test_with_checkpoints_weights_are_in_files(tmp_path):
    run = _train(Checkpoints(tmp_path))
    assert [snapshot.weights for snapshot in run.snapshots] == [
        tmp_path / "snapshots" / f"epoch-000{epoch}.safetensors" for epoch in (2, 4, 6)
    ]
    assert all(_same(a.load(), b.load()) for a, b in zip(run.snapshots, _train().snapshots, strict=True))
    again = _train(Checkpoints(tmp_path))  # finished: only looked up
    assert again.snapshots == run.snapshots


def test_a_training_that_ends_before_the_first_keeps_its_last_weights():
    run = _train(stop_at=0.01)
    assert [snapshot.epoch for snapshot in run.snapshots] == [1]
    assert _same(run.snapshots[0].load(), run.net.module_.state_dict())


def test_a_file_that_is_gone_or_torn_is_named(tmp_path):
    first, second, _ = _train(Checkpoints(tmp_path)).snapshots
    first.weights.unlink()
    second.weights.write_bytes(b"torn")
    for snapshot in (first, second):
        with pytest.raises(ValueError, match=f"weights of epoch {snapshot.epoch} can't be read.*checkpoint_dir"):
            snapshot.load()


def test_where_there_is_no_room_weights_stay_in_memory(tmp_path):
    (tmp_path / "snapshots").write_text("in the way")
    with pytest.warns(RuntimeWarning, match=r"weights of epoch 2 could not be written.*kept in memory"):
        run = _train(Checkpoints(tmp_path))
    assert _same(run.snapshots[0].load(), _weights_after(2))


def test_weights_that_are_shared_within_the_net_are_kept():
    module = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.Linear(64, 10))
    module[2].weight = module[0].weight
    run = train(
        memorizing_net(module), as_samples(X, Y), [Loss()], device=torch.device("cpu"), seed=0, max_epochs=2,
        keep_snapshots=1,
    )  # fmt: skip
    assert _same(run.snapshots[0].load(), run.net.module_.state_dict())

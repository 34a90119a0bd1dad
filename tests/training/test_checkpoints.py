"""A good checkpoint is left whatever happens while one is written, and weights are kept of some epochs."""

from __future__ import annotations

import io
import os
import pickle
from hashlib import blake2b
from itertools import count

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from curvdetect import memorizing_net
from curvdetect.signals.dynamics import Loss
from curvdetect.training import checkpoints
from curvdetect.training.checkpoints import NOWHERE, Checkpoints, plainly, write_whole
from curvdetect.training.settings import snapshot_epochs
from tests.training.trainings import of_digits, train
from tests.written import killed_at

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
STATE = {
    "epoch": 1,
    "loss": 0.5,
    "name": "x",
    "weights": {"w": torch.arange(6.0).reshape(2, 3)},
    "none": [None, (1, 2)],
}


def _saved(path, n=2):
    place = Checkpoints(path)
    for epoch in range(1, n + 1):
        place.save({**STATE, "epoch": epoch})
    return place


def test_what_was_saved_last_comes_back_and_parts_are_kept_apart(tmp_path, recwarn):
    place = _saved(tmp_path / "new" / "place", 3)
    place.part("a").save({"epoch": 7})
    state = place.load()
    assert torch.equal(state.pop("weights")["w"], STATE["weights"]["w"])
    assert state == {**{k: v for k, v in STATE.items() if k != "weights"}, "epoch": 3}
    assert place.part("a").load() == {"epoch": 7}
    NOWHERE.save(STATE)
    for nothing in (place.part("b"), Checkpoints(tmp_path / "missing"), NOWHERE, NOWHERE.part("x")):
        assert nothing.load() is None
    assert not recwarn.list


def _cut(path):
    path.write_bytes(path.read_bytes()[:-50])


def _flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("tear", [_cut, _flip_a_bit])
def test_a_torn_checkpoint_is_passed_over_for_the_one_before_and_two_mean_starting_anew(tmp_path, tear):
    place = _saved(tmp_path)
    tear(tmp_path / "checkpoint")
    with pytest.warns(RuntimeWarning, match="checkpoint is torn.*taken up from the one before it"):
        assert place.load()["epoch"] == 1
    tear(tmp_path / "checkpoint.previous")
    with pytest.warns(RuntimeWarning, match=r"checkpoint.*checkpoint\.previous is torn.*started anew"):
        assert place.load() is None


@pytest.mark.filterwarnings("ignore:the checkpoint")
def test_after_a_torn_checkpoint_too_a_good_one_is_left_wherever_the_next_is_killed(tmp_path):
    for step in count(1):
        place = _saved(tmp_path / str(step))
        _cut(place.path / "checkpoint")
        place.load()
        killed = killed_at(step, lambda place=place: place.save({"epoch": 3}))
        assert Checkpoints(place.path).load()["epoch"] in ((1, 3) if killed else (3,))
        place.save({"epoch": 4})
        place.save({"epoch": 5})
        _cut(place.path / "checkpoint")
        assert Checkpoints(place.path).load()["epoch"] == 4
        if not killed:
            break
    assert step > 2


@pytest.mark.parametrize("step", ["write", "fsync", "first_name", "second_name"])
def test_an_error_at_any_step_leaves_a_good_checkpoint_and_is_said_once(tmp_path, monkeypatch, recwarn, step):
    place = _saved(tmp_path)
    path_type, replace = type(tmp_path), type(tmp_path).replace

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    def renamed(self, target):
        if target.name == ("checkpoint.previous" if step == "first_name" else "checkpoint"):
            full()
        return replace(self, target)

    if step == "fsync":
        monkeypatch.setattr(checkpoints.os, "fsync", full)
    elif step == "write":
        monkeypatch.setattr(path_type, "open", full)
    else:
        monkeypatch.setattr(path_type, "replace", renamed)
    for _ in range(2):
        place.save({"epoch": 3})
    monkeypatch.undo()
    (said,) = [str(warning.message) for warning in recwarn.list]
    assert "could not be written to checkpoint_dir ([Errno 28] No space left on device). The training goes on" in said
    assert place.load()["epoch"] == 2
    assert sorted(p.name for p in tmp_path.iterdir() if "draft" in p.name) == []
    place.save({"epoch": 4})
    assert place.load()["epoch"] == 4


def test_drafts_that_killed_processes_left_are_cleared_and_others_are_not(tmp_path):
    old = [tmp_path / "checkpoint.7.draft", tmp_path / "checkpoint.88.draft"]
    kept = [tmp_path / name for name in ("checkpoint.9.draft", "other.7.draft", "checkpoint.mine.draft")]
    for path in (*old, *kept):
        path.write_text("")
        if path.name != "checkpoint.9.draft":  # which is being written
            os.utime(path, (0, 0))
    write_whole(tmp_path / "checkpoint", b"new")
    assert not any(path.exists() for path in old)
    assert all(path.exists() for path in kept)


class Executed:
    def __reduce__(self):
        return os.mkdir, ("executed",)


def test_a_forged_checkpoint_is_not_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = io.BytesIO()
    torch.save({"epoch": Executed()}, content)
    payload = content.getvalue()
    digest = blake2b(payload, digest_size=checkpoints._DIGEST).digest()
    write_whole(tmp_path / "checkpoint", checkpoints._MAGIC, digest, payload)
    with pytest.raises(pickle.UnpicklingError):
        Checkpoints(tmp_path).load()
    assert not (tmp_path / "executed").exists()


PLAIN = {
    "numpy_number": (np.float64(0.5), 0.5),
    "numpy_bool": (np.True_, True),
    "nested": ({"a": (np.int64(1), [None, "x"])}, {"a": (1, [None, "x"])}),
    "array": (np.arange(3), torch.arange(3)),
}


@pytest.mark.parametrize(("value", "expected"), PLAIN.values(), ids=PLAIN)
def test_numpy_values_become_plain_ones(value, expected):
    plain = plainly(value)
    assert type(plain) is type(expected)
    assert torch.equal(plain, expected) if isinstance(expected, torch.Tensor) else plain == expected


def test_what_is_not_plain_is_refused():
    with pytest.raises(TypeError, match="a Executed can't be kept"):
        plainly({"deep": [Executed()]})


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
    settings = {"max_epochs": 6, "keep_snapshots": 3, "every": 1, "checkpoints": place, **options}
    return train(net, of_digits(120), [Loss()], **settings)


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

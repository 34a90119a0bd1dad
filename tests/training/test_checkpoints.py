"""A good checkpoint is left whatever happens while one is written."""

from __future__ import annotations

import io
import os
import pickle
import resource
import signal
from hashlib import blake2b
from itertools import count

import numpy as np
import pytest
import torch

from curvdetect.training import checkpoints
from curvdetect.training.checkpoints import NOWHERE, Checkpoints, plainly, write_whole
from tests.files import killed_at

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


TEARS = {"cut": _cut, "flipped": _flip_a_bit}


@pytest.mark.parametrize("tear", TEARS.values(), ids=TEARS)
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
def test_an_error_at_any_step_leaves_a_good_checkpoint(tmp_path, monkeypatch, step):
    place = _saved(tmp_path)
    calls = []
    path_type, replace = type(tmp_path), type(tmp_path).replace

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    def renamed(self, target):
        calls.append(target)
        if len(calls) == (1 if step == "first_name" else 2):
            full()
        return replace(self, target)

    if step == "fsync":
        monkeypatch.setattr(checkpoints.os, "fsync", full)
    elif step == "write":
        monkeypatch.setattr(path_type, "open", full)
    else:
        monkeypatch.setattr(path_type, "replace", renamed)
    with pytest.warns(RuntimeWarning, match="could not be written.*No space left.*The training goes on"):
        place.save({"epoch": 3})
    monkeypatch.undo()
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


def test_a_disk_that_stays_full_is_said_once(tmp_path, recwarn):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    place = _saved(tmp_path, 1)
    try:
        # the limit is the operating system's, and a write beyond it fails as one on a full disk does
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
        for epoch in (2, 3):
            place.save({"epoch": epoch, "large": torch.rand(9999)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert [w.category for w in recwarn.list] == [RuntimeWarning]
    assert place.load()["epoch"] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint"]


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

"""Features on disk: what is computed once, what goes on, and what never meets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from curvdetect.features import cache
from curvdetect.features.backbones import Backbone
from tests.cases import Items
from tests.features.test_embedder import PICTURES, N, Returning, embedder, network


@pytest.fixture
def seen(monkeypatch):
    """Numbers of pictures that went through a network, by batch; it stops at a batch of ``seen.stop``."""
    features = Backbone.features

    class Seen(list):
        stop = -1

    seen = Seen()

    def counting(self, x):
        if len(seen) == seen.stop:
            raise KeyboardInterrupt
        seen.append(len(x))
        return features(self, x)

    monkeypatch.setattr(Backbone, "features", counting)
    return seen


def record(folder: Path) -> dict:
    (file,) = folder.glob("*.json")
    return {**json.loads(file.read_text()), "record": file}


def test_a_second_run_only_reads_and_a_stopped_one_goes_on(tmp_path, seen):
    expected = embedder().transform(PICTURES)
    seen.clear()
    seen.stop = 2
    with pytest.raises(KeyboardInterrupt):
        embedder(cache_dir=tmp_path).transform(PICTURES)
    assert record(tmp_path)["done"] == 8
    with (tmp_path / record(tmp_path)["file"]).open("ab") as file:
        file.write(b"half a row")  # that were written when it was killed
    seen.clear()
    seen.stop = -1
    assert np.array_equal(embedder(cache_dir=tmp_path).transform(PICTURES), expected)
    assert seen == [3]
    for X in (PICTURES, torch.from_numpy(PICTURES), Items(zip(PICTURES, range(N), strict=True))):
        assert np.array_equal(embedder(cache_dir=str(tmp_path), batch_size=5).transform(X), expected)
    assert seen == [3]
    assert np.array_equal(np.load(tmp_path / record(tmp_path)["file"]), expected)


def _torn_record(folder):
    record(folder)["record"].write_text('{"file": "')


def _no_file(folder):
    (folder / record(folder)["file"]).unlink()


def _short_file(folder):
    file = folder / record(folder)["file"]
    file.write_bytes(file.read_bytes()[:-3])


def _other_file(folder):
    np.save(folder / record(folder)["file"], np.zeros((N + 1, 5), np.float32))


@pytest.mark.parametrize("damage", [_torn_record, _no_file, _short_file, _other_file])
def test_what_is_damaged_is_computed_again(tmp_path, seen, damage):
    expected = embedder(cache_dir=tmp_path).transform(PICTURES)
    damage(tmp_path)
    seen.clear()
    for _ in range(2):
        assert np.array_equal(embedder(cache_dir=tmp_path).transform(PICTURES), expected)
    assert seen == [4, 4, 3]


CHANGED = PICTURES.copy()
CHANGED[-1, 0, 0, 0] ^= 1
#: Other pictures, models and settings: options, and X.
OTHERS = {
    "a picture": ({}, CHANGED),
    "fewer": ({}, PICTURES[:-1]),
    "another order": ({}, PICTURES[::-1]),
    "weights": ({"model": network(1)}, PICTURES),
    "layers": ({"model": network().append(torch.nn.Tanh())}, PICTURES),
    "size": ({"size": 6}, PICTURES),
    "mean": ({"mean": 0}, PICTURES),
    "std": ({"std": 1}, PICTURES),
    "precision": ({"precision": "bfloat16"}, PICTURES),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_pictures_and_models_never_meet(tmp_path, name):
    options, X = OTHERS[name]
    embedder(cache_dir=tmp_path).transform(PICTURES)
    expected = embedder(**options).transform(X)
    assert np.array_equal(embedder(cache_dir=tmp_path, **options).transform(X), expected)
    assert len([*tmp_path.glob("*.json")]) == 2


def test_runs_side_by_side_leave_whole_features(tmp_path):
    rows = np.arange(12, dtype=np.float32).reshape(6, 2)

    def beside(start):
        """Give the first batch, while another run begins, is stopped, and leaves its record."""
        for at in range(start, 6, 2):
            if at == 2:
                with pytest.raises(KeyboardInterrupt):
                    cache.read_or_computed(tmp_path, {"of": "this"}, 6, stopping)
            yield rows[at : at + 2]

    def stopping(start):
        yield rows[start : start + 1]
        raise KeyboardInterrupt

    def remaining(start):
        yield rows[start:]

    assert np.array_equal(cache.read_or_computed(tmp_path, {"of": "this"}, 6, beside), rows)
    assert np.array_equal(cache.read_or_computed(tmp_path, {"of": "this"}, 6, remaining), rows)


def test_features_larger_than_the_memory_are_mapped_and_a_full_disk_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "RESIDENT_BYTES", 0)
    found = embedder(cache_dir=tmp_path).transform(PICTURES)
    assert isinstance(found, np.memmap)
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"features can't be written to cache_dir=.*Make room, or pass another folder"):
        embedder(cache_dir=tmp_path / "file").transform(PICTURES)


class Random(Items):
    def __getitem__(self, index):
        return torch.rand(3, 8, 8), 0


def test_pictures_that_change_are_refused(tmp_path):
    assert embedder(Returning("maps")).transform(Random(range(3))).shape == (3, 3)
    with pytest.raises(ValueError, match=r"another picture each time it is read.*cache_dir=None"):
        embedder(cache_dir=tmp_path).transform(Random(range(3)))

"""Planted pairs, end to end on tiny pictures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.benchmarks.conftest import rows_of

QUICK = ["--dataset", "folder", "--size", "16", "--pairs", "4", "--top", "5", "--epochs", "1"]
QUICK += ["--seeds", "1", "--device", "cpu", "--threads", "1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Sixty grey pictures of blobs in three classes."""
    rng, root = np.random.default_rng(0), tmp_path_factory.mktemp("pictures")
    for i in range(60):
        pixels = np.zeros((16, 16, 3), dtype=np.uint8)
        coarse = rng.integers(0, 200, (5, 5, 1), dtype=np.uint8)  # grey: a JPEG halves the resolution of colours
        pixels[3:13, 3:13] = coarse.repeat(2, 0).repeat(2, 1)
        path = root / "abc"[i % 3] / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path)
    return root


def test_planted_pairs_are_counted_and_nothing_is_trained_twice(script, folder, tmp_path, capsys, monkeypatch):
    call = [*QUICK, "--data-dir", str(folder), "--augmented", "no", "yes", "--keep", str(tmp_path / "kept")]
    script.main([*call, "--out", str(tmp_path / "a")])
    rows = rows_of(tmp_path / "a")
    assert [(row["copies"], row["augmented"]) for row in rows] == [
        ("exact", False),
        ("near", False),
        ("exact", True),
        ("near", True),
    ]
    for row in rows:
        assert row["n_pairs"] == 4
        assert set(script.SIGNALS) == set(row["signals"])
        assert row["pairs"]["recall"] == row["pairs"]["recall_top"] == 1
        assert row["orders"]["distance"]["precision"] == 1
    text = (tmp_path / "a" / "table.md").read_text()
    assert text in capsys.readouterr().out
    assert "| Pair recall, top 5" in text
    assert "near copies, augmented" in text
    assert "--keep" not in text
    monkeypatch.setattr(script, "memorized", lambda *args: pytest.fail("trained again"))
    script.main([*call, "--out", str(tmp_path / "a")])
    monkeypatch.undo()
    monkeypatch.setattr(script.CurvatureNoiseDetector, "fit", lambda *args: pytest.fail("trained again"))
    script.main([*call, "--out", str(tmp_path / "b")])
    for again, row in zip(rows_of(tmp_path / "b"), rows, strict=True):
        assert again["signals"] == row["signals"]
        assert again["pairs"] == row["pairs"]


def test_near_copies_are_moved_and_stay_alike(script):
    from harness.copies import near_copy, plant

    picture = np.zeros((1, 28, 28), dtype=np.uint8)
    picture[0, 10:18, 10:18] = 200
    moved = set()
    for seed in range(40):
        copy = near_copy(picture, np.random.default_rng(seed))
        assert copy.dtype == np.uint8
        bright = np.argwhere(copy[0] > 100)
        assert 170 < np.median(copy[0][copy[0] > 100]) < 230
        moved.add(tuple(np.round(bright.mean(0) - 13.5).astype(int)))
    assert moved == {(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)} - {(0, 0)}
    X, y = np.tile(picture, (30, 3, 1, 1)), np.arange(30) % 3
    planted = plant(X, y, 5, "near", 0)
    assert len(planted.pairs) == 5
    assert sorted(i for pair in planted.pairs for i in pair) == np.flatnonzero(planted.mask).tolist()
    assert all(planted.labels[i] != planted.labels[j] for i, j in planted.pairs)
    assert (picture == X).all()


def test_places_without_a_pair_are_misses(script):
    planted = script.Planted(*[np.empty(0)] * 3, {(0, 1), (2, 3), (4, 5), (6, 7)}, np.empty(0))
    found = pd.DataFrame({"first": [0, 8, 2], "second": [1, 9, 3]})
    grade = script.graded(found, planted, 2)
    assert grade == {"recall": 0.5, "recall_top": 0.25, "precision_100": 0.5, "precision": 0.5}
    assert script.graded(found[:0], planted, 2)["recall"] == 0

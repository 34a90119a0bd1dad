"""A tiny folder of pictures in ImageNet's layout, end to end."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from curvdetect.data import samples as room

CLASSES = ("n01440764", "n01443537", "n01484850")
QUICK = ["--epochs", "4", "--every", "2", "--crop", "32", "--resize", "36", "--batch-size", "8", "--seeds", "1"]
QUICK += ["--rate", "0", "--device", "cpu", "--threads", "1", "--verbose", "0"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twenty-four JPEGs of three classes and several shapes; the last of the first two classes is one picture."""
    rng, root = np.random.default_rng(0), tmp_path_factory.mktemp("imagenet")
    for c, name in enumerate(CLASSES):
        for i in range(8):
            drawn = np.random.default_rng(7) if i == 7 and c < 2 else rng
            coarse = drawn.integers(0, 255, (5, 6 if i % 2 else 5, 3), dtype=np.uint8)
            path = root / "train" / name / f"{name}_{i}.JPEG"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(coarse.repeat(10, 0).repeat(10, 1)).save(path)
    return root


def test_files_are_read_as_asked_for_trained_on_augmented_and_scored_without(script, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(room, "RESIDENT_BYTES", 0)
    monkeypatch.setattr(room.HeldInputs, "__init__", lambda *args: pytest.fail("all pictures in memory"))
    call = [*QUICK, "--data-dir", str(folder), "--workers", "1", "--duplicates", "--out", str(tmp_path)]
    script.main(call)
    written = {"records.jsonl", "table.md", "figure.png", "scores-1.csv", "scores-1.npz"}
    assert {path.name for path in tmp_path.iterdir()} == written
    row = json.loads((tmp_path / "records.jsonl").read_text())
    assert row["scored_epochs"] == [2, 4]
    assert row["found"] == [[7, 15, "exact"]]
    with np.load(tmp_path / "scores-1.npz") as scores:
        assert scores["label"].tolist() == np.repeat(CLASSES, 8).tolist()
        assert scores["path"][9] == f"{CLASSES[1]}/{CLASSES[1]}_1.JPEG"
        curvature = scores["curvature"]
        assert len(curvature) == 24
        assert np.isfinite(curvature).all()
        assert row["signals"]["curvature"]["top"] == np.argsort(-curvature, kind="stable").tolist()
    table = pd.read_csv(tmp_path / "scores-1.csv")
    assert sorted(table["path"]) == sorted(scores_path for name in CLASSES for scores_path in listed(folder, name))
    assert (table["label"] == table["path"].str.split("/").str[0]).all()
    assert table["curvature"].is_monotonic_decreasing
    assert (table["suggested"] != table["label"]).all()
    text = (tmp_path / "table.md").read_text()
    assert "learning rate 0.1 times 0.1 at epochs 2, 3" in text  # 0.6 and 0.8 of 4, rounded
    line = next(line for line in text.splitlines() if line.startswith("| Curvature"))
    assert [cell.strip() for cell in line.split("|")[2:-1]] == ["2"]  # both members are among all that there are
    monkeypatch.setattr(script, "run", lambda *args: pytest.fail("trained again"))
    script.main(call)
    assert (tmp_path / "table.md").read_text() == text


def listed(folder, name):
    return [f"{name}/{path.name}" for path in (folder / "train" / name).iterdir()]


def test_what_is_scored_is_the_centre_and_what_is_trained_on_is_cut_at_random(script, folder):
    data, labels, paths = script.two_views(folder / "train", script.parse(QUICK))
    assert len(data) == len(labels) == len(paths) == 24
    with Image.open(folder / "train" / paths[1]) as picture:
        assert picture.size == (60, 50)
        small = picture.resize((43, 36), Image.Resampling.BILINEAR)  # shorter side 36
    left, top = round((43 - 32) / 2), (36 - 32) // 2
    expected = np.asarray(small.crop((left, top, left + 32, top + 32)))
    for _ in range(2):
        seen = data[1][0]
        assert seen.dtype == torch.uint8
        assert np.abs(seen.numpy().transpose(1, 2, 0).astype(int) - expected).max() <= 1
    cut = [data.trained[1][0] for _ in range(4)]
    assert all(one.shape == (3, 32, 32) for one in cut)
    assert len({tuple(one.flatten().tolist()) for one in cut}) > 1


def test_wrong_labels_can_be_planted_for_an_auroc(script, folder, tmp_path):
    call = [*QUICK, "--data-dir", str(folder / "train"), "--rate", "0.25", "--subset", "20", "--out", str(tmp_path)]
    script.main([*call, "--title", "tiny"])
    row = json.loads((tmp_path / "records.jsonl").read_text())
    assert row["n_samples"] == 20
    table = pd.read_csv(tmp_path / "scores-1.csv")
    wrong = table["label"] != table["path"].str.split("/").str[0]
    assert 3 <= wrong.sum() <= 6  # a quarter of each class, rounded
    ranks = table["curvature"].rank()
    n_wrong, n_right = wrong.sum(), (~wrong).sum()
    auroc = (ranks[wrong].sum() - n_wrong * (n_wrong + 1) / 2) / (n_wrong * n_right)
    assert row["signals"]["curvature"]["auroc"] == pytest.approx(auroc, abs=1e-6)
    assert f"{100 * auroc:.2f}" in (tmp_path / "table.md").read_text()


def test_without_a_folder_digits_are_written_as_one(script, tmp_path):
    script.main([*QUICK, "--subset", "30", "--epochs", "1", "--every", "1", "--out", str(tmp_path)])
    files = list((tmp_path / "pictures" / "train").glob("digit-*/*.JPEG"))
    assert len(files) == 1797
    assert len(pd.read_csv(tmp_path / "scores-1.csv")) == 30


def test_full_size_is_the_papers(script):
    args = script.parse(["--paper", "--data-dir", "imagenet"])
    assert (args.epochs, args.every, args.crop, args.resize, args.h, args.n) == (200, 4, 224, 256, 1e-3, 10)
    net = script.network(1000, args)
    factor = dict(net.callbacks)["schedule"].factor(200)
    rates = [net.lr * factor(epoch) for epoch in (0, 119, 120, 159, 160, 199)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])
    assert script.parse(["--paper", "--epochs", "3"]).epochs == 3

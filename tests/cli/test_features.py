"""Scans of what a pretrained network sees in pictures."""

from __future__ import annotations

import json
from importlib import import_module

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import models

from curvdetect import FusedDetector, ImageEmbedder, corrupt_labels, load, load_image_folder
from curvdetect.detectors.measured import derived_seed
from curvdetect.features.backbones import Backbone
from curvdetect.metrics import auroc
from tests.cli.conftest import QUICK, interrupted, read_csv
from tests.written import write_pictures


@pytest.fixture
def model(tmp_path):
    """A small network by its name and a file of weights."""
    file = tmp_path / "weights.pt"
    torch.save(models.squeezenet1_1().state_dict(), file)
    return f"torchvision:squeezenet1_1@{file}"


def test_features_are_trained_on_pictures_are_shown_and_another_scan_reads_them(
    run, page, tmp_path, monkeypatch, model
):
    root, seen, features = tmp_path / "photos", [], Backbone.features
    write_pictures(root)
    call = ("scan", root, "--features", model, "--size", 64, "--detector", "loss", *QUICK)
    with monkeypatch.context() as patch:
        patch.setattr(Backbone, "features", interrupted)
        stopped = run(*call, "--out", tmp_path / "found")
    assert (stopped.exit_code, "The same command goes on with the features in" in stopped.stderr) == (130, True)
    monkeypatch.setattr(Backbone, "features", lambda self, x: seen.append(len(x)) or features(self, x))
    result = run(*call, "--out", tmp_path / "found")
    assert result.exit_code == 0, result.stderr
    assert seen == [16]
    assert "embedding: 100%" in result.stderr
    assert f"features are in {tmp_path / 'curvdetect-features'}, where another scan finds them" in result.stderr
    assert load(tmp_path / "found" / "detector").n_features_in_ == 512
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == [
        "curvdetect-features",
        "found",
        root.name,
    ]
    record = json.loads((tmp_path / "found" / "scan.json").read_text())
    assert (record["features"], record["size"]) == (model, 64)
    assert page[0]["X"].shape == (16, 512)
    assert [picture.size for picture in page[0]["X_display"]][:2] == [(14, 10), (14, 11)]
    assert run(*call, "--out", tmp_path / "second", "--seed", 1).exit_code == 0
    (tmp_path / "photos" / "cat" / "0.png").rename(tmp_path / "photos" / "cat" / "9.png")  # in another order
    assert run("report", tmp_path / "found").exit_code == 0
    assert seen == [16, 16]
    rows = read_csv(tmp_path / "found" / "suspects.csv")
    names = [page[2]["paths"][int(row["index"])] for row in rows]
    assert [name.replace("9", "0") for name in names] == [row["path"] for row in rows]
    resumed = run(*call[:2], *call[4:], "--out", tmp_path / "found", "--resume")
    assert f"had --features {model[:10]}" in resumed.stderr
    assert "and this one has no --features" in resumed.stderr


def test_features_are_of_pictures_of_224_pixels_and_tables_have_none(run, page, table, tmp_path, model):
    write_pictures(tmp_path / "photos", 2)
    out = tmp_path / "found"
    call = ("scan", tmp_path / "photos", "--out", out, "--detector", "loss", "--quiet", *QUICK)
    assert run(*call, "--features", model).exit_code == 0
    assert json.loads((out / "scan.json").read_text())["size"] == 224
    result = run("scan", table, "--out", tmp_path / "other", "--features", model)
    assert result.exit_code == 2
    assert "embeds pictures, and PATH holds rows: leave it out" in result.stderr
    compared = run("compare", table, "--features", model)
    assert compared.stderr.splitlines()[-1] == result.stderr.splitlines()[-1]
    result = run(*call, "--overwrite", "--features", "torchvision:squeezenet")
    assert (result.exit_code, "Names like it: 'squeezenet1_" in result.stderr) == (1, True)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_scores_are_compared_on_features_too(run, tmp_path, monkeypatch, model):
    monkeypatch.chdir(tmp_path)
    write_pictures(tmp_path / "photos", n=12)
    call = ("compare", "photos", "--features", model, "--size", 64, "--rate", 0.2, "--quiet", *QUICK)
    assert run(*call, "--csv", "grades.csv").exit_code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"photos", "grades.csv", "weights.pt"}
    X = ImageEmbedder(model, device="cpu").transform(load_image_folder("photos", size=64).X)
    y = np.repeat(["cat", "dog"], 12)
    labels, mask = corrupt_labels(y, 0.2, random_state=0)
    detector = FusedDetector(max_epochs=2, device="cpu", random_state=derived_seed(0, 1)).fit(X, labels)
    found = {row["score"]: float(row["auroc"]) for row in read_csv(tmp_path / "grades.csv")}
    assert found["fused"] == pytest.approx(auroc(mask, detector.scores_), abs=1e-6)


WITH_TIMM = {
    "timm": ({}, "the photos are looked at by --features {model}; --features none takes their pixels", 224),
    "no timm": ({"find_spec": lambda name: None}, "looks at them as they are, which finds far more: pip install", 32),
    "no network": ({"PHOTOS": "torchvision:squeezenet1_1@gone.pt"}, "as --features torchvision:squeezenet1_1@go", 32),
}


@pytest.mark.parametrize(("changed", "said", "size"), WITH_TIMM.values(), ids=WITH_TIMM)
def test_photos_are_looked_at_by_a_pretrained_network_if_it_is_there(
    run, page, tmp_path, monkeypatch, model, changed, said, size
):
    source, scan = import_module("curvdetect.cli.source"), import_module("curvdetect.cli.scan")
    for name, value in {"find_spec": lambda name: True, "PHOTOS": model, **changed}.items():
        monkeypatch.setattr(source, name, value)
    monkeypatch.setattr(scan, "PHOTOS", source.PHOTOS)
    rng = np.random.default_rng(0)
    for i in range(6):
        (tmp_path / "photos" / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (100 + i, 140, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / "ab"[i % 2] / f"{i}.png")
    call = ("scan", tmp_path / "photos", "--out", tmp_path / "found", "--detector", "loss", *QUICK)
    result = run(*call)
    assert result.exit_code == 0, result.stderr
    assert said.format(model=model) in result.stderr
    waits = result.stderr.find(f"loading the weights of {source.PHOTOS} ...")
    assert waits < result.stderr.index(said.format(model=model))
    assert (waits < 0) == ("find_spec" in changed)
    record = json.loads((tmp_path / "found" / "scan.json").read_text())
    assert (record["features"], record["size"]) == (model if size == 224 else None, size)
    monkeypatch.setattr(source, "find_spec", interrupted)  # what was scanned with is not asked for again
    assert run(*call, "--resume").exit_code == 0
    assert run("report", tmp_path / "found").exit_code == 0
    assert run(*call, "--overwrite", "--features", "none").exit_code == 0
    assert json.loads((tmp_path / "found" / "scan.json").read_text())["size"] == 32

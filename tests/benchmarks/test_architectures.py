"""Networks of torchvision on small pictures, and the similarity of their curvatures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from curvdetect.metrics import cosine_similarity
from tests.benchmarks.conftest import rows_of

QUICK = ["--subset", "60", "--epochs", "1", "--device", "cpu", "--threads", "1"]


@pytest.fixture
def reference(script, tmp_path):
    """Memorization of as many samples, out of thin air."""
    rng = np.random.default_rng(0)
    path = tmp_path / "memorization.csv"
    script.memorization.Memorization(rng.random(60), "", rng.random(60), (rng.random(60), rng.random(60))).save(path)
    return ["--reference", str(path)]


#: Weights of the networks for CIFAR, in millions, where the literature has the same ones.
SIZES = {"resnet18": 11.2, "vgg13_bn": 9.4, "densenet121": 7.0, "mobilenet_v2": 2.2}


@pytest.mark.parametrize("name", list(SIZES))
def test_networks_take_small_pictures_and_get_narrower(script, name):
    whole = script.build(name, 10, 3, 32)
    size = sum(p.numel() for p in whole.parameters())
    assert size / 1e6 == pytest.approx(SIZES[name], rel=0.03)
    for side, channels in ((8, 1), (28, 1), (32, 3)):
        narrow = script.build(name, 10, channels, side, 8).train()
        assert narrow(torch.rand(2, channels, side, side)).shape == (2, 10)
        assert sum(p.numel() for p in narrow.parameters()) < size / 40
    stem = next(layer for layer in narrow.modules() if isinstance(layer, nn.Conv2d))
    assert (stem.stride, stem.kernel_size) == ((1, 1), (3, 3))


def test_networks_are_compared_with_memorization_with_each_other_and_with_themselves(
    script, reference, tmp_path, capsys, monkeypatch
):
    nets = ["--nets", "resnet18", "vgg13_bn"]
    call = [*QUICK, *reference, *nets, "--keep", str(tmp_path / "kept"), "--out", str(tmp_path / "out")]
    script.main(call)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"records.jsonl", "table.md", "architectures.png"}
    rows = rows_of(tmp_path / "out")
    assert [row["spearman"] for row in rows if row["other"] == "constant"] == [0] * 4
    assert [(row["one"], row["other"], row["seed"]) for row in rows[8:]] == [
        ("resnet18", "vgg13_bn", 0),
        ("resnet18", "vgg13_bn", 1),
        ("resnet18", "resnet18", 0),
        ("vgg13_bn", "vgg13_bn", 0),
    ]
    args = script.parse([*call])
    X, y = script.data.load("digits", "", subset=60)
    fits = {
        (net, seed): script.fitted(X.reshape(-1, 1, 8, 8), y, net, seed, args).signals["curvature"]
        for net in args.nets
        for seed in (0, 1)
    }
    between, itself = rows[8], rows[10]
    known = cosine_similarity(fits["resnet18", 0], fits["vgg13_bn", 0])
    assert between["cosine"] == pytest.approx(known, abs=1e-4)
    known = cosine_similarity(fits["resnet18", 0], fits["resnet18", 1])
    assert itself["cosine"] == pytest.approx(known, abs=1e-4)
    text = (tmp_path / "out" / "table.md").read_text()
    assert text in capsys.readouterr().out
    for heading in ("Table 5", "Table 6", "Table 7", "Correlation of ranks"):
        assert f"## {heading}\n" in text
    assert f"{np.mean([row['top_k'] for row in rows[8:10]]):.2f} ±" in text
    assert "(0.89)" in text
    assert "--keep" not in text
    monkeypatch.setattr(script, "fitted", lambda *args: pytest.fail("asked again"))
    script.main(call)
    monkeypatch.undo()
    monkeypatch.setattr(script.CurvatureNoiseDetector, "fit", lambda *args: pytest.fail("trained again"))
    script.main([*call[:-1], str(tmp_path / "again")])

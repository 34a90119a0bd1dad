"""The toy in the plane, end to end and against what a detector scores."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from curvdetect import CurvatureNoiseDetector, memorizing_net, step_decay
from tests.benchmarks.conftest import PAPERS, rows_of

QUICK = ["--epochs", "4", "--n", "2", "--seeds", "3"]


def test_the_network_is_that_of_the_appendix(script):
    network = script.Network()
    linear = [layer for layer in network if isinstance(layer, nn.Linear)]
    assert [layer.in_features for layer in linear] == [2, 100, 100, 500, 200, 100, 1000]
    assert [layer.out_features for layer in linear] == [100, 100, 500, 200, 100, 1000, 2]
    assert [type(layer).__name__ for layer in network] == ["Linear", "BatchNorm1d", "ReLU"] * 6 + ["Linear"]


def test_epochs_add_up_to_what_a_detector_scores(script):
    args = script.parse(QUICK)
    store, mask, parts = script.trained({"seed": 3, "averages": 0.1}, args, looking=True)
    assert mask.sum() in (8, 9, 10)
    net = memorizing_net(
        script.Network, weight_decay=5e-4, schedule=partial(step_decay, milestones=()), batch_size=30, max_epochs=4
    )
    detector = CurvatureNoiseDetector(net, n=2, every=1, **PAPERS, device="cpu", random_state=3)
    with script.quietly():
        detector.fit(parts["X"], parts["labels"])
    assert [len(detector.history_), detector.net_.history[-1, "train_batch_count"]] == [4, 1]
    np.testing.assert_allclose(np.mean(store["training curvature"], axis=0), detector.scores_, rtol=1e-4)
    logits = detector.net_.forward(torch.as_tensor(parts["X"])).detach().numpy()
    np.testing.assert_allclose(store["logits"][-1], logits, rtol=1e-4, atol=1e-5)
    # the plane, at the point of the grid that is nearest to a training point
    at = (4, 7)
    where = torch.tensor([[parts["x"][at[1]], parts["y"][at[0]]]], dtype=torch.float32)
    there = detector.net_.forward(where).softmax(1)[0, 1].item()
    assert store["plane"][-1].reshape(81, 81)[at] == pytest.approx(there, abs=1e-5)
    row = script.summary(store, mask)
    np.testing.assert_allclose(
        row["wrong curvature"], np.array(store["training curvature"])[:, mask].mean(1), rtol=1e-3
    )
    np.testing.assert_allclose(row["seen loss"], [r["train_loss"] for r in detector.history_], rtol=1e-3)


def test_statistics_of_the_last_batch_are_those_that_it_was_trained_with(script):
    args = script.parse([*QUICK, "--epochs", "1"])
    network = script.Network(momentum=1.0)
    X = torch.randn(30, 2)
    hidden = network[0](X).detach()
    network(X)
    np.testing.assert_allclose(network[1].running_mean, hidden.mean(0), atol=1e-6)
    np.testing.assert_allclose(network[1].running_var, hidden.var(0), rtol=1e-4)
    store, _, _ = script.trained({"seed": 3, "averages": 1.0}, args)
    assert len(store["training curvature"]) == 1


def test_tables_and_pictures_are_written_and_nothing_is_trained_twice(script, tmp_path, capsys, monkeypatch):
    script.main([*QUICK, "--out", str(tmp_path)])
    text = (tmp_path / "table.md").read_text()
    assert text in capsys.readouterr().out
    assert "AUROC, mean of all epochs" in text
    assert {p.name for p in tmp_path.iterdir()} == {"records.jsonl", "table.md", "toy.png", "toy.gif"}
    with Image.open(tmp_path / "toy.gif") as moving:
        assert moving.n_frames == 4
    rows = rows_of(tmp_path)
    assert [row["averages"] for row in rows] == [0.1, 1.0]
    assert all(len(row["auroc"]) == 4 for row in rows)
    trained = script.trained
    monkeypatch.setattr(
        script,
        "trained",
        lambda *args, looking=False: trained(*args, looking=True) if looking else pytest.fail("again"),
    )
    script.main([*QUICK, "--out", str(tmp_path)])
    assert rows_of(tmp_path) == rows


def test_what_is_said_is_counted(script):
    rows = [
        {"training curvature": [1, 4, 1], "held_out curvature": [1, 2, 4], "cumulative auroc": [0.8], "auroc": [0.6]},
        {"training curvature": [1, 2, 2], "held_out curvature": [1, 2, 4], "cumulative auroc": [0.5], "auroc": [0.6]},
    ]
    told = script.said("x", rows)
    assert "highest in 1 of 2 training(s), on average to 0.62 of it, that of held-out points to 1. " in told
    assert "highest, after epoch 2, is 3 times the first and 2 times the last." in told
    assert told.endswith("last epoch alone in 1 of 2.")

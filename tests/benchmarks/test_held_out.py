"""Curvature of held-out samples, end to end on tiny data."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from curvdetect import CurvatureNoiseDetector, corrupt_labels, input_curvature, memorizing_net
from curvdetect.metrics import auroc
from tests.benchmarks.conftest import PAPERS, rows_of

QUICK = ["--subset", "120", "--epochs", "8", "--top", "10", "--shown", "6", "--rates", "0", "0.1", "--seeds", "1"]
QUICK += ["--every", "1", "--device", "cpu", "--threads", "1"]


def methods_of(out):
    return {(row["trained on"], row["rate"]): row["methods"] for row in rows_of(out)}


@pytest.fixture
def both(script):
    X, y, held_out, labels = script.data.load_both("digits", "", "", subset=120)
    return X, y, held_out, *corrupt_labels(labels, 0.1, random_state=1), labels


def net():
    return memorizing_net(None, for_tables=False, batch_size=16, weight_decay=0)


def test_app_e_is_a_detector_of_the_held_out_set(script, both, tmp_path):
    script.main([*QUICK, "--out", str(tmp_path)])
    assert {path.name for path in tmp_path.iterdir()} == {"records.jsonl", "table.md", "figure.png"}
    rows = methods_of(tmp_path)
    _, _, held_out, given, mask, labels = both
    for rate, y in ((0, labels), (0.1, given)):
        detector = CurvatureNoiseDetector(net(), every=1, **PAPERS, max_epochs=8, device="cpu", random_state=1).fit(
            held_out, y
        )
        row = rows["held-out set", rate]["curvature"]
        assert row["top"] == detector.ranking_[: script.KEPT].tolist()
        assert ("auroc" in row) is (rate > 0)
    assert row["auroc"] == pytest.approx(auroc(mask, detector.scores_), abs=1e-6)
    text = (tmp_path / "table.md").read_text()
    other = rows["training set", 0.1]["curvature, 8"]
    shared = set(row["top"][:10]) & set(other["top"][:10])
    told = f"rank correlation {spearmanr(row['ranks'], other['ranks']).statistic:.2f}; of the 10 most suspect of "
    assert f"With 10 % wrong labels: {told}either {len(shared)} are shared." in text


def test_what_was_not_seen_is_a_mean_over_the_weights_that_were_kept(script, both):
    X, y, held_out, given, _, _ = both
    args = script.parse(QUICK)
    curvature, loss = script.on_training_set(X, y, 1, args)
    assert [snapshot.epoch for snapshot in curvature.snapshots_] == list(range(1, 9))
    scores = script.over_snapshots(curvature, loss, held_out, given)
    inputs, codes = torch.from_numpy(held_out), torch.from_numpy(given)
    by_hand = []
    for snapshot in curvature.snapshots_:
        module = curvature.net_.module_
        module.load_state_dict(snapshot.load())
        key = {"seed": curvature._seed, "epoch": snapshot.epoch}
        measured = input_curvature(module, inputs, codes, h=args.h, n=args.n, power=args.power, **key)
        losses = torch.nn.functional.cross_entropy(module(inputs), codes, reduction="none").detach()
        by_hand.append((measured.numpy(), losses.numpy()))
    curvatures, losses = np.array(by_hand).swapaxes(0, 1)
    assert loss.snapshots_[3].load().keys() == curvature.snapshots_[3].load().keys()
    np.testing.assert_allclose(scores["loss, 8"], losses.mean(0), rtol=1e-3, atol=1e-6)
    for name, epochs in (("8", range(8)), ("4", (1, 3, 5, 7)), ("2", (2, 6)), ("1", (4,)), ("last", (7,))):
        mean = curvatures[list(epochs)].mean(0)
        np.testing.assert_allclose(scores[f"curvature, {name}"], mean, rtol=1e-2, atol=1e-6, err_msg=name)


def test_what_is_recorded_is_not_trained_again(script, tmp_path, monkeypatch):
    call = [*QUICK, "--out", str(tmp_path)]
    script.main(call)
    before = (tmp_path / "table.md").read_text()
    monkeypatch.setattr(script, "on_training_set", lambda *args: pytest.fail("trained again"))
    monkeypatch.setattr(script, "on_held_out_set", lambda *args: pytest.fail("trained again"))
    script.main(call)
    assert (tmp_path / "table.md").read_text() == before

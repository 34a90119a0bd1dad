"""Histograms and extremes, end to end on tiny data."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import spearmanr

from curvdetect import CurvatureNoiseDetector, corrupt_labels, memorizing_net
from curvdetect.metrics import auroc
from tests.benchmarks.conftest import PAPERS

QUICK = ["--subset", "150", "--epochs", "4", "--rate", "0.1", "--seed", "1", "--device", "cpu", "--threads", "1"]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_scores_are_those_of_detectors_with_and_without_wrong_labels(script, tmp_path, monkeypatch):
    from harness.variants import adversarial_curvatures

    script.main([*QUICK, "--out", str(tmp_path)])
    written = {"records.jsonl", "table.md", "histograms.png", "extremes.png", "highest.png", "scores-1.npz"}
    assert {path.name for path in tmp_path.iterdir()} == written
    X, y = script.data.load("digits", "", subset=150)
    given, mask = corrupt_labels(y, 0.1, random_state=1)
    common = {"max_epochs": 4, "device": "cpu", "random_state": 1}
    net = memorizing_net(None, for_tables=False, batch_size=16, weight_decay=0)
    with np.load(tmp_path / "scores-1.npz") as scores:
        for name, labels in (("published", y), ("corrupted", given)):
            detector = CurvatureNoiseDetector(net, **PAPERS, **common).fit(X, labels)
            np.testing.assert_allclose(scores[name], detector.scores_, rtol=1e-4)
        # of the last epoch, with other probes
        last = CurvatureNoiseDetector(net, every=4, **PAPERS, **common).fit(X, given)
        assert spearmanr(scores["last epoch"], last.scores_).statistic > 0.7
        codes = torch.from_numpy(given)
        slo_curves = adversarial_curvatures(detector.net_.module_, torch.from_numpy(X), codes, 1e-2)[2].numpy()
        np.testing.assert_allclose(scores["slo-curves"], slo_curves, rtol=1e-4, atol=1e-12)
        panels = script.highest(dict(scores), X, given, mask)
    assert [panel.marked.sum() for panel in panels] == [
        mask[np.argsort(-values)[:40]].sum() for values in (detector.scores_, slo_curves)
    ]
    assert panels[1].labels == given[np.argsort(-slo_curves)[:40]].astype(str).tolist()
    row = json.loads((tmp_path / "records.jsonl").read_text())
    assert row["n_wrong"] == mask.sum()
    assert row["scores"]["corrupted"]["auroc"] == pytest.approx(auroc(mask, detector.scores_), abs=1e-5)
    text = (tmp_path / "table.md").read_text()
    monkeypatch.setattr(script, "measured", lambda *args: pytest.fail("trained again"))
    monkeypatch.setattr(script.pictures, "save", lambda *args: None)  # the same pictures, in seconds
    script.main([*QUICK, "--out", str(tmp_path)])
    assert (tmp_path / "table.md").read_text() == text


def test_tails_and_wrong_labels_are_counted_as_a_hand_would(script):
    values = np.r_[np.ones(198), 3.0, 99.0]  # of two hundred, the highest hundredth is these two
    mask = np.isin(np.arange(200), [0, 199])
    told = script.graded({"published": values, "corrupted": values}, mask)
    assert told["n_wrong"] == 2
    assert told["scores"]["published"] == {"share_of_top_1": round(102 / 300, 4)}
    assert told["scores"]["corrupted"]["among_highest"] == 1
    assert told["scores"]["corrupted"]["auroc"] == pytest.approx((198 + 197 / 2) / (2 * 198), abs=1e-6)


def test_red_dots_stay_red_and_mark_what_is_marked(script, tmp_path):
    from harness import pictures

    X = np.random.default_rng(0).integers(0, 256, (12, 3, 16, 16), dtype=np.uint8)
    X[:, 0] //= 2  # none of them red
    for n_marked in (0, 1, 3):
        panel = pictures.panel("some", X, list(range(12)), np.arange(12), np.arange(12) < n_marked)
        pictures.draw([panel, panel], tmp_path / f"{n_marked}.png", n_columns=4)
    red = [
        int((np.asarray(Image.open(tmp_path / f"{n}.png").convert("RGB")) == (255, 0, 0)).all(-1).sum())
        for n in (0, 1, 3)
    ]
    assert (np.asarray(Image.open(tmp_path / "0.png").convert("RGB"))[0, 0] == 255).all()
    assert red[0] == 0
    assert red[2] == pytest.approx(3 * red[1], rel=0.2)
    assert red[1] > 0


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((2, 64), (2, 8, 8)), ((2, 1, 5, 4), (2, 5, 4)), ((2, 3, 5, 4), (2, 5, 4, 3)), ((2, 5, 4), (2, 5, 4))],
    ids=["rows", "grey", "colour", "no channel"],
)
def test_samples_are_drawn_as_pictures(script, shape, expected):
    from harness import pictures

    X = np.full(shape, 51, dtype=np.uint8)
    shown = pictures.as_pictures(X)
    assert shown.shape == expected
    assert shown == pytest.approx(0.2)

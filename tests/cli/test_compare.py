"""How well each score finds wrong labels that are planted."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from curvdetect import CurvatureNoiseDetector, FusedDetector, SSFTDetector, corrupt_labels
from curvdetect.detectors.measured import derived_seed
from curvdetect.metrics import auroc
from curvdetect.signals.registry import closed_form, recorded
from curvdetect.training.tracker import Tracker
from tests.cases import digits
from tests.cli.conftest import QUICK, read_csv


@pytest.fixture
def arrays(tmp_path):
    """An .npz file of 120 digits."""
    X, y = digits(120)
    np.savez(tmp_path / "digits.npz", X=X[:, 10:20], y=y)
    return tmp_path / "digits.npz"


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_numbers_are_those_of_detectors_on_planted_labels(run, arrays, tmp_path):
    target = tmp_path / "table.csv"
    options = ("--rate", "30%", "--seeds", 2, "--also", "ssft", "--csv", target)
    result = run("compare", arrays, *options, *QUICK)
    assert result.exit_code == 0
    rows = read_csv(target)
    names = {
        *recorded("always"),
        *recorded("asked"),
        *recorded("probed"),
        *closed_form() - {"pred_probs"},
        "fused",
        "ssft",
    }
    assert {(row["score"], float(row["rate"]), int(row["seed"])) for row in rows} == {
        (name, 0.3, seed) for name in names for seed in (0, 1)
    }
    X, y = digits(120)
    X = StandardScaler().fit_transform(X[:, 10:20])
    labels, mask = corrupt_labels(y, 0.3, random_state=1)
    settings = {"max_epochs": 2, "device": "cpu", "random_state": derived_seed(1, 1)}
    scores = {**CurvatureNoiseDetector(**settings).fit(X, labels).signal_scores_}
    fused = FusedDetector(**settings).fit(X, labels)
    scores |= fused.signal_scores_ | {"fused": fused.scores_, "ssft": SSFTDetector(**settings).fit(X, labels).scores_}
    for name in ("curvature", "loss", "margin", "leave_one_out", "out_of_bag", "fused", "ssft"):
        (found,) = [row for row in rows if (row["score"], row["seed"]) == (name, "1")]
        assert float(found["auroc"]) == pytest.approx(auroc(mask, scores[name]), abs=1e-6)
    assert "uniform noise in 120 samples (37 at 30 %), seeds 0 to 1" in result.stdout
    assert "Real mistakes are often harder to see" in result.stdout
    assert "\nsecond-split forgetting " in result.stdout


def test_fused_is_graded_by_the_training_of_a_scan(run, tmp_path):
    X, y = digits(60)
    np.savez(tmp_path / "digits.npz", X=X[:, 10:20], y=y)
    assert run("compare", tmp_path / "digits.npz", "--rate", "30%", "--csv", tmp_path / "t.csv").exit_code == 0
    found = {row["score"]: float(row["auroc"]) for row in read_csv(tmp_path / "t.csv")}
    labels, mask = corrupt_labels(y, 0.3, random_state=0)
    detector = FusedDetector(device="cpu", random_state=derived_seed(0, 1))
    detector.fit(StandardScaler().fit_transform(X[:, 10:20]), labels)
    assert found["fused"] == pytest.approx(auroc(mask, detector.scores_), abs=1e-6)
    assert found["loss"] != pytest.approx(auroc(mask, detector.signal_scores_["loss"]), abs=1e-6)
    assert "curvature_contrast" in found


def test_ctrl_c_leaves_the_table_of_complete_trainings(run, arrays, monkeypatch):
    begin, begun = Tracker.on_epoch_begin, []

    def stopping(self, net, **kwargs):
        begin(self, net, **kwargs)
        begun.append(self.epoch)
        if len(begun) > 3:  # in the second training
            raise KeyboardInterrupt

    monkeypatch.setattr(Tracker, "on_epoch_begin", stopping)
    result = run("compare", arrays, "--seeds", 3, *QUICK)
    assert result.exit_code == 130
    assert "cumulative loss" in result.stdout
    assert "seed 0.\n" in result.stdout
    assert "One seed shows no spread" in result.stdout
    assert result.stderr.endswith("stopped. The table is of the trainings that were complete.\n")
    at_once = run("compare", arrays, "--quiet", *QUICK)
    assert (at_once.exit_code, at_once.output) == (130, "Error: stopped.\n")

"""How well each score finds wrong labels that are planted."""

from __future__ import annotations

import numpy as np
import pytest

from curvdetect import CurvatureNoiseDetector, corrupt_labels
from curvdetect.cli.compare import ROWS, as_table
from curvdetect.detectors.catalogue import ALWAYS, CURVATURES, EXTRAS
from curvdetect.detectors.checks import derived_seed
from curvdetect.metrics import auroc
from curvdetect.training.tracker import Tracker
from tests.cases import digits
from tests.cli.conftest import read_csv

QUICK = ("--epochs", 3, "--device", "cpu")


@pytest.fixture
def arrays(tmp_path):
    """An .npz file of 120 digits as pictures of bytes."""
    X, y = digits(120)
    np.savez(tmp_path / "digits.npz", X=(X * 255).astype(np.uint8).reshape(-1, 1, 8, 8), y=y)
    return tmp_path / "digits.npz"


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_numbers_are_those_of_detectors_on_planted_labels(run, arrays, tmp_path):
    target = tmp_path / "table.csv"
    result = run("compare", arrays, "--rate", "10%", "--rate", 0.3, "--seeds", 2, "--csv", target, *QUICK)
    assert result.exit_code == 0
    rows = read_csv(target)
    names = {*ALWAYS, *EXTRAS, *CURVATURES, "fused"}
    assert {(row["score"], float(row["rate"]), int(row["seed"])) for row in rows} == {
        (name, rate, seed) for name in names for rate in (0.1, 0.3) for seed in (0, 1)
    }
    X, y = digits(120)
    X = (X * 255).astype(np.uint8).reshape(-1, 1, 8, 8)
    labels, mask = corrupt_labels(y, 0.3, random_state=1)
    detector = CurvatureNoiseDetector(max_epochs=3, device="cpu", random_state=derived_seed(1, 1)).fit(X, labels)
    for name in ("curvature", "loss", "margin"):
        (found,) = [r for r in rows if (r["score"], r["rate"], r["seed"]) == (name, "0.3", "1")]
        assert float(found["auroc"]) == pytest.approx(auroc(mask, detector.signal_scores_[name]), abs=1e-6)
    assert "uniform noise in 120 samples (10 at 10 %, 37 at 30 %), seeds 0 to 1" in result.stdout
    assert "Real mistakes are often harder to see" in result.stdout


def test_scores_of_other_trainings_are_there_where_asked_for(run, arrays):
    result = run("compare", arrays, "--also", "confident", "--also", "ssft", *QUICK)
    assert result.exit_code == 0
    assert {"confident learning", "second-split forgetting"} <= {
        line[:34].strip() for line in result.stdout.splitlines()
    }


def test_every_score_has_a_name_for_people():
    assert {*ALWAYS, *EXTRAS, *CURVATURES} < set(ROWS)


def test_a_table_has_means_and_deviations_and_the_best_on_top():
    grades = {("loss", 0.1, 0): 0.9, ("loss", 0.1, 1): 0.92, ("margin", 0.1, 0): 0.95, ("loss", 0.2, 0): 0.5}
    assert list(as_table(grades, (0.1, 0.2))) == [
        "                     10 % wrong      20 % wrong",
        "margin                    95.00               -",
        "cumulative loss    91.00 ± 1.41           50.00",
    ]


def test_ctrl_c_leaves_the_table_of_complete_trainings(run, arrays, monkeypatch):
    begin, begun = Tracker.on_epoch_begin, []

    def stopping(self, net, **kwargs):
        begin(self, net, **kwargs)
        begun.append(self.epoch)
        if len(begun) > 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(Tracker, "on_epoch_begin", stopping)
    result = run("compare", arrays, "--seeds", 3, *QUICK)
    assert result.exit_code == 130
    assert "cumulative loss" in result.stdout
    assert "seed 0.\n" in result.stdout
    assert "One seed shows no spread" in result.stdout
    assert result.stderr.endswith("stopped. The table is of the trainings that were complete.\n")


@pytest.mark.parametrize("rate", ["0", "1", "much", "5", "-5%"])
def test_a_rate_is_a_share(run, arrays, rate):
    result = run("compare", arrays, f"--rate={rate}")
    assert result.exit_code == 2
    assert f"'{rate}' is no share between 0 and 1, such as 0.05 or 5%." in result.stderr


def test_a_rate_that_plants_nothing_is_refused(run, tmp_path):
    np.savez(tmp_path / "few.npz", X=np.arange(8.0).reshape(4, 2), y=[0, 0, 1, 1])
    result = run("compare", tmp_path / "few.npz", "--rate", 0.05)
    assert result.exit_code == 2
    assert "no class of PATH is large enough to plant 5.0% of it" in result.stderr

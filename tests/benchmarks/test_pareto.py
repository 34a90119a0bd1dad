"""Detection against cost, end to end on tiny data."""

from __future__ import annotations

import numpy as np
import pytest

from curvdetect import CurvatureNoiseDetector, corrupt_labels, memorizing_net
from curvdetect.metrics import auroc
from tests.benchmarks.conftest import rows_of

QUICK = [
    "--datasets",
    "digits",
    "--subset",
    "150",
    "--epochs",
    "14",
    "--seeds",
    "1",
    "--device",
    "cpu",
    "--threads",
    "1",
]


def test_schedules_are_read_off_what_separate_detectors_would_score(script, tmp_path, capsys):
    script.main([*QUICK, "--out", str(tmp_path)])
    assert {"records.jsonl", "table.md", "pareto.png"} == {p.name for p in tmp_path.iterdir()}
    rows = {(r["setting"], r["schedule"]): r for r in rows_of(tmp_path)}
    X, y = script.data.load("digits", "", subset=150)
    labels, mask = corrupt_labels(y, 0.1, random_state=1)
    common = {"max_epochs": 14, "device": "cpu", "random_state": 1}
    for every, schedule in ((1, "every epoch"), (4, "every 4th"), ("auto", 'every="auto"')):
        net = memorizing_net(None, batch_size=16)
        detector = CurvatureNoiseDetector(net, every=every, **common).fit(X, labels)
        row = rows["h=0.01, n=1, power=1", schedule]
        assert row["n_scored"] == sum(record["scored"] for record in detector.history_)
        # the probes are keyed by another seed: the same to a few points
        assert row["auroc"] == pytest.approx(auroc(mask, detector.scores_), abs=0.08)
    assert rows["loss", "every epoch"]["auroc"] == pytest.approx(auroc(mask, detector.signal_scores_["loss"]), abs=1e-6)
    every, half = rows["h=0.01, n=1, power=1", "every epoch"], rows["h=0.01, n=1, power=1", "every 2nd"]
    assert half["overhead"] == pytest.approx(every["overhead"] / 2, rel=0.01)
    assert "(+0.00)" in capsys.readouterr().out  # the paper's setting against itself


def test_what_is_kept_or_recorded_is_not_trained_again(script, tmp_path, monkeypatch):
    keep = ["--keep-values", str(tmp_path / "kept")]
    script.main([*QUICK, *keep, "--out", str(tmp_path / "a")])
    monkeypatch.setattr(script, "trained", lambda *args: pytest.fail("trained again"))
    script.main([*QUICK, "--out", str(tmp_path / "a")])
    script.main([*QUICK, *keep, "--out", str(tmp_path / "b")])
    assert rows_of(tmp_path / "b") == rows_of(tmp_path / "a")


def test_schedules_choose_the_epochs_that_they_are_named_for(script):
    from harness.schedules import SCHEDULES, dense_early

    values = np.random.default_rng(0).random((40, 50))
    chosen = {name: choose(values).tolist() for name, choose in SCHEDULES.items()}
    assert chosen["every epoch"] == list(range(40))
    assert chosen["every 8th"] == [7, 15, 23, 31, 39]
    assert chosen["every 2nd of the first half"] == list(range(1, 20, 2))
    assert chosen["every epoch of the first quarter"] == list(range(10))
    assert chosen["the last alone"] == [39]
    assert (chosen["8, dense early"][0], chosen["8, dense early"][-1], len(chosen["8, dense early"])) == (0, 39, 8)
    assert chosen['every="auto"'] == dense_early(10, values).tolist()


def test_a_ranking_that_does_not_change_is_settled(script):
    from harness.schedules import settled

    same = np.tile(np.arange(50.0), (40, 1))
    assert settled(1, same).tolist() == [0, 1, 2, 3, 4, 5]
    restless = np.random.default_rng(0).random((6, 50))
    assert settled(1, restless).tolist() == list(range(6))

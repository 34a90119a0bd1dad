"""Estimates of the noise rate, end to end on tiny data."""

from __future__ import annotations

import pytest

from curvdetect import LossDetector, corrupt_labels
from tests.benchmarks.conftest import rows_of

QUICK = [
    "--subset",
    "200",
    "--epochs",
    "8",
    "--rates",
    "0",
    "0.1",
    "--pair-rates",
    "0.1",
    "--seeds",
    "1",
    "--threads",
    "1",
]
QUICK += ["--device", "cpu"]


def test_records_hold_what_the_detector_says_and_the_table_counts_them(script, tmp_path, capsys):
    script.main([*QUICK, "--out", str(tmp_path)])
    rows = {(row["kind"], row["rate"]): row for row in rows_of(tmp_path)}
    assert list(rows) == [("uniform", 0.0), ("uniform", 0.1), ("pair", 0.1)]
    X, y = script.data.load("digits", "", subset=200)
    labels, mask = corrupt_labels(y, 0.1, random_state=1)
    with script.quietly():
        detector = LossDetector(q="auto", max_epochs=8, device="cpu", random_state=1).fit(X, labels)
    row = rows["uniform", 0.1]
    assert row["n_wrong"] == mask.sum()
    assert row["estimate"] == pytest.approx(detector.noise_rate_, abs=1e-6)
    assert (row["low"], row["high"]) == pytest.approx(detector.noise_rate_interval_, abs=1e-6)
    table = (tmp_path / "table.md").read_text()
    error = abs(row["estimate"] - row["n_wrong"] / 200)
    assert f"Uniform noise: mean absolute error {error:.4f} over rates of 10 %" in table
    assert "## Estimates" in capsys.readouterr().out


def test_what_is_recorded_is_not_trained_again(script, tmp_path, monkeypatch):
    script.main([*QUICK, "--out", str(tmp_path)])
    before = rows_of(tmp_path)
    monkeypatch.setattr(script, "measure", lambda *args: pytest.fail("trained again"))
    script.main([*QUICK, "--out", str(tmp_path)])
    assert rows_of(tmp_path) == before

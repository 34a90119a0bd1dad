"""The comparison of several processes with one: end to end on few samples, and what it says of two rankings."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks.conftest import rows_of


@pytest.mark.slow
def test_rankings_of_two_processes_are_compared_with_those_of_one(script, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(script, "NETWORKS", {"plain": "convolutions"})
    script.main(["--samples", "100", "--epochs", "2", "--processes", "2", "--out", str(tmp_path)])
    rows = rows_of(tmp_path)
    assert [row["against"] for row in rows] == ["2 processes", "one, another seed"]
    assert rows[0]["loss"]["spearman"] > 0.999 > rows[1]["loss"]["spearman"]
    assert "## Against one process" in capsys.readouterr().out


def test_what_is_alike_is_told_by_rank_and_by_size(script):
    mask = script.task(50)[2]
    one = {name: np.arange(1.0, 51) for name in script.SIGNALS}
    told = script.compared(one, {**one, "loss": 51 - one["loss"]}, 50)
    assert told["curvature"]["spearman"] == 1
    assert told["curvature"]["relative"] == 0
    assert told["loss"]["spearman"] == -1
    assert sum(told["loss"]["auroc"]) == pytest.approx(1)
    assert 0 < mask.sum() < 50

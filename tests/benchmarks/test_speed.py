"""The benchmark of speed, end to end on tiny data: what it writes, not how fast it is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from curvdetect import input_curvature
from tests.benchmarks.conftest import rows_of

QUICK = ["--layouts", "table", "--samples", "64", "--repeats", "1", "--device", "cpu", "--threads", "1"]


@pytest.mark.slow
def test_every_job_is_timed_and_every_table_written(script, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(script, "BASE", {"N": 8, "side": 8, "C": 3, "n": 1})
    monkeypatch.setattr(script, "GROWN", {"N": (8, 16), "n": (1, 2)})
    monkeypatch.setattr(script, "REMEMBERED", (0, 10))
    script.main([*QUICK, "--out", str(tmp_path)])
    assert {"records.jsonl", "table.md", "speed.png"} == {p.name for p in tmp_path.iterdir()}
    rows = rows_of(tmp_path)
    timed = {row["job"]: row for row in rows if row["layout"] == "table" and "per_second" in row}
    assert set(timed) == set(script.costs.CAPTIONS)
    assert all(len(row["seconds"]) == 1 and row["seconds"][0] > 0 for row in timed.values())
    assert timed["raw epoch"]["ratio"] == 1
    assert timed["authors' pass n=10"]["speedup"] == 1
    assert {row["job"] for row in rows if "peak_mib" in row} == {f"memory n={n}" for n in (0, 10)}
    assert [row["job"] for row in rows if row["layout"] == "scaling"] == ["N = 8", "N = 16", "n = 1", "n = 2"]
    text = capsys.readouterr().out
    for heading in ("In epochs of a plain PyTorch training loop", "A whole run of 100 epochs", "Scaling of a pass"):
        assert f"## {heading}" in text


def test_the_authors_loop_measures_the_curvature_but_for_the_factor_of_the_batch(script):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)).double()
    X, y = torch.rand(40, 6, dtype=torch.float64), torch.arange(40) % 3
    theirs = script.loops.authors_pass(net, X, y, n=2000, batch_size=20, h=1e-3)().numpy()
    ours = input_curvature(net, X, y, h=1e-3, n=2000).numpy()
    # a mean of 20 losses is differentiated there, a sum here; probes differ
    assert np.median(theirs * 20 / ours) == pytest.approx(1, abs=0.02)
    assert np.corrcoef(theirs, ours)[0, 1] > 0.99


def test_the_plain_loop_trains(script):
    torch.manual_seed(0)
    net = nn.Linear(4, 2)
    X = torch.randn(60, 4)
    y = (X[:, 0] > 0).long()
    epoch = script.loops.training(net, X, y, 16)
    for _ in range(30):
        epoch()
    assert (net(X).argmax(1) == y).float().mean() > 0.9

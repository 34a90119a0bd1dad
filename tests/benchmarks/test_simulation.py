"""The simulation of shares and sums: what it finds right, and that it would find what is wrong."""

from __future__ import annotations

import pytest
import torch

from curvdetect.signals.signal import EpochMean, Plan
from tests.benchmarks.conftest import rows_of


@pytest.mark.slow
def test_every_index_is_visited_once_at_its_own_place_by_three_processes(script, tmp_path, capsys):
    script.main(["--samples", "100003", "--batch-size", "1000", "--processes", "3", "--out", str(tmp_path)])
    (row,) = rows_of(tmp_path)
    ranks = row["ranks"]
    assert [rank["wrong"] for rank in ranks] == [0, 0, 0]
    for epoch in (0, 1):
        visits = [rank["visited"][epoch] for rank in ranks]
        assert sum(visits) == 100003
        assert max(visits) - min(visits) <= 101  # one for each of the batches
    assert all(rank["mib_peak"] >= rank["mib_before"] > 0 for rank in ranks)
    assert "## One accumulator" in capsys.readouterr().out


def test_a_single_process_needs_no_other(script):
    found = script.simulated(1003, 10)
    assert found["visited"] == [1003, 1003]
    assert found["wrong"] == 0
    assert not torch.distributed.is_initialized()


SPOILED = {
    "sum at another place": lambda mean: mean.total[0].copy_(mean.total[0].roll(1)),
    "visited twice": lambda mean: mean.count[0, 7:8].add_(1),
    "never visited": lambda mean: (mean.count[0, 3:5].zero_(), mean.total[0, 3:5].zero_()),
}


@pytest.mark.parametrize(("spoil", "n_wrong"), list(zip(SPOILED.values(), (25, 1, 2), strict=True)), ids=SPOILED)
def test_a_wrong_sum_or_count_is_found(script, monkeypatch, spoil, n_wrong):
    monkeypatch.setattr(script, "COMPARED", 10)
    mean = EpochMean(Plan(25, 1, 2, torch.device("cpu")))
    index = torch.arange(25)
    for epoch in (1, 2):
        mean.add(script.batch_of(index, epoch, mean_plan()), index.double() * epoch)
        mean.end_epoch()
    assert script.wrong(mean) == 0
    spoil(mean)
    assert script.wrong(mean) == n_wrong


def mean_plan():
    return Plan(25, 1, 2, torch.device("cpu"))

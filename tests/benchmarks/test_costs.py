"""The run that benchmarks/speed.py puts together: how often its passes are counted."""

from __future__ import annotations

import re

import numpy as np
import pytest

from curvdetect import CurvatureNoiseDetector
from curvdetect.training import settings

ROWS, PICTURES = (3,), (1, 8, 8)


@pytest.mark.parametrize(
    ("learned", "which"),
    [("rows", (ROWS,)), ("pictures", (PICTURES,)), ("own net", (PICTURES, "resnet-mnist")), ("own net", ())],
)
def test_the_epochs_scored_by_default_are_those_that_the_package_scores(load, monkeypatch, learned, which):
    monkeypatch.setitem(settings.SCORED, learned, (0, 3, 3, 0.2, 0.8))
    expected = settings.scored_epochs(6, "auto", learned)
    assert len(expected) == 3
    found = load("speed", "schedules").scored_by_default(6, *which)
    assert {epoch + 1 for epoch in found} == expected


def test_a_whole_run_counts_its_passes_as_often_as_the_package_makes_them(load, monkeypatch, tmp_path):
    speed = load("speed")
    ratios = {"epoch": 2, "raw epoch, contiguous": 3, "pass n=1": 4, "pass n=10": 9, "default pass": 6}
    ratios["authors' pass n=10"] = 50
    jobs = [{"job": job, "ratio": float(ratios.get(job, 1)), "speedup": 1.0} for job in speed.costs.CAPTIONS]
    monkeypatch.setattr(speed, "LAYOUTS", {"rows": (ROWS, None, 16, 8), "pictures": (PICTURES, None, 16, 8)})
    monkeypatch.setattr(speed, "side_by_side", lambda *args: jobs)
    monkeypatch.setattr(speed, "memory", lambda *args: [{"job": "memory n=0", "peak_mib": 1.0}])
    monkeypatch.setattr(speed.costs, "chart", lambda *args: None)
    monkeypatch.setitem(settings.SCORED, "pictures", (0, 3, 3, 0.2, 0.8))
    speed.main(["--layouts", "rows", "pictures", "--device", "cpu", "--threads", "1", "--out", str(tmp_path)])

    detector = CurvatureNoiseDetector(device="cpu", random_state=0)
    history = detector.fit(np.eye(8, dtype=np.float32), np.arange(8) % 2).history_
    scored, n_epochs = np.array([sum(record["scored"] for record in history), 3]), len(history)
    share = scored / n_epochs
    expected = {
        "`LossDetector()`": [2, 2],
        "`CurvatureNoiseDetector(contrast=False)`": 2 + 4 * share,
        "`CurvatureNoiseDetector()`": 2 + 6 * share,
        f"epochs that these two score, of {n_epochs}": scored,
        "what the curvature adds to it": 6 * share,
        "`CurvatureNoiseDetector.paper()`": [11, 11],
        "the authors' recipe": [53, 53],
        "the authors' recipe over `CurvatureNoiseDetector()`": 53 / (2 + 6 * share),
        "the same, measuring alone": 50 / (6 * share),
    }
    table = (tmp_path / "table.md").read_text().partition("## A whole run of ")[2].partition("\n## ")[0]
    assert table.startswith(f"{n_epochs} epochs, in plain trainings of as many\n")
    found = dict(re.findall(r"^\| (\S.*?) +\| +(\d.*) \|$", table, re.MULTILINE))
    assert list(found) == list(expected)
    for name, cells in found.items():
        assert [float(cell) for cell in cells.split("|")] == pytest.approx(list(expected[name]), abs=0.006), name

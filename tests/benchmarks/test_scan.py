"""A scan of misfiled pictures, graded."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def misfiled(script):
    return __import__("harness.misfiled").misfiled


def test_an_exact_share_is_misfiled_and_names_tell_which(misfiled, tmp_path):
    source = misfiled.coloured_digits(tmp_path / "digits", 11, size=8)
    to = misfiled.misfile(source, tmp_path / "photos", per_class=10, rate=0.1, seed=3)
    files = [path.relative_to(to).as_posix() for path in to.rglob("*.png")]
    assert len(files) == 100
    assert sum(map(misfiled.is_misfiled, files)) == 10
    for file in files:
        name = misfiled.class_of(file)
        assert (to / file).read_bytes() == (source / name / file.split("-", 1)[1]).read_bytes()
    assert len(list(source.rglob("*.png"))) == 110
    again = misfiled.misfile(source, tmp_path / "again", per_class=10, rate=0.1, seed=3)
    assert sorted(path.relative_to(again).as_posix() for path in again.rglob("*.png")) == sorted(files)


def test_what_was_found_is_counted(script):
    table = pd.DataFrame(
        {
            "index": range(4),
            "path": ["dog/cat-1.jpg", "dog/dog-2.jpg", "cat/fox-3.jpg", "cat/cat-4.jpg"],
            "given": ["dog", "dog", "cat", "cat"],
            "suggested": ["cat", "cat", "dog", "dog"],
            "score": [4.0, 3.0, 2.0, 1.0],
            "rank": [1, 2, 3, 4],
            "flagged": [True, True, True, False],
            "loss": [1.0, 2.0, 3.0, 4.0],
        }
    )
    graded = script.graded(table)
    assert graded["auroc"] == {"score": 0.75, "loss": 0.25}
    counts = {name: graded[name] for name in ("n_samples", "n_misfiled", "n_flagged", "n_found", "n_put_right")}
    assert list(counts.values()) == [4, 2, 3, 2, 1]


def test_a_scan_is_run_as_a_user_runs_it(script, tmp_path, capsys):
    options = ["--per-class", "20", "--epochs", "1", "--device", "cpu", "--work", str(tmp_path / "work")]
    script.main([*options, "--out", str(tmp_path / "out")])
    record = json.loads((tmp_path / "out" / "record.json").read_text())
    assert record["n_samples"] == 200
    assert record["n_misfiled"] == record["n_flagged"] == 10
    assert record["command"].startswith("curvdetect scan photos --out found --q 0.05")
    assert {"score", "curvature", "loss"} <= set(record["auroc"])
    assert all(np.isfinite(value) for value in record["auroc"].values())
    text = (tmp_path / "out" / "table.md").read_text()
    assert text in capsys.readouterr().out
    assert "10 of 200 labels are flagged" in text

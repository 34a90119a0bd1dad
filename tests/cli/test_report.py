"""The page of a scan, made again."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from curvdetect import load
from tests.cases import digits
from tests.cli.conftest import write_table
from tests.files import write_pictures

QUICK = ("--epochs", 2, "--device", "cpu")


@pytest.fixture
def scanned(run, page, table, tmp_path):
    """A scan of a table."""
    assert run("scan", table, "--out", tmp_path / "found", *QUICK).exit_code == 0
    return tmp_path / "found"


def test_the_page_is_made_of_the_same_things(run, page, scanned, tmp_path):
    result = run("report", scanned, "--k", 7, "--title", "Mine", "--out", tmp_path / "again.html")
    assert result.exit_code == 0
    assert result.stdout == f"{tmp_path / 'again.html'}: the suspects, to look at\n"
    first, again = page
    assert np.array_equal(again["X"], first["X"])
    assert np.array_equal(again["detector"].scores_, first["detector"].scores_)
    assert (again["k"], again["title"], again["path"]) == (7, "Mine", tmp_path / "again.html")


def test_rows_in_another_order_are_recognised(run, page, scanned, tmp_path):
    X, y = digits(120)
    order = np.random.default_rng(0).permutation(120)
    moved = write_table(tmp_path / "moved.csv", X[order, 10:20], y[order])
    assert run("report", scanned, "--data", moved).exit_code == 0
    np.testing.assert_allclose(page[1]["X"], page[0]["X"])
    assert page[0]["X_display"].to_numpy().tolist() == page[1]["X_display"].to_numpy().tolist() == X[:, 10:20].tolist()
    assert page[1]["path"] == scanned / "report.html"


def test_quiet_leaves_the_result(run, page, scanned):
    result = run("report", scanned, "--quiet")
    assert (result.stdout, result.stderr) == (f"{scanned / 'report.html'}: the suspects, to look at\n", "")


def test_a_scan_that_was_cut_short_is_to_be_resumed(run, page, scanned):
    shutil.rmtree(scanned / "detector")
    result = run("report", scanned)
    assert result.exit_code == 1
    assert "was cut short: curvdetect scan with --resume, and all else as before, goes on with it." in result.stderr


def test_pictures_that_were_moved_and_renamed_keep_their_suspects(run, page, tmp_path):
    root, out, moved = tmp_path / "photos", tmp_path / "found", tmp_path / "moved"
    write_pictures(root)
    run("scan", root, "--out", out, "--size", 8, *QUICK)
    for i, path in enumerate(sorted(root.rglob("*.png"), reverse=True)):
        (moved / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, moved / path.parent.name / f"new {i:02}.png")
    shutil.rmtree(root)
    assert "pass --data PATH" in run("report", out).stderr
    assert run("report", out, "--data", moved).exit_code == 0
    first, again = page
    assert np.array_equal(first["X"], again["X"])
    assert [path.split("/")[0] for path in again["paths"]] == ["cat"] * 8 + ["dog"] * 8
    assert again["paths"][0] == "cat/new 15.png"


def test_other_data_is_refused(run, page, scanned, tmp_path):
    X, y = digits(120)
    result = run("report", scanned, "--data", write_table(tmp_path / "fewer.csv", X[:100, 10:20], y[:100]))
    assert result.exit_code == 1
    assert "not among the rows that were fitted" in result.stderr or "20 of the 120" in result.stderr
    assert len(page) == 1


def test_a_directory_without_a_scan_is_refused(run, page, tmp_path):
    result = run("report", tmp_path)
    assert result.exit_code == 1
    assert "holds no scan: pass the DIR of a curvdetect scan." in result.stderr


def test_a_record_of_strange_things_is_refused(run, page, scanned):
    (scanned / "scan.json").write_text(json.dumps({"path": 3, "size": "large"}))
    result = run("report", scanned)
    assert result.exit_code == 1
    assert load(scanned / "detector").scores_.shape == (120,)

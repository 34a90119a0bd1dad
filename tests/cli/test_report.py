"""The page of a scan, made again."""

from __future__ import annotations

import json
import shutil

import numpy as np

from tests.cases import digits
from tests.cli.conftest import QUICK, digits_table, write_table
from tests.written import write_pictures


def test_the_page_is_made_of_the_same_things(run, page, first_scan, tmp_path):
    target = tmp_path / "again.html"
    result = run("report", first_scan.out, "--k", 7, "--title", "Mine", "--out", target, "--quiet")
    assert (result.stdout, result.stderr) == (
        f"{target}: the suspects, to judge; curvdetect apply writes the corrected labels\n",
        "",
    )
    first, (again,) = first_scan.page, page
    assert np.array_equal(again["X"], first["X"])
    assert np.array_equal(again["detector"].scores_, first["detector"].scores_)
    assert (again["k"], again["title"], again["path"]) == (7, "Mine", target)


def test_rows_in_another_order_are_recognised(run, page, scanned, first_scan, tmp_path):
    X, y = digits(120)
    order = np.random.default_rng(0).permutation(120)
    moved = write_table(tmp_path / "moved.csv", X[order, 10:20], y[order])
    assert run("report", scanned.out, "--data", moved).exit_code == 0
    np.testing.assert_allclose(page[0]["X"], first_scan.page["X"])
    assert page[0]["X_display"].to_numpy().tolist() == X[:, 10:20].tolist()
    assert page[0]["path"] == scanned.out / "report.html"


def test_pictures_that_were_moved_and_renamed_keep_their_suspects(run, page, tmp_path):
    root, out, moved = tmp_path / "photos", tmp_path / "found", tmp_path / "moved"
    write_pictures(root)
    run("scan", root, "--out", out, "--size", 8, "--detector", "loss", *QUICK)
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
    (moved / "cat" / "new 15.png").unlink()
    fewer = run("report", out, "--data", moved)
    assert (fewer.exit_code, len(page)) == (1, 2)
    assert "PATH has 15 samples, and 1 of the 16 that were scanned are not among them" in fewer.stderr


def test_what_no_page_can_be_made_of_is_refused(run, page, scanned, tmp_path):
    fewer = run("report", scanned.out, "--data", digits_table(tmp_path / "fewer.csv", 100))
    (scanned.out / "scan.json").write_text(json.dumps({"path": 3, "size": "large"}))
    strange = run("report", scanned.out)
    shutil.rmtree(scanned.out / "detector")
    cut = run("report", scanned.out)
    none = run("report", tmp_path)
    assert [result.exit_code for result in (fewer, strange, cut, none)] == [1] * 4
    assert "PATH has samples that are not among the 120 that were scanned. Pass --data with" in fewer.stderr
    assert "was cut short: curvdetect scan with --resume, and all else as before, goes on with it." in cut.stderr
    assert "holds no scan: pass the DIR of a curvdetect scan." in none.stderr
    assert page == []

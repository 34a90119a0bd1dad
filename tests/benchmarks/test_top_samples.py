"""The most suspect samples and the pairs among them, end to end on tiny data."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from curvdetect import CurvatureNoiseDetector, conflicting_duplicates, memorizing_net
from tests.benchmarks.conftest import PAPERS, rows_of

QUICK = ["--subset", "150", "--epochs", "3", "--pairs", "6", "--top", "10", "--shown", "8", "--seeds", "1"]
QUICK += ["--weight-decay", "0", "0.01", "--device", "cpu", "--threads", "1"]


def test_members_at_the_top_are_those_that_a_hand_would_count(script, tmp_path, capsys):
    script.main([*QUICK, "--out", str(tmp_path)])
    assert {path.name for path in tmp_path.iterdir()} == {"records.jsonl", "table.md", "figure.png"}
    X, y = script.data.load("digits", "", subset=150)
    source, labels, mask = conflicting_duplicates(y, 12 / 150, random_state=1)
    text = (tmp_path / "table.md").read_text()
    assert text in capsys.readouterr().out
    rows = rows_of(tmp_path)
    assert [(row["training"], row["weight_decay"]) for row in rows] == [
        ("curvature", 0),
        ("curvature", 0.01),
        ("ssft", 1e-4),
        ("cl", 1e-4),
    ]
    for row in rows[:2]:
        net = memorizing_net(None, for_tables=False, batch_size=16, weight_decay=row["weight_decay"])
        detector = CurvatureNoiseDetector(net, max_epochs=3, **PAPERS, device="cpu", random_state=1).fit(
            X[source], labels
        )
        assert row["signals"]["curvature"]["top"] == detector.ranking_[: script.KEPT].tolist()
        n_members = sum(bool(mask[i]) for i in detector.ranking_[:10])
        line = next(line for line in text.splitlines() if f"Curvature, weight decay {row['weight_decay']:g}" in line)
        assert int(line.split("|")[2]) == n_members
    assert rows[0]["signals"]["curvature"]["top"] != rows[1]["signals"]["curvature"]["top"]
    planted = {tuple(sorted((i, int(source[i])))) for i in np.flatnonzero(source != np.arange(150)).tolist()}
    found = {(first, second) for first, second, kind, _ in rows[0]["found"] if kind == "exact"}
    assert found == planted
    assert "6 of 6 planted pairs" in text


def test_what_is_recorded_is_not_trained_again(script, tmp_path, monkeypatch):
    call = [*QUICK, "--skip", "ssft", "cl", "--out", str(tmp_path)]
    script.main(call)
    before = (tmp_path / "table.md").read_text(), (tmp_path / "figure.png").read_bytes()
    monkeypatch.setattr(script, "measured", lambda *args: pytest.fail("trained again"))
    script.main(call)
    assert ((tmp_path / "table.md").read_text(), (tmp_path / "figure.png").read_bytes()) == before


def test_members_pairs_and_finds_that_nobody_planted_are_told_apart(script):
    mask, copied = np.isin(np.arange(8), [0, 1, 4, 5]), np.isin(np.arange(8), [0, 5])
    planted = script.Planted(np.empty(0), np.arange(8), mask, {(0, 1), (4, 5)}, copied)
    found = [[0, 1, "exact", 0.0], [2, 7, "near", 0.1], [4, 6, "near", 0.1]]
    mask, others = script.members_in(planted, found)
    assert np.flatnonzero(mask).tolist() == [0, 1, 4, 5]
    assert np.flatnonzero(others).tolist() == [2, 6, 7]  # 4 is planted, and counted once
    assert script.graded([1, 4, 0, 7], mask, others, planted.pairs) == {"planted": 3, "whole": 1, "others": 1}
    assert script.graded([3], mask, others, planted.pairs) == {"planted": 0, "whole": 0, "others": 0}


def test_without_pairs_the_data_stays_as_it_is(script, tmp_path):
    rng, root = np.random.default_rng(0), tmp_path / "pictures"
    for i in range(40):
        path = root / "ab"[i % 2] / f"{i:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        # the last picture of each class is the same one
        pixels = np.full((8, 8, 3), 90, np.uint8) if i >= 38 else rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    call = ["--dataset", "folder", "--data-dir", str(root), "--size", "8", "--epochs", "1", "--pairs", "0", "--top"]
    call += ["40", "--skip", "ssft", "cl", "--weight-decay", "0", "--device", "cpu", "--threads", "1", "--seeds", "0"]
    script.main([*call, "--out", str(tmp_path / "out")])
    assert [pair[2] for pair in rows_of(tmp_path / "out")[0]["found"]] == ["exact"]
    text = (tmp_path / "out" / "table.md").read_text()
    assert "1 that nobody planted: 1 exact, 0 near." in text
    assert text.count("| Curvature, weight decay 0 ") == 1
    line = next(line for line in text.splitlines() if line.startswith("| Curvature"))
    assert [cell.strip() for cell in line.split("|")[2:-1]] == ["2"]  # of all forty, the members of that pair


def test_weights_shrink_in_the_paper_by_what_its_recipe_says(script):
    from harness.options import shrinkage_in_paper

    # 391 steps an epoch: 150 epochs at 0.1, 100 at 0.01, 50 at 0.001
    assert shrinkage_in_paper() == pytest.approx(1e-4 * 391 * (150 * 0.1 + 100 * 0.01 + 50 * 0.001))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (["--paper"], "the paper has recipes for"),
        (["--quick"], "pass both"),
        (["--paper", "mnist", "--net", "resnet-mnist"], "Leave one of them out"),
        (["--top", "101"], "100 of each ranking are kept"),
    ],
)
def test_options_that_do_not_go_together_are_refused(script, wrong, told, capsys):
    with pytest.raises(SystemExit):
        script.parse(wrong)
    assert told in capsys.readouterr().err

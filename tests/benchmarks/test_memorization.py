"""Memorization by many networks, and the similarity of scores to it, on tiny data."""

from __future__ import annotations

import numpy as np
import pytest
from joblib.externals.loky import get_reusable_executor

from curvdetect import conflicting_duplicates
from curvdetect.metrics import cosine_similarity, top_k_cosine_similarity
from tests.benchmarks.conftest import rows_of
from tests.cases import digits

QUICK = ["--subset", "60", "--nets", "40", "--epochs", "3", "--seeds", "0", "1", "--h", "0.01", "0.001"]
QUICK += ["--n", "1", "10", "--device", "cpu", "--threads", "1", "--jobs", "1"]


@pytest.fixture
def harness(script):
    from harness import memorization

    return memorization


def outcomes(seen, correct):
    return list(zip(np.array(seen, dtype=bool), np.array(correct, dtype=bool), strict=True))


def test_memorization_is_what_seeing_a_sample_adds(harness):
    # four networks by four samples
    seen = [[1, 0, 1, 1], [0, 1, 1, 0], [1, 1, 0, 1], [0, 0, 0, 0]]
    correct = [[1, 0, 1, 1], [0, 1, 1, 1], [1, 0, 0, 0], [0, 1, 1, 1]]
    measured = harness.estimate(outcomes(seen, correct))
    # seen: 2/2, 1/2, 2/2, 1/2; not seen: 0/2, 1/2, 1/2, 2/2
    np.testing.assert_allclose(measured.values, [1, 0, 0.5, -0.5])
    np.testing.assert_allclose(measured.std_error, np.sqrt([0, 1 / 8 + 1 / 8, 1 / 8, 1 / 8]))
    assert measured.halves is None  # the first and the third network both saw the first sample
    assert "4 networks, each trained on 50 % of the samples" in measured.described
    assert "right on 75.0 % of those seen, and on 50.0 % of the others" in measured.described


def test_halves_are_every_second_network(harness):
    rng = np.random.default_rng(0)
    seen, correct = rng.random((60, 30)) < 0.7, rng.random((60, 30)) < 0.5
    measured = harness.estimate(outcomes(seen, correct))
    for start in (0, 1):
        half = harness.estimate(outcomes(seen[start::2], correct[start::2]))
        np.testing.assert_allclose(measured.halves[start], half.values)


@pytest.mark.parametrize("seen", [[[1, 0], [1, 1]], [[1, 0], [0, 0]]], ids=["always seen", "never seen"])
def test_a_sample_without_two_sides_is_an_error(harness, seen):
    with pytest.raises(ValueError, match=r"2 networks are too few"):
        harness.estimate(outcomes(seen, [[1, 1], [1, 1]]))


def test_networks_do_not_depend_on_processes_nor_on_how_often_they_were_cut_short(harness, tmp_path):
    X, y = digits(120)
    recipe = harness.Recipe(epochs=2, device="cpu", seed=3)
    get_reusable_executor().shutdown()  # one that another test left knows nothing of the benchmarks
    one = list(harness.networks(X, y, recipe, 6, tmp_path / "one", 1))
    assert {seen.sum() for seen, _ in one} == {84}
    assert len({seen.tobytes() for seen, _ in one}) == 6
    two = list(harness.networks(X, y, recipe, 6, tmp_path / "two", 2))
    np.testing.assert_array_equal(one, two)
    kept = sorted((tmp_path / "two").rglob("*.npz"))
    kept[2].unlink()
    kept[4].rename(kept[4].with_suffix(".part.npz"))  # killed while it was written
    np.testing.assert_array_equal(one[:5], list(harness.networks(X, y, recipe, 5, tmp_path / "two", 1)))
    np.testing.assert_array_equal(one, list(harness.networks(X, y, recipe, 6, tmp_path / "two", 1)))


def test_what_is_kept_is_not_trained_again_and_other_data_is(harness, tmp_path, monkeypatch):
    X, y = digits(120)
    recipe = harness.Recipe(epochs=1, device="cpu")
    list(harness.networks(X, y, recipe, 2, tmp_path, 1))
    monkeypatch.setattr(harness, "train", lambda *args: pytest.fail("trained"))
    list(harness.networks(X, y, recipe, 2, tmp_path, 1))
    for other in [(X, y[::-1], recipe), (X[::-1], y, recipe), (X, y, harness.Recipe(epochs=2, device="cpu"))]:
        with pytest.raises(pytest.fail.Exception, match="trained"):
            list(harness.networks(*other, 2, tmp_path, 1))


def test_files_of_memorization_are_read_back(harness, tmp_path):
    rng = np.random.default_rng(0)
    measured = harness.Memorization(rng.random(20), "", rng.random(20), (rng.random(20), rng.random(20)))
    measured.save(tmp_path / "memorization.csv")
    again = harness.read(tmp_path / "memorization.csv", 20)
    np.testing.assert_allclose(again.values, measured.values, atol=5e-5)
    np.testing.assert_allclose(again.halves, measured.halves, atol=5e-5)
    np.testing.assert_allclose(again.std_error, measured.std_error, atol=5e-5)
    np.savez(tmp_path / "cifar100_infl_matrix.npz", tr_mem=measured.values.astype(np.float32), infl=np.eye(2))
    released = harness.read(tmp_path / "cifar100_infl_matrix.npz")
    np.testing.assert_allclose(released.values, measured.values, atol=1e-6)
    assert released.halves is None
    with pytest.raises(ValueError, match=r"is of 20 samples, and the data has 21"):
        harness.read(tmp_path / "memorization.csv", 21)
    np.savez(tmp_path / "other.npz", infl=np.eye(2))
    with pytest.raises(ValueError, match=r"holds infl, and no tr_mem"):
        harness.read(tmp_path / "other.npz")


def test_grades_are_those_of_the_package_and_signed_scores_start_at_their_lowest(script):
    from harness import similarity

    rng = np.random.default_rng(0)
    scores, reference = rng.random(50), rng.random(50)
    grades = similarity.graded(scores, reference, 0.1)
    assert grades["cosine"] == pytest.approx(cosine_similarity(scores, reference), abs=1e-4)
    assert grades["top_k"] == pytest.approx(top_k_cosine_similarity(scores, reference, 5), abs=1e-4)
    assert similarity.graded(scores - 2, reference, 0.1) == similarity.graded(scores - scores.min(), reference, 0.1)
    assert similarity.graded(reference, reference, 0.1) == {"cosine": 1, "top_k": 1, "spearman": 1}
    assert similarity.graded(np.ones(50), reference, 0.1)["spearman"] == 0


@pytest.mark.parametrize("ties", [1, 12, 30])
def test_the_highest_correlation_of_ranks_is_that_of_the_same_order_without_ties(script, ties):
    from harness import similarity

    values = np.maximum(np.arange(40) - ties + 1.0, 0)
    highest = similarity.graded(np.arange(40.0), values, 0.1)["spearman"]
    text = similarity.explained(script.memorization.Memorization(values, ""), 0.1)
    assert ("at most" in text) == (highest < 0.95)
    assert highest >= 0.95 or f"at most {highest:.2f}" in text


def test_the_tables_hold_every_score_and_nothing_is_trained_twice(script, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(script.most_memorized, "TOP", 10)
    unpaired = [*QUICK, "--keep", str(tmp_path / "kept")]
    call = [*unpaired, "--pairs", "4"]
    script.main([*call, "--out", str(tmp_path / "a")])
    written = {path.name for path in (tmp_path / "a").iterdir()}
    assert written == {"memorization.csv", "records.jsonl", "table.md", "similarity.png", "most-memorized.png"}
    text = (tmp_path / "a" / "table.md").read_text()
    assert text in capsys.readouterr().out
    assert "--keep" not in text
    _, _, members = conflicting_duplicates(script.data.load("digits", "", subset=60)[1], 8 / 60, random_state=0)
    most = np.argsort(-script.memorization.read(tmp_path / "a" / "memorization.csv").values, kind="stable")[:10]
    line = next(line for line in text.splitlines() if line.startswith("| Memorization (FZ)"))
    shared, planted, _, others = (int(cell) for cell in line.split("|")[2:-1])
    assert (shared, planted, others) == (10, members[most].sum(), 0)
    authors = next(line for line in text.splitlines() if line.startswith("| Curvature, authors"))
    assert [authors.count(f"({value})") for value in ("0.82", "0.90", "0.73")] == [2, 1, 1]
    for caption in [*script.SIGNALS.values(), *script.similarity.BASELINES.values()]:
        assert f"| {caption} " in text
    rows = rows_of(tmp_path / "a")
    assert [(row["weight_decay"], row["seed"]) for row in rows] == [(1e-4, 0), (0, 0), (1e-4, 1), (0, 1)]
    # one training has the curvature of the default twice
    assert rows[0]["grades"]["curvature"] == rows[0]["grades"]["h=0.01, n=1, power=1"]
    monkeypatch.setattr(script.CurvatureNoiseDetector, "fit", lambda *args: pytest.fail("trained again"))
    monkeypatch.setattr(script.memorization, "train", lambda *args: pytest.fail("trained again"))
    script.main([*call, "--out", str(tmp_path / "a")])
    known = ["--reference", str(tmp_path / "a" / "memorization.csv")]
    script.main([*call, *known, "--out", str(tmp_path / "b")])
    again = rows_of(tmp_path / "b")
    for one, other in zip(again, rows, strict=True):
        for name, grades in one["grades"].items():
            assert grades == pytest.approx(other["grades"][name], abs=0.02)  # the file is rounded
    for more in (known, []):  # scores, networks: what was kept with pairs is not taken for what is without
        with pytest.raises(pytest.fail.Exception, match="trained again"):
            script.main([*unpaired, *more, "--out", str(tmp_path / "c")])


def test_pairs_are_found_whoever_planted_them(script):
    planted = script.plant(*script.data.load("digits", "", subset=100), 5, "exact", seed=0)
    assert set(script.found_in(planted.X, planted.labels, "cpu")) == planted.pairs
    assert planted.copied.sum() == 5
    assert (planted.copied <= planted.mask).all()
    assert not script.plant(planted.X, planted.labels, 0, "exact", seed=0).mask.any()


def test_the_most_memorized_are_counted_as_a_hand_would(script, monkeypatch):
    most = script.most_memorized
    monkeypatch.setattr(most, "TOP", 3)
    members, copied = np.isin(np.arange(6), [1, 4]), np.arange(6) == 4
    planted = script.Planted(np.zeros((6, 4)), np.arange(6), members, {(1, 4)}, copied)
    reference = np.array([0.3, 0.9, 0.1, 0.2, 0.8, 0.0])
    trained = {
        0.0: [{"loss": np.array([3.0, 1, 2, 0, 0, 0])}],
        0.1: [{"loss": np.array([9.0, 8, 0, 0, 1, 0])}, {"loss": np.array([0.0, 0, 0, 0, 9, 0])}],  # mean: 4, 0, 1
    }
    tops = most.rankings(reference, trained, ["curvature", "loss"])
    assert tops == {("memorization", None): [1, 4, 0], ("loss", 0.1): [4, 0, 1], ("loss", 0.0): [0, 2, 1]}
    lines = most.section(tops, {"loss": "Loss"}, reference, planted, np.arange(6) == 2)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2].splitlines()[2:]]
    assert rows == [
        ["Memorization (FZ)", "3", "2", "1", "0"],
        ["Loss, wd 0.1", "3", "2", "1", "0"],
        ["Loss, no wd", "2", "1", "0", "1"],
    ]
    assert "0.30 or more for 3 samples" in lines[4]
    assert "0.80 of the copies, whose labels are wrong, 0.90 of what they are copies of, 0.15 of the other" in lines[4]


def test_pairs_are_not_in_a_released_file(script, capsys):
    with pytest.raises(SystemExit):
        script.parse(["--pairs", "3", "--reference", "cifar100_infl_matrix.npz"])
    assert "--pairs changes the data" in capsys.readouterr().err

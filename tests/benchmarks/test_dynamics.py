"""Training dynamics, end to end on tiny data, and against what a detector scores."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from curvdetect import CurvatureNoiseDetector, memorizing_net, step_decay
from curvdetect.metrics import auroc
from tests.benchmarks.conftest import PAPERS, rows_of

QUICK = ["--subset", "200", "--held-out", "50", "--epochs", "4", "--n", "2", "--seeds", "1", "--device", "cpu"]


@pytest.fixture
def reference(tmp_path):
    """Memorization of 200 samples, with ties at 0 as it has."""
    values = np.random.default_rng(0).random(200).clip(0.5) - 0.5
    path = tmp_path / "memorization.csv"
    pd.DataFrame({"memorization": values, "std_error": 0.0}).rename_axis("index").to_csv(path)
    return path, values


def test_epochs_add_up_to_what_a_detector_scores(script, tmp_path, monkeypatch):
    kept = []
    summary = script.summary
    monkeypatch.setattr(script, "summary", lambda store, *args: kept.append(store) or summary(store, *args))
    script.main([*QUICK, "--rates", "0.1", "--weight-decays", "0.001", "--out", str(tmp_path)])
    parts = script.split(script.parse(QUICK))
    X, y = parts["training"]
    _, labels, mask = script.data.corrupt(X, y, 0.1, "uniform", 1)
    net = memorizing_net(
        None, for_tables=False, lr=0.03, weight_decay=0.001, schedule=step_decay, batch_size=16, max_epochs=4
    )
    detector = CurvatureNoiseDetector(net, n=2, every=1, **PAPERS, device="cpu", random_state=1)
    with script.quietly():
        detector.fit(X, labels)
    curvature = np.array(kept[0]["training curvature"])
    assert curvature.shape == (4, 150)
    np.testing.assert_allclose(curvature.mean(0), detector.scores_, rtol=1e-5)
    (row,) = rows_of(tmp_path)
    means = [record["mean_curvature"] for record in detector.history_]
    np.testing.assert_allclose(row["training curvature"], means, rtol=1e-4)
    assert row["auroc"]["cumulative"][-1] == pytest.approx(auroc(mask, detector.scores_), abs=1e-5)
    assert (
        row["auroc"]["epoch"][0] == row["auroc"]["cumulative"][0] == pytest.approx(auroc(mask, curvature[0]), abs=1e-5)
    )
    shares = {True: "wrong curvature", False: "right curvature"}
    for wrong, name in shares.items():
        np.testing.assert_allclose(row[name], curvature[:, mask == wrong].mean(1), rtol=1e-4)
    predicted = detector.net_.predict(parts["held-out"][0])
    assert row["held_out correct"][-1] == pytest.approx((predicted == parts["held-out"][1]).mean())
    probabilities = detector.net_.forward(X).softmax(1).detach().numpy()
    losses = -np.log(probabilities[np.arange(len(X)), labels])
    assert row["training loss"][-1] == pytest.approx(losses.mean(), rel=1e-3)


def test_similarity_is_that_of_the_samples_trained_on(script, reference, tmp_path):
    path, values = reference
    script.main([*QUICK, "--rates", "0", "--weight-decays", "0", "--reference", str(path), "--out", str(tmp_path)])
    (row,) = rows_of(tmp_path)
    args = script.parse([*QUICK, "--reference", str(path)])
    parts = script.split(args)
    X, _ = script.data.load("digits", "", subset=200)
    order = [int(np.flatnonzero((x == X).all(1))[0]) for x in parts["training"][0]]
    np.testing.assert_allclose(parts["reference"], values[order], atol=1e-12)
    cell = {"rate": 0, "weight_decay": 0.0, "seed": 1}
    store, mask = script.measure(parts, cell, args)
    assert not mask.any()
    curvature, known = np.array(store["training curvature"]), values[order]
    top = np.argsort(-known, kind="stable")[:15]
    for at in (0, 3):
        for kind, scores in (("epoch", curvature[at]), ("cumulative", curvature[: at + 1].mean(0))):
            found = {measure: row["similarity"][measure][kind][at] for measure in row["similarity"]}
            assert found["cosine"] == pytest.approx(
                scores @ known / np.linalg.norm(scores) / np.linalg.norm(known), abs=1e-4
            )
            assert found["top-k cosine"] == pytest.approx(
                scores[top] @ known[top] / np.linalg.norm(scores[top]) / np.linalg.norm(known[top]), abs=1e-4
            )
            assert found["spearman"] == pytest.approx(spearmanr(scores, known).statistic, abs=1e-4)
    assert row["similarity"]["cosine"]["constant"] == pytest.approx(
        known.sum() / np.linalg.norm(known) / 150**0.5, abs=1e-4
    )


def test_tables_and_pictures_are_written_and_nothing_is_trained_twice(script, reference, tmp_path, capsys, monkeypatch):
    call = [*QUICK, "--reference", str(reference[0]), "--keep-values", str(tmp_path / "kept")]
    script.main([*call, "--out", str(tmp_path / "a")])
    text = (tmp_path / "a" / "table.md").read_text()
    assert text in capsys.readouterr().out
    assert "--keep" not in text
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## Rise and fall",
        "## One epoch against all, wrong labels",
        "## One epoch against all, memorization",
    ]
    pictures = {"dynamics-0.png", "dynamics-10.png", "similarity.png"}
    assert {p.name for p in (tmp_path / "a").iterdir()} == {"records.jsonl", "table.md", *pictures}
    monkeypatch.setattr(script, "trained", lambda *args: pytest.fail("trained again"))
    script.main([*call, "--out", str(tmp_path / "a")])
    script.main([*call, "--out", str(tmp_path / "b")])
    assert rows_of(tmp_path / "b") == rows_of(tmp_path / "a")
    script.main([*QUICK, "--keep-values", str(tmp_path / "kept"), "--out", str(tmp_path / "c")])
    assert "memorization" not in (tmp_path / "c" / "table.md").read_text().split("\n", 4)[4]


def made(curvature, held_out_loss, first_phase=4, **entries):
    ones = [1.0] * len(curvature)
    return {
        "rate": 0.0,
        "weight_decay": 0.0,
        "epochs": list(range(1, len(curvature) + 1)),
        "first_phase": first_phase,
        "training curvature": curvature,
        "held_out curvature": ones,
        "held_out loss": held_out_loss,
        "training correct": ones,
        "held_out correct": ones,
        **entries,
    }


@pytest.mark.parametrize(
    ("curvature", "seen"),
    [
        ([1.0, 2.0, 4.0, 2.0, 1.0], 1),
        ([4.0, 3.0, 2.0, 1.0, 0.5], 0),
        ([1.0, 2.0, 3.0, 4.0, 5.0], 0),
        ([1.0, 2.0, 4.0, 4.0, 3.0], 0),
    ],
    ids=["rises and falls", "only falls", "only rises", "hardly falls"],
)
def test_rise_and_fall_is_told_from_the_numbers(script, curvature, seen):
    from harness.epochs import rise_and_fall

    told = rise_and_fall([made(curvature, [3.0, 1.0, 2.0, 2.0, 0.5])])[1]
    assert f"in {seen} of 1 training" in told
    assert f"The highest, after epoch {np.argmax(curvature) + 1}, is {max(curvature) / curvature[0]:g} times" in told
    assert "loss is lowest after epoch 2." in told


def test_over_fitting_begins_before_the_learning_rate_drops(script):
    from harness.epochs import onset

    losses = [3.0, 1.0, 2.0, 2.0, 0.5]
    assert onset(made([1.0] * 5, losses)) == 1
    assert onset(made([1.0] * 5, losses, first_phase=5)) == 4


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([0.5], "0.500"),
        ([1.0, 1.0], "1.00 ± 0.00"),
        ([0.0], "0.000"),
        ([1234.0], "1234"),
        ([-0.25, 0.05], "-0.100 ± 0.212"),
    ],
)
def test_numbers_are_written_to_three_digits(script, values, text):
    from harness.epochs import number

    assert number(values) == text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--paper"], "recipes for mnist"),
        (["--held-out", "test"], "digits come in one piece"),
    ],
    ids=["no recipe", "no test data"],
)
def test_what_digits_have_not_is_said(script, options, said, capsys):
    with pytest.raises(SystemExit):
        script.main(options)
    assert said in capsys.readouterr().err


def test_a_reference_of_other_data_is_refused(script, reference, tmp_path):
    with pytest.raises(SystemExit, match="200 samples, and the data has 150"):
        script.main([*QUICK, "--subset", "150", "--reference", str(reference[0]), "--out", str(tmp_path)])


def test_the_papers_recipe(script):
    args = script.parse(["--dataset", "cifar100", "--paper"])
    assert (args.net, args.epochs, args.augment, args.lr, args.h, args.n) == (
        "resnet18-cifar",
        300,
        True,
        0.1,
        1e-3,
        10,
    )
    assert script.first_phase(args) == 150

"""The benchmark, end to end on tiny data."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from curvdetect import (
    ConfidentLearningDetector,
    CurvatureNoiseDetector,
    CurvSSFT,
    FusedDetector,
    LossDetector,
    SSFTDetector,
)
from tests.benchmarks.conftest import rows_of
from tests.files import write_cifar, write_mnist, write_pictures

QUICK = ["--seeds", "0", "--epochs", "2", "--jobs", "1", "--device", "cpu"]


def test_every_method_is_a_row_and_every_rate_a_column(script, tmp_path, capsys):
    script.main([*QUICK, "--subset", "300", "--rates", "0.05", "0.2", "--out", str(tmp_path)])
    printed = capsys.readouterr().out
    every = printed.split("## AUROC, %, every method")[1].split("##")[0]
    for method in script.METHODS.values():
        row = next(line for line in every.splitlines() if line.startswith(f"| {method.caption} "))
        assert len(row.split("|")) == 6
    short = printed.split("## AUROC, %\n")[1].split("##")[0]
    named = [m.caption for m in script.METHODS.values() if f"| {m.caption} " in short]
    assert named == [m.caption for m in script.METHODS.values() if m.main]
    rows = rows_of(tmp_path)
    assert {(r["rate"], r["method"]) for r in rows} == {(q, m) for q in (0.05, 0.2) for m in script.METHODS}
    for r in rows:
        assert 0.4 < r["auroc"] <= 1
        assert r["n_wrong"] == pytest.approx(r["rate"] * 300, abs=5)
        assert 1 <= r["cost"] < 60
        assert r["seconds_run"] > 0
    assert {"table.md", "table.csv", "table.png"} <= {p.name for p in tmp_path.iterdir()}
    assert "command: python" in printed
    assert "processor" in printed
    assert "Curvature against the best other score: at 5 %" in printed
    assert "Curv-SSFT against the better of its two halves: at 5 %" in printed
    assert "The recommendation against the best single signal of the run: at 5 %" in printed


def test_a_run_cut_short_goes_on_where_it_stopped(script, tmp_path, monkeypatch, capsys):
    command = [*QUICK, "--subset", "200", "--methods", "loss", "curvature", "--rates", "0.1", "0.2"]
    command += ["--out", str(tmp_path)]
    script.main(command)
    whole = (tmp_path / "records.jsonl").read_text()
    lines = whole.splitlines(keepends=True)
    (tmp_path / "records.jsonl").write_text("".join(lines[:2]) + lines[2][:40])  # cut in the middle of a line
    measured = []
    train = script.train
    monkeypatch.setattr(script, "train", lambda X, y, rate, *a: measured.append(rate) or train(X, y, rate, *a))
    script.main(command)
    assert measured == [0.2]
    script.main(command)
    assert measured == [0.2]
    scores = {(r["rate"], r["method"]): r["auroc"] for r in map(json.loads, lines)}
    again = script.Records(tmp_path / "records.jsonl", ("rate", "method")).rows.values()
    assert {(r["rate"], r["method"]): r["auroc"] for r in again} == scores


def test_other_settings_are_other_measurements(script, tmp_path):
    for h in ("0.01", "0.02"):
        script.main(
            [*QUICK, "--subset", "200", "--methods", "curvature", "--rates", "0.1", "--h", h, "--out", str(tmp_path)]
        )
    assert [r["settings"]["h"] for r in rows_of(tmp_path)] == [0.01, 0.02]


def test_same_seed_gives_the_same_scores(script, tmp_path):
    command = [*QUICK, "--subset", "200", "--methods", "curvature", "loss", "--rates", "0.1"]
    rows = []
    for out in (tmp_path / "a", tmp_path / "b"):
        script.main([*command, "--out", str(out)])
        rows.append([(r["method"], r["auroc"], r["average_precision"]) for r in rows_of(out)])
    assert rows[0] == rows[1]


def test_trainings_side_by_side_give_the_records_of_one_after_the_other(script, tmp_path):
    command = [*QUICK, "--subset", "200", "--rates", "0.1", "--methods", "curvature", "curv_ssft", "--format", "csv"]
    script.main([*command, "--out", str(tmp_path / "1")])
    beside = [sys.executable, script.__file__, *command, "--jobs", "2", "--out", str(tmp_path / "2")]
    subprocess.run(beside, check=True, capture_output=True)
    one, two = (
        [{k: v for k, v in row.items() if k not in ("cost", "seconds_run", "environment")} for row in rows_of(out)]
        for out in (tmp_path / "1", tmp_path / "2")
    )
    assert [row["method"] for row in one] == ["curvature", "curv_ssft"]
    assert one == two
    assert rows_of(tmp_path / "2")[0]["environment"]["jobs"] == "2"


def test_digits_take_a_core_for_each_training(script, monkeypatch):
    for cores, jobs in ((1, 1), (2, 2), (64, script.MOST_JOBS)):
        monkeypatch.setattr(script, "cpu_count", lambda cores=cores: cores)
        args = script.parse(["--device", "cpu"])
        assert (args.jobs, args.threads) == (jobs, 1)
        assert script.parse(["--device", "cuda"]).jobs == 1
        assert script.parse(["--dataset", "mnist"]).jobs == 1
    args = script.parse(["--dataset", "mnist", "--jobs", "4"])
    assert args.threads == 16


FORMATS = {
    "mnist": lambda root, _: write_mnist(root),
    "fashion_mnist": lambda root, _: write_mnist(root, "FashionMNIST"),
    "cifar10": lambda root, patch: write_cifar(root, patch, 10),
    "cifar100": lambda root, patch: write_cifar(root, patch, 100),
}


@pytest.mark.parametrize("name", FORMATS)
def test_torchvision_data_is_read_as_channels_first_bytes(script, tmp_path, monkeypatch, name):
    X, y = FORMATS[name](tmp_path, monkeypatch)
    loaded, labels = script.data.load(name, str(tmp_path))
    assert loaded.dtype == np.uint8
    assert loaded.ndim == 4
    assert np.array_equal(loaded.squeeze(), X.squeeze())
    assert np.array_equal(labels, y)


def test_a_folder_of_pictures_is_benchmarked(script, tmp_path):
    write_pictures(tmp_path / "pictures", n=30)
    script.main(
        [*QUICK, "--dataset", "folder", "--data-dir", str(tmp_path / "pictures"), "--size", "8", "--methods", "loss"]
        + ["--rates", "0.1", "--kind", "pair", "--out", str(tmp_path / "out"), "--format", "csv"]
    )
    assert [r["n_wrong"] for r in rows_of(tmp_path / "out")] == [6]
    assert not (tmp_path / "out" / "table.md").exists()


@pytest.mark.parametrize("name", ["mnist", "folder"])
def test_missing_data_says_what_to_do(script, tmp_path, name):
    with pytest.raises(SystemExit, match="--data-dir"):
        script.main([*QUICK, "--dataset", name, "--data-dir", str(tmp_path / "nowhere")])


def test_a_confusion_matrix_comes_from_a_file(script, tmp_path):
    matrix = 0.8 * np.eye(10) + 0.2 * np.roll(np.eye(10), 3, axis=1)
    np.savetxt(tmp_path / "matrix.csv", matrix, delimiter=",")
    script.main(
        [*QUICK, "--kind", "confusion", "--confusion", str(tmp_path / "matrix.csv"), "--subset", "200"]
        + ["--rates", "0.1", "--methods", "loss", "--out", str(tmp_path)]
    )
    assert rows_of(tmp_path)[0]["n_wrong"] == pytest.approx(20, abs=5)


def arguments(script, *extra):
    return script.parse([*QUICK, "--subset", "200", "--rates", "0.1", *extra])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_rows_of_combinations_are_what_the_detectors_give(script):
    args = arguments(script)
    X, y = script.data.load("digits", "", subset=200)
    X, labels, _ = script.data.corrupt(X, y, 0.1, "uniform", 0)
    nets = script.recipes.nets(None, augment=False, paper=None, quick=False, n_samples=200)
    unfitted = script.detectors(nets, vars(args), 0, contrast=True)
    fits = {name: script.fitted(detector, X, labels, None) for name, detector in unfitted.items()}
    common = {"max_epochs": 2, "device": "cpu", "random_state": 0}
    same = {
        "curvature": CurvatureNoiseDetector(contrast=False, **common),
        "curvature_contrast": CurvatureNoiseDetector(**common),
        "loss": LossDetector(**common),
        "ssft_loss": SSFTDetector(**common),
        "ssft_time": SSFTDetector(statistic="time", **common),
        "curv_ssft": CurvSSFT(contrast=False, **common),
        "curv_ssft_contrast": CurvSSFT(**common),
        "curv_ssft_first": CurvSSFT(contrast=False, statistic="time", combine="ssft_first", **common),
        "curv_ssft_weighted": CurvSSFT(contrast=False, combine="weighted_ranks", **common),
        "curv_ssft_product": CurvSSFT(contrast=False, combine="rank_product", **common),
        "curv_ssft_log": CurvSSFT(contrast=False, combine="log_mean", **common),
        "curv_ssft_shared": CurvSSFT(contrast=False, share_training=True, **common),
        "curv_ssft_shared_contrast": CurvSSFT(share_training=True, **common),
        "fused_auto": FusedDetector(**common),
        "fused_auto_2": FusedDetector(n_repeats=2, **common),
        "fused_loss_contrast": FusedDetector(signals=["loss", "curvature_contrast"], **common),
        "cl_self_confidence": ConfidentLearningDetector(**common),
    }
    for name, detector in same.items():
        expected = detector.fit(X, labels).scores_
        np.testing.assert_allclose(script.METHODS[name].score(fits), expected, rtol=1e-9, err_msg=name)


def test_only_what_the_rows_need_is_trained(script):
    assert script.needed(["loss", "curvature"]) == ["one run"]
    assert script.needed(["curv_ssft", "cl_flags"]) == ["one run", "second split", "cross-validation"]
    assert script.needed(list(script.METHODS)) == list(script.WEIGHTS)


def test_contrast_is_measured_only_for_rows_that_want_it(script, tmp_path):
    kept = tmp_path / "kept"
    for methods in (["curvature"], ["curvature", "curvature_contrast"]):
        script.main(
            [*QUICK, "--subset", "200", "--rates", "0.1", "--methods", *methods]
            + ["--keep-scores", str(kept), "--out", str(tmp_path / methods[-1])]
        )
    signals = sorted(len(np.load(path).files) for path in kept.iterdir())
    assert signals[1] == signals[0] + 2
    plain, both = ({r["method"]: r for r in rows_of(tmp_path / m)} for m in ("curvature", "curvature_contrast"))
    assert plain["curvature"]["auroc"] == both["curvature"]["auroc"]
    assert both["curvature_contrast"]["cost"] > both["curvature"]["cost"] > 1


def test_kept_scores_are_read_again_instead_of_training(script, tmp_path, monkeypatch):
    command = [*QUICK, "--subset", "200", "--rates", "0.1", "--methods", "loss", "ssft_loss"]
    command += ["--keep-scores", str(tmp_path / "kept")]
    script.main([*command, "--out", str(tmp_path / "a")])
    for name in ("CurvatureNoiseDetector", "CurvSSFT"):
        monkeypatch.setattr(f"curvdetect.{name}.fit", lambda *a, **k: pytest.fail("trained again"))
    script.main([*command, "--out", str(tmp_path / "b")])
    assert (tmp_path / "a" / "records.jsonl").read_text() == (tmp_path / "b" / "records.jsonl").read_text()


def test_duplicates_put_one_sample_under_two_labels(script, tmp_path):
    X, y = script.data.load("digits", "", subset=200)
    shown, labels, mask = script.data.corrupt(X, y, 0.1, "duplicates", 0)
    copies = np.flatnonzero((shown != X).any(axis=1))
    assert len(copies) == 10
    for i in copies:
        twins = np.flatnonzero((shown == shown[i]).all(axis=1))
        assert len(twins) == 2
        assert labels[twins[0]] != labels[twins[1]]
        assert mask[twins].all()
    script.main(
        [*QUICK, "--subset", "200", "--rates", "0.1", "--kind", "duplicates", "--methods", "loss", "final_loss"]
        + ["--out", str(tmp_path)]
    )
    assert {r["n_wrong"] for r in rows_of(tmp_path)} == {20}


def test_paper_takes_its_networks_recipes_rows_and_rates(script):
    args = script.parse(["--dataset", "cifar10", "--paper"])
    assert args.rates == [0.01, 0.02, 0.04, 0.06, 0.08, 0.1]
    assert {"inconfidence", "cl_self_confidence", "ssft_time", "learning_time", "curvature", "curv_ssft"} < set(
        args.methods
    )
    assert (args.h, args.n, args.power, args.every) == (1e-3, 10, 1, 1)
    nets = script.recipes.nets(None, augment=False, paper="cifar10", quick=False, n_samples=50_000)
    assert (nets.main.module, nets.main.max_epochs, nets.main.batch_size) == ("resnet18-cifar", 300, 128)
    assert nets.main.iterator_train__augment
    assert nets.main.optimizer__weight_decay == 1e-4
    schedule = dict(nets.main.callbacks)["schedule"].factor(300)
    assert [round(schedule(e), 3) for e in (149, 150, 249, 250)] == [1, 0.1, 0.1, 0.01]
    two = nets.second_split
    assert (two.max_epochs, two.batch_size, two.optimizer__weight_decay) == (100, 512, 5e-4)
    assert (two.iterator_train__augment, nets.stages) == (False, {"stop_at": 1.0, "patience": 5})
    factor = dict(two.callbacks)["schedule"].factor(100)
    assert [round(factor(e), 2) for e in (0, 9, 99)] == [0.1, 1.0, 0.01]
    gray = script.recipes.nets(None, augment=False, paper="mnist", quick=False, n_samples=60_000).main
    assert (gray.module, gray.max_epochs, gray.iterator_train__augment) == ("resnet-mnist", 200, False)
    schedule = dict(gray.callbacks)["schedule"].factor(200)
    assert [round(schedule(e), 3) for e in (79, 80, 159, 160)] == [1, 0.1, 0.1, 0.01]


def test_quick_is_a_tenth_of_the_epochs_with_the_default_curvature(script):
    args = script.parse(["--dataset", "mnist", "--paper", "--quick", "--n", "3"])
    assert (args.h, args.n, args.power, args.every) == (1e-2, 3, 1, "auto")
    nets = script.recipes.nets(None, augment=False, paper="mnist", quick=True, n_samples=60_000)
    assert (nets.main.max_epochs, nets.second_split.max_epochs) == (20, 10)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_published_numbers_stand_beside_ours(script, tmp_path, monkeypatch, capsys):
    write_mnist(tmp_path, n=40)
    script.main(
        ["--dataset", "mnist", "--data-dir", str(tmp_path), "--paper", "--quick", "--seeds", "0", "--epochs", "1"]
        + ["--rates", "0.1", "--methods", "curvature", "ssft_time", "loss", "curv_ssft", "--device", "cpu"]
        + ["--threads", "1", "--title", "tiny MNIST", "--out", str(tmp_path / "out")]
    )
    printed = capsys.readouterr().out
    assert "# Planted wrong labels: tiny MNIST, 40 samples" in printed
    row = next(line for line in printed.splitlines() if line.startswith("| Curvature "))
    assert row.split("|")[2].strip().endswith("(99.9)")
    assert "(99.5)" in next(line for line in printed.splitlines() if line.startswith("| SSFT, time "))
    assert "(" not in next(line for line in printed.splitlines() if line.startswith("| Curv-SSFT "))
    assert "In brackets: Table 2 of the paper" in printed
    assert "The paper's network for mnist, a tenth of the epochs" in printed


WRONG = {
    "no recipe": (["--paper"], "--paper digits: the paper has recipes for mnist"),
    "net beside paper": (
        ["--dataset", "mnist", "--paper", "--net", "resnet-mnist"],
        "--net and --augment go with the default",
    ),
    "no jobs": (["--jobs", "0"], "--jobs must be 1 or more, got 0"),
    "quick alone": (["--quick"], "--quick shortens the recipes of --paper"),
}


@pytest.mark.parametrize(("argv", "message"), WRONG.values(), ids=WRONG)
def test_options_that_do_not_go_together_are_refused(script, argv, message, capsys):
    with pytest.raises(SystemExit):
        script.parse(argv)
    assert message in capsys.readouterr().err


def test_published_table_has_a_number_for_every_rate(script):
    for rows in script.recipes.PUBLISHED.values():
        assert set(rows) <= set(script.METHODS)
        assert all(len(values) == len(script.recipes.RATES) for values in rows.values())

"""From PATH to a ranking, a saved detector and a page."""

from __future__ import annotations

import inspect
import json
import signal

import click
import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import StandardScaler

from curvdetect import CurvatureNoiseDetector, FusedDetector, LeaveOneOutDetector, OutOfBagDetector, load, read_data
from curvdetect.cli import main
from curvdetect.cli.options import FITTING, READING
from curvdetect.detectors.registry import DETECTORS, scanned
from curvdetect.signals.registry import recorded
from curvdetect.training.tracker import Tracker
from tests.cases import digits
from tests.cli.conftest import QUICK, digits_table, interrupted, read_csv, scan
from tests.written import write_pictures


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_table_is_ranked_as_the_detector_ranks_it(first_scan):
    X, y = digits(120)
    X, shown = StandardScaler().fit_transform(X[:, 10:20].astype(np.float64)), X[:, 10:20]
    expected = FusedDetector(q=7, max_epochs=2, device="cpu", random_state=3).fit(X, y)
    rows = pd.read_csv(first_scan.out / "suspects.csv")
    assert list(rows)[:6] == ["index", "given", "suggested", "score", "rank", "flagged"]
    assert rows["index"].tolist() == expected.ranking_.tolist()
    assert rows["score"].tolist() == expected.scores_[expected.ranking_].tolist()
    assert rows["given"].tolist() == y[expected.ranking_].tolist()
    assert rows["rank"].tolist() == list(range(1, 121))
    assert rows["flagged"].tolist() == [True] * 7 + [False] * 113
    for name in recorded("always"):
        assert rows[name].tolist() == expected.signal_scores_[name][expected.ranking_].tolist()
    assert not {"curvature", "input_gradient"} & set(rows)
    assert np.array_equal(load(first_scan.out / "detector").scores_, expected.scores_)
    page = first_scan.page
    assert page["path"] == first_scan.out / "report.html"
    assert (page["paths"], page["title"]) == (None, "Suspects in digits.csv")
    assert np.array_equal(page["detector"].scores_, expected.scores_)
    np.testing.assert_allclose(page["X"], X)
    assert page["X_display"].to_numpy().tolist() == shown.tolist()


def test_the_last_lines_name_the_top_five_and_the_files(first_scan):
    out, result = first_scan.out, first_scan.result
    top = enumerate(read_csv(out / "suspects.csv")[:5], 1)
    lines = result.stdout.splitlines()
    assert lines[:7] == [
        "7 of 120 labels are flagged. The most suspect, rows counted from 0:",
        *(f"  {i}. row {r['index']} is labelled {r['given']}, looks like {r['suggested']}" for i, r in top),
        "Flagged labels by class, with the 95 % interval of their share:",
    ]
    assert lines[7].split() == ["class", "flagged", "share", "looks", "mostly", "like"]
    assert lines[-3:] == [
        f"{out / 'suspects.csv'}: all samples, ranked",
        f"{out / 'report.html'}: the suspects, to judge; curvdetect apply writes the corrected labels",
        f"{out / 'detector'}: the detector",
    ]
    assert "120 rows of 10 classes, labels in column 'label'" in result.stderr
    assert "memorizing: 100% (epoch 2/2" in result.stderr
    assert "\r" not in result.output


def test_columns_in_which_entries_are_missing_are_named(run, page, table, tmp_path):
    frame = pd.read_csv(table)
    frame.loc[[3, 5], "0"] = np.nan
    frame["note"] = ["a", None, "b"] * 40
    frame.to_csv(table, index=False)
    result = run("scan", table, "--out", tmp_path / "found", "--detector", "loss", *QUICK)
    (line,) = (one for one in result.stderr.splitlines() if "of 10 classes" in one)
    assert line.endswith("labels in column 'label'; missing entries are filled in '0', 'note'")


def test_a_single_class_is_named(run, tmp_path):
    (tmp_path / "t.csv").write_text("x,label\n1,cat\n2,cat\n")
    assert "2 rows of class 'cat' alone, labels in" in run("scan", tmp_path / "t.csv", "--out", tmp_path / "f").stderr


def test_a_choice_of_rows_names_the_rows_of_the_file_and_quiet_leaves_results_and_warnings(run, page, table, tmp_path):
    out = tmp_path / "found"
    result = run("scan", table, "--out", out, "--limit", 40, "--detector", "loss", "--quiet", *QUICK)
    _, y = digits(120)
    rows = read_csv(out / "suspects.csv")
    assert sorted(int(row["index"]) for row in rows) == list(range(40))
    assert [int(row["given"]) for row in rows] == [y[int(row["row"])] for row in rows]
    assert result.stdout.splitlines()[1].startswith(f"  1. row {rows[0]['row']} is labelled")
    assert result.stdout.splitlines()[6] == "Flagged labels by class, with the 95 % interval of their share:"
    (line,) = result.stderr.splitlines()
    assert line.startswith("warning: the net did not memorize the labels: training accuracy")
    assert run("report", out).exit_code == 0
    assert np.array_equal(page[0]["X"], page[1]["X"])


def test_pictures_have_paths_and_broken_ones_are_listed(run, page, tmp_path):
    root, out = tmp_path / "photos", tmp_path / "found"
    write_pictures(root)
    (root / "cat" / "empty.png").touch()
    for name in ("notes.txt", ".DS_Store", *(f"{i}.raw" for i in range(5))):
        (root / "dog" / name).touch()
    result = run("scan", root, "--out", out, "--size", 8, "--detector", "loss", *QUICK)
    assert result.exit_code == 0
    rows = read_csv(out / "suspects.csv")
    assert list(rows[0])[:4] == ["index", "path", "given", "suggested"]
    assert all(row["path"].startswith(f"{row['given']}/") and (root / row["path"]).exists() for row in rows)
    skipped = read_csv(out / "skipped.csv")
    named = [f"dog/{i}.raw" for i in range(5)]
    assert [row["path"] for row in skipped] == ["cat/empty.png", *named, "dog/notes.txt", "dog/.DS_Store"]
    assert "UnidentifiedImageError" in skipped[0]["why"]
    assert [row["why"] for row in skipped[6:]] == ["no picture that Pillow can open, by its name", "hidden"]
    assert "skipped: cat/empty.png (UnidentifiedImageError" in result.stderr
    assert "skipped: dog/3.raw (no picture that Pillow can open, by its name)" in result.stderr
    assert "skipped: 3 more, all listed in skipped.csv" in result.stderr
    assert "warning" not in result.stderr.replace("warning: the net did not memorize", "")
    assert f"{out / 'skipped.csv'}: 8 file(s) that are not among the samples" in result.stdout
    (call,) = page
    assert call["note"].startswith("Skipped: 8 file(s), cat/empty.png (UnidentifiedImageError")
    assert call["note"].endswith(", dog/3.raw (no picture that Pillow can open, by its name), and 3 more")
    assert [call["paths"][int(row["index"])] for row in rows] == [row["path"] for row in rows]
    assert call["X"].shape == (16, 3, 8, 8)


@pytest.mark.parametrize("name", scanned())
def test_every_detector_takes_all_options_but_those_of_a_training_where_there_is_none(name):
    detector = DETECTORS[name].scanning()
    lacking = {option.name for option in FITTING} - set(detector.get_params())
    without = {"net", "max_epochs"} if DETECTORS[name].trainings == 0 else set()
    assert lacking == without | ({"beside"} if name != "fused" else set())
    assert isinstance(detector, CurvatureNoiseDetector) is name.endswith("curvature")
    assert getattr(detector, "contrast", False) is (name in ("curvature", "curv-ssft"))


@pytest.mark.parametrize(("name", "kind"), [("leave-one-out", LeaveOneOutDetector), ("out-of-bag", OutOfBagDetector)])
def test_what_trains_nothing_ranks_and_is_stopped_and_flagged_anew(run, page, table, tmp_path, name, kind):
    out = tmp_path / "found"
    call = ("scan", table, "--out", out, "--detector", name, "--device", "cpu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "_witness", interrupted)
        stopped = run(*call)
    assert (stopped.exit_code, "The same command with --resume starts it again." in stopped.stderr) == (130, True)
    assert run(*call).exit_code == 0
    X, y = digits(120)
    X = StandardScaler().fit_transform(X[:, 10:20].astype(np.float64))
    expected = kind(device="cpu", random_state=0).fit(X, y)
    rows = pd.read_csv(out / "suspects.csv")
    assert rows["score"].tolist() == expected.scores_[expected.ranking_].tolist()
    assert rows[name.replace("-", "_")].tolist() == rows["score"].tolist()
    assert run("report", out).exit_code == 0
    assert np.array_equal(load(out / "detector").score_samples(X + 1, y), expected.score_samples(X + 1, y))
    assert run(*call, "--resume", "--q", 3).exit_code == 0
    assert pd.read_csv(out / "suspects.csv")["flagged"].sum() == 3


def stop_in(monkeypatch, epoch, begun=0):
    """Press Ctrl-C in an epoch, once so many were begun."""
    begin, seen = Tracker.on_epoch_begin, []
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever started the tests

    def stopping(self, net, **kwargs):
        begin(self, net, **kwargs)
        seen.append(self.epoch)
        if self.epoch == epoch and len(seen) > begun:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Tracker, "on_epoch_begin", stopping)


def test_a_stopped_scan_says_what_was_kept_and_goes_on(run, page, first_scan, tmp_path):
    cut = tmp_path / "cut"
    call = ("scan", first_scan.table, "--out", cut, "--q", 7, "--seed", 3, *QUICK)
    with pytest.MonkeyPatch.context() as patch:
        stop_in(patch, epoch=1)
        at_once = run(*call)
    assert at_once.exit_code == 130
    assert at_once.stderr.splitlines()[-1].startswith("Error: stopped. The same command with --resume goes on from")
    assert not (cut / "suspects.csv").exists()
    with pytest.MonkeyPatch.context() as patch:
        stop_in(patch, epoch=2)
        result = run(*call, "--resume")
    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1] == (
        f"Error: stopped. {cut / 'suspects.csv'} ranks by the 1 epochs that were complete. The same command with "
        f"--resume goes on from {cut / 'checkpoints'}."
    )
    assert len(read_csv(cut / "suspects.csv")) == 120
    with pytest.MonkeyPatch.context() as patch:
        stop_in(patch, epoch=1)  # would end it again, were the first epoch trained again
        assert run(*call, "--resume").exit_code == 0
    assert (cut / "suspects.csv").read_bytes() == (first_scan.out / "suspects.csv").read_bytes()


@pytest.mark.usefixtures("few_chains")
def test_auto_says_how_many_are_wrong_and_stopped_in_its_own_training_has_ranked(run, page, table, tmp_path):
    out = tmp_path / "found"
    call = ("scan", table, "--out", out, "--detector", "confident", "--q", "auto", "--epochs", 1, "--device", "cpu")
    with pytest.MonkeyPatch.context() as patch:
        stop_in(patch, epoch=1, begun=5)  # the folds; then come the planted labels
        result = run(*call)
    assert result.exit_code == 130
    assert f"{out / 'suspects.csv'} ranks by the trainings that were complete. The same command" in result.stderr
    assert len(read_csv(out / "suspects.csv")) == 120
    result = run(*call, "--resume")
    detector = page[0]["detector"]
    low, high = detector.noise_rate_interval_
    estimate = f"{100 * detector.noise_rate_:.2g} % of the labels are estimated to be wrong"
    assert result.stdout.startswith(f"Some {estimate} ({100 * low:.2g} to {100 * high:.2g} %).\n")
    flags = [row["flagged"] for row in read_csv(out / "suspects.csv")]
    assert flags.count("True") == detector.labels_.sum()


def test_a_finished_scan_is_flagged_anew_without_training(run, page, scanned, monkeypatch):
    stop_in(monkeypatch, epoch=1)
    call = ("scan", scanned.table, "--out", scanned.out, "--seed", 3, "--resume")
    assert run(*call, "--q", 3, *QUICK).exit_code == 0
    assert [row["flagged"] for row in read_csv(scanned.out / "suspects.csv")].count("True") == 3


def test_a_scan_ends_as_early_as_its_detector_and_records_beside_what_is_asked_for(run, page, table, tmp_path):
    out, call = tmp_path / "found", ("scan", table, "--device", "cpu", "--out")
    assert run(*call, tmp_path / "early").exit_code == 0
    X, y = digits(120)
    expected = FusedDetector(device="cpu", random_state=0).fit(StandardScaler().fit_transform(X[:, 10:20]), y)
    found = load(tmp_path / "early" / "detector")
    assert found.n_iter_ == expected.n_iter_ < 30
    assert found.signal_scores_.keys() == expected.signal_scores_.keys()
    once = [word for name in scan._ONCE_BESIDE for word in ("--beside", name)]
    assert run(*call, out, *once, "--epochs", 1).exit_code == 0
    columns = read_csv(out / "suspects.csv")[0].keys()
    assert {*found.signal_scores_, "curvature", *scan._ONCE_BESIDE} < columns
    record = json.loads((out / "scan.json").read_text())
    assert record.pop("beside") == list(scan._ONCE_BESIDE)
    with pytest.MonkeyPatch.context() as patch:
        stop_in(patch, epoch=1)  # nothing is trained again
        assert run(*call, out, "--epochs", 1, "--resume", "--q", 3).exit_code == 0
        (out / "scan.json").write_text(json.dumps(record))  # of a scan when all recorded these beside
        for count in (4, 5):
            assert run(*call, out, "--epochs", 1, "--resume", "--q", count).exit_code == 0
            rows = read_csv(out / "suspects.csv")
            assert (rows[0].keys(), sum(row["flagged"] == "True" for row in rows)) == (columns, count)
    other = run(*call, out, "--epochs", 1, "--resume", "--beside", "curvature")
    assert "and this one has --beside curvature." in other.stderr


def test_resuming_another_scan_or_on_other_data_is_refused_with_the_way_out(run, page, scanned):
    other = ("--drop", "x0", "--drop", "x1", "--seed", 1)
    call = ("scan", scanned.table, "--out", scanned.out, *QUICK)
    result = run(*call, "--resume", *other)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].endswith(
        "had no --drop, --seed 3, and this one has --drop x0 --drop x1, --seed 1. --resume goes on with the same, "
        "--overwrite starts anew."
    )
    assert run("report", scanned.out).exit_code == 0  # the record of the first scan still holds
    digits_table(scanned.table, first=11)
    result = run(*call, "--seed", 3, "--resume")
    assert result.exit_code == 1
    (error,) = [line for line in result.stderr.splitlines() if line.startswith("Error")]
    assert "other data (X changed)" in error
    assert error.endswith("Here: --overwrite starts anew.")
    assert run(*call, "--detector", "loss", "--overwrite", *other).exit_code == 0
    assert "curvature" not in read_csv(scanned.out / "suspects.csv")[0]


def test_a_new_option_needs_its_definition_and_its_use_only(run, page, table, tmp_path, monkeypatch):
    new = click.Option(["--scored", "every"], type=int, default=1)
    monkeypatch.setattr(scan, "FITTING", (*FITTING, new))
    monkeypatch.setattr(main.commands["scan"], "params", [*main.commands["scan"].params, new])
    call = ("scan", table, "--out", tmp_path / "found", "--detector", "curvature", *QUICK)
    assert run(*call, "--scored", 2).exit_code == 0
    assert load(tmp_path / "found" / "detector").every == 2
    assert json.loads((tmp_path / "found" / "scan.json").read_text())["scored"] == 2
    assert "had --scored 2, and this one has --scored 3." in run(*call, "--resume", "--scored", 3).stderr
    reading = inspect.signature(read_data).parameters
    assert ["path", *(option.name for option in READING), "features"] == list(reading)
    used = {name: command.params for name, command in main.commands.items() if name != "report"}
    unused = {name: {str(option.name) for option in {*READING} - {*params}} for name, params in used.items()}
    assert unused == {"scan": set(), "apply": {"drop", "probs"}, "compare": {"probs"}}

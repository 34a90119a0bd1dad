"""From PATH to a ranking, a saved detector and a page."""

from __future__ import annotations

import csv
import json
import re

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from curvdetect import CurvatureNoiseDetector, FusedDetector, load
from curvdetect.cli.detectors import DETECTORS
from curvdetect.training.tracker import Tracker
from tests.cases import digits
from tests.cli.conftest import read_csv, write_table
from tests.files import write_pictures

QUICK = ("--epochs", 2, "--device", "cpu")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_table_is_ranked_as_the_detector_ranks_it(run, page, table, tmp_path):
    out = tmp_path / "found"
    result = run("scan", table, "--out", out, "--q", "5%", "--seed", 3, *QUICK)
    assert result.exit_code == 0
    X, y = digits(120)
    X = StandardScaler().fit_transform(X[:, 10:20].astype(np.float64))
    expected = FusedDetector(q=0.05, max_epochs=2, device="cpu", random_state=3).fit(X, y)
    rows = read_csv(out / "suspects.csv")
    assert list(rows[0])[:6] == ["index", "given", "suggested", "score", "rank", "flagged"]
    assert [int(row["index"]) for row in rows] == expected.ranking_.tolist()
    assert [float(row["score"]) for row in rows] == expected.scores_[expected.ranking_].tolist()
    assert [int(row["given"]) for row in rows] == y[expected.ranking_].tolist()
    assert [row["flagged"] for row in rows] == ["True"] * 6 + ["False"] * 114
    for name in ("loss", "margin", "learning_time", "inconfidence"):
        assert [float(row[name]) for row in rows] == expected.signal_scores_[name][expected.ranking_].tolist()
    assert {"curvature", "input_gradient", "late_loss", "late_margin"} < set(rows[0])
    assert np.array_equal(load(out / "detector").scores_, expected.scores_)
    (call,) = page
    assert (call["path"], call["paths"]) == (out / "report.html", None)
    assert np.array_equal(call["detector"].scores_, expected.scores_)
    np.testing.assert_allclose(call["X"], X)
    assert call["X_display"].to_numpy().tolist() == digits(120)[0][:, 10:20].tolist()


def test_labels_that_look_like_numbers_stay_what_they_are(run, tmp_path):
    X, y = digits(60)
    codes = ["007", "7", "1.0", "1", "TRUE", "True", "0x1F", "NA", "+1", "-1"]
    table, out = write_table(tmp_path / "t.csv", X[:, 10:14], [codes[i] for i in y]), tmp_path / "found"
    assert run("scan", table, "--out", out, "--detector", "loss", "--q", 60, *QUICK).exit_code == 0
    rows = read_csv(out / "suspects.csv")
    assert {int(row["index"]): row["given"] for row in rows} == {i: codes[label] for i, label in enumerate(y)}
    content = json.loads(re.search(r'<script[^>]*id="data"[^>]*>(.*?)</script>', (out / "report.html").read_text())[1])
    assert content["classes"] == sorted(codes)


def test_the_last_lines_name_the_top_five_and_the_files(run, page, table, tmp_path):
    out = tmp_path / "found"
    result = run("scan", table, "--out", out, "--q", 7, *QUICK)
    rows = read_csv(out / "suspects.csv")
    assert result.stdout.splitlines() == [
        "7 of 120 labels are flagged. The most suspect:",
        *(f"  {i}. row {row['index']}: {row['given']}, rather {row['suggested']}" for i, row in enumerate(rows[:5], 1)),
        f"{out / 'suspects.csv'}: all samples, ranked",
        f"{out / 'report.html'}: the suspects, to look at",
        f"{out / 'detector'}: the detector",
    ]
    assert "120 rows of 10 classes, labels in column 'label'" in result.stderr
    assert "memorizing: 100% (epoch 2/2" in result.stderr
    assert "\r" not in result.output


def test_auto_says_how_many_are_wrong(run, page, table, tmp_path):
    result = run("scan", table, "--out", tmp_path / "found", "--q", "auto", "--epochs", 8, "--device", "cpu")
    assert result.exit_code == 0
    detector = page[0]["detector"]
    low, high = detector.noise_rate_interval_
    assert result.stdout.splitlines()[0] == (
        f"Some {100 * detector.noise_rate_:.2g} % of the labels are estimated to be wrong "
        f"({100 * low:.2g} to {100 * high:.2g} %)."
    )
    flags = [row["flagged"] for row in read_csv(tmp_path / "found" / "suspects.csv")]
    assert flags.count("True") == detector.labels_.sum() < 120


def test_quiet_leaves_results_and_warnings(run, page, table, tmp_path):
    result = run("scan", table, "--out", tmp_path / "found", "--quiet", *QUICK)
    assert len(result.stdout.splitlines()) == 9
    (line,) = result.stderr.splitlines()
    assert line.startswith("warning: the net did not memorize the labels: training accuracy")


def test_pictures_have_paths_and_broken_ones_are_listed(run, page, tmp_path):
    root, out = tmp_path / "photos", tmp_path / "found"
    write_pictures(root)
    (root / "cat" / "empty.png").touch()
    for name in ("notes.txt", ".DS_Store", *(f"{i}.raw" for i in range(5))):
        (root / "dog" / name).touch()
    result = run("scan", root, "--out", out, "--size", 8, *QUICK)
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


def test_a_choice_of_rows_names_the_rows_of_the_file(run, page, table, tmp_path):
    out = tmp_path / "found"
    run("scan", table, "--out", out, "--limit", 40, *QUICK)
    _, y = digits(120)
    rows = read_csv(out / "suspects.csv")
    assert len(rows) == 40
    assert sorted(int(row["index"]) for row in rows) == list(range(40))
    assert [int(row["given"]) for row in rows] == [y[int(row["row"])] for row in rows]


@pytest.mark.parametrize("name", DETECTORS)
def test_each_detector_has_a_name(run, page, table, tmp_path, name):
    out = tmp_path / "found"
    assert run("scan", table, "--out", out, "--detector", name, *QUICK).exit_code == 0
    detector = load(out / "detector")
    assert detector.max_epochs == 2
    assert isinstance(detector, CurvatureNoiseDetector) is name.endswith("curvature")
    assert getattr(detector, "contrast", False) is (name in ("curvature", "curv-ssft"))


def stop_in(monkeypatch, epoch):
    """Let Ctrl-C come in an epoch; return how to let it not."""
    begin = Tracker.on_epoch_begin

    def stopping(self, net, **kwargs):
        begin(self, net, **kwargs)
        if self.epoch == epoch:
            raise KeyboardInterrupt

    monkeypatch.setattr(Tracker, "on_epoch_begin", stopping)
    return lambda: monkeypatch.setattr(Tracker, "on_epoch_begin", begin)


def test_a_stopped_scan_says_what_was_kept_and_goes_on(run, page, table, tmp_path, monkeypatch):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    options = ("--epochs", 4, "--device", "cpu")
    run("scan", table, "--out", whole, *options)
    undo = stop_in(monkeypatch, epoch=3)
    result = run("scan", table, "--out", cut, *options)
    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1] == (
        f"Error: stopped. {cut / 'suspects.csv'} ranks by the 2 epochs that were complete. The same command with "
        f"--resume goes on from {cut / 'checkpoints'}."
    )
    assert len(read_csv(cut / "suspects.csv")) == 120
    undo()
    stop_in(monkeypatch, epoch=2)  # would end it again, were the first epochs trained again
    assert run("scan", table, "--out", cut, "--resume", *options).exit_code == 0
    assert (cut / "suspects.csv").read_bytes() == (whole / "suspects.csv").read_bytes()


def test_a_scan_of_several_trainings_stopped_in_the_last_one_has_ranked(run, page, table, tmp_path, monkeypatch):
    begun, begin = [], Tracker.on_epoch_begin

    def stopping(self, net, **kwargs):
        begin(self, net, **kwargs)
        begun.append(self)
        if len(begun) > 5:  # folds: then come the planted labels
            raise KeyboardInterrupt

    monkeypatch.setattr(Tracker, "on_epoch_begin", stopping)
    out = tmp_path / "found"
    result = run(
        "scan", table, "--out", out, "--detector", "confident", "--q", "auto", "--epochs", 1, "--device", "cpu"
    )
    assert result.exit_code == 130
    assert f"{out / 'suspects.csv'} ranks by the trainings that were complete. The same command" in result.stderr
    assert len(read_csv(out / "suspects.csv")) == 120


def test_a_finished_scan_is_flagged_anew_without_training(run, page, table, tmp_path, monkeypatch):
    out = tmp_path / "found"
    run("scan", table, "--out", out, *QUICK)
    stop_in(monkeypatch, epoch=1)
    assert run("scan", table, "--out", out, "--resume", "--q", 3, *QUICK).exit_code == 0
    assert [row["flagged"] for row in read_csv(out / "suspects.csv")].count("True") == 3


def test_resuming_another_scan_is_refused_with_the_way_out(run, page, table, tmp_path):
    out, other = tmp_path / "found", ("--drop", "x0", "--drop", "x1", "--seed", 1)
    run("scan", table, "--out", out, *QUICK)
    result = run("scan", table, "--out", out, "--resume", *other, *QUICK)
    assert result.exit_code == 1
    (error,) = [line for line in result.stderr.splitlines() if line.startswith("Error")]
    assert error.endswith(
        "had no --drop, --seed 0, and this one has --drop x0 --drop x1, --seed 1. --resume goes on with the same, "
        "--overwrite starts anew."
    )
    assert run("report", out).exit_code == 0  # what was noted of the first scan still holds
    assert run("scan", table, "--out", out, "--overwrite", *other, *QUICK).exit_code == 0


def test_resuming_on_other_data_is_refused_with_the_way_out(run, page, table, tmp_path):
    out, (X, y) = tmp_path / "found", digits(120)
    run("scan", table, "--out", out, *QUICK)
    write_table(table, X[:, 11:21], y)
    result = run("scan", table, "--out", out, "--resume", *QUICK)
    assert result.exit_code == 1
    (error,) = [line for line in result.stderr.splitlines() if line.startswith("Error")]
    assert "other data (X changed)" in error
    assert error.endswith("Here: --overwrite starts anew.")


REFUSED = {
    "no such path": (["nowhere"], 2, "'nowhere' does not exist"),
    "no such detector": (["{table}", "--detector", "best"], 2, "'best' is not one of 'fused'"),
    "no such net": (["{table}", "--net", "vgg"], 1, "net='vgg' is not known. Names: 'resnet18-cifar'"),
    "no such device": (["{table}", "--device", "abacus"], 1, "device='abacus' is not known."),
    "no share": (["{table}", "--q", "many"], 1, "q must be"),
    "no epochs": (["{table}", "--epochs", "0"], 2, "0 is not in the range x>=1"),
    "no such column": (["{table}", "--label", "sort"], 2, "there is no column 'sort'"),
    "one class": (["{one}"], 1, "y holds one class only ([1])"),
}


@pytest.mark.parametrize(("args", "code", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_wrong_is_said_on_one_line(run, page, table, tmp_path, args, code, message):
    one = tmp_path / "one.csv"
    one.write_text("x,label\n" + "".join(f"{i},1\n" for i in range(20)))
    args = [arg.format(table=table, one=one) for arg in args]
    result = run("scan", *args, "--out", tmp_path / "found")
    assert result.exit_code == code
    assert result.stdout == ""
    assert message in result.stderr
    assert len([line for line in result.stderr.splitlines() if line.startswith("Error")]) == 1


def test_suspects_are_written_by_csv_that_pandas_reads(run, page, table, tmp_path):
    import pandas as pd

    out = tmp_path / "found"
    run("scan", table, "--out", out, *QUICK)
    frame = pd.read_csv(out / "suspects.csv")
    assert frame["rank"].tolist() == list(range(1, 121))
    assert frame["flagged"].dtype == bool
    with (out / "suspects.csv").open(newline="") as file:
        assert len(list(csv.reader(file))) == 121

"""Scans of embeddings with labels beside them, and of labels with the probabilities of a model of one's own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from curvdetect import load
from curvdetect.metrics import auroc
from tests.cases import noisy_digits
from tests.cli.conftest import QUICK, write_verdicts

X, LABELS, MASK, _ = noisy_digits(200)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A folder with embeddings, labels, a table of both, and probabilities out of fold."""
    np.save(tmp_path / "x.npy", X)
    pd.DataFrame({"label": LABELS}).to_csv(tmp_path / "y.csv", index=False)
    pd.DataFrame(X).assign(label=LABELS).to_csv(tmp_path / "t.csv", index=False)
    probs = cross_val_predict(LogisticRegression(), X, LABELS, cv=3, method="predict_proba")
    pd.DataFrame(probs, columns=range(10)).to_csv(tmp_path / "p.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_labels_and_probabilities_from_a_scan_to_a_corrected_copy(files, run):
    result = run("scan", "y.csv", "--probs", "p.csv", "--out", "found", "--q", MASK.sum())
    assert "200 labels of 10 classes" in result.stderr
    suspects = pd.read_csv("found/suspects.csv")
    assert auroc(MASK[suspects["index"]], suspects["score"]) > 0.85
    assert {"self_confidence", "normalized_margin"} <= set(suspects)
    assert type(load("found/detector")).__name__ == "ConfidentLearningDetector"
    assert run("report", "found", "--k", 5).exit_code == 0
    (files / "p.csv").rename("moved.csv")
    assert "p.csv' is not there. Put the file back." in run("report", "found").stderr
    first = suspects.iloc[0]
    write_verdicts(
        files / "verdicts.csv", [first["index"], "", first["given"], first["suggested"], "wrong", first["suggested"]]
    )
    run("apply", "verdicts.csv", "--to", "y.csv", "--out", "right.csv")
    lines, right = (files / "y.csv").read_text().splitlines(), (files / "right.csv").read_text().splitlines()
    assert [i for i, line in enumerate(lines) if line != right[i]] == [first["index"] + 1]


def test_embeddings_and_labels_from_a_scan_to_a_corrected_copy(files, run):
    scan = ("scan", "x.npy", "--labels", "y.csv", "--probs", "p.csv", "--out", "found", *QUICK)
    run(*scan)
    suspects = pd.read_csv("found/suspects.csv")
    assert {"pred_probs", "leave_one_out", "out_of_bag"} <= set(suspects)
    assert auroc(MASK[suspects["index"]], suspects["score"]) > 0.9
    run(*scan, "--resume", "--q", 5)
    np.savetxt("p.csv", np.full((200, 10), 0.1), delimiter=",")
    result = run(*scan, "--resume")
    assert result.exit_code == 1
    assert "other data (pred_probs changed)" in result.stderr
    (files / "p.csv").unlink()
    assert run("report", "found").exit_code == 0  # shows the samples
    write_verdicts(files / "verdicts.csv", [0, "", LABELS[0], LABELS[1], "right", LABELS[0]])
    result = run("apply", "verdicts.csv", "--to", "x.npy", "--labels", "y.csv", "--out", "right.csv")
    assert (files / "right.csv").read_bytes() == (files / "y.csv").read_bytes()
    result = run("apply", "verdicts.csv", "--to", "x.npy", "--labels", "y.csv", "--out", "y.csv", "--overwrite")
    assert "is the file of --labels. Pass another." in result.stderr


CALLS = {
    "labels alone": ("scan y.csv --out found", 1, "pass --probs."),
    "another detector for labels": (
        "scan y.csv --probs p.csv --out found --detector fused",
        2,
        "PATH holds labels alone, which --detector confident ranks: leave --detector fused out.",
    ),
    "a training of labels": (
        "scan y.csv --probs p.csv --out found --epochs 3",
        2,
        "--detector confident with --probs takes no --epochs: leave it out.",
    ),
    "a detector that takes none": (
        "scan t.csv --probs p.csv --out found --detector loss",
        2,
        "--detector loss takes no probabilities: leave --probs out, or choose fused or confident.",
    ),
    "no labels": ("scan x.npy --out found", 2, "Invalid value for --labels: 'x.npy' holds an array of shape (200, 64)"),
    "no such file": ("scan x.npy --labels z.csv --out found", 2, "'z.csv' does not exist"),
    "labels of a table": ("scan t.csv --labels y.csv --out found", 2, "--labels does not belong to a table"),
    "other samples": ("scan t.csv --probs few.npy --out found", 1, "--probs 'few.npy' has shape (3, 10)"),
}


@pytest.mark.parametrize(("call", "code", "message"), CALLS.values(), ids=CALLS)
def test_what_does_not_fit_is_refused_before_anything_is_written(files, run, call, code, message):
    np.save("few.npy", np.full((3, 10), 0.1))
    result = run(*call.split())
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in " ".join(result.stderr.split())
    assert not (files / "found").exists()

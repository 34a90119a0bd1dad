"""The benchmark, end to end on tiny data."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.files import write_cifar, write_mnist, write_pictures

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def corruption(monkeypatch):
    """Import the script as it is run: with its own folder on the path."""
    monkeypatch.syspath_prepend(str(FOLDER))
    yield __import__("corruption")
    for name in [n for n in sys.modules if n == "corruption" or n.split(".")[0] == "harness"]:
        sys.modules.pop(name)


QUICK = ["--seeds", "0", "--epochs", "2", "--threads", "1", "--device", "cpu"]


def records(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "records.jsonl").read_text().splitlines()]


def test_every_method_is_a_row_and_every_rate_a_column(corruption, tmp_path, capsys):
    corruption.main([*QUICK, "--subset", "300", "--rates", "0.05", "0.2", "--out", str(tmp_path)])
    printed = capsys.readouterr().out
    for method in corruption.METHODS.values():
        row = next(line for line in printed.splitlines() if line.startswith(f"| {method} "))
        assert len(row.split("|")) == 6
    rows = records(tmp_path)
    assert {(r["rate"], r["method"]) for r in rows} == {(q, m) for q in (0.05, 0.2) for m in corruption.METHODS}
    for r in rows:
        assert 0.4 < r["auroc"] <= 1
        assert r["n_wrong"] == pytest.approx(r["rate"] * 300, abs=5)
        assert 0 <= r["seconds_method"] <= r["seconds_run"]
    assert {"table.md", "table.csv", "table.png"} <= {p.name for p in tmp_path.iterdir()}
    assert "command: python" in printed
    assert "processor" in printed
    assert "Curvature against the best other score: at 5 %" in printed


def test_a_run_cut_short_goes_on_where_it_stopped(corruption, tmp_path, monkeypatch, capsys):
    command = [*QUICK, "--subset", "200", "--methods", "loss", "curvature", "--rates", "0.1", "0.2"]
    command += ["--out", str(tmp_path)]
    corruption.main(command)
    whole = (tmp_path / "records.jsonl").read_text()
    lines = whole.splitlines(keepends=True)
    (tmp_path / "records.jsonl").write_text("".join(lines[:2]) + lines[2][:40])  # cut in the middle of a line
    measured = []
    measure = corruption.measure
    monkeypatch.setattr(corruption, "measure", lambda X, y, rate, *a: measured.append(rate) or measure(X, y, rate, *a))
    corruption.main(command)
    assert measured == [0.2]
    corruption.main(command)
    assert measured == [0.2]
    scores = {(r["rate"], r["method"]): r["auroc"] for r in map(json.loads, lines)}
    again = corruption.Records(tmp_path / "records.jsonl", ("rate", "method")).rows.values()
    assert {(r["rate"], r["method"]): r["auroc"] for r in again} == scores


def test_other_settings_are_other_measurements(corruption, tmp_path):
    for h in ("0.01", "0.02"):
        corruption.main(
            [*QUICK, "--subset", "200", "--methods", "curvature", "--rates", "0.1", "--h", h, "--out", str(tmp_path)]
        )
    assert [r["settings"]["h"] for r in records(tmp_path)] == [0.01, 0.02]


def test_same_seed_gives_the_same_scores(corruption, tmp_path):
    rows = []
    for name in "ab":
        corruption.main(
            [
                *QUICK,
                "--subset",
                "200",
                "--methods",
                "curvature",
                "loss",
                "--rates",
                "0.1",
                "--out",
                str(tmp_path / name),
            ]
        )
        rows.append([(r["method"], r["auroc"], r["average_precision"]) for r in records(tmp_path / name)])
    assert rows[0] == rows[1]


FORMATS = {
    "mnist": lambda root, _: write_mnist(root),
    "fashion_mnist": lambda root, _: write_mnist(root, "FashionMNIST"),
    "cifar10": lambda root, patch: write_cifar(root, patch, 10),
    "cifar100": lambda root, patch: write_cifar(root, patch, 100),
}


@pytest.mark.parametrize("name", FORMATS)
def test_torchvision_data_is_read_as_channels_first_bytes(corruption, tmp_path, monkeypatch, name):
    X, y = FORMATS[name](tmp_path, monkeypatch)
    loaded, labels = corruption.data.load(name, str(tmp_path))
    assert loaded.dtype == np.uint8
    assert loaded.ndim == 4
    assert np.array_equal(loaded.squeeze(), X.squeeze())
    assert np.array_equal(labels, y)


def test_a_folder_of_pictures_is_benchmarked(corruption, tmp_path):
    write_pictures(tmp_path / "pictures", n=30)
    corruption.main(
        [*QUICK, "--dataset", "folder", "--data-dir", str(tmp_path / "pictures"), "--size", "8", "--methods", "loss"]
        + ["--rates", "0.1", "--kind", "pair", "--out", str(tmp_path / "out"), "--format", "csv"]
    )
    assert [r["n_wrong"] for r in records(tmp_path / "out")] == [6]
    assert not (tmp_path / "out" / "table.md").exists()


@pytest.mark.parametrize("name", ["mnist", "folder"])
def test_missing_data_says_what_to_do(corruption, tmp_path, name):
    with pytest.raises(SystemExit, match="--data-dir"):
        corruption.main([*QUICK, "--dataset", name, "--data-dir", str(tmp_path / "nowhere")])


def test_a_confusion_matrix_comes_from_a_file(corruption, tmp_path):
    matrix = 0.8 * np.eye(10) + 0.2 * np.roll(np.eye(10), 3, axis=1)
    np.savetxt(tmp_path / "matrix.csv", matrix, delimiter=",")
    corruption.main(
        [*QUICK, "--kind", "confusion", "--confusion", str(tmp_path / "matrix.csv"), "--subset", "200"]
        + ["--rates", "0.1", "--methods", "loss", "--out", str(tmp_path)]
    )
    assert records(tmp_path)[0]["n_wrong"] == pytest.approx(20, abs=5)

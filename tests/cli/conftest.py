"""Running commands within the process, and what they are run on."""

from __future__ import annotations

import csv
import inspect
import shutil
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner, Result

import curvdetect
from curvdetect.cli import main
from tests.cases import digits

scan = import_module("curvdetect.cli.scan")

QUICK = ("--epochs", 2, "--device", "cpu")


@pytest.fixture(scope="session")
def run():
    """Run a command; a traceback that reached the user fails the test."""

    def run(*args: object) -> Result:
        result = CliRunner().invoke(main, [str(arg) for arg in args])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert "Traceback" not in result.output
        return result

    return run


def pretend_page(patch) -> list[dict]:
    """Put a stand-in for the page, which has tests of its own; return its calls."""
    calls: list[dict] = []

    def write_report(detector, X, path, **options):
        inspect.signature(curvdetect.write_report).bind(detector, X, path, **options)
        Path(path).write_text("page")
        calls.append({"detector": detector, "X": X, "path": Path(path), **options})

    patch.setattr(scan, "write_report", write_report)
    return calls


@pytest.fixture
def page(monkeypatch):
    return pretend_page(monkeypatch)


def interrupted(*args, **kwargs):
    """Stand for something during which Ctrl-C is pressed."""
    raise KeyboardInterrupt


def digits_table(path: Path, n: int = 120, first: int = 10) -> Path:
    """Write a CSV file of some pixels of digits."""
    X, y = digits(n)
    return write_table(path, X[:, first : first + 10], y)


@pytest.fixture
def table(tmp_path):
    """A CSV file of 120 digits."""
    return digits_table(tmp_path / "digits.csv")


@pytest.fixture(scope="session")
def first_scan(run, tmp_path_factory):
    """A scan of 120 digits: its table, its DIR, what was printed, and the call of the page."""
    folder = tmp_path_factory.mktemp("scan")
    table = digits_table(folder / "digits.csv")
    with pytest.MonkeyPatch.context() as patch:
        calls = pretend_page(patch)
        result = run("scan", table, "--out", folder / "found", "--q", 7, "--seed", 3, *QUICK)
    assert result.exit_code == 0, result.stderr
    (page,) = calls
    return SimpleNamespace(table=table, out=folder / "found", result=result, page=page)


@pytest.fixture
def scanned(first_scan, tmp_path):
    """A copy of that scan, to be changed: its table and its DIR."""
    table = Path(shutil.copy(first_scan.table, tmp_path))
    return SimpleNamespace(table=table, out=Path(shutil.copytree(first_scan.out, tmp_path / "found")))


def write_table(path: Path, X: np.ndarray, y, name: str = "label", **more) -> Path:
    """Write a table with columns of numbers and one of labels."""
    columns = [f"x{i}" for i in range(X.shape[1])]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*columns, *more, name])
        writer.writerows([*row, *rest, label] for *rest, row, label in zip(*more.values(), X.tolist(), y, strict=True))
    return path


def write_verdicts(path: Path, *rows) -> Path:
    """Write verdicts as the page exports them."""
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows([["index", "path", "given", "suggested", "verdict", "new_label"], *rows])
    return path


def read_csv(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file, each as long as its header."""
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = list(csv.reader(file, strict=True))
    assert {len(row) for row in rows} <= {len(header)}
    return [dict(zip(header, row, strict=True)) for row in rows]

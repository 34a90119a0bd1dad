"""Running commands within the process, and what they are run on."""

from __future__ import annotations

import csv
import inspect
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import curvdetect
from curvdetect.cli import main
from tests.cases import digits

# the commands have the names of their modules
report, scan = (import_module(f"curvdetect.cli.{name}") for name in ("report", "scan"))


@pytest.fixture
def run():
    """Run a command; a traceback that reached the user fails the test."""

    def run(*args: object) -> Result:
        result = CliRunner().invoke(main, [str(arg) for arg in args])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert "Traceback" not in result.output
        return result

    return run


@pytest.fixture
def page(monkeypatch):
    """Stand in for the page, which has tests of its own; return the calls."""
    calls: list[dict] = []

    def write_report(detector, X, path, **options):
        inspect.signature(curvdetect.write_report).bind(detector, X, path, **options)
        Path(path).write_text("page")
        calls.append({"detector": detector, "X": X, "path": Path(path), **options})

    for module in (report, scan):
        monkeypatch.setattr(module, "write_report", write_report)
    return calls


@pytest.fixture
def table(tmp_path):
    """A CSV file of 120 digits."""
    X, y = digits(120)
    return write_table(tmp_path / "digits.csv", X[:, 10:20], y)


def write_table(path: Path, X: np.ndarray, y, name: str = "label", **more) -> Path:
    """Write a table with columns of numbers and one of labels."""
    columns = [f"x{i}" for i in range(X.shape[1])]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*columns, *more, name])
        writer.writerows([*row, *rest, label] for *rest, row, label in zip(*more.values(), X.tolist(), y, strict=True))
    return path


def read_csv(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file, each as long as its header."""
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = list(csv.reader(file, strict=True))
    assert {len(row) for row in rows} <= {len(header)}
    return [dict(zip(header, row, strict=True)) for row in rows]

"""Scripts imported as they are run: with their own folder on the path."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

#: How benchmarks of the paper measure the curvature.
PAPERS = {"contrast": False, "units": "raw"}
FOLDER = Path(__file__).parents[2] / "benchmarks"
PAPER = FOLDER.with_name("reproduction")


@pytest.fixture
def script(monkeypatch, request):
    """The benchmark whose name the test module bears."""
    name = request.module.__name__.rsplit("test_", 1)[1]
    monkeypatch.syspath_prepend(str(PAPER if (PAPER / f"{name}.py").exists() else FOLDER))
    yield __import__(name)
    for module in [m for m in sys.modules if m == name or m.split(".")[0] == "harness"]:
        sys.modules.pop(module)


def rows_of(out):
    """Return the records that a benchmark left in a folder."""
    return [json.loads(line) for line in (out / "records.jsonl").read_text().splitlines()]

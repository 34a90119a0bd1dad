"""Scripts imported as they are run: with their own folder on the path."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
PAPER = FOLDER.with_name("reproduction")
#: The folder of each script.
SCRIPTS = {path.stem: folder for folder in (FOLDER, PAPER) for path in sorted(folder.glob("*.py"))}


def forget_scripts():
    """Let scripts and harnesses be imported anew: those of the two folders have one name."""
    for module in [module for module in sys.modules if module.split(".")[0] in {"harness", *SCRIPTS}]:
        del sys.modules[module]


@pytest.fixture
def load(monkeypatch):
    """Return what imports a script, or with it a piece of its harness, by name."""

    def load(name: str, piece: str | None = None):
        forget_scripts()
        monkeypatch.syspath_prepend(str(SCRIPTS[name]))
        script = importlib.import_module(name)
        return importlib.import_module(f"harness.{piece}") if piece else script

    yield load
    forget_scripts()


def rows_of(out: Path):
    """Return the records that a script left in a folder."""
    return [json.loads(line) for line in (out / "records.jsonl").read_text().splitlines()]

"""Processes of Python that find the package of one checkout of this project or of another."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

#: The checkout that this file is in.
HERE = Path(__file__).parents[2]


def run_at(checkout: Path, words: list[object], folder: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder that is no checkout, with ``more`` in its environment, and return what came of it."""
    path = os.pathsep.join([str(checkout), os.environ.get("PYTHONPATH", "")])
    own = {"env": {**os.environ, "PYTHONPATH": path, **more}, "cwd": folder}
    return subprocess.run([sys.executable, *map(str, words)], **own, capture_output=True, text=True)


def check_found(checkout: Path, file: str) -> None:
    """Raise where the package was imported from somewhere else."""
    if not Path(file).is_relative_to(checkout):
        raise RuntimeError(f"{checkout} holds no curvdetect; pass a checkout by --before.")

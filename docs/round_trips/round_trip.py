"""What the round trips share: pictures with wrong labels, a scan that writes its suspects for a tool, and the check.

The pictures are scikit-learn's digits, enlarged, in one folder a class; the name of a file says what it is of.
"""

from __future__ import annotations

import csv
import subprocess
import sys
import venv
from pathlib import Path

NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
SUSPECTS = 12


def made(work: Path, tool: str) -> Path:
    """Write pictures, some in a wrong folder, and scan them for a tool; return what the scan left."""
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    if (work / "found").exists():
        return work / "found"
    digits, rng = load_digits(), np.random.default_rng(0)
    for i in range(300):
        label = truth = digits.target[i]
        if i % 25 == 7:
            label = (truth + rng.integers(1, 10)) % 10
        file = work / "photos" / NAMES[label] / f"{i}-{NAMES[truth]}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((digits.images[i] * 255 / 16).astype("uint8")).resize((96, 96), 0).save(file)
    run(work, "curvdetect", "scan", "photos", "--out", "found", "--q", SUSPECTS, "--epochs", 15, "--for", tool)
    return work / "found"


def truth_of(path: str) -> str:
    """Return what a picture is of."""
    return Path(path).stem.split("-")[1]


def run(work: Path, command: str, *words: object) -> None:
    """Run a command of curvdetect in a folder, and show it."""
    print("$", command, *words, flush=True)
    subprocess.run([sys.executable, "-m", command, *map(str, words)], cwd=work, check=True)


def check(work: Path, labels: str, kept: set[str]) -> None:
    """Raise unless a list of labels has the right one for every suspect, and the given one for those that are kept."""
    with (work / "found" / "suspects.csv").open(newline="") as file:
        suspects = {row["path"]: row["given"] for row in csv.DictReader(file) if row["flagged"] == "True"}
    with (work / labels).open(newline="") as file:
        found = {row["path"]: row["label"] for row in csv.DictReader(file)}
    for path, label in found.items():
        given = path.split("/")[0]
        expected = given if path in kept or path not in suspects else truth_of(path)
        assert label == expected, (path, label, expected)
    changed = sum(label != path.split("/")[0] for path, label in found.items())
    print(f"{labels}: {changed} labels changed, each to what the picture shows; all others as they were")


def installed(folder: Path, *packages: str) -> Path:
    """Return the programs of an environment of its own with these packages, made where there is none."""
    if not folder.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([folder / "bin" / "pip", "install", "-q", *packages], check=True)
    return folder / "bin"


def browser(play):
    """Return a Chromium, the system's where there is one."""
    import shutil

    return play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])

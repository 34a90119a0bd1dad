"""Where the time and the memory of a command go: a thread looks what the main thread is in, a hundred times a second.

It runs in the process of the command: `measured` starts this file as a script.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

#: What a command is in, by the files that its calls are in: the first with one of them counts.
PHASES = {
    "loading libraries": "<frozen importlib",
    "pictures of the page": "/curvdetect/review/thumbnails.py",
    "look-alikes": "/curvdetect/review/neighbours.py",
    "saving the detector": "/curvdetect/review/storage.py",
    "the rest of the page": "/curvdetect/review/",
    "reading": "/curvdetect/cli/source.py",
    "checkpoints": "/curvdetect/training/checkpoints.py",
    "digests of the data": "/curvdetect/data/rows.py",
    "how many labels are wrong": "/curvdetect/detectors/left_out_rate.py",
    "features": "/curvdetect/features/",
    "regression on them": "/curvdetect/detectors/witnesses.py",
    "training": "/curvdetect/training/",
    "checking the data": "/curvdetect/detectors/inputs.py",
    "table of suspects": "/curvdetect/files/safe_csv.py",
}
OTHER, PYTHON = "anything else", "starting and ending Python"
#: The work itself, which all else is around.
WORK = ("reading", "features", "regression on them", "training")
#: What takes as long for few samples as for many.
CONSTANT = ("loading libraries", PYTHON)
#: Seconds between two looks.
PAUSE = 0.01


def phase_of(frame: FrameType | None) -> str:
    """Return what a frame is in, by its file and those that it was called from."""
    files = set()
    while frame is not None:
        files.add(frame.f_code.co_filename)
        frame = frame.f_back
    return next((phase for phase, part in PHASES.items() if any(part in file for file in files)), OTHER)


class Watch:
    """Seconds of the main thread in each phase."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, args=[threading.get_ident()], daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self, thread: int) -> None:
        before = time.perf_counter()
        while not self._ended.wait(PAUSE):
            phase, now = phase_of(sys._current_frames()[thread]), time.perf_counter()
            self.seconds[phase] = self.seconds.get(phase, 0) + now - before
            before = now


def table(found: dict[str, Any], n_bytes: int) -> list[str]:
    """Return the lines of what `measured` found in a scan of pictures that take so many bytes."""
    seconds, mib = dict(sorted(found["seconds"].items(), key=lambda item: -item[1])), found["mib"]
    total, work, constant = (sum(seconds.get(phase, 0) for phase in some) for some in (seconds, WORK, CONSTANT))
    sums = {
        "all": total,
        "reading, features, regression and training": work,
        "everything else": total - work,
        "everything else, libraries and Python left out": total - work - constant,
    }
    rows = {phase: f"{spent:,.1f} | {spent / total:.1%}" for phase, spent in {**seconds, **sums}.items()}
    lines = ["## Where the time goes", "", "|  | seconds | share |", "|:--|--:|--:|"]
    lines += [f"| {phase} | {row} |" for phase, row in rows.items()]
    above, once = mib["peak"] - mib["libraries"], n_bytes / 2**20
    memory = {
        "peak of the process": mib["peak"],
        "libraries alone": mib["libraries"],
        "the peak above these": above,
        "the pictures, once": once,
        "the peak above libraries and pictures": above - once,
    }
    lines += ["", "## Memory, MiB", "", "|  |  |", "|:--|--:|"]
    return [*lines, *(f"| {name} | {value:,.0f} |" for name, value in memory.items()), ""]


def measured(words: Sequence[str], cwd: Path) -> tuple[str, dict[str, Any]]:
    """Run ``curvdetect`` with arguments in a folder; return what it printed, and its phases and memory."""
    seen = (cwd / "phases.json").resolve()
    started = time.perf_counter()
    said = _called("watch", str(seen), *words, cwd=cwd)
    wall = time.perf_counter() - started
    found = json.loads(seen.read_text())
    seconds = {PYTHON: wall - sum(found["seconds"].values()), **found["seconds"]}
    libraries = float(_called("load", str(seen), cwd=cwd))
    return said, {
        "seconds": {phase: round(seconds[phase], 3) for phase in (*PHASES, OTHER, PYTHON) if phase in seconds},
        "mib": {"peak": round(found["peak_mib"]), "libraries": round(libraries)},
    }


def _called(*words: str, cwd: Path) -> str:
    # -P: this folder on the path would hide packages of its files' names
    call = [sys.executable, "-P", str(Path(__file__).resolve()), *words]
    return subprocess.run(call, cwd=cwd, check=True, stdout=subprocess.PIPE, text=True).stdout


def watch(seen: str, *words: str) -> None:
    """Run a command; write its phases, its peak memory, and the modules that it loaded."""
    with Watch() as watched:
        from curvdetect.cli import main

        main(list(words), standalone_mode=False)
    from harness.memory import megabytes

    found = {"seconds": watched.seconds, "peak_mib": megabytes("VmHWM"), "modules": sorted(sys.modules)}
    Path(seen).write_text(json.dumps(found))


def load(seen: str) -> None:
    """Print the memory, in MiB, of a process that has loaded the same modules and does nothing."""
    from harness.memory import megabytes

    for name in json.loads(Path(seen).read_text())["modules"]:
        with suppress(Exception):
            importlib.import_module(name)
    print(megabytes("VmRSS"))


if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parents[1]))
    {"watch": watch, "load": load}[sys.argv[1]](*sys.argv[2:])

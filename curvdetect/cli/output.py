"""DIR, where a scan leaves its results."""

from __future__ import annotations

import json
import shutil
from importlib.metadata import version
from pathlib import Path

import click

from curvdetect.cli.console import Failure
from curvdetect.data.types import Record
from curvdetect.data.wording import safe, short
from curvdetect.review.exports import TOOLS
from curvdetect.review.exports.tool import tool_named
from curvdetect.review.storage import is_unfinished
from curvdetect.training.checkpoints import write_whole

SUSPECTS, PARQUET, PAGE, DETECTOR, SKIPPED = (
    "suspects.csv",
    "suspects.parquet",
    "report.html",
    "detector",
    "skipped.csv",
)
CHECKPOINTS, RECORD = "checkpoints", "scan.json"
#: Folders that a scan makes, and the file by which it knows each as its own.
_MARKS = {DETECTOR: "detector.json", CHECKPOINTS: "fit.json"}


class Output:
    """The directory of a scan."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def check(self, source: Path, *, resume: bool, overwrite: bool) -> None:
        """Raise where writing to the directory would do harm: within PATH, the ``source``, or over other results."""
        if resume and overwrite:
            raise click.UsageError("--resume goes on with what is there and --overwrite starts anew: choose one.")
        found = {entry.name for entry in self.path.iterdir()} if self.path.is_dir() else set()
        if source.is_dir() and self.path.resolve().is_relative_to(source.resolve()):
            why = "lies within PATH, where it would be a class."
        elif self.path.exists() and not self.path.is_dir():
            why = "is a file."
        elif resume or overwrite or not found:
            return
        elif found <= {RECORD, SKIPPED} and "curvdetect" in self.record():
            return  # a scan that ended before its training left nothing to lose
        else:
            goes_on = " --resume to go on with the scan in it," if found & {RECORD, SUSPECTS, *_MARKS} else ""
            why = f"is not empty. Pass another,{goes_on} or --overwrite to start anew (other files stay)."
        raise click.BadParameter(f"'{short(self.path)}' {why}", param_hint="--out")

    def make(self, path: Path, options: Record, *, resume: bool = False, overwrite: bool = False) -> None:
        """Make the directory and record what is scanned, and how.

        ``resume`` raises where an earlier scan had other options; PATH may have moved. ``overwrite`` deletes what an
        earlier scan left.
        """
        options = json.loads(json.dumps(options))  # as an earlier scan has them in its record
        earlier = self.record() if resume else {}
        changed = sorted(name for name in options if name in earlier and earlier[name] != options[name])
        if changed:
            before, now = (", ".join(_spelled(name, of[name]) for name in changed) for of in (earlier, options))
            raise Failure(
                f"the scan in '{short(self.path)}' had {before}, and this one has {now}. --resume goes on with the "
                "same, --overwrite starts anew."
            )
        if overwrite:
            self._clear()
        (self / SKIPPED).unlink(missing_ok=True)
        content = {"curvdetect": version("curvdetect"), "path": str(path.resolve()), **options}
        write_whole(self / RECORD, json.dumps(content, indent=1).encode())

    def record(self) -> Record:
        """Return what was recorded of the scan; nothing where there is no record."""
        try:
            content = json.loads((self / RECORD).read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise Failure(f"'{safe(self / RECORD)}' is torn: {error}") from error
        return content if isinstance(content, dict) else {}

    def check_finished(self) -> None:
        """Raise where there is no detector, and name the way out."""
        if (self / DETECTOR / _MARKS[DETECTOR]).exists():
            return
        if (self / RECORD).exists():
            raise Failure(
                f"the scan in '{short(self.path)}' was cut short: curvdetect scan with --resume, and all else as "
                "before, goes on with it."
            )
        raise Failure(f"'{short(self.path)}' holds no scan: pass the DIR of a curvdetect scan.")

    def _clear(self) -> None:
        """Delete what a scan makes, and nothing else."""
        for name, mark in _MARKS.items():
            folder = self / name
            if folder.is_dir() and not folder.is_symlink():
                if not (folder / mark).exists() and not is_unfinished(folder):
                    raise Failure(f"'{safe(folder)}' holds something else than a scan left: move it away.")
                _remove(folder, mark)
            elif folder.is_symlink() or folder.exists():
                raise Failure(f"'{safe(folder)}' is in the way: move it away.")
        left = [name for tool in TOOLS for name in tool_named(tool).LEFT]
        for name in (SUSPECTS, PARQUET, PAGE, SKIPPED, *left, RECORD):
            (self / name).unlink(missing_ok=True)


def _remove(folder: Path, mark: str) -> None:
    """Remove a folder, its mark last: where this is killed, the rest can still be removed."""
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name == mark):
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    folder.rmdir()


def _spelled(name: str, value: object) -> str:
    """Return an option as it is written on the command line."""
    values = value if isinstance(value, list) else [value]
    return " ".join(f"--{name} {short(one)}" for one in values if one is not None) or f"no --{name}"

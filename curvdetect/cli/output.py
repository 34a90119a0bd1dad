"""DIR, where a scan leaves what it found: what may be written there, and what is there already."""

from __future__ import annotations

import json
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from curvdetect.cli.console import Failure, safe, short
from curvdetect.review.storage import is_unfinished
from curvdetect.training.checkpoints import write_whole

SUSPECTS, PAGE, DETECTOR, SKIPPED = "suspects.csv", "report.html", "detector", "skipped.csv"
CHECKPOINTS, RECORD = "checkpoints", "scan.json"
#: What marks a directory as one that a scan made.
_MARKS = {DETECTOR: "detector.json", CHECKPOINTS: "fit.json"}


class Output:
    """The directory of a scan.

    Parameters
    ----------
    path : Path
        DIR.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def check(self, source: Path, *, resume: bool, overwrite: bool) -> None:
        """Raise where the directory can't be written to without harm.

        Parameters
        ----------
        source : Path
            PATH, in which nothing is to be written.
        resume, overwrite : bool
            Whether there may be something already.
        """
        if resume and overwrite:
            raise click.UsageError("--resume goes on with what is there and --overwrite starts anew: choose one.")
        shown = short(self.path)
        if source.is_dir() and self.path.resolve().is_relative_to(source.resolve()):
            raise click.BadParameter(f"'{shown}' lies within PATH, where it would be a class.", param_hint="--out")
        if self.path.exists() and not self.path.is_dir():
            raise click.BadParameter(f"'{shown}' is a file.", param_hint="--out")
        if resume or overwrite or not self.path.is_dir():
            return
        found = {entry.name for entry in self.path.iterdir()}
        if found <= {RECORD, SKIPPED} and "curvdetect" in self.record():
            return  # of a scan that ended before its training there is nothing to lose
        if found:
            goes_on = " --resume to go on with the scan in it," if found & {RECORD, SUSPECTS, *_MARKS} else ""
            raise click.BadParameter(
                f"'{shown}' is not empty. Pass another,{goes_on} or --overwrite to start anew (other files stay).",
                param_hint="--out",
            )

    def make(self, record: dict[str, Any], *, resume: bool = False, overwrite: bool = False) -> None:
        """Make the directory and note what is scanned, and how.

        Parameters
        ----------
        record : dict
            Options by name, and ``"path"``, which may have moved.
        resume : bool, default=False
            Raise where an earlier scan had other options.
        overwrite : bool, default=False
            Take away what an earlier scan left.
        """
        noted = self.record() if resume else {}
        changed = [name for name in record.keys() - {"path"} if name in noted and noted[name] != record[name]]
        if changed:
            before, now = (", ".join(_spelled(name, of[name]) for name in sorted(changed)) for of in (noted, record))
            raise Failure(
                f"the scan in '{short(self.path)}' had {before}, and this one has {now}. --resume goes on with the "
                "same, --overwrite starts anew."
            )
        self.path.mkdir(parents=True, exist_ok=True)
        if overwrite:
            self._clear()
        (self / SKIPPED).unlink(missing_ok=True)
        content = {"curvdetect": version("curvdetect"), **record}
        write_whole(self / RECORD, json.dumps(content, indent=1).encode())

    def check_finished(self) -> None:
        """Raise where there is no detector, and say what to do about it."""
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
        for name in (SUSPECTS, PAGE, SKIPPED, RECORD):
            (self / name).unlink(missing_ok=True)

    def record(self) -> dict[str, Any]:
        """Return what was noted of the scan; nothing where there is no note."""
        try:
            noted = json.loads((self / RECORD).read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise Failure(f"'{safe(self / RECORD)}' is torn: {error}") from error
        return noted if isinstance(noted, dict) else {}


def _remove(folder: Path, mark: str) -> None:
    """Remove a folder; what tells whose it is goes last, so that the rest can be removed where this is killed."""
    for entry in list(folder.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != mark:
            entry.unlink()
    shutil.rmtree(folder)


def _spelled(name: str, value: Any) -> str:
    """Return an option as it is written on the command line."""
    values = value if isinstance(value, list) else [value]
    return " ".join(f"--{name} {short(one)}" for one in values if one is not None) or f"no --{name}"

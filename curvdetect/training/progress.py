"""How far a training is: a bar with the time left on a terminal and in a notebook, plain lines anywhere else.

A log file or a pipe that is sent a bar keeps every stroke of it. Nothing is written here but to the standard error.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from tqdm.auto import tqdm

#: Seconds between two plain lines, at least; of a long run at least this share of the time gone.
PAUSE, PAUSE_SHARE = 5.0, 0.05


class Lines:
    """Progress as one line every few seconds, later every few minutes; no carriage returns. Used as tqdm's bars are.

    Parameters
    ----------
    total : int
        What `n` counts up to.
    desc : str
        What the lines begin with.
    """

    def __init__(self, total: int, desc: str) -> None:
        self.total, self.desc = total, desc
        self.n = self.initial = self.last_print_n = 0
        self._postfix = ""
        self._started = self._written = time.monotonic()

    def update(self, n: int = 1) -> None:
        """Count on by ``n``."""
        self.n += n
        now = time.monotonic()
        if now - self._written >= max(PAUSE, PAUSE_SHARE * (now - self._started)):
            self._write()

    def set_postfix_str(self, s: str) -> None:
        """Take what the next line says beside the numbers."""
        self._postfix = f" ({s})"

    def close(self) -> None:
        """Write the last line, where something was counted since the one before."""
        if self.n > self.last_print_n:
            self._write()

    def _write(self) -> None:
        now = time.monotonic()
        gone, done = now - self._started, self.n - self.initial
        left = tqdm.format_interval(gone / done * (self.total - self.n)) if done else "?"
        share = 100 * self.n // max(1, self.total)
        if sys.stderr is not None:
            sys.stderr.write(f"{self.desc}: {share}%{self._postfix}, {tqdm.format_interval(gone)} gone, {left} left\n")
            sys.stderr.flush()
        self.last_print_n, self._written = self.n, now


def progress_bar(total: int, *, shown: bool, desc: str, unit: str, unit_scale: bool = False) -> Any:
    """Return what counts up to ``total``: a bar, plain lines, or nothing to be seen.

    Parameters
    ----------
    total : int
        Where it ends.
    shown : bool
        Whether anything is to be seen.
    desc, unit : str
        What it calls the work, and what it counts.
    unit_scale : bool, default=False
        Whether large numbers are shortened, as 12.3k.
    """
    if shown and not _in_notebook() and not (sys.stderr is not None and sys.stderr.isatty()):
        return Lines(total, desc)
    return tqdm(total=total, desc=desc, unit=unit, unit_scale=unit_scale, disable=not shown)


def start_at(bar: Any, n: int) -> None:
    """Let a bar begin at ``n`` that an earlier process did: it says nothing about the time that is left."""
    bar.n = bar.initial = bar.last_print_n = n


def _in_notebook() -> bool:
    return any(base.__name__ == "tqdm_notebook" for base in tqdm.__mro__)

"""How far a training, or other long work, is, and how long its parts take.

Progress is a bar with the time left on a terminal and in a notebook, and plain lines anywhere else: a log file
would keep every stroke of a bar. Only the standard error is written to.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import torch
from tqdm.auto import tqdm

#: Seconds between two plain lines, at least; of a long run at least this share of the time gone.
PAUSE, PAUSE_SHARE = 5.0, 0.05
#: Parts of the work whose times are left with a CUDA device, before those that are over are read.
MANY = 4096


class Lines:
    """Progress as one line every few seconds, later every few minutes; no carriage returns. Used as tqdm's bars are."""

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
            self.close()

    def set_postfix_str(self, s: str) -> None:
        """Take what the next line says beside the numbers."""
        self._postfix = f" ({s})"

    def close(self) -> None:
        """Write a line, where something was counted since the one before."""
        if self.n == self.last_print_n:
            return
        now = time.monotonic()
        gone, done = now - self._started, self.n - self.initial
        left = tqdm.format_interval(gone / done * (self.total - self.n)) if done else "?"
        share = 100 * self.n // max(1, self.total)
        if sys.stderr is not None:
            sys.stderr.write(f"{self.desc}: {share}%{self._postfix}, {tqdm.format_interval(gone)} gone, {left} left\n")
            sys.stderr.flush()
        self.last_print_n, self._written = self.n, now


def progress_bar(total: int, *, shown: bool, desc: str, unit: str, unit_scale: bool = False) -> Lines | tqdm[NoReturn]:
    """Return what counts up to ``total``: a bar, plain lines, or nothing to be seen."""
    in_notebook = any(base.__name__ == "tqdm_notebook" for base in tqdm.__mro__)
    if shown and not in_notebook and not (sys.stderr is not None and sys.stderr.isatty()):
        return Lines(total, desc)
    return tqdm(total=total, desc=desc, unit=unit, unit_scale=unit_scale, disable=not shown)


class Clock:
    """Seconds that parts of the work take, by name; a CUDA device notes them itself, and nothing waits for it."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._asked: deque[tuple[str, Any, Any]] = deque()

    @contextmanager
    def timing(self, name: str) -> Iterator[None]:
        """Count what the block asks for as a part of this name."""
        if self.device.type != "cuda":
            started = time.perf_counter()
            yield
            self._seconds[name] += time.perf_counter() - started
            return
        make: Any = torch.cuda.Event  # without types
        events = make(enable_timing=True), make(enable_timing=True)
        events[0].record(torch.cuda.current_stream(self.device))
        yield
        events[1].record(torch.cuda.current_stream(self.device))
        self._asked.append((name, *events))
        while len(self._asked) > MANY and self._asked[0][2].query():
            self._read_first()

    def read(self) -> dict[str, float]:
        """Return the seconds by name, and begin anew. The device has to be through with its work."""
        while self._asked:
            self._read_first()
        seconds = dict(self._seconds)
        self._seconds.clear()
        return seconds

    def _read_first(self) -> None:
        name, before, after = self._asked.popleft()
        self._seconds[name] += before.elapsed_time(after) / 1000

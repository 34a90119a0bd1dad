"""How long parts of a training take, by the clock of whoever does them.

The host's runs ahead of a CUDA device: what it sees is how long asking takes. There the device notes when it comes by
itself, and nobody waits for it.
"""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

#: Parts whose times are left with the device, before those that are over are read.
MANY = 4096


class Clock:
    """Seconds that parts of the work take, by name.

    Parameters
    ----------
    device : torch.device
        Who does it.
    """

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
        before = self._passing()
        yield
        self._asked.append((name, before, self._passing()))
        while len(self._asked) > MANY and self._asked[0][2].query():
            self._read_first()

    def read(self) -> dict[str, float]:
        """Return the seconds by name, and begin anew. The device has to be through with all that was asked of it."""
        while self._asked:
            self._read_first()
        seconds = dict(self._seconds)
        self._seconds.clear()
        return seconds

    def _passing(self) -> Any:
        """Return what will know when the device came by here."""
        make: Any = torch.cuda.Event
        event = make(enable_timing=True)
        event.record(torch.cuda.current_stream(self.device))
        return event

    def _read_first(self) -> None:
        name, before, after = self._asked.popleft()
        self._seconds[name] += before.elapsed_time(after) / 1000

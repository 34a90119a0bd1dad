"""Memory of this process, as its system tells it."""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def megabytes(which: str) -> float:
    """Return resident memory in MiB: "VmRSS" now, "VmHWM" at most so far.

    Where the system says no more, the latter is returned for both.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith(which))
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 1024)

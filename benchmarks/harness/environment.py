"""What a benchmark ran on, and the command that made it."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import torch

PACKAGES = ("curvdetect", "torch", "torchvision", "scikit-learn", "skorch", "cleanlab", "numpy")


def processor() -> str:
    """Return the name of the processor."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def describe(device: str) -> dict[str, str]:
    """Return hardware and versions; ``device`` as the detectors take it."""
    accelerator = "none"
    if device not in ("cpu", "mps") and torch.cuda.is_available():
        accelerator = torch.cuda.get_device_name(None if device in ("auto", "cuda") else device)
    return {
        "processor": processor(),
        "cores": str(os.cpu_count()),
        "threads": str(torch.get_num_threads()),
        "accelerator": accelerator,
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def in_words(environment: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in environment.items())


def announce(device: str, **more: object) -> dict[str, str]:
    """Print the command and what it runs on, and how by ``more``; return the latter two."""
    environment = describe(device) | {name: str(value) for name, value in more.items()}
    print(f"command: {command()}")
    print(f"environment: {in_words(environment)}", flush=True)
    return environment


def command(without: str | Sequence[str] = ()) -> str:
    """Return the command line of this process, as it would be typed in the project's root.

    Options ``without`` which the result is the same, and their values, are left out.
    """
    script = os.path.relpath(sys.argv[0]) if os.path.exists(sys.argv[0]) else sys.argv[0]
    words = list(sys.argv[1:])
    for option in [without] if isinstance(without, str) else without:
        if option in words:
            at = words.index(option)
            del words[at : at + 2]
    return shlex.join(["python", script, *words])

"""The names of detectors and signals on the command line."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.detectors.registry import scanned
from curvdetect.signals.registry import SIGNALS

DETECTORS: dict[str, Callable[..., BaseNoiseDetector]] = {
    name: partial(entry.detector, **entry.params, **(entry.scan or {})) for name, entry in scanned().items()
}

#: What a detector of several trainings costs, in plain trainings.
COSTS = {name: float(entry.trainings) for name, entry in scanned().items() if entry.apart}

#: Of the signals of one run, and of detectors that rank by something else.
CAPTIONS = {name: signal.caption for name, signal in SIGNALS.items()} | {
    name: entry.caption for name, entry in scanned().items() if entry.apart or name == "fused"
}

"""The signals of a single run, by the names that users ask for them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from curvdetect.signals.evaluated import CurvatureContrast
from curvdetect.signals.registry import recorded
from curvdetect.signals.signal import Signal

#: Recorded in every run.
ALWAYS = tuple(recorded("always"))
#: Recorded where asked for.
EXTRAS = recorded("asked")
#: Need a step and probes. The contrast goes first: it measures the curvature too.
CURVATURES = recorded("probed")


def curvature_signals(*, contrast: bool, h: float, n: int, power: int, seed: int, beside: bool = False) -> list[Signal]:
    """Return the curvature, and its contrast before it where that is wanted.

    Parameters
    ----------
    contrast, h, n, power, seed
        What is measured, and how.
    beside : bool, default=False
        Whether they are measured beside the detector's own, and so need names of their own: `grid_name`.
    """
    return [
        make(h=h, n=n, power=power, seed=seed, name=grid_name(name, h, n, power) if beside else None)
        for name, make in CURVATURES.items()
        if contrast or name != "curvature_contrast"
    ]


def grid_name(name: str, h: float, n: int, power: int) -> str:
    """Return what a curvature is called that is measured beside the detector's own."""
    return f"{name}(h={h!r}, n={n!r}, power={power!r})"


def extra_signals(names: Any) -> list[Signal]:
    """Return the signals asked for beside those of every run.

    Parameters
    ----------
    names : sequence of str
        Keys of `EXTRAS`.
    """
    if not is_names(names, EXTRAS):
        raise ValueError(
            f"signals must be a sequence of {sorted(EXTRAS)}, got {names!r}. The loss, the margin, the learning time "
            "and the inconfidence are always recorded."
        )
    return [EXTRAS[name]() for name in names]


def in_order(curvatures: list[Signal], extras: list[Signal]) -> list[Signal]:
    """Return signals such that whoever asks for more of a batch goes before who can do with a part of it."""
    contrast = any(isinstance(signal, CurvatureContrast) for signal in curvatures)
    return [*curvatures, *extras] if contrast else [*extras, *curvatures]


def is_names(names: Any, known: Collection[str]) -> bool:
    """Say whether ``names`` is an ordered collection of known names, rather than a string or something else."""
    ordered = isinstance(names, Sequence | Mapping | np.ndarray) and not isinstance(names, str)
    return ordered and all(isinstance(name, str) and name in known for name in names)

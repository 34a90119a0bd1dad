"""Checks of parameters, and of what scikit-learn's own checks don't know."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from curvdetect.data.labels import plain
from curvdetect.data.mapped import is_mapped


def check_run_params(*, every: Any, max_epochs: Any, stop_at: Any) -> None:
    """Raise where a parameter of the training run is out of range."""
    if every != "auto" and not is_count(every):
        raise ValueError(f"every must be 'auto' or a whole number of epochs, at least 1, got {every!r}.")
    if max_epochs is not None and not is_count(max_epochs):
        raise ValueError(f"max_epochs must be None or a whole number, at least 1, got {max_epochs!r}.")
    if stop_at is not None and not (isinstance(stop_at, Real) and 0 < float(stop_at) <= 1):
        raise ValueError(f"stop_at must be None or a training accuracy in (0, 1], got {stop_at!r}.")


def is_count(value: Any) -> bool:
    """Say whether ``value`` is a whole number, at least 1."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1


def validated(detector: Any, X: Any, y: Any = "no_validation", **checks: Any) -> Any:
    """Return ``X``, or ``X`` and ``y``, as arrays that scikit-learn finds in order; raise what is wrong otherwise.

    Whether a memory-mapped array is finite is not looked at: its reader does, a part at a time.
    """
    X = plain(X)
    return validate_data(detector, X, y, allow_nd=True, dtype="numeric", ensure_all_finite=not is_mapped(X), **checks)


def derive_seed(random_state: Any) -> int:
    """Return a seed; None draws one from the system, not from numpy's global generator."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    return int(check_random_state(random_state).randint(2**31 - 1))


def derived_seed(seed: int, *key: int) -> int:
    """Return another seed, told apart from its like by ``key``."""
    # the tag keeps these apart from the seeds that a second split derives from its own
    return int(np.random.SeedSequence([seed, *key, 1]).generate_state(1)[0])

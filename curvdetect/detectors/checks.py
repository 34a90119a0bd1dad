"""Checks of parameters, and of what scikit-learn's own checks don't know."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data
from torch import nn

from curvdetect.data.labels import plain
from curvdetect.data.mapped import is_mapped
from curvdetect.training.ranks import by_first


def check_run_params(*, every: Any, max_epochs: Any, stop_at: Any, keep_snapshots: Any = 0) -> None:
    """Raise where a parameter of the training run is out of range."""
    if every != "auto" and not is_count(every):
        raise ValueError(f"every must be 'auto' or a whole number of epochs, at least 1, got {every!r}.")
    if max_epochs is not None and not is_count(max_epochs):
        raise ValueError(f"max_epochs must be None or a whole number, at least 1, got {max_epochs!r}.")
    if stop_at is not None and (
        isinstance(stop_at, bool) or not isinstance(stop_at, Real) or not 0 < float(stop_at) <= 1
    ):
        raise ValueError(f"stop_at must be None or a training accuracy in (0, 1], got {stop_at!r}.")
    if not (is_count(keep_snapshots) or (keep_snapshots == 0 and isinstance(keep_snapshots, Integral))):
        raise ValueError(f"keep_snapshots must be a whole number of epochs, 0 or more, got {keep_snapshots!r}.")


def is_count(value: Any) -> bool:
    """Say whether ``value`` is a whole number, at least 1."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1


def validated(detector: Any, X: Any, y: Any = "no_validation", **checks: Any) -> Any:
    """Return ``X``, or ``X`` and ``y``, as arrays that scikit-learn finds in order; raise what is wrong otherwise.

    Whether a memory-mapped array is finite is not looked at: its reader does, a part at a time.
    """
    X = _known(X)
    if X is None or isinstance(X, Real) or getattr(X, "ndim", 2) == 0:
        raise ValueError(f"X is {X!r}. Pass the samples: an array, a DataFrame, a tensor or a map-style Dataset.")
    try:
        found = validate_data(
            detector, X, y, allow_nd=True, dtype="numeric", ensure_all_finite=not is_mapped(X), **checks
        )
    except (TypeError, ValueError) as error:
        if "Complex data" in str(error):
            raise ValueError("X is complex. Complex data not supported: pass its real and imaginary parts.") from error
        if "Sparse data" in str(error):
            raise TypeError(f"{error} In a pipeline, TruncatedSVD before the detector makes it dense.") from error
        if "X contains NaN" in str(error):
            raise ValueError(
                f"Input X contains NaN in {_where_missing(X)}. Fill missing numbers in (scikit-learn's SimpleImputer), "
                "or leave these rows or columns out."
            ) from error
        if (word := _first_word(X)) is not None:
            raise ValueError(
                f"X holds words ({word[:40]!r}, ...). Pass numbers: of texts vectors, such as embeddings; of files "
                "of pictures what load_image_folder reads, or a Dataset."
            ) from error
        if "Expected 2D array" in str(error):
            raise ValueError(f"X has one dimension: {error}") from error
        if not any(words in str(error) for words in ("could not", "inhomogeneous", "bytes/strings")):
            raise
        raise ValueError(
            f"X holds what is no number{_where_no_number(X)} ({error}). Encode text and dates as numbers, leave them "
            "out, and make all rows of one length."
        ) from error
    array = found[0] if isinstance(found, tuple) else found
    if array.dtype.kind in "mM":
        raise ValueError(f"X holds dates or durations ({array.dtype}). Make them numbers: days since some day, say.")
    return found


def _known(X: Any) -> Any:
    """Return a frame of polars as one of pandas, whose names and kinds of columns every scikit-learn knows."""
    if any(kind.__module__.startswith("polars.") and kind.__name__ == "DataFrame" for kind in type(X).__mro__):
        return pd.DataFrame({name: np.asarray(X[name]) for name in X.columns})
    return plain(X)


def _where_no_number(X: Any) -> str:
    """Return which columns of a frame are no numbers."""
    names = [name for name in getattr(X, "columns", []) if np.asarray(X[name]).dtype.kind not in "biuf"]
    return f" in column(s) {', '.join(map(repr, names[:5]))}{', ...' if len(names) > 5 else ''}" if names else ""


def _where_missing(X: Any) -> str:
    """Return which columns of a frame and which rows miss numbers."""
    missing = pd.isna(np.asarray(X)).reshape(len(X), -1)
    names = [name for name, gaps in zip(getattr(X, "columns", []), missing.T, strict=False) if gaps.any()]
    columns = f"column(s) {', '.join(map(repr, names[:5]))}{', ...' if len(names) > 5 else ''}, in " if names else ""
    rows = np.flatnonzero(missing.any(axis=1))
    return f"{columns}{len(rows)} of {len(missing)} rows, the first of them row {rows[0]}"


def _first_word(X: Any) -> str | None:
    """Return the first of what a sequence or a series of words holds; None of anything else."""
    words = X.tolist() if getattr(X, "ndim", 0) == 1 else X
    return words[0] if isinstance(words, list | tuple) and len(words) and isinstance(words[0], str) else None


def check_net_params(net: Any, params: dict[str, Any]) -> None:
    """Raise where parameters of the net are set and there is no skorch net to have them."""
    name = next((name for name in params if name.startswith("net__")), None)
    if name is None or hasattr(net, "set_params"):
        return
    shown = f"{type(net).__name__}(...)" if isinstance(net, nn.Module) else repr(getattr(net, "__name__", net))
    raise ValueError(
        f"{name!r} can't be set: net={shown} has no parameters of its own. Pass net=memorizing_net({shown}), which has."
    )


def as_weights(sample_weight: Any, n_samples: int) -> Any:
    """Return weights of samples as they are; raise where they are no weights."""
    if sample_weight is None:
        return None
    try:
        weights = np.asarray(plain(sample_weight, "sample_weight"), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"sample_weight must hold numbers, got {sample_weight!r}.") from error
    if weights.shape != (n_samples,) or not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
        raise ValueError(
            f"sample_weight must hold {n_samples} numbers, one for each sample, finite, none negative and not all "
            f"zero, got an array of shape {weights.shape}: {weights.ravel()[:5].tolist()}..."
        )
    return weights


def derive_seed(random_state: Any) -> int:
    """Return a seed; None draws one from the system, not from numpy's global generator. One for all processes."""
    return by_first(lambda: _seed_of(random_state))


def _seed_of(random_state: Any) -> int:
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    try:
        return int(check_random_state(random_state).randint(2**31 - 1))
    except ValueError as error:
        raise ValueError(
            f"random_state must be None, a whole number from 0 to 2**32 - 1, or a numpy RandomState: {error}."
        ) from error


def derived_seed(seed: int, *key: int) -> int:
    """Return another seed, told apart from its like by ``key``."""
    # the tag keeps these apart from the seeds that a second split derives from its own
    return int(np.random.SeedSequence([seed, *key, 1]).generate_state(1)[0])

"""The numbers of the data: what a network can't learn from as they are, and the center and deviation of columns.

By center and deviation networks and steps are made independent of the columns' units.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from curvdetect.data.wording import callers_level, named

#: A column that varies by less than this share of its size holds rounding, and counts as constant.
CONSTANT = 1e-6
#: Columns whose numbers differ by less than this share of their size keep fewer than eight bits in float32.
FEW_DIGITS = 2.0**-16
#: Numbers that are sorted at once; torch's quantiles take 16 million at most.
_HELD = 2**22
#: Rows in which a value that stands for missing numbers is looked for, at most.
_SEEN = 2000
#: Such a value lies this many widths of all other numbers beyond them, in two columns at least.
_BEYOND = 10
#: The distance between the quartiles of a normal distribution, in standard deviations.
_NORMAL = 1.3489795003921634


class Columns(NamedTuple):
    """Center and deviation of the columns of a table."""

    center: Tensor
    """Median of each column, shape (n_features,), float64; the mean where half of the values or more are one."""
    deviation: Tensor
    """Deviation of each, as `columns_of` measures it; zero of a constant one."""


def columns_of(rows: Tensor) -> Columns:
    """Return the center and the deviation of each column, in its own unit.

    The deviation is the distance between the quartiles, divided by that of a normal distribution with a standard
    deviation of one: a few extreme values don't change it. Where the quartiles are one value, as in a column of zeros
    with few others, it is the standard deviation. A column multiplied by a power of two has both multiplied by it
    exactly.
    """
    found = [_of(part.double()) for part in torch.split(rows, max(1, _HELD // max(1, len(rows))), 1)]
    return Columns(*(torch.cat(parts) for parts in zip(*found, strict=True)))


def _of(rows: Tensor) -> tuple[Tensor, Tensor]:
    variance, mean = torch.var_mean(rows, 0, correction=0)
    share = torch.tensor([0.25, 0.5, 0.75], dtype=rows.dtype)
    low, median, high = torch.quantile(rows, share, dim=0, interpolation="midpoint")
    spread, deviation = (high - low) / _NORMAL, variance.sqrt()
    robust = spread > CONSTANT * torch.maximum(low.abs(), high.abs())
    varies = deviation > CONSTANT * rows.abs().amax(0)
    return torch.where(robust, median, mean), torch.where(robust, spread, torch.where(varies, deviation, 0.0))


def wanted_dtype(array: NDArray[Any]) -> np.dtype[Any]:
    """Return what an array is read as: bytes stay bytes, all else becomes float32."""
    return np.dtype(np.uint8 if array.dtype == np.uint8 else np.float32)


def check_finite(rows: NDArray[Any], original: NDArray[Any], name: str = "X") -> None:
    """Raise where rows are not finite as they were read, and say whether the original was."""
    if rows.dtype.kind == "f" and not np.isfinite(rows).all():
        if np.isnan(rows).any():
            raise ValueError(f"Input {name} contains NaN. Remove or impute such values.")
        if np.isinf(original).any():
            raise ValueError(f"Input {name} contains infinity. Remove or impute such values.")
        raise ValueError(
            f"{name} holds values too large for float32, the precision of the network. Scale its columns first."
        )


def warn_of_columns(X: NDArray[Any]) -> None:
    """Warn where single precision merges the numbers of a column, and where one value stands for missing numbers."""
    if X.ndim == 2 and X.size and X.dtype.kind in "fiu":
        _warn_of_few_digits(X)
        _warn_of_stand_ins(X)


def _warn_of_few_digits(X: NDArray[Any]) -> None:
    """Warn where numbers of double precision in a column differ by less than single precision can hold."""
    if X.dtype.itemsize < 8:
        return
    low, high = X.min(0).astype(np.float64), X.max(0).astype(np.float64)
    size, width = np.maximum(abs(low), abs(high)), high - low
    rounding = 8 * np.finfo(np.float64).eps * size  # a column that varies by no more is constant
    lost = np.flatnonzero((width > rounding) & (width < FEW_DIGITS * size))
    if len(lost):
        at = lost[0]
        warnings.warn(
            f"X holds {len(lost)} column(s) whose numbers lie close together and far from zero, the first of them "
            f"column {at}, from {low[at]:.10g} to {high[at]:.10g}: networks compute in single precision, which hardly "
            "tells them apart. Subtract the mean first, by scikit-learn's StandardScaler, say; renumber ids from 0.",
            UserWarning,
            stacklevel=callers_level(),
        )


def _warn_of_stand_ins(X: NDArray[Any]) -> None:
    """Warn where one value in several columns seems to stand for missing numbers, as -999 often does.

    It is the same in all of them, stands there many times, and lies far beyond all other numbers. Zero never counts.
    """
    if X.dtype.itemsize < 2:  # bytes are pictures
        return
    step = -(-len(X) // min(_SEEN, max(100, _HELD // X.shape[1])))
    rows = X[::step].astype(np.float64)
    for sign in (1, -1):
        found = _stand_in(sign * rows)
        if found is not None:
            value, columns, share = found
            warnings.warn(
                f"X holds {sign * value:.10g} in {share:.1%} of the rows of columns {named(columns.tolist())}, far "
                "from all their other numbers: it seems to stand for missing ones, and a network takes it as it is. "
                f"Impute it first, by scikit-learn's SimpleImputer(missing_values={sign * value:.10g}), then scale the "
                "columns.",
                UserWarning,
                stacklevel=callers_level(),
            )


def _stand_in(rows: NDArray[np.float64]) -> tuple[float, NDArray[np.intp], float] | None:
    """Return the highest value that stands for missing numbers, its columns and its share of their rows."""
    top = rows.max(0)
    n_top = (rows == top).sum(0)
    often = np.flatnonzero((top != 0) & (n_top >= max(5, len(rows) / 200)) & (n_top <= len(rows) / 2))
    top = top[often]
    rest = np.ma.masked_equal(rows[:, often] - top, 0)
    gap, width = -rest.max(0).filled(0), np.ma.ptp(rest, 0).filled(0)
    # a value that stands among or close to other numbers in any column is one of them, as the white of pictures is
    close, far = gap <= 3 * rest.std(0).filled(0), gap > _BEYOND * width
    for value in np.unique(top[far]):
        same = top == value
        if close[same].any():
            continue
        measured = [at for at in often[same & far] if len(np.unique(rows[:, at])) > 5]  # not a few categories
        if len(measured) > 1:
            return value, often[same], float(n_top[often[same]].mean() / len(rows))
    return None

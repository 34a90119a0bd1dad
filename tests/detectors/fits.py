"""When two fits are one and the same."""

from __future__ import annotations

import numpy as np
from sklearn.pipeline import Pipeline


def assert_equal_fits(one, other):
    """Fail where two fitted detectors differ in an attribute, times apart."""
    if isinstance(one, Pipeline):
        one, other = one[-1], other[-1]
    assert vars(one).keys() == vars(other).keys()
    assert one.get_params().keys() == other.get_params().keys()
    for name in [name for name in vars(one) if name.endswith("_")]:
        _assert_equal(_timeless(name, getattr(one, name)), _timeless(name, getattr(other, name)), name)
    _assert_equal(one._rows.points, other._rows.points, "_rows")
    _assert_equal(one._rows.labels, other._rows.labels, "_rows")


def _timeless(name, value):
    if name == "net_":
        return {key: weight.numpy() for key, weight in value.module_.state_dict().items()}
    if name == "seconds_":
        return sorted(value)
    if name == "history_":
        return [{key: v for key, v in record.items() if not key.startswith("seconds")} for record in value]
    return value


def _assert_equal(one, other, name):
    if isinstance(one, dict):
        assert list(one) == list(other), name
        for key in one:
            _assert_equal(one[key], other[key], f"{name}[{key}]")
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype, name
        assert np.array_equal(one, other, equal_nan=one.dtype.kind == "f"), name
    else:
        assert one == other, name

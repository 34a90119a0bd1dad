"""Data, labels and parameters of any kind: finite scores in order, or an error that names what is wrong."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import nn

from curvdetect import CurvatureNoiseDetector, LossDetector, memorizing_net
from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.detectors.inputs import fitted_rows

pytestmark = pytest.mark.filterwarnings("ignore")
ARGUMENTS = (
    r"\b(X|y|q|h|n|every|power|max_epochs|stop_at|random_state|device|net)\b|[Ff]ound array with|Unknown label type"
)


class Linear(nn.Module):
    """A layer on whatever is flattened; sized when it first meets the data would be against the rules."""

    def __init__(self, size, n_classes):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(size, n_classes)

    def forward(self, x):
        return self.layer(x.flatten(1))


def _fit(X, y, kind=LossDetector, **params):
    """Return a detector fitted for one epoch; None where the input was refused, as ever by name."""
    size, n_classes = max(1, int(np.prod(np.shape(X)[1:]))), max(2, len(set(map(str, y))))
    with torch.random.fork_rng():
        net = memorizing_net(Linear(size, n_classes), batch_size=4, lr=1e-3)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return kind(net, **{"max_epochs": 1, "device": "cpu", "random_state": 0, **params}).fit(X, y)
        except (ValueError, TypeError) as error:
            if not re.search(ARGUMENTS, str(error)):
                raise
        except FloatingPointError:  # of numbers that float32 holds, while it doesn't hold their sums
            if np.abs(np.asarray(X, dtype=float)).max() < 1e6:
                raise
    return None


def _assert_complete(detector, n):
    assert detector.scores_.dtype == np.float64
    assert detector.scores_.shape == (n,)
    assert np.isfinite(detector.scores_).all()
    assert sorted(detector.ranking_) == list(range(n))
    assert (np.diff(detector.scores_[detector.ranking_]) <= 0).all()
    assert detector.labels_.sum() >= (0 if detector.q == "auto" else 1)
    assert len(detector.ranking()) == n


DTYPES = st.one_of(
    arrays.boolean_dtypes(),
    arrays.integer_dtypes(endianness="?"),
    arrays.unsigned_integer_dtypes(endianness="?"),
    arrays.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    arrays.complex_number_dtypes(),
    arrays.datetime64_dtypes(),
    arrays.byte_string_dtypes(max_len=3),
    arrays.unicode_string_dtypes(max_len=3),
)
SHAPES = arrays.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=6)


@settings(max_examples=50)
@given(
    X=arrays.arrays(DTYPES, SHAPES),
    n_classes=st.integers(1, 3),
    detector=st.sampled_from([LossDetector, CurvatureNoiseDetector]),
)
def test_arrays_of_any_shape_and_kind_are_scored_or_refused(X, n_classes, detector):
    y = np.arange(len(X) if X.ndim else 1) % n_classes
    fitted = _fit(X, y, detector)
    if fitted is not None:
        _assert_complete(fitted, len(X))


LABELS = st.one_of(
    st.lists(kind, min_size=6, max_size=6)
    for kind in (
        st.text(max_size=2),
        st.binary(max_size=2),
        st.integers(-(2**70), 2**70),
        st.integers(-1, 2),
        st.booleans(),
        st.floats(),
        st.dates(),
        st.datetimes(),
        st.decimals(allow_nan=False),
        st.none(),
        st.sampled_from([1, "a", None, b"a", 2.0, (1, 2), pd.NA, float("nan"), -100]),
        st.tuples(st.integers(0, 1), st.text(max_size=1)),
        st.complex_numbers(),
    )
)
HOLDERS = {
    "list": list,
    "tuple": tuple,
    "objects": lambda y: np.fromiter(y, dtype=object, count=len(y)),
    "series": pd.Series,
}
X6 = np.random.default_rng(0).standard_normal((6, 3))


@settings(max_examples=60)
@given(labels=LABELS, holder=st.sampled_from(sorted(HOLDERS)))
def test_labels_of_any_kind_come_back_or_are_refused(labels, holder):
    fitted = _fit(X6, HOLDERS[holder](labels))
    if fitted is None:
        return
    _assert_complete(fitted, 6)
    assert len(fitted.classes_) == len(set(fitted.ranking()["given"]))
    given_ = fitted.classes_[fitted_rows(fitted).labels]
    assert all(
        a == b or str(a).rstrip("\0") == str(b).rstrip("\0") or bytes(a) == b.rstrip(b"\0")
        for a, b in zip(given_, labels, strict=True)
    )
    assert (fitted.suggested_labels_ != given_).all()


TAKEN = ("q", "h", "n", "every", "power", "max_epochs", "stop_at", "random_state")
NUMBERS = st.one_of(st.none(), st.booleans(), st.integers(-3, 9), st.floats(), st.text(max_size=2), st.just("auto"))


@settings(max_examples=50)
@given(params=st.fixed_dictionaries({}, optional=dict.fromkeys(TAKEN, NUMBERS)))
def test_parameters_of_any_value_are_taken_or_refused(params):
    fitted = _fit(X6, [0, 1] * 3, CurvatureNoiseDetector, **params)
    assert fitted is None or isinstance(fitted, BaseNoiseDetector)
    if fitted is not None:
        _assert_complete(fitted, 6)

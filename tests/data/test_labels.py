"""Labels of any kind are encoded as they were meant, and what is no label is refused."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from curvdetect.data.labels import encode, plain, plain_labels

DAYS = [datetime.date(2024, 1, day) for day in (3, 1, 3)]
KINDS = {
    "text": (["b", "a", "b"], ["a", "b"]),
    "text_of_numpy_2": (np.array(["b", "a", "b"], dtype=np.dtypes.StringDType()), ["a", "b"]),
    "bytes": ([b"b", b"a", b"b"], [b"a", b"b"]),
    "booleans": ([True, False, True], [False, True]),
    "negative": ([7, -100, 7], [-100, 7]),
    "whole_floats": ([2.0, 1.0, 2.0], [1.0, 2.0]),
    "large": (np.array([2**64 - 1, 0, 2**64 - 1], dtype=np.uint64), [0, 2**64 - 1]),
    "dates": (DAYS, sorted(set(DAYS))),
    "timestamps": (pd.to_datetime(pd.Series(DAYS)).dt.tz_localize("UTC"), None),
    "tensor": (torch.tensor([2, 1, 2]), [1, 2]),
    "halves": (torch.tensor([2, 1, 2], dtype=torch.bfloat16), [1.0, 2.0]),
    "column": (np.array([[2], [1], [2]]), [1, 2]),
    "pandas_category": (pd.Series(["b", "a", "b"], dtype="category"), ["a", "b"]),
    "pandas_int": (pd.Series([2, 1, 2], dtype="Int64"), [1, 2]),
    "pandas_text": (pd.Series(["b", "a", "b"], dtype="string"), ["a", "b"]),
    "pandas_arrow": (pd.Series(["b", "a", "b"], dtype="string[pyarrow]"), ["a", "b"]),
    "polars": (pl.Series([2, 1, 2]), [1, 2]),
    "arrow": (pa.array(["b", "a", "b"]), ["a", "b"]),
}


@pytest.mark.parametrize(("labels", "classes"), KINDS.values(), ids=KINDS)
def test_labels_of_any_kind_are_encoded(labels, classes):
    found, codes = encode(np.ravel(plain_labels(labels)))
    assert codes.dtype == np.int64
    assert codes.tolist() == [1, 0, 1]
    if classes is not None:
        assert found.tolist() == classes


@given(
    st.one_of(
        st.lists(kind, min_size=1, max_size=30)
        for kind in (
            st.text("aé\0\u2603 ", max_size=3),
            st.binary(max_size=3),
            st.integers(-(2**62), 2**62),
            st.booleans(),
            st.dates(),
        )
    )
)
def test_codes_lead_back_to_the_labels(labels):
    classes, codes = encode(plain_labels(labels))
    assert sorted(set(codes.tolist())) == list(range(len(classes)))
    # numpy's text and bytes end before trailing zeros
    strip = {str: lambda v: v.rstrip("\0"), bytes: lambda v: v.rstrip(b"\0")}.get(type(labels[0]), lambda v: v)
    assert classes[codes].tolist() == [strip(label) for label in labels]
    assert classes.tolist() == sorted({strip(label) for label in labels})


def test_arrays_are_made_of_tensors_and_sequences_only():
    tensor = torch.ones(2, requires_grad=True)
    assert isinstance(plain(tensor), np.ndarray)
    assert plain(tensor.bfloat16()).dtype == np.float32
    for other in ([1, 2], np.ones(2), None):
        assert plain(other) is other
    for nothing in (None, 3, "a"):  # left to scikit-learn
        assert plain_labels(nothing) is nothing
    assert plain_labels(np.ma.masked_array([2, 1])).tolist() == [2, 1]

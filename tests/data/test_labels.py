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
from scipy.sparse import csr_array

from curvdetect.data.labels import encode, plain, plain_labels

DAYS = [datetime.date(2024, 1, day) for day in (3, 1, 3)]
KINDS = {
    "text": (["b", "a", "b"], ["a", "b"]),
    "text_array": (np.array(["b", "a", "b"]), ["a", "b"]),
    "text_objects": (np.array(["b", "a", "b"], dtype=object), ["a", "b"]),
    "text_of_numpy_2": (np.array(["b", "a", "b"], dtype=np.dtypes.StringDType()), ["a", "b"]),
    "bytes": ([b"b", b"a", b"b"], [b"a", b"b"]),
    "booleans": ([True, False, True], [False, True]),
    "negative": ([7, -100, 7], [-100, 7]),
    "whole_floats": ([2.0, 1.0, 2.0], [1.0, 2.0]),
    "integers_as_objects": (np.array([2, 1, 2], dtype=object), [1, 2]),
    "large": (np.array([2**64 - 1, 0, 2**64 - 1], dtype=np.uint64), [0, 2**64 - 1]),
    "dates": (DAYS, sorted(set(DAYS))),
    "datetime64": (np.array(DAYS, dtype="datetime64[D]"), sorted(set(DAYS))),
    "timestamps": (pd.to_datetime(pd.Series(DAYS)).dt.tz_localize("UTC"), None),
    "tensor": (torch.tensor([2, 1, 2]), [1, 2]),
    "halves": (torch.tensor([2, 1, 2], dtype=torch.bfloat16), [1.0, 2.0]),
    "column": (np.array([[2], [1], [2]]), [1, 2]),
    "pandas_category": (pd.Series(["b", "a", "b"], dtype="category"), ["a", "b"]),
    "pandas_int": (pd.Series([2, 1, 2], dtype="Int64"), [1, 2]),
    "pandas_boolean": (pd.Series([True, False, True], dtype="boolean"), [False, True]),
    "pandas_text": (pd.Series(["b", "a", "b"], dtype="string"), ["a", "b"]),
    "pandas_arrow": (pd.Series(["b", "a", "b"], dtype="string[pyarrow]"), ["a", "b"]),
    "pandas_index": (pd.Index(["b", "a", "b"]), ["a", "b"]),
    "polars": (pl.Series([2, 1, 2]), [1, 2]),
    "polars_text": (pl.Series(["b", "a", "b"]), ["a", "b"]),
    "polars_category": (pl.Series(["b", "a", "b"], dtype=pl.Categorical), ["a", "b"]),
    "polars_enum": (pl.Series(["b", "a", "b"], dtype=pl.Enum(["b", "a"])), ["a", "b"]),
    "arrow": (pa.array(["b", "a", "b"]), ["a", "b"]),
    "tuple": (("b", "a", "b"), ["a", "b"]),
}


@pytest.mark.parametrize(("labels", "classes"), KINDS.values(), ids=KINDS)
def test_labels_of_any_kind_are_encoded(labels, classes):
    found, codes = encode(np.ravel(plain_labels(labels)))
    assert codes.dtype == np.int64
    assert codes.tolist() == [1, 0, 1]
    if classes is not None:
        assert found.tolist() == classes


MISSING = {
    "none": ["a", None, "b"],
    "nan": [1.0, np.nan, 2.0],
    "nan_among_text": ["a", float("nan"), "b"],  # which numpy would write as "nan"
    "nan_among_objects": np.array(["a", np.nan, "b"], dtype=object),
    "nan_among_complex": np.array([1, np.nan, 2j]),
    "na": [1, pd.NA, 2],
    "nat": np.array(["2024-01-01", "NaT", "2024-01-02"], dtype="datetime64[D]"),
    "pandas_int": pd.Series([1, None, 2], dtype="Int64"),
    "pandas_category": pd.Series(["a", None, "b"], dtype="category"),
    "pandas_text": pd.Series(["a", None, "b"]),
    "pandas_arrow": pd.Series(["a", None, "b"], dtype="string[pyarrow]"),
    "polars": pl.Series([1, None, 2]),
    "polars_text": pl.Series(["a", None, "b"]),
    "arrow": pa.array(["a", None, "b"]),
    "masked_in_a_list": list(np.ma.masked_array([1, 7, 2], [0, 1, 0])),
}


@pytest.mark.parametrize("labels", MISSING.values(), ids=MISSING)
def test_missing_labels_are_counted_and_the_first_is_named(labels):
    with pytest.raises(ValueError, match=r"Input y contains NaN .*1 of 3 entries are missing, the first at index 1\."):
        plain_labels(labels)


NO_LABELS = {
    "tuples": ([("a", 1), ("b", 2)], r"y holds labels of type tuple, each several values.*list\(map\(str, y\)\)"),
    "lists_of_unequal_length": ([[1], [1, 2]], "y holds labels of type list"),
    "tuples_as_objects": (pd.Series([("a", 1), ("b", 2)]), "y holds labels of type tuple"),
    "dicts": ([{"a": 1}, {"b": 2}], "y holds labels of type dict"),
    "sets": ([{1}, {2}], "y holds labels of type set"),
    "records": (np.zeros(2, dtype=[("a", int)]), "y holds labels of type .*'a'"),
    "complex": (np.array([1j, 2]), "y is complex"),
    "mixed": ([1, "a"], "y mixes labels of types int, str"),
    "mixed_objects": (np.array([1, "a"], dtype=object), "y mixes labels of types int, str"),
    "bytes_and_text": ([b"a", "b"], "y mixes labels of types bytes, str"),
    "unsortable": ([object(), object()], "y holds labels of type object, which don't sort"),
    "dictionary": ({"a": 0, "b": 1}, r"y is a dict, whose keys are no labels: pass list\(y.values\(\)\)"),
    "frozensets": ([frozenset({1}), frozenset({2})], "y holds labels of type frozenset"),
    "arrays_as_objects": (np.fromiter([np.arange(2)] * 3, dtype=object), "y holds labels of type ndarray"),
    "polars_of_lists": (pl.Series([[1, 2], [1]]), "y holds labels of type (ndarray|list)"),
    "one_hot": (np.eye(3), r"y should be a 1d array, .*shape \(3, 3\)\. Of one-hot labels pass the argmax"),
    "one_hot_frame": (pd.DataFrame(np.eye(3, dtype=bool)), "Of one-hot labels pass the argmax"),
    "probabilities": (torch.full((4, 3), 1 / 3), r"got one of shape \(4, 3\)\. Of probabilities pass the argmax"),
    "several_a_sample": (np.triu(np.ones((3, 3))), r"shape \(3, 3\)\. Of several .* one detector for each label"),
    "several_a_sample_polars": (pl.DataFrame(np.triu(np.ones((3, 3)))), "one detector for each label"),
    "several_questions": (np.array([["a", "x"], ["b", "x"]]), r"one detector for each label: \[clone"),
    "several_in_lists": ([["a", "b"], ["b"]], "one detector for each label.*MultiLabelBinarizer"),
    "sparse": (csr_array(np.eye(3)), r"y is a csr_array of shape \(3, 3\).*y.toarray\(\)"),
    "masks_of_pictures": (np.zeros((3, 4, 4)), r"got one of shape \(3, 4, 4\)\.$"),
    "masked": (np.ma.masked_array([1, 2, 3], [0, 1, 1]), "y is a masked array, masked in 2 of 3 rows, .* row 1"),
    "masked_text": (np.ma.masked_array(["a", "b"], [1, 0]), "masked in 1 of 2 rows, .* row 0"),
    "no_dimension_left": (np.zeros((3, 0)), r"y should be a 1d array, .*shape \(3, 0\)"),
}


@pytest.mark.parametrize(("labels", "message"), NO_LABELS.values(), ids=NO_LABELS)
def test_what_is_no_label_is_refused_with_a_way_out(labels, message):
    with pytest.raises(ValueError, match=message) as caught:
        encode(plain_labels(labels))
    assert len(str(caught.value)) <= 400


def test_a_masked_array_without_a_masked_entry_is_an_array():
    assert plain_labels(np.ma.masked_array([2, 1])).tolist() == [2, 1]


@given(
    st.one_of(
        st.lists(kind, min_size=1, max_size=30)
        for kind in (
            st.text(max_size=3),
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


def test_plain_makes_arrays_of_tensors_only():
    tensor = torch.ones(2, requires_grad=True)
    assert isinstance(plain(tensor), np.ndarray)
    assert plain(tensor.bfloat16()).dtype == np.float32
    for other in ([1, 2], np.ones(2), None):
        assert plain(other) is other


def test_sparse_tensors_are_refused():
    with pytest.raises(TypeError, match=r"X is a tensor of layout torch.sparse_coo.*to_dense\(\)"):
        plain(torch.eye(3).to_sparse())


@pytest.mark.parametrize("nothing", [None, 3, "a"])
def test_what_is_no_sequence_is_left_to_scikit_learn(nothing):
    assert plain_labels(nothing) is nothing

"""Frames of dask and polars as samples, and their columns as labels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from curvdetect import LeaveOneOutDetector
from curvdetect.metrics import auroc
from tests.cases import noisy_digits

X, LABELS, MASK, _ = noisy_digits(200)
FRAME = pd.DataFrame(X, index=[f"scan-{i:03}" for i in range(200)]).add_prefix("pixel")
NAMES = pd.Series([f"digit {label}" for label in LABELS], index=FRAME.index)


def fitted(samples, labels):
    return LeaveOneOutDetector(q=15, device="cpu", random_state=0).fit(samples, labels)


@pytest.mark.meets("dask")
@pytest.mark.parametrize("labels", [NAMES, pd.Series(LABELS, index=FRAME.index)], ids=["text", "numbers"])
def test_scores_of_dask_frames_are_those_of_pandas(labels):
    """Frames and columns of dask in partitions of other lengths get the scores of the same frames of pandas.

    `fit_resample` returns frames of pandas.
    """
    dask = pytest.importorskip("dask.dataframe")
    expected = fitted(FRAME, labels)
    assert auroc(MASK, expected.scores_) > 0.95
    detector = fitted(dask.from_pandas(FRAME, npartitions=3), dask.from_pandas(labels, npartitions=2))
    assert np.array_equal(detector.scores_, expected.scores_)
    assert detector.classes_.tolist() == expected.classes_.tolist()
    left, labels_left = detector.fit_resample(*(dask.from_pandas(data, npartitions=3) for data in (FRAME, labels)))
    assert left.equals(FRAME[expected.labels_ == 0])
    assert labels_left.tolist() == labels[expected.labels_ == 0].tolist()


@pytest.mark.meets("dask")
def test_positions_name_rows_of_parts_that_number_anew(tmp_path):
    """CSV files that dask wrote in parts and read again: positions name their rows in the order of the parts.

    The index begins at 0 in each part, so it doesn't name a row. Positions in a ranking do.
    """
    dask = pytest.importorskip("dask.dataframe")
    table = FRAME.assign(label=NAMES).reset_index(names="scan")
    dask.from_pandas(table, npartitions=3).to_csv(tmp_path / "part-*.csv", index=False)
    read = dask.read_csv(tmp_path / "part-*.csv")
    assert not read.index.compute().is_unique
    detector = fitted(read.drop(columns=["scan", "label"]), read["label"])
    found = read["scan"].compute().iloc[detector.ranking(15)["index"]]
    assert MASK[[int(name.removeprefix("scan-")) for name in found]].mean() >= 0.8


@pytest.mark.meets("polars")
@pytest.mark.parametrize("kind", ["String", "Categorical", "Enum"])
def test_scores_of_polars_frames_are_those_of_pandas(kind):
    """Frames and columns of polars (text, Categorical, Enum) get the scores of pandas; a ranking picks their rows.

    Classes are sorted by their text, whatever the order of an Enum is.
    """
    polars = pytest.importorskip("polars")
    expected = fitted(FRAME, NAMES)
    order = polars.Enum(sorted(set(NAMES), reverse=True)) if kind == "Enum" else getattr(polars, kind)
    frame, labels = polars.from_pandas(FRAME), polars.Series(NAMES.tolist(), dtype=order)
    detector = fitted(frame, labels)
    assert np.array_equal(detector.scores_, expected.scores_)
    assert detector.classes_.tolist() == sorted(set(NAMES))
    suspects = polars.from_pandas(detector.ranking(15))
    assert labels[suspects["index"]].cast(polars.String).to_list() == suspects["given"].to_list()
    left, labels_left = detector.fit_resample(frame, labels)
    assert left.equals(frame.filter(detector.labels_ == 0))
    assert labels_left.equals(labels.filter(detector.labels_ == 0))

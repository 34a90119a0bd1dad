"""Whatever holds the samples and the labels, the same data gets the same scores."""

from __future__ import annotations

import copy
from datetime import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from torch.utils.data import Subset, TensorDataset

from curvdetect import ConfidentLearningDetector, CurvatureNoiseDetector, LossDetector
from tests.cases import digits, quick_net, untouched_rng

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
N = 60
X, Y = digits(N)
BYTES = (X * 16).astype(np.uint8) * 15


def _fitted(X, y=None, **options):
    return CurvatureNoiseDetector(**{"max_epochs": 2, "device": "cpu", "random_state": 0, **options}).fit(X, y)


KINDS = {
    "columns_bytes": (BYTES, Y, 64),
    "polars_of_many_kinds": (pl.DataFrame({"a": range(N), "b": X[:, 20].astype(float), "c": X[:, 30] > 0.5}), Y, 3),
    "tensor_of_halves": (torch.tensor(X).bfloat16(), Y, 64),
    "pictures_gray": (X.reshape(N, 8, 8), Y, 8),
    "pictures_tensor": (torch.tensor(BYTES).reshape(N, 1, 8, 8), Y, 1),
}
SAME = {
    "list_of_lists": (X.tolist(), Y, 64),
    "tensor_with_gradient": (torch.tensor(X, requires_grad=True), Y, 64),
    "frame": (pd.DataFrame(X.astype(np.float64)).add_prefix("p"), pd.Series(Y), 64),
    "polars": (pl.DataFrame(X), pl.Series(Y), 64),
    "dataset": (TensorDataset(torch.tensor(X), torch.tensor(Y)), None, 64),
    "dataset_with_labels_beside": (TensorDataset(torch.tensor(X), torch.zeros(N)), Y, 64),
    "dataset_without_labels": (TensorDataset(torch.tensor(X)), torch.tensor(Y), 64),
}


@pytest.fixture(scope="module")
def expected():
    return _fitted(X, Y).scores_


@pytest.mark.parametrize("kind", [*KINDS, *SAME])
def test_same_data_gets_the_same_scores_whatever_holds_it_and_its_rows_are_found_again(expected, kind):
    data, labels, n_features = {**KINDS, **SAME}[kind]
    detector = _fitted(data, labels)
    assert detector.n_features_in_ == n_features
    assert detector.scores_.shape == (N,)
    assert np.isfinite(detector.scores_).all()
    assert kind not in SAME or np.array_equal(detector.scores_, expected)
    if isinstance(data, pl.DataFrame | pd.DataFrame):
        assert list(detector.feature_names_in_) == list(data.columns)
    if isinstance(data, TensorDataset):
        backwards = Subset(data, range(N)[::-1])
    else:
        backwards = data.flip(0) if isinstance(data, torch.Tensor) else data[::-1]
    assert np.array_equal(detector.score_samples(data), detector.scores_)
    assert np.array_equal(detector.score_samples(backwards), detector.scores_[::-1])
    assert np.array_equal(detector.predict(backwards), detector.labels_[::-1])


class Noisy(TensorDataset):
    def __getitem__(self, index):
        x, y = super().__getitem__(index)
        return x + torch.rand(()), y


@pytest.mark.filterwarnings("ignore:The least populated class")
@pytest.mark.parametrize("detector", [LossDetector(keep_snapshots=1), ConfidentLearningDetector(cv=2)], ids=str)
def test_a_dataset_that_draws_moves_no_generator_and_the_seed_decides(detector):
    data = Noisy(torch.tensor(X), torch.tensor(Y))
    detector.set_params(net=quick_net(), max_epochs=1, device="cpu", random_state=0)
    with untouched_rng():
        with pytest.warns(UserWarning, match=r"X yields another input each time.*augment=True"):
            first = detector.fit(data).scores_
        detector.score_samples(data)  # which it draws as before
        if hasattr(detector, "snapshots_"):
            detector.score_samples(data, Y)
    torch.rand(1)
    assert np.array_equal(detector.fit(data).scores_, first)


NAMES = np.array(["ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen", "ibis", "jay"])
LABELS = {
    "strings": (NAMES[Y], str),
    "objects": (NAMES[Y].astype(object), str),
    "ignore_index": (np.where(Y == 0, -100, Y), int),
    "bools": (pd.Series(Y % 2 == 0, dtype="boolean"), bool),
    "bytes_of_text": (NAMES[Y].astype("S"), bytes),
    "days": (np.datetime64("2024-01-01T00:00:00") + Y * np.timedelta64(86400, "s"), datetime),
    "pandas_int": (pd.Series(Y * 1000, dtype="Int64"), int),
    "polars_categorical": (pl.Series(NAMES[Y], dtype=pl.Categorical), str),
    "categorical": (pd.Series(NAMES[Y], dtype="category"), str),
}


@pytest.mark.parametrize(("labels", "kind"), LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("holder", ["array", "dataset"])
def test_labels_of_any_kind_come_back_as_they_were(labels, kind, holder):
    data = X if holder == "array" else TensorDataset(torch.tensor(X))
    given = np.array(labels.tolist() if isinstance(labels, pd.Series) else labels)
    net = quick_net(n_classes=len(np.unique(given)))
    detector = LossDetector(net, device="cpu", random_state=0).fit(data, labels)
    table = detector.ranking()
    assert np.array_equal(detector.classes_, np.unique(given))
    assert table["given"].tolist() == given[detector.ranking_].tolist()
    assert {type(label) for label in detector.suggested_labels_.tolist()} == {kind}
    assert np.isin(detector.suggested_labels_, given).all()
    assert (detector.suggested_labels_ != given).all()
    assert table["suggested"].tolist() == detector.suggested_labels_[detector.ranking_].tolist()


@pytest.mark.parametrize("name", ["strings", "ignore_index"])
def test_names_of_labels_change_no_score(name):
    # in the order of the names, -100 stands where 0 stood, and so on
    detector = LossDetector(quick_net(), device="cpu", random_state=0)
    assert np.array_equal(detector.fit(X, Y).scores_, detector.fit(X, LABELS[name][0]).scores_)


@pytest.mark.parametrize("data", [pd.DataFrame(X), torch.tensor(BYTES).reshape(N, 1, 8, 8)], ids=["frame", "tensor"])
def test_fit_leaves_the_callers_data_and_generators_alone(data):
    data, labels, before = copy.deepcopy(data), Y.copy(), copy.deepcopy(data)
    with untouched_rng():
        detector = _fitted(data, labels, random_state=None)
        detector.score_samples(data)
    assert np.array_equal(np.asarray(data), np.asarray(before))
    assert np.array_equal(labels, Y)
    data[:] = 0  # which does not reach the detector
    assert np.array_equal(detector.score_samples(before), detector.scores_)

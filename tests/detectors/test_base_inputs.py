"""Whatever holds the samples and the labels, the same data gets the same scores."""

from __future__ import annotations

import copy
from datetime import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from torch.utils.data import TensorDataset

from curvdetect import ConfidentLearningDetector, CurvatureNoiseDetector, LossDetector
from tests.cases import digits, quick_net, untouched_rng

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
N = 60
X, Y = digits(N)
BYTES = (X * 16).astype(np.uint8) * 15


def _fitted(X, y=None, **options):
    return CurvatureNoiseDetector(**{"max_epochs": 2, "device": "cpu", "random_state": 0, **options}).fit(X, y)


KINDS = {
    "columns_bytes": (BYTES, 64),
    "list_of_lists": (X.tolist(), 64),
    "polars_of_many_kinds": (pl.DataFrame({"a": range(N), "b": X[:, 20].astype(float), "c": X[:, 30] > 0.5}), 3),
    "tensor_of_halves": (torch.tensor(X).bfloat16(), 64),
    "tensor_with_gradient": (torch.tensor(X, requires_grad=True), 64),
    "pictures_gray": (X.reshape(N, 8, 8), 8),
    "pictures_tensor": (torch.tensor(BYTES).reshape(N, 1, 8, 8), 1),
}


@pytest.mark.parametrize(("data", "n_features"), KINDS.values(), ids=KINDS)
def test_fit_takes_arrays_and_finds_their_rows_again(data, n_features):
    detector = _fitted(data, Y)
    assert detector.n_features_in_ == n_features
    assert detector.scores_.shape == (N,)
    assert np.isfinite(detector.scores_).all()
    if isinstance(data, pl.DataFrame):
        assert list(detector.feature_names_in_) == data.columns
    backwards = data.flip(0) if isinstance(data, torch.Tensor) else data[::-1]
    assert np.array_equal(detector.score_samples(data), detector.scores_)
    assert np.array_equal(detector.score_samples(backwards), detector.scores_[::-1])
    assert np.array_equal(detector.predict(backwards), detector.labels_[::-1])


SAME = {
    "frame": (pd.DataFrame(X.astype(np.float64)), pd.Series(Y)),
    "polars": (pl.DataFrame(X), pl.Series(Y)),
    "dataset": (TensorDataset(torch.tensor(X), torch.tensor(Y)), None),
    "dataset_with_labels_beside": (TensorDataset(torch.tensor(X), torch.zeros(N)), Y),
    "dataset_without_labels": (TensorDataset(torch.tensor(X)), torch.tensor(Y)),
}


@pytest.fixture(scope="module")
def expected():
    return _fitted(X, Y).scores_


@pytest.mark.parametrize(("data", "labels"), SAME.values(), ids=SAME)
def test_same_data_gets_the_same_scores_whatever_holds_it(expected, data, labels):
    assert np.array_equal(_fitted(data, labels).scores_, expected)


def test_bytes_count_as_pixels_in_pictures_and_as_numbers_in_columns():
    pictures = BYTES.reshape(N, 1, 8, 8)
    scaled = _fitted(pictures.astype(np.float32) / 255, Y)
    assert np.array_equal(_fitted(pictures, Y).scores_, scaled.scores_)
    assert np.array_equal(_fitted(BYTES, Y).scores_, _fitted(BYTES.astype(np.float32), Y).scores_)


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


def test_fit_again_on_other_data_forgets_the_first():
    detector = _fitted(pd.DataFrame(X).add_prefix("pixel"), Y)
    detector.fit(TensorDataset(torch.tensor(X[:30, :9]), torch.tensor(Y[:30])))
    assert detector.n_features_in_ == 9
    assert not hasattr(detector, "feature_names_in_")
    assert detector.scores_.shape == (30,)

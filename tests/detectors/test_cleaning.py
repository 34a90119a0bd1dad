"""What is left when the flagged samples are dropped, alone and as a step of a pipeline."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from imblearn.pipeline import make_pipeline
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from torch.utils.data import Subset, TensorDataset

from curvdetect import LossDetector
from tests.cases import noisy_digits, quick_net

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, LABELS, MASK, TRUE = noisy_digits(100)


def _detector(net=None, **options):
    return LossDetector(quick_net() if net is None else net, **{"device": "cpu", "random_state": 0, **options})


KINDS = {
    "array": (X, LABELS, np.ndarray, np.ndarray),
    "frame": (
        pd.DataFrame(X).add_prefix("p").set_index(np.arange(100) + 7),
        pd.Series(LABELS),
        pd.DataFrame,
        pd.Series,
    ),
    "tensor": (torch.tensor(X), torch.tensor(LABELS), torch.Tensor, torch.Tensor),
    "lists": (X.tolist(), LABELS.tolist(), list, list),
    "dataset": (TensorDataset(torch.tensor(X), torch.tensor(LABELS)), None, Subset, np.ndarray),
    "dataset_and_labels": (TensorDataset(torch.tensor(X)), LABELS, Subset, np.ndarray),
}


@pytest.mark.parametrize(("data", "labels", "kind", "label_kind"), KINDS.values(), ids=KINDS)
def test_what_is_left_is_of_the_same_kind_and_order(data, labels, kind, label_kind):
    detector = _detector(q=13)
    left, labels_left = detector.fit_resample(data, labels)
    kept = np.flatnonzero(detector.labels_ == 0)
    assert isinstance(left, kind)
    assert isinstance(labels_left, label_kind)
    assert np.array_equal(detector.sample_indices_, kept)
    assert len(left) == len(labels_left) == 87
    assert np.array_equal(np.asarray(labels_left), LABELS[kept])
    rows = np.stack([np.asarray(item[0]) for item in left]) if isinstance(left, Subset) else np.asarray(left)
    assert np.allclose(rows, X[kept])
    if kind is pd.DataFrame:
        assert list(left.index) == list(kept + 7)
        assert list(left.columns) == list(data.columns)


def test_the_data_passed_in_stays_as_it_is():
    data, labels = X.copy(), LABELS.copy()
    left, _ = _detector().fit_resample(data, labels)
    left[:] = 0
    assert np.array_equal(data, X)
    assert np.array_equal(labels, LABELS)


def test_a_step_of_an_imbalanced_learn_pipeline_cleans_what_the_model_is_fitted_on():
    X, labels, mask, true = noisy_digits(600, rate=0.2)
    detector = LossDetector(q=0.25, device="cpu", random_state=0)
    nearest = KNeighborsClassifier(1)  # as good as the labels it is given
    model = make_pipeline(StandardScaler(), detector, nearest).fit(X, labels)
    assert model.score(X, true) > 0.95 > make_pipeline(StandardScaler(), nearest).fit(X, labels).score(X, true)
    detector = model[1]
    assert mask[detector.sample_indices_].mean() < 0.05
    assert model.predict(X).shape == (600,)  # nothing is dropped where nothing is fitted


def test_parameters_are_reached_through_the_pipeline():
    model = make_pipeline(StandardScaler(), _detector(), LogisticRegression(max_iter=300))
    model.set_params(lossdetector__q=30, lossdetector__net__lr=0.05).fit(X, LABELS)
    assert model[1].labels_.sum() == 30
    assert model[1].net_.lr == 0.05

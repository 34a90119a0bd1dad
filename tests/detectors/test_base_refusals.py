"""What can't be fitted is refused by name before any training."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import dok_array
from skorch import NeuralNetClassifier
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, SubsetRandomSampler, TensorDataset

from curvdetect import ConfidentLearningDetector, CurvatureNoiseDetector, LossDetector
from curvdetect.training.nets import MLP
from tests.cases import digits, quick_net

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:The least populated class:UserWarning"),
]
N = 40
X, Y = digits(N)
TENSOR = torch.tensor(X)


def _with(value, at=(3, 5)):
    changed = X.copy()
    changed[at] = value
    return changed


def _dataset(y=Y, X=TENSOR):
    return TensorDataset(X, torch.tensor(y))


class Stream(IterableDataset):
    def __iter__(self):
        return iter([])


DATA = {
    "infinity": (_with(np.inf), Y, "Input X contains infinity"),
    "nan_in_tensor": (torch.tensor(_with(np.nan)), Y, "Input X contains NaN"),
    "nan_in_picture": (_with(np.nan).reshape(N, 1, 8, 8), Y, "Input X contains NaN"),
    "nan_in_dataset": (_dataset(X=torch.tensor(_with(np.nan))), None, r"X\[3\] contains NaN"),
    "complex": (X + 1j, Y, "Complex data not supported"),
    "complex_dataset": (_dataset(X=TENSOR + 1j), None, r"X\[0\] is complex"),
    "strings": (X.astype(str), Y, "X holds numbers as text"),
    "one_dimension": (X[:, 0], Y, "Expected 2D array, got 1D array"),
    "five_dimensions": (
        X.reshape(N, 1, 2, 4, 8),
        Y,
        r"X has samples of shape \(1, 2, 4, 8\).*no default network",
    ),
    "channels_last": (np.zeros((N, 8, 8, 3)), Y, "pictures of 8 by 3 pixels with 8 channel\\(s\\).*channels last"),
    "too_small_pictures": (X.reshape(N, 1, 4, 16), Y, "pictures of 4 by 16 pixels"),
    "no_features": (X[:, :0], Y, r"0 feature\(s\).*minimum of 1"),
    "no_samples": (X[:0], Y[:0], r"0 sample\(s\).*minimum of 2"),
    "empty_dataset": (_dataset(Y[:0], TENSOR[:0]), None, r"X is an empty dataset.*0 sample\(s\)"),
    "one_sample": (X[:1], Y[:1], r"1 sample\(s\).*minimum of 2"),
    "one_sample_dataset": (_dataset(Y[:1], TENSOR[:1]), None, "X holds 1 sample"),
    "one_class": (X, np.zeros(N, int), r"y holds one class only \(\[0\]\)"),
    "one_class_dataset": (_dataset(np.zeros(N, int)), None, "y holds one class only"),
    "labels_missing": (X, None, "requires y to be passed"),
    "labels_missing_in_dataset": (TensorDataset(TENSOR), None, "requires y to be passed"),
    "fewer_labels": (X, Y[1:], r"inconsistent numbers of samples: \[40, 39\]"),
    "more_labels": (X[1:], Y, r"inconsistent numbers of samples: \[39, 40\]"),
    "fewer_labels_beside_dataset": (_dataset(), Y[1:], "inconsistent numbers of samples|y has 39"),
    "more_labels_beside_dataset": (_dataset(), np.append(Y, 0), "inconsistent numbers of samples|y has 41"),
    "continuous_labels": (X, Y + 0.5, "Unknown label type: continuous"),
    "continuous_labels_beside_dataset": (_dataset(), Y + 0.5, "Unknown label type: continuous"),
    "continuous_labels_of_dataset": (_dataset(Y + 0.5), None, "Unknown label type: continuous"),
    "nan_label": (X, np.where(Y == 1, np.nan, Y), "Input y contains NaN"),
    "nan_label_of_dataset": (_dataset(np.where(Y == 1, np.nan, Y)), None, "Input y contains NaN"),
}


@pytest.mark.parametrize(("data", "labels", "message"), DATA.values(), ids=DATA)
def test_data_that_cannot_be_scored_is_refused(data, labels, message):
    with pytest.raises(ValueError, match=message):
        CurvatureNoiseDetector(max_epochs=1, device="cpu").fit(data, labels)


TYPES = {
    "sparse_dictionary": (dok_array(X), Y, "Sparse data was passed for X"),
    "stream": (Stream(), Y, "X is an IterableDataset"),
    "loader": (DataLoader(_dataset()), None, "X is a DataLoader"),
}


@pytest.mark.parametrize(("data", "labels", "message"), TYPES.values(), ids=TYPES)
def test_data_of_a_type_that_has_no_rows_is_refused(data, labels, message):
    with pytest.raises(TypeError, match=message):
        CurvatureNoiseDetector(max_epochs=1, device="cpu").fit(data, labels)


SHARED = {
    "q_zero": ({"q": 0}, "q must be"),
    "q_zero_share": ({"q": 0.0}, "q must be"),
    "q_one_share": ({"q": 1.0}, "q must be"),
    "q_above_one": ({"q": 1.5}, "q must be a share between 0 and 1.*got 1.5"),
    "q_negative": ({"q": -1}, "q must be"),
    "q_above_count": ({"q": N + 1}, "q must be.*count from 1 to 40, or 'auto', got 41"),
    "q_word": ({"q": "x"}, "q must be.*got 'x'"),
    "q_bool": ({"q": True}, "q must be"),
    "q_nan": ({"q": float("nan")}, "q must be"),
    "max_epochs_zero": ({"max_epochs": 0}, "max_epochs must be"),
    "max_epochs_negative": ({"max_epochs": -2}, "max_epochs must be"),
    "max_epochs_float": ({"max_epochs": 2.0}, "max_epochs must be"),
    "max_epochs_bool": ({"max_epochs": True}, "max_epochs must be"),
    "stop_at_zero": ({"stop_at": 0}, "stop_at must be"),
    "stop_at_above_one": ({"stop_at": 2}, "stop_at must be"),
    "stop_at_word": ({"stop_at": "0.9"}, "stop_at must be"),
    "device_misspelt": ({"device": "cud"}, "device='cud' is not known"),
    "net_name": ({"net": "resnet50"}, "net='resnet50' is not known"),
    "random_state": ({"random_state": "x"}, "'x' cannot be used to seed"),
}
CURVATURE = {
    "every_zero": ({"every": 0}, "every must be"),
    "every_word": ({"every": "epoch"}, "every must be 'auto' or"),
    "every_float": ({"every": 1.5}, "every must be"),
    "every_bool": ({"every": True}, "every must be"),
    "h_zero": ({"h": 0}, "h must be"),
    "h_negative": ({"h": -1e-3}, "h must be"),
    "h_infinite": ({"h": float("inf")}, "h must be"),
    "h_word": ({"h": "small"}, "h must be"),
    "n_zero": ({"n": 0}, "n must be"),
    "n_float": ({"n": 2.0}, "n must be"),
    "n_bool": ({"n": True}, "n must be"),
    "power_three": ({"power": 3}, "power must be"),
    "power_word": ({"power": "1"}, "power must be"),
    "signals_word": ({"signals": "loss"}, "signals must be a sequence of .*got 'loss'"),
    "signals_known_word": ({"signals": "input_gradient"}, "signals must be a sequence"),
    "signals_unknown": ({"signals": ("grad",)}, "signals must be a sequence"),
    "signals_none": ({"signals": None}, "signals must be"),
}
CONFIDENT = {
    "cv_zero": ({"cv": 0}, "cv must be"),
    "cv_one": ({"cv": 1}, "cv must be.*at least 2, got 1"),
    "cv_float": ({"cv": 2.5}, "cv must be"),
    "cv_bool": ({"cv": True}, "cv must be"),
    "cv_word": ({"cv": "5"}, "cv must be"),
    "cv_above_every_class": ({"cv": 20}, "cv=20 folds need .* the largest in y has 6: pass cv=6"),
    "method_unknown": ({"method": "entropy"}, "method must be 'self_confidence' or"),
}
PARAMS = (
    [pytest.param(CurvatureNoiseDetector, *case, id=f"curvature-{key}") for key, case in (SHARED | CURVATURE).items()]
    + [pytest.param(LossDetector, *case, id=f"loss-{key}") for key, case in SHARED.items()]
    + [
        pytest.param(ConfidentLearningDetector, *case, id=f"confident-{key}")
        for key, case in (SHARED | CONFIDENT).items()
    ]
)


@pytest.mark.parametrize(("detector", "params", "message"), PARAMS)
def test_parameter_out_of_range_is_refused_in_fit(detector, params, message):
    estimator = detector(**{"net": quick_net(), "device": "cpu", **params})
    with pytest.raises(ValueError, match=message):
        estimator.fit(X, Y)
    assert not hasattr(estimator, "scores_")


@pytest.fixture(scope="module")
def fitted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        named = pd.DataFrame(X[:, 20:24], columns=list("abcd"))
        pictures = TensorDataset(torch.rand(N, 3, 8, 8), torch.tensor(Y))
        return {
            "array": LossDetector(quick_net(), device="cpu").fit(X, Y),
            "frame": LossDetector(quick_net(4), device="cpu").fit(named, Y),
            "dataset": LossDetector(max_epochs=1, device="cpu").fit(pictures),
        }


ROWS = {
    "fewer_features": ("array", X[:, :9], "X has 9 features, but LossDetector is expecting 64"),
    "pictures_for_columns": ("array", X.reshape(N, 1, 8, 8), "X has 1 features, but"),
    "other_dimension": (
        "array",
        X[:, :, None],
        r"X has samples of shape \(64, 1\).*fitted on samples of shape \(64,\)",
    ),
    "nan": ("array", _with(np.nan), "Input X contains NaN"),
    "columns_swapped": (
        "frame",
        pd.DataFrame(X[:, 20:24], columns=list("abdc")),
        "feature names should match",
    ),
    "other_side": ("dataset", torch.zeros(2, 3, 8, 9), r"X has samples of shape \(3, 8, 9\)"),
    "dataset_of_other_side": (
        "dataset",
        TensorDataset(torch.zeros(2, 3, 9, 8)),
        r"X has samples of shape \(3, 9, 8\)",
    ),
    "other_channels": ("dataset", torch.zeros(2, 1, 8, 8), "X has 1 features"),
}


@pytest.mark.parametrize(("holder", "rows", "message"), ROWS.values(), ids=ROWS)
def test_rows_of_another_shape_are_refused(fitted, holder, rows, message):
    with pytest.raises(ValueError, match=message):
        fitted[holder].score_samples(rows)


LEAVING_OUT = {
    "sampler": {"iterator_train__sampler": SubsetRandomSampler(range(N - 5))},
    "drop_last": {"iterator_train__drop_last": True, "batch_size": 35},
}


@pytest.mark.parametrize("kind", [LossDetector, CurvatureNoiseDetector])
@pytest.mark.parametrize("options", LEAVING_OUT.values(), ids=LEAVING_OUT)
def test_samples_that_the_loader_leaves_out_are_named(options, kind):
    net = NeuralNetClassifier(MLP(64, 10, 16), criterion=nn.CrossEntropyLoss, max_epochs=1, **options)
    with pytest.raises(ValueError, match=r"5 sample\(s\) got no finite score of signal 'loss', the first at index 35"):
        kind(net, device="cpu").fit(X, Y)


def test_a_column_whose_steps_leave_single_precision_is_named():
    rows = np.c_[X, np.where(np.arange(len(X)) % 2, 3e38, -3e38)].astype(np.float32)
    with pytest.raises(ValueError, match=r"column 64 of X holds numbers as large as 3e\+38.*Scale X first"):
        CurvatureNoiseDetector(device="cpu", max_epochs=1).fit(rows, Y)

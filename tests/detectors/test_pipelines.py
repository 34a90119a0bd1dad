"""A detector as the last step of scikit-learn's pipelines, and as one that cleans in imbalanced-learn's."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from imblearn.pipeline import make_pipeline as cleaning_pipeline
from sklearn.compose import make_column_transformer
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler
from torch import nn
from torch.utils.data import Subset, TensorDataset

from curvdetect import LossDetector, memorizing_net
from curvdetect.metrics import auroc
from tests.cases import noisy_digits

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
N = 120
X, LABELS, MASK, _ = noisy_digits(N)
FRAME = pd.DataFrame(X).add_prefix("p")


def _detector(kind=LossDetector, **options):
    return kind(**{"max_epochs": 2, "device": "cpu", "random_state": 0, **options})


STEPS = {
    "quantiles": QuantileTransformer(n_quantiles=50),
    "columns": make_column_transformer((StandardScaler(), ["p20", "p21"]), remainder="passthrough"),
    "pandas_between": StandardScaler().set_output(transform="pandas"),
    "nothing": "passthrough",
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_rows_are_recognised_behind_any_transformer(step):
    pipeline = make_pipeline(step, _detector(q=0.25)).fit(FRAME, LABELS)
    detector = pipeline[-1]
    order = np.random.default_rng(0).permutation(N)
    for rows in (np.arange(N), order, order[:7], [5]):
        part = FRAME.iloc[rows]
        assert np.array_equal(pipeline.score_samples(part), detector.scores_[rows])
        assert np.array_equal(pipeline.predict(part), detector.labels_[rows])
        assert np.array_equal(pipeline.decision_function(part), detector.scores_[rows] - detector.threshold_)


class Net(nn.Sequential):
    def __init__(self, width=8, dropout=0.0):
        super().__init__(nn.Linear(64, width), nn.Dropout(dropout), nn.ReLU(), nn.Linear(width, 10))


def test_parameters_of_the_net_are_set_through_the_pipeline():
    pipeline = Pipeline([("scale", StandardScaler()), ("find", _detector(net=memorizing_net(Net)))])
    pipeline.set_params(find__net__lr=0.03, find__net__module__width=11, find__net__optimizer__nesterov=True, find__q=3)
    detector = pipeline.fit(X, LABELS)[-1]
    assert detector.net_.module_[0].out_features == 11
    assert detector.net_.optimizer_.defaults["nesterov"]
    assert detector.net_.lr == 0.03
    assert detector.labels_.sum() == 3
    assert not hasattr(detector.net, "module_")  # what was passed is not trained
    with pytest.raises(ValueError, match="Invalid parameter 'colour'"):
        pipeline.set_params(find__colour=1)


def test_a_mask_is_routed_to_the_score():
    with sklearn.config_context(enable_metadata_routing=True):
        detector = _detector().set_score_request(noise_mask=True, sample_weight=True)
        pipeline = make_pipeline(StandardScaler(), detector).fit(X, LABELS)
        weights = np.arange(N) + 1.0
        value = pipeline.score(X, noise_mask=MASK, sample_weight=weights)
    assert value == pytest.approx(detector.score(noise_mask=MASK, sample_weight=weights))
    assert detector.score(noise_mask=MASK) == auroc(MASK, detector.scores_) != value


KINDS = {
    "frame": (pd.DataFrame(X).add_prefix("p").set_index(np.arange(N) + 7), pd.Series(LABELS)),
    "tensor": (torch.tensor(X), torch.tensor(LABELS)),
    "lists": (X.tolist(), LABELS.tolist()),
    "dataset": (TensorDataset(torch.tensor(X), torch.tensor(LABELS)), None),
    "dataset_and_labels": (TensorDataset(torch.tensor(X)), LABELS),
}


@pytest.mark.parametrize(("data", "labels"), KINDS.values(), ids=KINDS)
def test_what_is_left_is_of_the_same_kind_and_order(data, labels):
    detector = _detector(q=13)
    left, labels_left = detector.fit_resample(data, labels)
    kept = np.flatnonzero(detector.labels_ == 0)
    assert isinstance(left, Subset if isinstance(data, TensorDataset) else type(data))
    assert isinstance(labels_left, np.ndarray if labels is None else type(labels))
    assert np.array_equal(detector.sample_indices_, kept)
    assert not isinstance(left, pd.DataFrame) or left.index.tolist() == (kept + 7).tolist()
    assert len(left) == len(labels_left) == 107
    assert np.array_equal(np.asarray(labels_left), LABELS[kept])
    rows = np.stack([np.asarray(item[0]) for item in left]) if isinstance(left, Subset) else np.asarray(left)
    assert np.allclose(rows, X[kept])
    if isinstance(data, pd.DataFrame):
        assert left.equals(data.iloc[kept])


@pytest.mark.meets("imbalanced-learn")
def test_a_step_of_an_imbalanced_learn_pipeline_cleans_what_the_model_is_fitted_on():
    """As a step of its pipeline, a detector cleans the labels that the model is fitted on."""
    X, labels, mask, true = noisy_digits(300, rate=0.2)
    detector = LossDetector(q=0.25, device="cpu", random_state=0)
    nearest = KNeighborsClassifier(1)  # as good as the labels it is given
    model = cleaning_pipeline(StandardScaler(), detector, nearest).fit(X, labels)
    assert model.score(X, true) > 0.95 > make_pipeline(StandardScaler(), nearest).fit(X, labels).score(X, true)
    detector = model[1]
    assert mask[detector.sample_indices_].mean() < 0.05
    assert model.predict(X).shape == (300,)  # nothing is dropped where nothing is fitted

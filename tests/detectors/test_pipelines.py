"""A detector as the last step of scikit-learn's pipelines."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, QuantileTransformer, StandardScaler
from torch import nn

from curvdetect import (
    ConfidentLearningDetector,
    CurvatureNoiseDetector,
    CurvSSFT,
    FusedDetector,
    LossDetector,
    SSFTDetector,
    memorizing_net,
)
from curvdetect.metrics import auroc
from tests.cases import noisy_digits

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
N = 120
X, LABELS, MASK, TRUE = noisy_digits(N)
FRAME = pd.DataFrame(X).add_prefix("p")


def _detector(kind=LossDetector, **options):
    return kind(**{"max_epochs": 2, "device": "cpu", "random_state": 0, **options})


STEPS = {
    "scaler": (StandardScaler(),),
    "two_steps": (StandardScaler(), PCA(20, random_state=0)),
    "quantiles": (QuantileTransformer(n_quantiles=50),),
    "function": (FunctionTransformer(np.log1p),),
    "union": (FeatureUnion([("scaled", StandardScaler()), ("parts", PCA(3, random_state=0))]),),
    "columns": (make_column_transformer((StandardScaler(), ["p20", "p21"]), remainder="passthrough"),),
    "pandas_between": (StandardScaler().set_output(transform="pandas"),),
    "nothing": ("passthrough",),
}


@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_rows_are_recognised_behind_any_transformer(steps):
    pipeline = make_pipeline(*map(clone, [s for s in steps if s != "passthrough"]), _detector(q=0.25)).fit(
        FRAME, LABELS
    )
    detector = pipeline[-1]
    order = np.random.default_rng(0).permutation(N)
    for rows in (np.arange(N), order, order[:7], [5]):
        part = FRAME.iloc[rows]
        assert np.array_equal(pipeline.score_samples(part), detector.scores_[rows])
        assert np.array_equal(pipeline.predict(part), detector.labels_[rows])
        assert np.array_equal(pipeline.decision_function(part), detector.scores_[rows] - detector.threshold_)
    assert pipeline.predict(FRAME).sum() == 30


KINDS = [CurvatureNoiseDetector, LossDetector, FusedDetector, SSFTDetector, CurvSSFT, ConfidentLearningDetector]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_detector_fits_and_predicts_in_a_pipeline(kind):
    options = {"cv": 2} if kind is ConfidentLearningDetector else {}
    pipeline = make_pipeline(StandardScaler(), _detector(kind, **options))
    flags = pipeline.fit_predict(X, LABELS)
    assert flags.sum() == 12
    assert np.array_equal(flags, pipeline.predict(X))
    again = clone(pipeline).fit(X, LABELS)
    assert np.array_equal(again.score_samples(X), pipeline.score_samples(X))


def test_a_row_that_was_not_fitted_is_refused_with_two_ways_out():
    pipeline = make_pipeline(StandardScaler(), _detector()).fit(X, LABELS)
    strange = X[:5].copy()
    strange[3, 20] += 0.1
    with pytest.raises(
        ValueError,
        match=r"1 row\(s\) not among .* fitted: 3\. .*score_samples\(\).*score_samples\(X, y\).*or fit again",
    ):
        pipeline.score_samples(strange)


def test_a_row_under_two_labels_is_refused_away_from_its_place():
    double = np.r_[X, X[:1]]
    pipeline = make_pipeline(StandardScaler(), _detector()).fit(double, np.r_[LABELS, (LABELS[0] + 1) % 10])
    assert np.array_equal(pipeline.score_samples(double), pipeline[-1].scores_)
    with pytest.raises(ValueError, match="several times among the fitted rows, under different labels"):
        pipeline.score_samples(double[1:])


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


def test_without_routing_the_true_labels_grade_a_pipeline():
    pipeline = make_pipeline(StandardScaler(), _detector()).fit(X, LABELS)
    assert pipeline.score(X, TRUE) == auroc(MASK, pipeline[-1].scores_)


def test_new_samples_are_scored_behind_the_other_steps():
    pipeline = make_pipeline(StandardScaler(), _detector(keep_snapshots=2)).fit(X[:90], LABELS[:90])
    new = pipeline[:-1].transform(X[90:])
    assert pipeline[-1].score_samples(new, LABELS[90:]).shape == (30,)


def test_a_pipeline_caches_its_transformers(tmp_path):
    pipeline = make_pipeline(StandardScaler(), _detector(), memory=str(tmp_path)).fit(X, LABELS)
    assert np.array_equal(
        pipeline.score_samples(X), make_pipeline(StandardScaler(), _detector()).fit(X, LABELS)[-1].scores_
    )

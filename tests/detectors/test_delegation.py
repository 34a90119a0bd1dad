"""Estimators that hold a detector and answer with the one they fitted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from torch.utils.data import TensorDataset

from curvdetect import CurvatureNoiseDetector, CurvatureSearch, PlantedNoise
from curvdetect.detectors.delegation import last_step, prefix_of
from tests.cases import noisy_digits, quick_net

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, LABELS, *_ = noisy_digits(100)
METHODS = ["score_samples", "decision_function", "predict", "fit_predict", "fit_resample", "ranking", "label_quality"]


def _detector(**params):
    return CurvatureNoiseDetector(quick_net(), **{"max_epochs": 2, "device": "cpu", "random_state": 0, **params})


def _search(detector, **options):
    return CurvatureSearch(detector, {f"{prefix_of(detector)}h": [1e-2]}, **options)


def _planted(detector, **options):
    return PlantedNoise(detector, **{"refit": True, **options})


HOLDERS = {"planted": _planted, "search": _search}
PIPES = {
    "detector": lambda detector: detector,
    "pipeline": lambda detector: make_pipeline(StandardScaler(), detector),
    "nested": lambda detector: Pipeline([("none", None), ("inner", make_pipeline(StandardScaler(), detector))]),
}
each = pytest.mark.parametrize("hold", HOLDERS.values(), ids=HOLDERS)


@pytest.mark.parametrize("pipe", PIPES.values(), ids=PIPES)
@each
def test_answers_are_those_of_a_detector_fitted_on_the_labels_as_given(hold, pipe):
    holder, plain = hold(pipe(_detector())).fit(X, LABELS), pipe(_detector()).fit(X, LABELS)
    detector = last_step(plain)
    assert np.array_equal(holder.score_samples(), detector.scores_)
    assert np.array_equal(holder.score_samples(X[::-1]), detector.scores_[::-1])
    assert np.array_equal(holder.decision_function(X), detector.decision_function())
    assert np.array_equal(holder.predict(), detector.labels_)
    assert np.array_equal(holder.label_quality(), detector.label_quality())
    assert holder.ranking(5).equals(detector.ranking(5))
    with pytest.raises(ValueError, match=r"1 row\(s\) not among the rows that were fitted"):
        holder.predict(X[:1] + 1)
    assert np.array_equal(hold(pipe(_detector())).fit_predict(X, LABELS), detector.labels_)


@pytest.mark.parametrize("carried", [False, True], ids=["labels", "dataset"])
@each
def test_what_is_flagged_is_left_out_of_the_data(hold, carried):
    data = (TensorDataset(torch.tensor(X), torch.tensor(LABELS)), None) if carried else (X, LABELS)
    holder, detector = hold(_detector()), _detector().fit(X, LABELS)
    kept, labels = holder.fit_resample(*data)
    expected = np.flatnonzero(detector.labels_ == 0)
    assert np.array_equal(holder.sample_indices_, expected)
    assert np.array_equal(labels, LABELS[expected])
    assert np.array_equal(torch.stack([x for x, _ in kept]) if carried else kept, X[expected])


@each
def test_without_a_refit_no_scores_are_there(hold):
    without = hold(_detector(), refit=False)
    for method in METHODS:
        assert hasattr(hold(_detector()), method)
        assert not hasattr(without, method)
    with pytest.raises(AttributeError, match="has no attribute 'ranking'") as raised:
        without.ranking()
    assert "Pass refit=True" in str(raised.value.__cause__)


@each
def test_tags_and_columns_are_the_detectors(hold):
    holder = hold(_detector())
    tags, held = get_tags(holder), get_tags(holder.detector)
    assert tags.input_tags == held.input_tags
    assert tags.target_tags.required
    assert not get_tags(hold(_detector(), random_state=0)).non_deterministic
    assert get_tags(hold(_detector(random_state=None), random_state=0)).non_deterministic
    assert get_tags(hold(_detector(), random_state=None)).non_deterministic
    frame = pd.DataFrame(X, columns=[f"p{i}" for i in range(64)])
    holder.fit(frame, LABELS)
    assert holder.n_features_in_ == 64
    assert holder.feature_names_in_.tolist() == frame.columns.tolist()
    assert not hasattr(holder.fit(X, LABELS), "feature_names_in_")
    assert "detector__net__lr" in holder.get_params()
    assert holder.set_params(detector__h=0.5).detector.h == 0.5

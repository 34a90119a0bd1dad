"""Known wrong labels as a grade: the scorer for searches, and the score that can't be one."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from curvdetect import LossDetector, noise_scorer
from curvdetect.detectors.grading import UndefinedScore, as_noise_mask
from curvdetect.metrics import auroc, average_precision
from tests.cases import noisy_digits, quick_net

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
N = 80
X, LABELS, MASK, _ = noisy_digits(N)


def _fit(estimator=None, rows=slice(None)):
    detector = LossDetector(quick_net(), max_epochs=2, device="cpu", random_state=0)
    return (detector if estimator is None else estimator(detector)).fit(X[rows], LABELS[rows])


HOLDERS = {
    "detector": None,
    "pipeline": lambda d: make_pipeline(StandardScaler(), d),
    "pipeline of pipelines": lambda d: make_pipeline(StandardScaler(), make_pipeline("passthrough", d)),
}


@pytest.mark.parametrize("hold", HOLDERS.values(), ids=HOLDERS)
@pytest.mark.parametrize(("name", "grade"), [("roc_auc", auroc), ("average_precision", average_precision)])
def test_a_scorer_grades_the_training_scores(hold, name, grade):
    estimator = _fit(hold)
    detector = estimator
    while hasattr(detector, "steps"):
        detector = detector[-1]
    assert noise_scorer(MASK, name)(estimator, X, LABELS) == grade(MASK, detector.scores_)


MASKS = {
    "bool": MASK,
    "numbers": MASK.astype(float),
    "list": MASK.tolist(),
    "tensor": torch.tensor(MASK),
    "series": pd.Series(MASK),
    "column": MASK[:, None],
}


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
def test_a_mask_is_read_as_booleans(mask):
    assert np.array_equal(as_noise_mask(mask, N), MASK)


def test_a_scorer_can_be_pickled_and_shown():
    scorer, detector = noise_scorer(MASK), _fit()
    assert pickle.loads(pickle.dumps(scorer))(detector) == scorer(detector)
    assert repr(scorer) == f"noise_scorer(<{MASK.sum()} of 80 wrong>, scoring='roc_auc')"


WRONG = {
    "nothing wrong": (np.zeros(N, bool), "roc_auc", "marks no label as wrong.*PlantedNoise"),
    "everything wrong": (np.ones(N, bool), "roc_auc", "marks every label as wrong"),
    "strings": (["yes", "no"], "roc_auc", "noise_mask must hold booleans"),
    "two columns": (np.stack([MASK, MASK], 1), "roc_auc", "1d array"),
    "unknown grade": (MASK, "accuracy", r"scoring must be one of \['roc_auc', 'average_precision'\], got 'accuracy'"),
    "no name": (MASK, None, "scoring must be one of"),
    "unhashable": (MASK, ["roc_auc"], "scoring must be one of"),
}


@pytest.mark.parametrize(("mask", "scoring", "message"), WRONG.values(), ids=WRONG)
def test_a_scorer_that_can_grade_nothing_is_not_made(mask, scoring, message):
    with pytest.raises(ValueError, match=message):
        noise_scorer(mask, scoring)


def test_a_scorer_refuses_other_samples_than_its_own():
    with pytest.raises(ValueError, match=r"noise_mask has 80 entries.*fitted on 60 samples.*cv=InSample\(\)"):
        noise_scorer(MASK)(_fit(rows=slice(60)))


def test_a_mask_of_another_length_is_refused():
    with pytest.raises(ValueError, match="noise_mask has 80 entries for 81 samples"):
        as_noise_mask(MASK, N + 1)


def test_an_undefined_score_is_a_plain_nan_to_all_but_searches():
    with pytest.warns(UndefinedMetricWarning):
        score = _fit().score(X, LABELS)
    assert isinstance(score, float)
    assert np.isnan(score)
    assert np.isnan(np.mean([score, 1.0]))
    assert repr(score) == "nan"
    for again in (pickle.loads(pickle.dumps(score)), copy.deepcopy(score)):
        assert isinstance(again, UndefinedScore)
    with pytest.raises(RuntimeError, match="request noise_mask by metadata routing"):
        score.item()

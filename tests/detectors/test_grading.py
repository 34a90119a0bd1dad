"""Known wrong labels as a grade: the scorer for searches, and the score that can't be one."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from curvdetect import LossDetector, noise_scorer
from curvdetect.detectors.grading import UndefinedScore
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


def test_a_scorer_can_be_pickled_and_shown():
    scorer, detector = noise_scorer(MASK), _fit()
    assert pickle.loads(pickle.dumps(scorer))(detector) == scorer(detector)
    assert repr(scorer) == f"noise_scorer(<{MASK.sum()} of 80 wrong>, scoring='roc_auc')"


def test_a_scorer_refuses_other_samples_than_its_own():
    with pytest.raises(ValueError, match=r"noise_mask has 80 entries.*fitted on 60 samples.*cv=InSample\(\)"):
        noise_scorer(MASK)(_fit(rows=slice(60)))


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

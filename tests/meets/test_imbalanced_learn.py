"""Samplers of imbalanced-learn before and behind a detector."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.pipeline import make_pipeline
from imblearn.under_sampling import RandomUnderSampler, TomekLinks
from sklearn.neighbors import KNeighborsClassifier

from curvdetect import LeaveOneOutDetector
from tests.cases import noisy_digits

pytestmark = pytest.mark.meets("imbalanced-learn")
ALL, GIVEN, WRONG, _ = noisy_digits(600)
KEPT = np.flatnonzero((GIVEN < 3) & ((GIVEN != 2) | (np.arange(600) % 3 == 0)))  # few samples of the last class
INDEX = [f"scan-{i:03}" for i in KEPT]
X, Y, MASK = pd.DataFrame(ALL[KEPT], index=INDEX), pd.Series(GIVEN[KEPT], index=INDEX), WRONG[KEPT]


def detector():
    return LeaveOneOutDetector(q=10, device="cpu", random_state=0)


@pytest.mark.parametrize(
    "sampler", [RandomUnderSampler(random_state=0), TomekLinks(), RandomOverSampler(random_state=0)]
)
def test_positions_behind_a_sampler_are_those_of_what_it_drew(sampler):
    """Behind a sampler that draws rows, `sampler.sample_indices_[ranking["index"]]` names the rows of the data.

    Positions in a ranking are those of the rows that the sampler passed on. Most samplers number the index of a frame
    anew.
    """
    pipeline = make_pipeline(sampler, detector()).fit(X, Y)
    drawn, found = pipeline[0].sample_indices_, pipeline[-1].ranking(10)
    assert len(pipeline[-1].scores_) == len(drawn) != len(X)
    rows = drawn[found["index"]]
    assert np.array_equal(Y.iloc[rows], found["given"])
    if not isinstance(sampler, RandomUnderSampler):  # which leaves ten samples a class
        assert MASK[rows].mean() > 2 * MASK.mean()


def test_made_samples_follow_those_of_the_data():
    """SMOTE puts made samples behind the rows of the data, which keep their positions and are scored by them.

    SMOTE has no `sample_indices_`. Positions from `len(X)` on are made samples, which name no row.
    """
    pipeline = make_pipeline(SMOTE(random_state=0), detector()).fit(X, Y)
    scores = pipeline[-1].scores_
    assert not hasattr(pipeline[0], "sample_indices_")
    assert len(scores) > len(X)
    assert np.array_equal(pipeline.score_samples(X), scores[: len(X)])
    suspects = np.argsort(-scores[: len(X)])[:10]
    assert MASK[suspects].mean() > 2 * MASK.mean()


def test_cleaning_comes_before_a_sampler_and_keeps_the_index():
    """A detector before a sampler drops wrong labels of the data itself, and `sample_indices_` names what it kept."""
    model = make_pipeline(detector(), RandomUnderSampler(random_state=0), KNeighborsClassifier(1)).fit(X, Y)
    kept = model[0].sample_indices_
    left, labels = detector().fit_resample(X, Y)
    assert left.index.tolist() == labels.index.tolist() == [INDEX[i] for i in kept]
    assert MASK[kept].mean() < MASK.mean()
    assert model.predict(X).shape == (len(X),)

"""Tables of words, numbers and gaps behind skrub's steps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import skrub

from curvdetect import LeaveOneOutDetector
from tests.cases import noisy_digits

pytestmark = pytest.mark.meets("skrub")
X, LABELS, MASK, _ = noisy_digits(300)
TABLE = pd.DataFrame(X[:, 10:54]).add_prefix("pixel").assign(top=np.where(X[:, 20] > 0.5, "dark", "light"))
TABLE.loc[::7, "pixel9"] = np.nan


def detector():
    return LeaveOneOutDetector(q=20, device="cpu", random_state=0)


def test_a_detector_ends_a_tabular_pipeline():
    """`tabular_pipeline(detector)` on words and gaps: 9 of 10 flagged labels are the planted ones."""
    pipeline = skrub.tabular_pipeline(detector()).fit(TABLE, LABELS)
    assert MASK[pipeline[-1].labels_ == 1].mean() >= 0.9


def test_a_learner_of_data_ops_flags_what_the_pipeline_flags():
    """A plan of `skb.apply` with the detector flags the same samples as a pipeline of the same steps."""
    steps = skrub.TableVectorizer(), skrub.SquashingScaler()
    X, y = skrub.X(), skrub.y()
    plan = X.drop(columns="pixel9")
    for step in steps:
        plan = plan.skb.apply(step)
    learner = plan.skb.apply(detector(), y=y).skb.make_learner()
    given = {"X": TABLE, "y": pd.Series(LABELS)}
    flags = learner.fit(given).predict(given)
    made = TABLE.drop(columns="pixel9")
    for step in steps:
        made = step.fit_transform(made)
    assert np.array_equal(flags, detector().fit_predict(made, LABELS))
    assert MASK[flags == 1].mean() >= 0.9

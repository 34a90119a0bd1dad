"""What a detector found, in cleanlab's forms, as cleanlab itself takes it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from cleanlab.classification import CleanLearning
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from curvdetect import LossDetector, label_issues, register_with_datalab
from tests.cases import noisy_digits, quick_net

N = 120
X, LABELS, MASK, TRUE = noisy_digits(N)
FAST = {"q": 12, "stop_at": 1.0, "device": "cpu", "random_state": 0}


def fitted(labels=LABELS):
    return LossDetector(quick_net(), **FAST).fit(X, labels)


def test_the_frame_has_the_shape_of_cleanlabs_own():
    detector, theirs = fitted(), CleanLearning(LogisticRegression(max_iter=50), cv_n_folds=2, seed=0)
    theirs = theirs.find_label_issues(X, LABELS)
    frame = label_issues(detector)
    assert frame.columns.tolist() == theirs.columns.tolist()
    assert [kind.kind for kind in frame.dtypes] == [kind.kind for kind in theirs.dtypes]
    assert frame.index.equals(theirs.index)
    np.testing.assert_array_equal(frame["given_label"], theirs["given_label"])


def test_the_frame_says_what_the_detector_says():
    detector = fitted()
    frame, flagged = label_issues(detector), detector.labels_ == 1
    np.testing.assert_array_equal(frame["is_label_issue"], flagged)
    np.testing.assert_array_equal(frame["label_quality"], detector.label_quality())
    np.testing.assert_array_equal(frame["given_label"], LABELS)
    np.testing.assert_array_equal(frame["predicted_label"][flagged], detector.suggested_labels_[flagged])
    np.testing.assert_array_equal(frame["predicted_label"][~flagged], LABELS[~flagged])
    assert frame["label_quality"].idxmin() == detector.ranking_[0]


NAMES = {
    "text": np.array([f"digit {i}" for i in range(10)]),
    "far apart": np.array([-100, *range(20, 29)]),
    "objects": np.array([f"digit {i}" for i in range(10)], dtype=object),
}


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_labels_of_any_kind_are_positions_in_the_classes(names):
    pd.testing.assert_frame_equal(label_issues(fitted(names[LABELS])), label_issues(fitted()))


def test_clean_learning_trains_without_what_is_flagged():
    frame = label_issues(fitted())
    learner = CleanLearning(LogisticRegression(max_iter=200)).fit(X, LABELS, label_issues=frame)
    kept = ~frame["is_label_issue"].to_numpy()
    alone = LogisticRegression(max_iter=200).fit(X[kept], LABELS[kept])
    np.testing.assert_allclose(learner.predict_proba(X), alone.predict_proba(X))
    assert learner.get_label_issues() is frame


def test_the_index_of_the_data_can_be_its():
    index = pd.Index([f"row {i}" for i in range(N)])
    assert label_issues(make_pipeline("passthrough", fitted()), index=index).index.equals(index)
    with pytest.raises(ValueError, match=f"index has 3 entries for {N} samples"):
        label_issues(fitted(), index=[1, 2, 3])


def test_what_is_not_fitted_is_refused():
    with pytest.raises(NotFittedError):
        label_issues(LossDetector())
    with pytest.raises(TypeError, match="got a LogisticRegression"):
        label_issues(LogisticRegression().fit(X, LABELS))


ALONE = """
import sys
import curvdetect
optional = {"cleanlab", "datasets", "polars"} & set(sys.modules)
assert not optional, f"{optional} are imported with curvdetect"
sys.modules["datasets"] = None
try:
    curvdetect.register_with_datalab()
except ImportError as error:
    assert "pip install 'cleanlab[datalab]'" in str(error), error
else:
    raise AssertionError("registered without datasets")
"""


def test_importing_curvdetect_imports_nothing_optional_and_datalab_says_what_it_misses():
    subprocess.run([sys.executable, "-W", "ignore", "-c", ALONE], check=True)


def test_registering_twice_is_silent(capsys):
    register_with_datalab()
    register_with_datalab()
    assert capsys.readouterr().out == ""

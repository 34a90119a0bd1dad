"""The kind of issue in cleanlab's Datalab, beside those of its own."""

from __future__ import annotations

import numpy as np
import pytest

from curvdetect import LeaveOneOutDetector, register_with_datalab
from tests.cases import noisy_digits

pytestmark = pytest.mark.meets("cleanlab", "datasets")
X, LABELS, MASK, _ = noisy_digits(200)
NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


def lab_of(data):
    from cleanlab import Datalab

    register_with_datalab()
    return Datalab(data, label_name="y", verbosity=0)


@pytest.mark.parametrize("kind", ["text", "ClassLabel"])
def test_labels_are_named_whatever_order_datalab_gives_the_classes(kind):
    """`get_info("curvature")` has the given labels by name, of text and of a ClassLabel; flagged ones are planted.

    Datalab sorts classes of text; those of a ClassLabel keep their order.
    """
    datasets = pytest.importorskip("datasets")
    data = {"x": X, "y": [NAMES[label] for label in LABELS]}
    if kind == "ClassLabel":
        column = datasets.List(datasets.Value("float32"))
        features = datasets.Features({"x": column, "y": datasets.ClassLabel(names=NAMES)})
        data = datasets.Dataset.from_dict({"x": X.tolist(), "y": LABELS.tolist()}, features=features)
    lab = lab_of(data)
    assert lab.class_names == (NAMES if kind == "ClassLabel" else sorted(NAMES))
    detector = LeaveOneOutDetector(q=15, device="cpu", random_state=0)
    lab.find_issues(issue_types={"curvature": {"detector": detector}})
    flagged = lab.get_issues("curvature")["is_curvature_issue"]
    assert MASK[flagged].mean() > 0.8
    assert lab.get_info("curvature")["given_label"] == [NAMES[label] for label in LABELS]


def test_a_kind_that_fails_is_missing_without_an_error(capsys):
    """A kind of issue that fails leaves no column and raises nothing: `get_issues` then raises for it.

    Datalab prints "Error in curvature" and goes on. The kinds after it are there.
    """
    lab = lab_of({"x": np.where(MASK[:, None], np.nan, X), "y": LABELS})
    lab.find_issues(features=X, issue_types={"curvature": {"max_epochs": 1}, "near_duplicate": {}})
    printed = capsys.readouterr().out
    assert "Error in curvature: Input X contains NaN" in printed
    assert lab.get_issue_summary()["issue_type"].tolist() == ["near_duplicate"]
    with pytest.raises(ValueError, match="No columns found for issue type 'curvature'"):
        lab.get_issues("curvature")

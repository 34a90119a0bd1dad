"""A detector's findings in cleanlab's forms, as cleanlab itself takes them."""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pytest
from cleanlab import Datalab
from cleanlab.classification import CleanLearning
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import curvdetect
from curvdetect import CurvatureNoiseDetector, LossDetector, label_issues, register_with_datalab
from tests.cases import noisy_digits, quick_net

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
N = 100
X, LABELS, MASK, _ = noisy_digits(N)
DIGITS = np.array([f"digit {i}" for i in range(10)])
NAMES = DIGITS[LABELS]
FAST = {"q": 10, "max_epochs": 2, "device": "cpu", "random_state": 0}


@cache
def fitted(named=False):
    return LossDetector(quick_net(), **FAST).fit(X, NAMES if named else LABELS)


@pytest.mark.meets("cleanlab")
def test_the_frame_is_like_cleanlabs_own_and_says_what_the_detector_says():
    """`label_issues` has the columns and types of the frame of `CleanLearning`."""
    theirs = CleanLearning(LogisticRegression(max_iter=50), cv_n_folds=2, seed=0).find_label_issues(X, LABELS)
    detector = fitted()
    frame, flagged = label_issues(detector), detector.labels_ == 1
    assert frame.columns.tolist() == theirs.columns.tolist()
    assert [kind.kind for kind in frame.dtypes] == [kind.kind for kind in theirs.dtypes]
    assert frame.index.equals(theirs.index)
    np.testing.assert_array_equal(frame["is_label_issue"], flagged)
    np.testing.assert_array_equal(frame["label_quality"], detector.label_quality())
    np.testing.assert_array_equal(frame["given_label"], LABELS)
    np.testing.assert_array_equal(frame["predicted_label"][flagged], detector.suggested_labels_[flagged])
    np.testing.assert_array_equal(frame["predicted_label"][~flagged], LABELS[~flagged])
    assert frame["label_quality"].idxmin() == detector.ranking_[0]
    pd.testing.assert_frame_equal(label_issues(fitted(named=True)), frame)


def test_the_index_of_the_data_can_be_that_of_the_frame():
    index = pd.Index([f"row {i}" for i in range(N)])
    assert label_issues(make_pipeline("passthrough", fitted()), index=index).index.equals(index)
    with pytest.raises(ValueError, match=f"index has 3 entries for {N} samples"):
        label_issues(fitted(), index=[1, 2, 3])
    with pytest.raises(NotFittedError):
        label_issues(LossDetector())


def test_nothing_optional_is_imported_with_curvdetect_and_datalab_says_what_it_misses(monkeypatch):
    for path in Path(curvdetect.__file__).parent.rglob("*.py"):
        tops = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)]
        names = [getattr(node, "module", None) or node.names[0].name for node in tops]
        optional = re.findall(r"(?:^| )(?:cleanlab|datasets|polars|curvdetect.review.datalab)\b", " ".join(names))
        assert not optional or path.name == "datalab.py", path
    monkeypatch.setitem(sys.modules, "cleanlab.datalab.datalab", None)
    with pytest.raises(ImportError, match=r"pip install 'cleanlab\[datalab\]'"):
        register_with_datalab()


def lab_of(data=None, label_name="y"):
    register_with_datalab()
    return Datalab({"X": X, "y": NAMES} if data is None else data, label_name=label_name, verbosity=0)


def found(lab, **options):
    lab.find_issues(issue_types={"curvature": {**FAST, **options}})
    return lab.get_issues("curvature")


def test_flags_and_scores_are_the_detectors_and_saved_with_the_lab(tmp_path, capsys):
    lab = lab_of()
    register_with_datalab()
    assert capsys.readouterr().out == ""
    issues = found(lab)
    detector = CurvatureNoiseDetector(**FAST).fit(X, NAMES)
    assert issues.columns.tolist() == ["is_curvature_issue", "curvature_score"]
    np.testing.assert_array_equal(issues["is_curvature_issue"], detector.labels_ == 1)
    np.testing.assert_array_equal(issues["curvature_score"], detector.label_quality())
    info = lab.get_info("curvature")
    assert info["given_label"] == NAMES.tolist()
    flagged = detector.ranking(10)
    assert [info["predicted_label"][i] for i in flagged["index"]] == flagged["suggested"].tolist()
    np.testing.assert_array_equal(info["detector"].scores_, detector.scores_)
    assert lab.get_issue_summary("curvature").to_dict("records") == [
        {"issue_type": "curvature", "score": 0.9, "num_issues": 10}
    ]
    lab.save(tmp_path / "lab", force=True)
    pd.testing.assert_frame_equal(Datalab.load(tmp_path / "lab").get_issues("curvature"), issues)


def test_the_report_shows_labels_beside_scores(capsys):
    lab = lab_of()
    worst = found(lab, detector=LossDetector(quick_net()))["curvature_score"].idxmin()
    info = lab.get_info("curvature")
    for verbosity in (0, 4):
        lab.report(verbosity=verbosity)
        text = capsys.readouterr().out
        assert "Number of examples with this issue: 10" in text
        row = next(line for line in text.splitlines() if line.startswith(f"{worst} "))
        assert row.endswith(f"{info['given_label'][worst]}         {info['predicted_label'][worst]}")


def pictures():
    return [Image.fromarray((x.reshape(8, 8) * 255).astype("uint8")) for x in X]


def dataset(label, kind=None, **columns):
    """Return a Dataset of labels and columns, each with its values and their kind."""
    columns["y"] = (label.tolist(), kind or datasets.ClassLabel(10))
    features = datasets.Features({name: kind for name, (_, kind) in columns.items()})
    return datasets.Dataset.from_dict({name: values for name, (values, _) in columns.items()}, features=features)


ARRAYS = (X.reshape(-1, 8, 8).tolist(), datasets.Array2D((8, 8), "float32"))
FILES = ([f"{i}.png" for i in range(N)], datasets.Value("string"))
DATA = {
    "arrays of two axes": lambda: dataset(NAMES, datasets.Value("string"), image=ARRAYS),
    "pictures": lambda: dataset(LABELS, photo=(pictures(), datasets.Image())),
    "pictures beside a name": lambda: dataset(
        LABELS, datasets.ClassLabel(10), image=(pictures(), datasets.Image()), name=FILES
    ),
}


@pytest.mark.parametrize("make", DATA.values(), ids=DATA)
def test_samples_are_the_columns_beside_the_label(make):
    assert found(lab_of(make()), max_epochs=1)["is_curvature_issue"].sum() == 10


def test_columns_of_numbers_are_one_table_and_samples_can_be_handed_over():
    columns = pd.DataFrame(X, columns=[f"pixel {i}" for i in range(64)]).assign(y=NAMES)
    texts = {"text": [f"text {i}" for i in range(N)], "y": NAMES}
    expected = fitted(named=True).label_quality()
    for lab, options in ((lab_of(columns), {}), (lab_of(texts), {"features": X})):
        issues = found(lab, detector=LossDetector(quick_net()), **options)
        np.testing.assert_array_equal(issues["curvature_score"], expected)


def test_classes_without_a_sample_shift_no_name():
    kind = datasets.ClassLabel(names=["none", *"abcdefghij"])
    lab = lab_of(dataset(LABELS + 1, kind, x=(X.tolist(), datasets.List(datasets.Value("float32")))))
    found(lab, max_epochs=1)
    assert lab.get_info("curvature")["given_label"] == np.array(list("abcdefghij"))[LABELS].tolist()


def test_a_detector_is_fitted_as_a_copy_unless_it_is_fitted():
    detector = make_pipeline(StandardScaler(), LossDetector(quick_net()))
    issues = found(lab_of(), detector=detector)
    expected = clone(detector).set_params(**{f"lossdetector__{k}": v for k, v in FAST.items()}).fit(X, NAMES)
    np.testing.assert_array_equal(issues["curvature_score"], expected[-1].label_quality())
    assert not hasattr(detector[-1], "scores_")
    lab = lab_of({"text": ["no sample"] * N, "y": NAMES})
    lab.find_issues(issue_types={"curvature": {"detector": expected}})
    np.testing.assert_array_equal(lab.get_issues("curvature")["curvature_score"], expected[-1].label_quality())


WRONG = {
    "parameter": (lambda: {"qq": 3}, ValueError, "Invalid parameter 'qq'"),
    "detector": (lambda: {"detector": LogisticRegression()}, TypeError, "detector must be a detector of wrong labels"),
    "class": (lambda: {"detector": LossDetector}, TypeError, "detector must be a detector of wrong labels"),
    "features": (lambda: {"features": X[:3]}, ValueError, "features has 3 samples, and the Datalab 100 labels"),
    "fitted": (lambda: {"detector": fitted(named=True), "q": 3}, ValueError, "q would change nothing"),
}


@pytest.mark.parametrize(("options", "kind", "message"), WRONG.values(), ids=WRONG)
def test_wrong_parameters_are_refused_at_once(options, kind, message):
    with pytest.raises(kind, match=message):
        lab_of().find_issues(issue_types={"curvature": options()})


def test_a_detector_of_other_labels_and_a_lab_without_labels_or_samples_are_refused():
    other = lab_of({"X": X, "y": np.roll(NAMES, 1)})
    with pytest.raises(ValueError, match="fitted on other labels"):
        other.find_issues(issue_types={"curvature": {"detector": fitted(named=True)}})
    with pytest.raises(ValueError, match="no column beside its label"):
        lab_of({"y": NAMES}).find_issues(issue_types={"curvature": {}})
    with pytest.raises(ValueError, match="Datalab has no labels"):
        Datalab({"X": X}, verbosity=0).find_issues(issue_types={"curvature": {}})

"""Datalab finds the issue "curvature" like those it knows itself."""

from __future__ import annotations

import datasets
import numpy as np
import pandas as pd
import pytest
from cleanlab import Datalab
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from curvdetect import CurvatureNoiseDetector, LossDetector, register_with_datalab
from tests.cases import noisy_digits, quick_net

pytestmark = pytest.mark.filterwarnings(f"ignore::{ConvergenceWarning.__module__}.ConvergenceWarning")
N = 100
X, LABELS, MASK, _ = noisy_digits(N)
NAMES = np.array([f"digit {i}" for i in range(10)])[LABELS]
FAST = {"q": 10, "max_epochs": 2, "device": "cpu", "random_state": 0}


@pytest.fixture(autouse=True)
def _registered():
    register_with_datalab()


def lab_of(data=None, label_name="y"):
    return Datalab({"X": X, "y": NAMES} if data is None else data, label_name=label_name, verbosity=0)


def found(lab, **options):
    lab.find_issues(issue_types={"curvature": {**FAST, **options}})
    return lab.get_issues("curvature")


def test_flags_and_scores_are_the_detectors():
    lab = lab_of()
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


def test_the_summary_counts_what_is_flagged():
    lab = lab_of()
    found(lab)
    assert lab.get_issue_summary("curvature").to_dict("records") == [
        {"issue_type": "curvature", "score": 0.9, "num_issues": 10}
    ]


@pytest.mark.parametrize("verbosity", [0, 4])
def test_the_report_shows_labels_beside_scores(verbosity, capsys):
    lab = lab_of()
    worst = found(lab)["curvature_score"].idxmin()
    lab.report(verbosity=verbosity)
    text = capsys.readouterr().out
    assert "Number of examples with this issue: 10" in text
    row = next(line for line in text.splitlines() if line.startswith(f"{worst} "))
    info = lab.get_info("curvature")
    assert row.endswith(f"{info['given_label'][worst]}         {info['predicted_label'][worst]}")


DATA = {
    "arrays": lambda: {"X": X, "y": NAMES},
    "columns": lambda: pd.DataFrame(X, columns=[f"pixel {i}" for i in range(64)]).assign(y=NAMES),
    "arrays of two axes": lambda: datasets.Dataset.from_dict(
        {"image": X.reshape(-1, 8, 8).tolist(), "y": NAMES.tolist()},
        features=datasets.Features({"image": datasets.Array2D((8, 8), "float32"), "y": datasets.Value("string")}),
    ),
    "pictures": lambda: datasets.Dataset.from_dict(
        {"photo": [Image.fromarray((x.reshape(8, 8) * 255).astype("uint8")) for x in X], "y": LABELS.tolist()},
        features=datasets.Features({"photo": datasets.Image(), "y": datasets.ClassLabel(10)}),
    ),
    "pictures beside a name": lambda: datasets.Dataset.from_dict(
        {
            "image": [Image.fromarray((x.reshape(8, 8) * 255).astype("uint8")) for x in X],
            "name": [f"{i}.png" for i in range(N)],
            "y": LABELS.tolist(),
        },
        features=datasets.Features(
            {"image": datasets.Image(), "name": datasets.Value("string"), "y": datasets.ClassLabel(10)}
        ),
    ),
}


@pytest.mark.parametrize("make", DATA.values(), ids=DATA)
def test_samples_are_the_columns_beside_the_label(make):
    assert found(lab_of(make()))["is_curvature_issue"].sum() == 10


def test_columns_of_numbers_are_one_table():
    of_columns, of_arrays = found(lab_of(DATA["columns"]())), found(lab_of())
    np.testing.assert_array_equal(of_columns["curvature_score"], of_arrays["curvature_score"])


def test_samples_can_be_handed_over():
    lab = lab_of({"text": [f"text {i}" for i in range(N)], "y": NAMES})
    np.testing.assert_array_equal(found(lab, features=X)["curvature_score"], found(lab_of())["curvature_score"])


def test_classes_without_a_sample_shift_no_name():
    features = datasets.Features(
        {"x": datasets.List(datasets.Value("float32")), "y": datasets.ClassLabel(names=["none", *"abcdefghij"])}
    )
    lab = lab_of(datasets.Dataset.from_dict({"x": X.tolist(), "y": (LABELS + 1).tolist()}, features=features))
    found(lab)
    assert lab.get_info("curvature")["given_label"] == np.array(list("abcdefghij"))[LABELS].tolist()


def test_any_detector_is_fitted_as_a_copy():
    detector = make_pipeline(StandardScaler(), LossDetector(quick_net()))
    lab = lab_of()
    issues = found(lab, detector=detector)
    expected = clone(detector).set_params(**{f"lossdetector__{k}": v for k, v in FAST.items()}).fit(X, NAMES)
    np.testing.assert_array_equal(issues["curvature_score"], expected[-1].label_quality())
    assert not hasattr(detector[-1], "scores_")


def test_a_fitted_detector_is_taken_as_it_is():
    detector = LossDetector(quick_net(), **FAST).fit(X, NAMES)
    lab = lab_of({"text": ["no sample"] * N, "y": NAMES})
    lab.find_issues(issue_types={"curvature": {"detector": detector}})
    np.testing.assert_array_equal(lab.get_issues("curvature")["curvature_score"], detector.label_quality())


def test_it_is_saved_with_the_lab(tmp_path):
    lab = lab_of()
    issues = found(lab)
    lab.save(tmp_path / "lab", force=True)
    pd.testing.assert_frame_equal(Datalab.load(tmp_path / "lab").get_issues("curvature"), issues)


def elsewhere():
    return LossDetector(quick_net(), **FAST).fit(X, np.roll(NAMES, 1))


WRONG = {
    "parameter": (lambda: {"qq": 3}, ValueError, "Invalid parameter 'qq'"),
    "detector": (lambda: {"detector": LogisticRegression()}, TypeError, "detector must be a detector of wrong labels"),
    "class": (lambda: {"detector": LossDetector}, TypeError, "detector must be a detector of wrong labels"),
    "features": (lambda: {"features": X[:3]}, ValueError, "features has 3 samples, and the Datalab 100 labels"),
    "other labels": (lambda: {"detector": elsewhere()}, ValueError, "fitted on other labels"),
    "fitted": (lambda: {"detector": elsewhere(), "q": 3}, ValueError, "q would change nothing"),
}


@pytest.mark.parametrize(("options", "kind", "message"), WRONG.values(), ids=WRONG)
def test_wrong_parameters_are_refused_at_once(options, kind, message):
    with pytest.raises(kind, match=message):
        lab_of().find_issues(issue_types={"curvature": options()})


def test_a_lab_without_labels_or_samples_is_refused():
    with pytest.raises(ValueError, match="Datalab has no labels"):
        Datalab({"X": X}, verbosity=0).find_issues(issue_types={"curvature": {}})
    with pytest.raises(ValueError, match="no column beside its label"):
        lab_of({"y": NAMES}).find_issues(issue_types={"curvature": {}})

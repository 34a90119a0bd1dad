"""The results of a fitted detector: found in whatever holds it, by epoch, and where only some samples are scored."""

from __future__ import annotations

import pickle
from functools import cache

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from torch.nn import functional as F

from curvdetect import (
    CurvatureNoiseDetector,
    CurvatureSearch,
    CurvSSFT,
    DetectionCurveDisplay,
    ExtremesDisplay,
    InSample,
    LossDetector,
    PlantedNoise,
    ScoreHistogramDisplay,
    find_conflicting_duplicates,
    label_issues,
    load,
    noise_scorer,
    save,
    scores_by_epoch,
    write_report,
)
from curvdetect.review.results import fitted_detector, scores_of
from tests.cases import noisy_digits, quick_net, untouched_rng

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
N = 300
X, LABELS, MASK, _ = noisy_digits(N)
OLD, NEW = slice(0, 200), slice(200, N)
SOME = np.arange(5, N, 3)
FAST = {"stop_at": 1.0, "device": "cpu", "random_state": 0}


def loss():
    return LossDetector(quick_net(), max_epochs=1, **FAST)


def search(refit=True):
    options = {"cv": InSample(), "scoring": noise_scorer(MASK[:60]), "error_score": "raise", "refit": refit}
    return GridSearchCV(loss(), {"q": [3, 6]}, **options)


def planted():
    return PlantedNoise(loss(), refit=True, random_state=0)


HOLDERS = {
    "detector": loss,
    "pipeline": lambda: make_pipeline("passthrough", loss()),
    "grid search": search,
    "search of planted": lambda: GridSearchCV(planted(), {"rate": [0.1]}, cv=InSample()),
}


@pytest.mark.parametrize("make", HOLDERS.values(), ids=HOLDERS)
def test_the_detector_is_found_where_it_was_fitted(make):
    with pytest.raises(NotFittedError):
        fitted_detector(make())
    found = fitted_detector(make().fit(X[:60], LABELS[:60]))
    assert isinstance(found, LossDetector)
    np.testing.assert_array_equal(found.scores_, loss().fit(X[:60], LABELS[:60]).scores_)


REFUSED = {
    "another estimator": (lambda: LogisticRegression().fit(X[:60], LABELS[:60]), "got a LogisticRegression"),
    "a table": (lambda: X, "got a ndarray"),
    "no refit": (lambda: search(refit=False).fit(X[:60], LABELS[:60]), "Pass refit=True"),
}


@pytest.mark.parametrize(("make", "message"), REFUSED.values(), ids=REFUSED)
def test_an_estimator_without_a_detector_is_refused(make, message):
    with pytest.raises(TypeError, match=message):
        fitted_detector(make())


def test_a_search_over_curvatures_leads_to_its_best_whose_scores_are_its_own_or_those_of_a_signal():
    search = CurvatureSearch(CurvatureNoiseDetector(quick_net(), max_epochs=1, **FAST), {"h": [1e-2, 1e-3]})
    search.fit(X[:60], LABELS[:60], noise_mask=MASK[:60])
    detector = search.best_estimator_
    assert fitted_detector(search) is detector
    assert scores_of(search) is detector.scores_
    assert scores_of(search, "margin") is detector.signal_scores_["margin"]
    detector = loss().fit(X[:60], LABELS[:60])
    with pytest.raises(ValueError, match=r"signal must be None or one .*'loss'.*got 'curvature'"):
        scores_of(detector, "curvature")


@cache
def kept():
    signals = ("late_loss", "final_loss", "input_gradient", "averaged_margin")
    detector = CurvatureNoiseDetector(quick_net(), every=1, keep_snapshots=4, signals=signals, **FAST)
    return detector.fit(X[OLD], LABELS[OLD])


@pytest.mark.parametrize("part", [OLD, NEW], ids=["fitted", "not fitted"])
def test_the_mean_over_epochs_is_the_score(part):
    with untouched_rng():
        found = scores_by_epoch(make_pipeline("passthrough", kept()), X[part], LABELS[part])
    assert found.epoch.tolist() == [1, 2, 3, 4]
    scores = kept().score_samples(X[part], LABELS[part])
    np.testing.assert_allclose(found.signals["curvature_contrast"].mean(0), scores, rtol=1e-6)
    # those that have a value in one epoch
    expected = {"curvature", "curvature_contrast", "input_gradient", "loss", "margin", "inconfidence"}
    assert set(found.signals) == expected
    assert {values.shape for values in found.signals.values()} == {(4, len(X[part]))}
    assert all(len(np.unique(values[:, 0])) == 4 for values in found.signals.values())


def test_signals_of_fitted_samples_are_those_of_the_history_and_of_the_weights_that_were_kept():
    found = scores_by_epoch(kept(), X[OLD], LABELS[OLD])
    for name in ("curvature", "curvature_contrast"):
        noted = [record[f"mean_{name}"] for record in kept().history_]
        np.testing.assert_allclose(found.signals[name].mean(1), noted, rtol=1e-4)
    module = pickle.loads(pickle.dumps(kept().net_.module_)).eval()
    codes = torch.tensor(np.searchsorted(kept().classes_, LABELS[OLD]))
    for snapshot, losses in zip(kept().snapshots_, found.signals["loss"], strict=True):
        module.load_state_dict(snapshot.load())
        with torch.no_grad():
            expected = F.cross_entropy(module(torch.tensor(X[OLD])), codes, reduction="none")
        np.testing.assert_allclose(losses, expected, rtol=1e-4, atol=1e-6)


def test_what_has_no_scores_by_epoch_is_refused():
    for detector, said in (
        (loss(), r"fit LossDetector\(keep_snapshots=8\)"),
        (CurvSSFT(quick_net(max_epochs=1), device="cpu"), "use a detector that has keep_snapshots"),
    ):
        detector.fit(X[OLD], LABELS[OLD])
        with pytest.raises(ValueError, match=said):
            scores_by_epoch(detector, X[NEW], LABELS[NEW])
    with pytest.raises(ValueError, match=r"signal must be 'auto' or one that has a value .*\['curvature_c"):
        scores_by_epoch(kept(), X[NEW], LABELS[NEW]).chosen("learning_time")
    with pytest.raises(ValueError, match=r"y holds labels that were not fitted: \[10"):
        scores_by_epoch(kept(), X[NEW], LABELS[NEW] + 10)


def some_scored(kind=CurvatureNoiseDetector):
    return kind(quick_net(), score_on=SOME, q=4, max_epochs=2, device="cpu", random_state=0)


@cache
def part():
    return some_scored().fit(X, LABELS)


def test_results_are_those_of_the_scored_samples(tmp_path):
    issues = label_issues(part())
    assert issues["is_label_issue"].sum() == 4
    assert issues["label_quality"].notna().sum() == len(SOME)
    assert f"{len(SOME)} suspects of {N}" in write_report(part(), X, tmp_path / "page.html", k=N).read_text()
    save(part(), tmp_path / "part")
    again = load(tmp_path / "part", net=quick_net())
    for name in ("scores_", "score_on", "scored_mask_"):
        np.testing.assert_array_equal(getattr(again, name), getattr(part(), name))


def test_a_pair_is_found_and_graded_where_its_members_are_not_scored():
    twice, labels = np.concatenate([X, X[:1]]), np.append(LABELS, (LABELS[0] + 1) % 10)
    curved, plain = (some_scored(kind).fit(twice, labels) for kind in (CurvatureNoiseDetector, LossDetector))
    pairs, expected = (find_conflicting_duplicates(one, twice, near=False) for one in (curved, plain))
    assert pairs[["first", "second"]].values.tolist() == [[0, N]]
    assert np.isnan(pairs["curvature"][0])
    assert pairs["score"][0] == expected["score"][0]  # by the loss, which is there for all


def test_displays_draw_the_scored_samples():
    curve = DetectionCurveDisplay.from_estimator(part(), MASK)
    assert curve.roc_auc == pytest.approx(roc_auc_score(MASK[SOME], part().scores_[SOME]))
    assert len(curve.precision) == len(SOME)
    histogram = ScoreHistogramDisplay.from_estimator(part(), noise_mask=MASK)
    assert len(histogram.scores) == len(SOME)
    assert histogram.noise_mask.sum() == MASK[SOME].sum()
    assert len(ScoreHistogramDisplay.from_estimator(part(), signal="loss").scores) == N
    extremes = ExtremesDisplay.from_estimator(part(), X.reshape(-1, 8, 8), k=3)
    shown = np.concatenate([extremes.lowest_index.ravel(), extremes.highest_index.ravel()])
    assert np.isin(shown[shown >= 0], SOME).all()
    with pytest.raises(ValueError, match=f"noise_mask has 3 entries for {N} samples"):
        DetectionCurveDisplay.from_estimator(part(), [True, False, True])

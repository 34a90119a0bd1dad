"""Where some samples are scored, whatever looks at results shows these, and finds its way past the others."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from curvdetect import (
    CurvatureNoiseDetector,
    DetectionCurveDisplay,
    ExtremesDisplay,
    LossDetector,
    ScoreHistogramDisplay,
    find_conflicting_duplicates,
    label_issues,
    load,
    save,
    write_report,
)
from tests.cases import noisy_digits, quick_net

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
N = 120
X, LABELS, MASK, _ = noisy_digits(N)
SOME = np.arange(5, N, 3)


def detector(kind=CurvatureNoiseDetector):
    return kind(quick_net(), score_on=SOME, q=4, max_epochs=3, device="cpu", random_state=0)


@cache
def fitted():
    return detector().fit(X, LABELS)


def test_a_saved_detector_keeps_what_was_scored(tmp_path):
    part = fitted()
    save(part, tmp_path / "part")
    again = load(tmp_path / "part", net=quick_net())
    np.testing.assert_array_equal(again.scores_, part.scores_)
    np.testing.assert_array_equal(again.score_on, SOME)
    assert np.array_equal(again.scored_mask_, part.scored_mask_)


def test_whatever_looks_at_results_looks_at_the_scored_ones(tmp_path):
    part = fitted()
    issues = label_issues(part)
    assert issues["is_label_issue"].sum() == 4
    assert issues["label_quality"].notna().sum() == len(SOME)
    page = write_report(part, X, tmp_path / "page.html", k=N).read_text()
    assert f"{len(SOME)} suspects of {N}" in page


def test_a_pair_is_found_and_graded_where_its_members_are_not_scored():
    twice, labels = np.concatenate([X, X[:1]]), np.append(LABELS, (LABELS[0] + 1) % 10)
    part, loss = (detector(kind).fit(twice, labels) for kind in (CurvatureNoiseDetector, LossDetector))
    pairs, expected = (find_conflicting_duplicates(one, twice, near=False) for one in (part, loss))
    assert pairs[["first", "second"]].values.tolist() == [[0, N]]
    assert np.isnan(pairs["curvature"][0])
    assert pairs["score"][0] == expected["score"][0]  # by the loss, which is there for all


def test_displays_draw_the_scored_ones():
    part = fitted()
    curve = DetectionCurveDisplay.from_estimator(part, MASK)
    assert curve.roc_auc == pytest.approx(roc_auc_score(MASK[SOME], part.scores_[SOME]))
    assert len(curve.precision) == len(SOME)
    histogram = ScoreHistogramDisplay.from_estimator(part, noise_mask=MASK)
    assert len(histogram.scores) == len(SOME)
    assert histogram.noise_mask.sum() == MASK[SOME].sum()
    assert len(ScoreHistogramDisplay.from_estimator(part, signal="loss").scores) == N
    extremes = ExtremesDisplay.from_estimator(part, X.reshape(-1, 8, 8), k=3)
    shown = np.concatenate([extremes.lowest_index.ravel(), extremes.highest_index.ravel()])
    assert np.isin(shown[shown >= 0], SOME).all()
    with pytest.raises(ValueError, match=f"noise_mask has 3 entries for {N} samples"):
        DetectionCurveDisplay.from_estimator(part, [True, False, True])

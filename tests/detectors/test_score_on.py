"""Some samples are scored, and everything that follows from scores is about these."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

from curvdetect import (
    CurvatureNoiseDetector,
    CurvatureSearch,
    FusedDetector,
    LossDetector,
    fuse,
    memorizing_net,
    noise_scorer,
)
from curvdetect.detectors.inputs import rows_to_score
from curvdetect.detectors.ranking import rank_share
from curvdetect.training.nets import MLP
from tests.cases import noisy_digits, quick_net

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
N = 120
X, LABELS, MASK, TRUE = noisy_digits(N)
SOME = np.arange(5, N, 3)
COMMON = {"max_epochs": 3, "device": "cpu", "random_state": 0}
MADE = {
    "curvature": lambda **p: CurvatureNoiseDetector(quick_net(), n=2, contrast=False, every=1, **COMMON, **p),
    "contrast": lambda **p: CurvatureNoiseDetector(quick_net(), **COMMON, **p),
    "fused": lambda **p: FusedDetector(quick_net(), signals=["curvature", "margin"], **COMMON, **p),
    "loss": lambda **p: LossDetector(quick_net(), **COMMON, **p),
}


@cache
def fitted(name, some=False):
    return MADE[name](q=4, score_on=SOME if some else None).fit(X, LABELS)


@pytest.mark.parametrize("name", ["curvature", "contrast", "loss"])
def test_scores_are_those_of_a_run_that_scores_all(name):
    whole, part = fitted(name), fitted(name, some=True)
    np.testing.assert_allclose(part.scores_[SOME], whole.scores_[SOME], rtol=1e-5)
    assert np.isnan(np.delete(part.scores_, SOME)).all()
    assert np.array_equal(np.flatnonzero(part.scored_mask_), SOME)
    assert whole.scored_mask_.all()


def test_what_is_fused_is_ranked_among_the_scored_samples():
    part = MADE["fused"](score_on=SOME, keep_snapshots=3, q=2).fit(X, LABELS)
    new, labels, *_ = noisy_digits(200)
    assert np.isfinite(part.score_samples(new[N:], labels[N:])).all()
    assert set(part.predict(new[N:], labels[N:])) <= {0, 1}
    signals = part.signal_scores_
    np.testing.assert_array_equal(part.scores_[SOME], fuse(signals["curvature"][SOME], signals["margin"][SOME]))


def test_signals_of_the_training_are_there_for_all():
    whole, part = fitted("curvature"), fitted("curvature", some=True)
    for name in ("loss", "margin", "learning_time", "inconfidence"):
        np.testing.assert_array_equal(part.signal_scores_[name], whole.signal_scores_[name])
    np.testing.assert_array_equal(part.suggested_labels_, whole.suggested_labels_)
    assert part.train_accuracy_ == whole.train_accuracy_


@settings(max_examples=6)
@given(rows=st.sets(st.integers(0, N - 1), min_size=2), q=st.sampled_from([1, 2, 0.1, 0.5]))
def test_any_choice_is_flagged_ranked_and_graded_by_itself(rows, q):
    chosen = np.array(sorted(rows))
    part = MADE["loss"](q=q, score_on=chosen[::-1]).fit(X, LABELS)
    scores = fitted("loss").scores_
    order = chosen[np.argsort(-scores[chosen], kind="stable")]
    assert part.ranking_.tolist() == order.tolist()
    n_top = q if isinstance(q, int) else max(1, int(q * len(chosen) + 0.5))
    assert np.flatnonzero(part.labels_).tolist() == sorted(order[:n_top])
    assert part.threshold_ == scores[order[n_top - 1]]
    table = part.ranking()
    assert table["index"].tolist() == order.tolist()
    assert table["flagged"].sum() == n_top
    np.testing.assert_array_equal(part.label_quality()[chosen], 1 - rank_share(scores[chosen]))
    assert np.isnan(part.label_quality()).sum() == N - len(chosen)
    if 0 < MASK[chosen].sum() < len(chosen):
        expected = roc_auc_score(MASK[chosen], scores[chosen])
        assert part.score(noise_mask=MASK) == part.score(y=TRUE) == noise_scorer(MASK)(part) == expected


CHOICES = {
    "in_another_order": SOME[::-1],
    "short_integers": SOME.astype(np.uint8),
    "mask": np.isin(np.arange(N), SOME),
    "series": pd.Series(np.isin(np.arange(N), SOME), index=np.arange(N)[::-1]),
    "tensor": torch.from_numpy(SOME),
}


@pytest.mark.parametrize("choice", CHOICES.values(), ids=CHOICES)
def test_the_same_choice_may_be_said_in_several_ways(choice):
    assert rows_to_score(choice, N).tolist() == SOME.tolist()


class Counting(MLP):
    """Counts the rows that pass in evaluation mode, in which nothing is trained."""

    rows = 0

    def forward(self, x):
        Counting.rows += 0 if self.training else len(x)
        return super().forward(x)


def test_only_what_is_scored_passes_the_network():
    def passed(score_on):
        Counting.rows = 0
        net = memorizing_net(Counting(64, 10, 8))
        CurvatureNoiseDetector(net, n=2, every=1, score_on=score_on, **COMMON).fit(X, LABELS)
        return Counting.rows

    # a pass for the clean gradient and one for each probe, in each epoch
    assert passed(None) - passed(SOME) == 3 * (2 + 1) * (N - len(SOME))


def test_a_grid_of_settings_is_measured_of_the_same_samples():
    grid = {"h": [1e-3, 1e-2], "n": [1, 2]}
    part = CurvatureNoiseDetector(quick_net(), score_on=SOME, grid=grid, **COMMON).fit(X, LABELS)
    for scores in part.grid_scores_.values():
        assert np.array_equal(np.flatnonzero(~np.isnan(scores)), SOME)
    search = CurvatureSearch(CurvatureNoiseDetector(quick_net(), score_on=SOME, q=5, **COMMON), grid)
    search.fit(X, LABELS, noise_mask=MASK)
    best = search.best_estimator_
    assert search.best_score_ == pytest.approx(roc_auc_score(MASK[SOME], best.scores_[SOME]))
    assert best.labels_.sum() == 5
    assert np.isin(best.ranking_, SOME).all()


def test_rows_get_their_answers_and_those_that_were_not_scored_are_no_suspects():
    part = fitted("curvature", some=True)
    rows = [0, 5, 8, 1]
    np.testing.assert_array_equal(part.score_samples(X[rows]), part.scores_[rows])
    assert np.isnan(part.decision_function(X[rows])).tolist() == [True, False, False, True]
    assert part.predict(X[rows]).tolist() == part.labels_[rows].tolist()
    kept, _ = clone(part).fit_resample(X, LABELS)
    assert len(kept) == N - 4


def test_the_number_of_flags_is_guessed_among_very_few_too():
    with pytest.warns(UserWarning, match="q='auto': the share of wrong labels is somewhere between"):
        detector = MADE["loss"](score_on=[5, 17], q="auto").fit(X, LABELS)
    low, high = detector.noise_rate_interval_
    assert 0 <= low <= detector.noise_rate_ <= high <= 1
    assert not detector.interrupted_

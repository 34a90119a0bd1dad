"""The detectors of two stages: second-split forgetting, and curvature with it."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from curvdetect import CurvatureNoiseDetector, CurvSSFT, SSFTDetector, fuse
from curvdetect.detectors.measured import Measured
from curvdetect.metrics import auroc
from tests.cases import digits_net, noisy_digits, quick_net

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

STATISTICS = {"loss": "forgetting_loss", "share": "forgotten_share", "time": "forgetting_time"}
X, LABELS, MASK, TRUE = noisy_digits(600)
# about two points below the worst of five seeds, where chance is 0.5
BOUNDS = {"loss": 0.95, "share": 0.93, "time": 0.92}


@pytest.fixture(scope="module")
def fitted():
    """Fit each class with each choice of parameters once, with one and the same net."""
    net, made = digits_net(), {}

    def fit(detector, **params):
        key = (detector, *sorted(params.items()))
        if key not in made:
            made[key] = detector(net, q=60, device="cpu", random_state=0, **params).fit(X, LABELS)
        return made[key]

    return fit


def test_statistics_rank_wrong_labels_first_and_the_score_is_the_one_asked_for(fitted):
    detector = fitted(SSFTDetector)
    assert set(detector.signal_scores_) == set(STATISTICS.values())
    assert detector.labels_.sum() == 60
    measured = Measured(detector.signal_scores_, None, {})
    for statistic, name in STATISTICS.items():
        scores = SSFTDetector(statistic=statistic)._score(measured)
        assert np.array_equal(scores, detector.signal_scores_[name])
        assert auroc(MASK, scores) > BOUNDS[statistic]
    assert np.array_equal(detector.scores_, detector.signal_scores_["forgetting_loss"])


def test_what_was_done_is_kept_and_wrong_labels_are_set_right(fitted):
    detector = fitted(SSFTDetector)
    assert (detector.suggested_labels_[MASK] == TRUE[MASK]).mean() > 0.7
    assert (detector.suggested_labels_ != LABELS).all()
    assert detector.n_iter_ == len(detector.history_) == 80
    assert {(r["half"], r["stage"]) for r in detector.history_} == {(0, 1), (0, 2), (1, 1), (1, 2)}
    assert detector.train_accuracy_ > 0.97
    assert not detector.interrupted_
    assert detector.seconds_["training"] > detector.seconds_["forgetting_time"] > 0


def test_repeats_are_the_mean_of_splits_with_seeds_of_their_own():
    params = {"net": digits_net(max_epochs=8), "device": "cpu", "random_state": 0}
    once, twice = (SSFTDetector(n_repeats=n, **params).fit(X[:300], LABELS[:300]) for n in (1, 2))
    assert {r["repeat"] for r in twice.history_} == {0, 1}
    assert twice.n_iter_ == 2 * once.n_iter_
    times = twice.signal_scores_["forgetting_time"]
    second = 2 * times - once.signal_scores_["forgetting_time"]
    assert np.array_equal(second, second.round())
    assert (second <= -1).all()
    assert not np.array_equal(second, once.signal_scores_["forgetting_time"])
    assert len(np.unique(times)) > len(np.unique(once.signal_scores_["forgetting_time"]))


def test_parts_of_the_combination_are_the_two_detectors_to_the_last_bit():
    kinds, settings = (CurvSSFT, CurvatureNoiseDetector, SSFTDetector), {"device": "cpu", "random_state": 0}
    both, curvature, forgetting = (kind(quick_net(), **settings).fit(X[:100], LABELS[:100]) for kind in kinds)
    for name, scores in (curvature.signal_scores_ | forgetting.signal_scores_).items():
        assert np.array_equal(both.signal_scores_[name], scores), name
    assert np.array_equal(both.scores_, fuse(curvature.scores_, forgetting.scores_, combine="rank_mean"))
    assert np.array_equal(both.suggested_labels_, curvature.suggested_labels_)


def test_shared_training_pays_no_third_one_and_ranks_within_halves(fitted):
    shared, forgetting = fitted(CurvSSFT, share_training=True), fitted(SSFTDetector)
    assert set(shared.signal_scores_) == {"curvature", "curvature_contrast", *STATISTICS.values()}
    assert shared.n_iter_ == forgetting.n_iter_
    assert np.array_equal(shared.signal_scores_["forgetting_loss"], forgetting.scores_)
    curvature = shared.signal_scores_["curvature_contrast"]
    assert ((curvature > 0) & (curvature < 1)).all()
    # every rank share is taken once in each half
    assert np.array_equal(np.sort(curvature), np.repeat((np.arange(300) + 0.5) / 300, 2))
    assert auroc(MASK, curvature) > 0.92


COMBINATIONS = {
    "rank_mean": lambda c, s: fuse(c, s, combine="rank_mean"),
    "ssft_first": lambda c, s: fuse(s, c, combine="first"),
    "weighted_ranks": lambda c, s: fuse(c, s, combine="rank_mean", weights=(1 / 3, 2 / 3)),
    "rank_product": lambda c, s: fuse(c, s, combine="fisher"),
    "log_mean": lambda c, s: fuse(c, s, combine="log_mean"),
    np.subtract: lambda c, s: c - s,
}


def test_every_combination_is_what_it_says(device):
    shared = {"statistic": "time", "share_training": True, "device": str(device), "random_state": 0}
    detector = CurvSSFT(quick_net(), **shared).fit(X[:80], LABELS[:80])
    assert detector.device_ == str(device)
    measured = Measured(detector.signal_scores_, None, {})
    parts = [detector.signal_scores_[name] for name in ("curvature_contrast", "forgetting_time")]
    for combine, expected in COMBINATIONS.items():
        found = detector.set_params(combine=combine)._score(measured)
        np.testing.assert_allclose(found, expected(*parts), rtol=1e-12)
    assert np.array_equal(detector.fit(X[:80], LABELS[:80]).scores_, parts[0] - parts[1])


@pytest.mark.parametrize("detector", [SSFTDetector, CurvSSFT, CurvatureNoiseDetector])
def test_warning_of_what_was_not_memorized_points_to_the_callers_line(detector):
    with pytest.warns(ConvergenceWarning, match="did not memorize") as caught:
        detector(quick_net(), device="cpu", random_state=0).fit(X[:100], LABELS[:100])
    assert {w.filename for w in caught if w.category is ConvergenceWarning} == {__file__}

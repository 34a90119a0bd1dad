"""What a fitted detector answers: scores, flags, grades and rankings of its training rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError, UndefinedMetricWarning
from sklearn.metrics import roc_auc_score
from skorch.callbacks import Callback

from curvdetect import (
    CurvatureNoiseDetector,
    InconfidenceDetector,
    LearningTimeDetector,
    LossDetector,
)
from tests.cases import noisy_digits, quick_net

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
N = 120
X, LABELS, MASK, TRUE = noisy_digits(N)


def _detector(detector=LossDetector, net=None, **params):
    return detector(net or quick_net(), **{"device": "cpu", "random_state": 0, **params})


@pytest.fixture(scope="module")
def fitted():
    return _detector(net=quick_net(max_epochs=10, batch_size=16), q=0.1).fit(X, LABELS)


@settings(max_examples=20, deadline=None)
@given(rows=st.lists(st.integers(0, N - 1), min_size=1, max_size=N + 5))
def test_rows_get_their_training_answers_in_any_order_and_number(fitted, rows):
    assert np.array_equal(fitted.score_samples(X[rows]), fitted.scores_[rows])
    assert np.array_equal(fitted.predict(X[rows]), fitted.labels_[rows])
    assert np.array_equal(fitted.decision_function(X[rows]), fitted.scores_[rows] - fitted.threshold_)


def test_row_under_one_label_twice_is_scored_as_its_first_copy():
    twice = np.concatenate([X, X[:1]])
    detector = _detector().fit(twice, np.append(LABELS, LABELS[0]))
    assert np.array_equal(detector.score_samples(), detector.score_samples(twice))
    assert detector.score_samples(X[[3, 0]])[1] == detector.scores_[0]


def test_row_under_two_labels_is_scored_at_its_own_place_only():
    twice = np.concatenate([X, X[:1]])
    detector = _detector().fit(twice, np.append(LABELS, (LABELS[0] + 1) % 10))
    assert np.array_equal(detector.score_samples(twice), detector.scores_)
    with pytest.raises(ValueError, match=r"X holds 1 row\(s\) found several times .* different labels: 1"):
        detector.score_samples(X[[3, 0]])


METHODS = ["score_samples", "decision_function", "predict"]


@pytest.mark.parametrize("method", METHODS)
def test_row_that_was_not_fitted_is_refused_by_its_number(fitted, method):
    changed = X[:5].copy()
    changed[[1, 4], 20] += 0.01
    with pytest.raises(ValueError, match=r"X holds 2 row\(s\) not among the rows that were fitted: 1, 4\."):
        getattr(fitted, method)(changed)


@pytest.mark.parametrize("method", METHODS)
def test_other_labels_beside_rows_ask_for_what_there_is_not(fitted, method):
    with pytest.raises(ValueError, match=r"y was passed beside X.*leave y out"):
        getattr(fitted, method)(X, np.roll(LABELS, 1))


@pytest.mark.parametrize("method", [*METHODS, "score", "ranking", "label_quality"])
def test_unfitted_detector_says_so(method):
    with pytest.raises(NotFittedError):
        getattr(LossDetector(), method)()


COUNTS = {
    "share": (0.0542, 7),
    "count": (np.int64(9), 9),
    "all": (N, N),
}


@pytest.mark.parametrize("detector", [LossDetector, LearningTimeDetector], ids=["distinct", "tied"])
@pytest.mark.parametrize(("q", "expected"), COUNTS.values(), ids=COUNTS)
def test_predict_flags_exactly_the_top_q(detector, q, expected):
    detector = _detector(detector, q=q, max_epochs=2).fit(X, LABELS)
    flags, scores = detector.predict(), detector.score_samples()
    top = np.argsort(-scores, kind="stable")[:expected]
    assert np.issubdtype(flags.dtype, np.integer)
    assert np.array_equal(np.flatnonzero(flags), np.sort(top))
    assert detector.threshold_ == detector.offset_ == scores[top].min()
    assert (detector.decision_function()[flags == 1] >= 0).all()
    assert (detector.decision_function()[flags == 0] <= 0).all()


def test_learning_times_tie_across_the_threshold():
    # what makes the test above one of ties
    detector = _detector(LearningTimeDetector, q=0.1, max_epochs=2).fit(X, LABELS)
    assert (detector.decision_function() >= 0).sum() > detector.predict().sum()


def test_score_is_the_auroc_of_the_wrong_labels(fitted):
    expected = roc_auc_score(MASK, fitted.scores_)
    assert 0.5 < expected < 1
    assert fitted.score(noise_mask=MASK) == expected
    assert fitted.score(noise_mask=MASK.astype(int).tolist()) == expected
    assert fitted.score(X, TRUE) == expected
    assert fitted.score(y=TRUE) == expected
    assert fitted.score(X[::-1], TRUE[::-1]) == expected
    assert fitted.score(X, LABELS, noise_mask=MASK) == expected


def test_score_weighs_samples(fitted):
    weight = np.arange(N) + 1.0
    expected = roc_auc_score(MASK, fitted.scores_, sample_weight=weight)
    assert fitted.score(X, TRUE, sample_weight=weight) == expected != fitted.score(X, TRUE)


def test_score_needs_to_know_what_is_wrong(fitted):
    with pytest.raises(ValueError, match="noise_mask is needed"):
        fitted.score(X)


@pytest.mark.parametrize(("name", "known"), [("noise_mask", MASK[1:]), ("y", TRUE[1:])])
def test_score_refuses_another_number_of_entries(fitted, name, known):
    with pytest.raises(ValueError, match=f"{name} has 119 entries for 120 samples"):
        fitted.score(**{name: known})


UNDEFINED = {
    "fitted_labels": {"y": LABELS},
    "nothing_wrong": {"noise_mask": np.zeros(N, bool)},
    "everything_wrong": {"noise_mask": np.ones(N, bool)},
}


@pytest.mark.parametrize("known", UNDEFINED.values(), ids=UNDEFINED)
def test_score_is_nan_where_there_is_nothing_to_tell_apart(fitted, known):
    with pytest.warns(UndefinedMetricWarning, match="ROC AUC is undefined"):
        assert np.isnan(fitted.score(**known))


def test_ranking_lists_the_most_suspect_first(fitted):
    table = fitted.ranking()
    assert list(table.columns) == ["index", "score", "rank", "given", "suggested", "flagged"]
    assert np.array_equal(np.sort(table["index"]), np.arange(N))
    assert np.array_equal(table["rank"], np.arange(1, N + 1))
    assert table["score"].is_monotonic_decreasing
    assert np.array_equal(table["score"], fitted.scores_[table["index"]])
    assert np.array_equal(table["given"], LABELS[table["index"]])
    assert np.array_equal(table["flagged"], np.arange(N) < 12)
    assert table["flagged"].dtype == bool


@pytest.mark.parametrize("k", [0, -1, 2.0, "5", True], ids=repr)
def test_ranking_refuses_another_length(fitted, k):
    with pytest.raises(ValueError, match="k must be None or a whole number of rows"):
        fitted.ranking(k)


def test_loss_and_margin_are_kept_for_each_quarter_of_the_training():
    detector = _detector(max_epochs=8).fit(X, LABELS)
    assert detector.signal_quarters_.keys() == {"loss", "margin"}
    for name, quarters in detector.signal_quarters_.items():
        assert quarters.shape == (4, N)
        np.testing.assert_allclose(quarters.mean(0), detector.signal_scores_[name])
    assert (np.diff(detector.signal_quarters_["loss"].mean(1)) < 0).all()


def test_label_quality_reverses_the_order_within_zero_and_one(fitted):
    quality = fitted.label_quality()
    assert 0 < quality.min() < quality.max() < 1
    assert np.array_equal(np.argsort(quality), np.argsort(-fitted.scores_))
    assert quality[fitted.ranking_[0]] == pytest.approx(0.5 / N)


@pytest.mark.parametrize("signals", [(), ("averaged_margin",)], ids=["default", "averaged_margin"])
def test_net_with_more_outputs_than_classes_suggests_labels_that_there_are(signals):
    net = quick_net(n_classes=40, max_epochs=1)
    detector = _detector(CurvatureNoiseDetector, net, signals=signals).fit(X, LABELS)
    assert np.isin(detector.suggested_labels_, LABELS).all()


class Interrupt(Callback):
    """Ctrl-C in the middle of an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_batch_end(self, net, **kwargs):
        if len(net.history) == self.epoch:
            raise KeyboardInterrupt


def test_interrupted_fit_keeps_the_scores_so_far_and_raises():
    detector = _detector(LossDetector, quick_net(callbacks=[("stop", Interrupt(3))]), verbose=0)
    with pytest.raises(KeyboardInterrupt):
        detector.fit(X, LABELS)
    assert detector.interrupted_
    assert detector.stop_reason_ == "interrupted"
    assert detector.n_iter_ == len(detector.history_) == 2
    assert np.isfinite(detector.scores_).all()
    assert detector.predict().sum() == 12
    assert "inconfidence" not in detector.signal_scores_
    assert np.isnan(detector.signal_quarters_["loss"]).all(1).tolist() == [False, False, True, True]


UNSCORED = {"first_epoch": (LossDetector, 1), "score_of_the_finished_net": (InconfidenceDetector, 3)}


@pytest.mark.parametrize(("detector", "epoch"), UNSCORED.values(), ids=UNSCORED)
def test_interrupted_fit_without_a_score_is_not_fitted(detector, epoch):
    detector = _detector(detector, quick_net(callbacks=[("stop", Interrupt(epoch))]))
    with pytest.raises(KeyboardInterrupt):
        detector.fit(X, LABELS)
    with pytest.raises(NotFittedError):
        detector.predict()

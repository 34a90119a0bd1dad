"""What a fitted detector answers: scores, flags, grades and rankings of its training rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError, UndefinedMetricWarning
from sklearn.metrics import roc_auc_score
from skorch.callbacks import EpochScoring

from curvdetect import CurvatureNoiseDetector, InconfidenceDetector, LearningTimeDetector, LossDetector
from curvdetect.training.schedules import Schedule
from tests.cases import InterruptedTraining, noisy_digits, quick_net

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


@pytest.mark.parametrize("shift", [0, 1], ids=["one_label", "two_labels"])
def test_a_row_that_is_there_twice_is_scored_at_its_own_place_or_as_its_first_copy(shift):
    twice = np.concatenate([X, X[:1]])
    detector = _detector().fit(twice, np.append(LABELS, (LABELS[0] + shift) % 10))
    assert np.array_equal(detector.score_samples(twice), detector.scores_)
    if not shift:
        assert detector.score_samples(X[[3, 0]])[1] == detector.scores_[0]
        return
    with pytest.raises(ValueError, match=r"X holds 1 row\(s\) found several times .* different labels: 1"):
        detector.score_samples(X[[3, 0]])


def test_row_that_was_not_fitted_is_refused_by_its_number(fitted):
    changed = X[:5].copy()
    changed[[1, 4], 20] += 0.01
    for ask in (fitted.score_samples, fitted.decision_function, fitted.predict):
        with pytest.raises(ValueError, match=r"X holds 2 row\(s\) not among the rows that were fitted: 1, 4\."):
            ask(changed)
        with pytest.raises(ValueError, match=r"y was passed beside X.*leave y out"):
            ask(X, np.roll(LABELS, 1))


COUNTS = {"share": (0.0542, 7), "count": (np.int64(9), 9), "all": (N, N)}


@pytest.mark.parametrize("detector", [LossDetector, LearningTimeDetector], ids=["distinct", "tied"])
@pytest.mark.parametrize(("q", "expected"), COUNTS.values(), ids=COUNTS)
def test_predict_flags_exactly_the_top_q(detector, q, expected):
    detector = _detector(detector, q=q, max_epochs=2).fit(X, LABELS)
    flags, scores = detector.predict(), detector.score_samples()
    top = np.argsort(-scores, kind="stable")[:expected]
    assert np.issubdtype(flags.dtype, np.integer)
    assert np.array_equal(np.flatnonzero(flags), np.sort(top))
    assert detector.threshold_ == detector.offset_ == scores[top].min()
    above = detector.decision_function() >= 0
    assert above[top].all()
    # times tie across the threshold
    assert above.sum() == expected or isinstance(detector, LearningTimeDetector)


def test_score_is_the_auroc_of_the_wrong_labels(fitted):
    expected, weight = roc_auc_score(MASK, fitted.scores_), np.arange(N) + 1.0
    assert 0.5 < expected < 1
    assert fitted.score(noise_mask=MASK) == fitted.score(noise_mask=MASK.astype(int).tolist()) == expected
    assert fitted.score(X, TRUE) == fitted.score(y=TRUE) == fitted.score(X[::-1], TRUE[::-1]) == expected
    assert fitted.score(X, LABELS, noise_mask=MASK) == expected
    weighed = roc_auc_score(MASK, fitted.scores_, sample_weight=weight)
    assert fitted.score(X, TRUE, sample_weight=weight) == weighed != expected


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


def _interrupted(epoch, kind=LossDetector):
    InterruptedTraining.trainings = 0
    return _detector(kind, quick_net(callbacks=[InterruptedTraining(1, epoch)]))


@pytest.mark.parametrize(("kind", "epoch"), [(LossDetector, 1), (InconfidenceDetector, 3)], ids=["first", "last"])
def test_interrupted_fit_without_a_score_is_not_fitted(kind, epoch):
    detector = _interrupted(epoch, kind)
    with pytest.raises(KeyboardInterrupt):
        detector.fit(X, LABELS)
    with pytest.raises(NotFittedError):
        detector.predict()


def test_a_refit_cut_short_before_any_score_leaves_the_first_fit_whole():
    detector = _detector().fit(X, LABELS)
    before = {name: value for name, value in vars(detector).items() if name.endswith("_")}
    detector.net = _interrupted(1).net
    with pytest.raises(KeyboardInterrupt):
        detector.fit(X[:40], LABELS[:40])
    assert all(vars(detector)[name] is value for name, value in before.items() if name != "n_features_in_")


def test_callbacks_of_the_user_are_added_to_the_schedule():
    net = quick_net(callbacks=[EpochScoring("accuracy", name="acc", on_train=True)])
    assert all("acc" in record for record in _detector(net=net).fit(X, LABELS).net_.history)
    assert [type(c[1] if isinstance(c, tuple) else c) for c in net.callbacks] == [Schedule, EpochScoring]

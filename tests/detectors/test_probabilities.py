"""Probabilities of a model of the user's own: checked, a witness beside others, and what cleanlab ranks by."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from cleanlab.rank import get_label_quality_scores
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from curvdetect import ConfidentLearningDetector, FusedDetector, LeaveOneOutDetector, LossDetector, load, save
from curvdetect.detectors.probabilities import check_probabilities
from curvdetect.metrics import auroc
from tests.cases import noisy_digits, quick_net

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, LABELS, MASK, TRUE = noisy_digits(240)
NAMES = np.array([f"digit {label}" for label in LABELS])
QUICK = {"max_epochs": 2, "device": "cpu", "random_state": 0}


@pytest.fixture(scope="module")
def probs():
    """Probabilities out of fold, of a model that knows the digits by more pictures than are scored."""
    X, labels, _, _ = noisy_digits(900)
    return cross_val_predict(LogisticRegression(max_iter=200), X, labels, cv=3, method="predict_proba")[:240]


@pytest.fixture(scope="module")
def fitted(probs):
    """A detector with the probabilities as a witness."""
    return FusedDetector(keep_snapshots=1, **QUICK).fit(X, LABELS, pred_probs=probs)


@pytest.fixture(scope="module")
def plain():
    """The same detector without them."""
    return FusedDetector(**QUICK).fit(X, LABELS)


def test_a_model_that_knows_more_makes_the_ranking_and_the_suggestions_better(fitted, plain):
    assert plain.signal_scores_.keys() == fitted.signal_scores_.keys() - {"pred_probs"}
    assert fitted.fused_signals_.keys() == {"loss", "leave_one_out", "out_of_bag", "pred_probs"}
    assert auroc(MASK, fitted.scores_) > auroc(MASK, plain.scores_) - 1e-3
    right = [(one.suggested_labels_ == TRUE)[MASK].mean() for one in (fitted, plain)]
    assert right[0] >= right[1]


def test_a_model_that_knows_nothing_does_no_harm(plain):
    noise = np.random.default_rng(0).dirichlet(np.full(10, 0.05), len(X))  # and is sure of it
    detector = FusedDetector(**QUICK).fit(X, LABELS, pred_probs=noise)
    assert auroc(MASK, detector.signal_scores_["pred_probs"]) < 0.8
    assert auroc(MASK, detector.scores_) > auroc(MASK, plain.scores_) - 5e-3


def test_columns_have_the_names_of_classes_or_their_order(probs):
    expected = check_probabilities(probs, 240, np.arange(10))
    assert np.allclose(expected, probs)
    turned = pd.DataFrame(probs).iloc[:, ::-1]
    texts = pd.DataFrame(probs, columns=[f"digit {label}" for label in range(10)])
    for passed in (
        probs.tolist(),
        torch.from_numpy(probs),
        probs.astype(np.float32),
        turned,
        turned.rename(columns=str),
    ):
        assert np.allclose(check_probabilities(passed, 240, np.arange(10)), expected)
    for passed in (probs, pd.DataFrame(probs), texts, texts.iloc[:, ::-1]):
        assert np.allclose(check_probabilities(passed, 240, np.unique(NAMES)), expected)


@given(seed=st.integers(0, 999), digits=st.integers(3, 9), spread=st.floats(0, 30))
def test_what_a_softmax_gives_is_taken_whatever_it_was_rounded_to(seed, digits, spread):
    logits = np.random.default_rng(seed).normal(0, spread, (5, 4))
    rounded = softmax(logits, axis=1).round(digits)
    found = check_probabilities(rounded, 5, np.arange(4))
    assert np.allclose(found.sum(1), 1)
    assert np.abs(found - rounded).max() < 0.02


WRONG = [
    (lambda p: p[:-1], r"shape \(239, 10\).*240 samples of 10 classes"),
    (lambda p: p[:, 1:], r"shape \(240, 9\).*240 samples of 10 classes \(\[0, 1"),
    (
        lambda p: np.c_[p, p[:, :1]],
        r"shape \(240, 11\).*Leave out the columns of classes that no label has.*divide each row",
    ),
    (lambda p: pd.DataFrame(p).assign(z=0.0), r"columns of no class \('z'\)\. Leave out the columns.*divide each row"),
    (lambda p: p.ravel(), r"shape \(2400,\)"),
    (lambda p: np.log(p + 1e-9), r"\[0, 1\] that sum to 1.*row 0.*softmax"),
    (lambda p: p / 2, r"sum to 1.*row .* is 0\.5\. Logits"),
    (lambda p: np.where(np.arange(240)[:, None] == 7, np.nan, p), "NaN or infinity, first in row 7"),
    (lambda p: np.full((240, 10), "a"), "must be probabilities, numbers of shape"),
    (lambda p: pd.DataFrame(p, columns=[*"abcdefghij"]), "no column for '0', '1'.*of no class.*'a'"),
    (lambda p: pd.DataFrame(p, columns=[0, 0, *range(2, 10)]), "no column for '1'"),
    (lambda p: np.ma.masked_less(p, 0.01), "pred_probs is a masked array"),
]


@pytest.mark.parametrize(("wrong", "message"), WRONG)
def test_what_is_wrong_with_probabilities_is_said_before_any_training(probs, wrong, message):
    detector = FusedDetector(quick_net(max_epochs=10**6), device="cpu")
    with pytest.raises(ValueError, match=message) as raised:
        detector.fit(X, LABELS, pred_probs=wrong(probs))
    assert "pred_probs" in str(raised.value)
    assert len(str(raised.value)) < 400


def test_frames_of_other_rows_are_refused(probs):
    frame = pd.DataFrame(X)
    with pytest.raises(ValueError, match="X and pred_probs have one index in different orders"):
        FusedDetector(**QUICK).fit(frame, LABELS, pred_probs=pd.DataFrame(probs).iloc[::-1])


def test_probabilities_of_a_model_that_has_seen_the_labels_are_warned_of():
    seen = np.eye(10)[LABELS]
    with pytest.warns(UserWarning, match="pred_probs agree with 100.0% of the labels.*Pass probabilities out of fold"):
        ConfidentLearningDetector(device="cpu").fit(X, LABELS, pred_probs=seen)


def test_probabilities_in_another_order_are_warned_of(probs):
    detector, swapped = ConfidentLearningDetector(device="cpu"), [0, 1, 2, 3, 4, 5, 6, 9, 8, 7]
    for columns in (np.roll(np.arange(10), 1), swapped):
        with pytest.warns(UserWarning, match="were their columns in another order. Order them as the sorted classes"):
            detector.fit(X, NAMES, pred_probs=probs[:, columns])
    for rows in (probs[np.random.default_rng(0).permutation(240)], np.full((240, 10), 0.1)):
        with pytest.warns(UserWarning, match="say hardly more of the labels than of labels in a random order"):
            detector.fit(X, NAMES, pred_probs=rows)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        detector.fit(X, NAMES, pred_probs=probs)
        detector.fit(X, NAMES, pred_probs=0.95 / 10 + probs * 0.05)


def test_confident_learning_ranks_by_them_as_cleanlab_does_and_trains_nothing(probs):
    net = quick_net(max_epochs=10**6)
    detector = ConfidentLearningDetector(net, method="normalized_margin", q="auto", device="cpu", random_state=0)
    detector.fit(X, NAMES, pred_probs=probs)
    assert np.allclose(detector.pred_probs_, probs)
    quality = get_label_quality_scores(LABELS, detector.pred_probs_, method="normalized_margin")
    assert np.array_equal(detector.scores_, 1 - quality)
    assert auroc(MASK, detector.scores_) > 0.9
    assert 0.03 < detector.noise_rate_ < 0.25


def test_other_detectors_take_none(probs):
    for detector in (LossDetector(**QUICK), LeaveOneOutDetector(device="cpu")):
        with pytest.raises(TypeError, match="pred_probs"):
            detector.fit(X, LABELS, pred_probs=probs)


def test_they_are_recorded_or_fused_by_name(probs):
    beside = FusedDetector(signals=["loss"], **QUICK).fit(X, LABELS, pred_probs=probs)
    assert np.array_equal(beside.scores_, FusedDetector(signals=["loss"], **QUICK).fit(X, LABELS).scores_)
    assert "pred_probs" in beside.signal_scores_
    alone = FusedDetector(signals=["pred_probs"], **QUICK).fit(X, LABELS, pred_probs=probs)
    assert np.array_equal(alone.ranking_, np.argsort(-beside.signal_scores_["pred_probs"], kind="stable"))
    with pytest.raises(ValueError, match=r"signals hold 'pred_probs'.*fit\(X, y, pred_probs=\.\.\.\)"):
        FusedDetector(signals=["pred_probs"], **QUICK).fit(X, LABELS)
    with pytest.raises(ValueError, match="can't be scored by 'pred_probs' alone"):
        alone.score_samples(X[:2] + 1, LABELS[:2])


def test_samples_that_were_not_fitted_are_ranked_by_the_other_witnesses(fitted, tmp_path):
    new, labels, mask, _ = (part[240:400] for part in noisy_digits(400))
    scores = fitted.score_samples(new, labels)
    assert auroc(mask, scores) > 0.9
    # on the scale of the training: about as many of the right labels are above its threshold as there
    assert fitted.predict(new, labels)[~mask].mean() < 0.1
    assert fitted.predict(new, (labels + 1) % 10).mean() > 0.8
    assert np.array_equal(fitted.score_samples(X[::-1], LABELS[::-1]), fitted.scores_[::-1])
    save(fitted, tmp_path / "saved")
    again = load(tmp_path / "saved")
    assert np.allclose(again.score_samples(new, labels), scores)
    assert np.array_equal(again.signal_scores_["pred_probs"], fitted.signal_scores_["pred_probs"])


def test_a_fit_goes_on_with_the_same_probabilities_alone(tmp_path, probs):
    detector = FusedDetector(signals=["loss", "pred_probs"], checkpoint_dir=tmp_path, **QUICK)
    scores = detector.fit(X, LABELS, pred_probs=probs).scores_
    assert np.array_equal(detector.fit(X, LABELS, pred_probs=probs.tolist()).scores_, scores)
    for other in (None, probs[:, ::-1]):
        with pytest.raises(ValueError, match=r"other data \(pred_probs changed\)"):
            detector.fit(X, LABELS, pred_probs=other)


def test_a_pipeline_passes_them_on(probs):
    scaled, detector = StandardScaler().fit_transform(X), FusedDetector(signals=["loss", "pred_probs"], **QUICK)
    expected = clone(detector).fit(scaled, LABELS, pred_probs=probs)
    pipeline = make_pipeline(StandardScaler(), clone(detector))
    pipeline.fit(X, LABELS, fuseddetector__pred_probs=probs)
    assert np.array_equal(pipeline[-1].scores_, expected.scores_)
    flags = clone(detector).fit_predict(scaled, LABELS, pred_probs=probs)
    assert np.array_equal(flags, expected.labels_)
    rows, _ = clone(detector).fit_resample(scaled, LABELS, pred_probs=probs)
    assert np.array_equal(rows, scaled[expected.labels_ == 0])
    with sklearn.config_context(enable_metadata_routing=True):
        routed = make_pipeline(StandardScaler(), clone(detector).set_fit_request(pred_probs=True))
        assert np.array_equal(routed.fit(X, LABELS, pred_probs=probs)[-1].scores_, expected.scores_)


@pytest.mark.usefixtures("few_trees")
def test_only_some_are_scored(probs):
    some = np.arange(0, 240, 3)
    detector = FusedDetector(score_on=some, **QUICK).fit(X, LABELS, pred_probs=probs)
    assert np.isfinite(detector.scores_[some]).all()
    assert np.isnan(detector.scores_).sum() == 160

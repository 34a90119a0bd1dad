"""Samples that were not fitted are measured on the weights kept during the training."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import TensorDataset

from curvdetect import (
    ConfidentLearningDetector,
    CurvatureNoiseDetector,
    FusedDetector,
    InconfidenceDetector,
    InputGradientDetector,
    LearningTimeDetector,
    LossDetector,
    SSFTDetector,
    input_curvature,
)
from curvdetect.detectors.inputs import samples_labelled
from curvdetect.detectors.measured import measure_unseen
from curvdetect.metrics import auroc
from tests.cases import digits_net, noisy_digits, quick_net, untouched_rng

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, LABELS, MASK, _ = noisy_digits(450)
OLD, NEW = slice(0, 300), slice(300, 450)


def _fitted(kind=CurvatureNoiseDetector, net=None, **options):
    net = digits_net() if net is None else net
    settings = {"keep_snapshots": 99, "device": "cpu", "random_state": 0, **options}
    return kind(net, **settings).fit(X[OLD], LABELS[OLD])


@pytest.fixture(scope="module")
def fitted():
    made = {}

    def fit(kind=CurvatureNoiseDetector):
        if kind not in made:
            made[kind] = _fitted(kind)
        return made[kind]

    return fit


ROWS = np.r_[7, 3, 79:60:-1, 3]
OTHERS = {
    "none_kept": {},
    "one_kept": {"keep_snapshots": 1},
    "fused": {"kind": FusedDetector, "keep_snapshots": 1},
    "of_folds": {"kind": ConfidentLearningDetector, "cv": 2},
}


@pytest.mark.parametrize("options", OTHERS.values(), ids=OTHERS)
def test_training_rows_under_their_labels_have_the_scores_of_the_training(options):
    options = {"kind": LossDetector, "max_epochs": 2, **options}
    detector = options.pop("kind")(quick_net(), device="cpu", random_state=0, **options).fit(X[:80], LABELS[:80])
    for rows in (np.arange(80), ROWS):
        asked = X[rows], LABELS[rows]
        assert np.array_equal(detector.score_samples(*asked), detector.scores_[rows])
        assert np.array_equal(detector.decision_function(*asked), detector.scores_[rows] - detector.threshold_)
        assert np.array_equal(detector.predict(*asked), detector.labels_[rows])


def test_training_rows_among_others_have_the_scores_of_the_training(fitted):
    detector, wrong = fitted(LossDetector), np.roll(LABELS[NEW], 1)
    alone = detector.score_samples(X[NEW], wrong)
    data, labels = np.concatenate([X[NEW], X[ROWS]]), np.concatenate([wrong, LABELS[ROWS]])
    np.testing.assert_allclose(
        detector.score_samples(data, labels), np.append(alone, detector.scores_[ROWS]), rtol=1e-5
    )
    flags = np.append(alone >= detector.threshold_, detector.labels_[ROWS])
    assert np.array_equal(detector.predict(data, labels), flags)


def test_what_score_on_left_out_is_measured_on_what_was_kept():
    detector = LossDetector(quick_net(), score_on=range(250), keep_snapshots=2, device="cpu", random_state=0)
    scores = detector.fit(X[OLD], LABELS[OLD]).score_samples(X[OLD], LABELS[OLD])
    assert np.array_equal(scores[:250], detector.scores_[:250])
    assert np.isfinite(scores[250:]).all()


@pytest.mark.parametrize("contrast", [True, False], ids=["contrast", "plain"])
def test_scores_are_the_mean_of_the_curvature_on_each_snapshot(fitted, contrast):
    detector, by_hand = fitted() if contrast else _fitted(contrast=False), []
    module = pickle.loads(pickle.dumps(detector.net_.module_))
    codes = np.searchsorted(detector.classes_, LABELS[NEW])
    for snapshot in detector.snapshots_:
        module.load_state_dict(snapshot.load())
        by_hand.append(
            input_curvature(
                module,
                torch.tensor(X[NEW]),
                torch.tensor(codes),
                h=detector.h,
                contrast=contrast,
                units=torch.tensor(detector.units_),
                seed=detector._seed,
                epoch=snapshot.epoch,
            ).numpy()
        )
    np.testing.assert_allclose(detector.score_samples(X[NEW], LABELS[NEW]), np.mean(by_hand, 0), rtol=1e-4)
    # on all scored epochs, the training data measures as in the training
    assert len(detector.snapshots_) == sum(record["scored"] for record in detector.history_)
    measured = measure_unseen(detector, samples_labelled(detector, X[OLD], LABELS[OLD]))
    np.testing.assert_allclose(detector._score(measured), detector.scores_, rtol=1e-4)


ONE_RUN = [CurvatureNoiseDetector, LearningTimeDetector, InconfidenceDetector, InputGradientDetector, FusedDetector]


@pytest.mark.parametrize("kind", ONE_RUN, ids=lambda kind: kind.__name__)
def test_wrong_labels_that_were_never_fitted_are_found(fitted, kind):
    detector = fitted(kind)
    with untouched_rng():
        scores = detector.score_samples(X[NEW], LABELS[NEW])
    assert scores.shape == (150,)
    assert scores.dtype == np.float64
    assert auroc(MASK[NEW], scores) > 0.8
    assert np.array_equal(detector.decision_function(X[NEW], LABELS[NEW]), scores - detector.threshold_)
    assert np.array_equal(detector.predict(X[NEW], LABELS[NEW]), scores >= detector.threshold_)


@pytest.mark.parametrize("kind", ONE_RUN[1:], ids=lambda kind: kind.__name__)  # the first draws a direction by position
def test_a_score_does_not_depend_on_what_else_is_scored(fitted, kind):
    together = fitted(kind).score_samples(X[NEW], LABELS[NEW])
    alone = [fitted(kind).score_samples(X[[i]], LABELS[[i]])[0] for i in range(300, 303)]
    np.testing.assert_allclose(together[:3], alone, rtol=1e-3, atol=1e-6)


def test_detectors_of_several_trainings_say_which_ones_can():
    detector = SSFTDetector(quick_net(), device="cpu").fit(X[:80], LABELS[:80])
    with pytest.raises(ValueError, match="use a detector that has keep_snapshots, such as CurvatureNoiseDetector"):
        detector.score_samples(X[NEW], LABELS[NEW])


def test_the_holder_of_samples_and_snapshots_does_not_matter(fitted, tmp_path):
    expected = fitted().score_samples(X[NEW], LABELS[NEW])
    detector = _fitted(checkpoint_dir=tmp_path / "here")
    frame, dataset = pd.DataFrame(X[NEW]), TensorDataset(torch.tensor(X[NEW]))
    for data, labels in ((frame, pd.Series(LABELS[NEW])), (dataset, LABELS[NEW])):
        assert np.array_equal(detector.score_samples(data, labels), expected)
    (tmp_path / "here").rename(tmp_path / "there")
    with pytest.raises(ValueError, match=r"weights of epoch 1 can't be read from .*here"):
        detector.score_samples(X[NEW], LABELS[NEW])

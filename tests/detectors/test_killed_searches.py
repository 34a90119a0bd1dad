"""Searches that are cut short go on, too."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from curvdetect import CurvatureNoiseDetector, CurvatureSearch, InSample, LossDetector, PlantedNoise, noise_scorer
from tests.cases import InterruptedTraining, noisy_digits, quick_net, untouched_rng

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, LABELS, MASK, _ = noisy_digits(100)
GRID = {"h": [1e-3, 1e-1], "max_epochs": [2, 3]}


def _detector(kind=CurvatureNoiseDetector, training=99, epoch=2, **options):
    InterruptedTraining.trainings = 0
    net = quick_net(callbacks=[("ctrl_c", InterruptedTraining(training, epoch))])
    return kind(net, **{"max_epochs": 4, "device": "cpu", "random_state": 0, **options})


@pytest.mark.parametrize("mask", [MASK, None], ids=["known", "planted"])
def test_a_search_with_checkpoints_goes_on_where_it_was_cut_short(tmp_path, mask):
    def search(detector):
        return CurvatureSearch(detector, GRID, n_repeats=2, random_state=0)

    expected = search(_detector()).fit(X, LABELS, noise_mask=mask)
    detector = _detector(training=3, checkpoint_dir=tmp_path)
    cut = search(detector)
    with pytest.raises(KeyboardInterrupt), untouched_rng():
        cut.fit(X, LABELS, noise_mask=mask)
    assert cut.interrupted_
    assert len(cut.cv_results_["params"]) == 2
    InterruptedTraining.trainings = 99
    again = search(detector).fit(X, LABELS, noise_mask=mask)
    assert np.array_equal(again.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"])
    assert again.best_params_ == expected.best_params_
    assert np.array_equal(again.score_samples(), expected.score_samples())


def test_directories_of_a_search_are_its_own(tmp_path):
    pipeline = make_pipeline(StandardScaler(), _detector(checkpoint_dir=tmp_path))
    CurvatureSearch(pipeline, {"curvaturenoisedetector__h": [1e-2]}, random_state=0).fit(X, LABELS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best", "setting-0-repeat-0"]
    assert pipeline[-1].checkpoint_dir == tmp_path


def test_planted_noise_with_checkpoints_goes_on_where_it_was_cut_short(tmp_path):
    def planted(detector):
        return PlantedNoise(detector, rate=0.1, n_repeats=2, refit=True, random_state=0)

    expected = planted(_detector(LossDetector)).fit(X, LABELS)
    with pytest.raises(KeyboardInterrupt):
        planted(_detector(LossDetector, training=2, checkpoint_dir=tmp_path)).fit(X, LABELS)
    again = planted(_detector(LossDetector, training=99, checkpoint_dir=tmp_path))
    again.detector.net.callbacks[-1][1].training = 2  # as it was: a callback is a parameter of the net
    InterruptedTraining.trainings = 5
    again.fit(X, LABELS)
    assert np.array_equal(again.grades_["roc_auc"], expected.grades_["roc_auc"])
    assert np.array_equal(again.detector_.scores_, expected.detector_.scores_)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["given", "planted-0", "planted-1"]


def test_settings_that_train_differently_do_not_share_a_directory(tmp_path):
    search = GridSearchCV(
        _detector(checkpoint_dir=tmp_path),
        {"h": [1e-2, 1e-1]},
        cv=InSample(),
        scoring=noise_scorer(MASK),
        error_score="raise",
    )
    with pytest.raises(ValueError, match=r"h was 0\.01 and is 0\.1"):
        search.fit(X, LABELS)

"""Whatever ends a fit, nothing of it is lost: SIGKILL, a full disk, torn files, NaN, Ctrl-C."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback

from curvdetect import (
    ConfidentLearningDetector,
    CurvatureNoiseDetector,
    CurvatureSearch,
    CurvSSFT,
    FusedDetector,
    InSample,
    LossDetector,
    PlantedNoise,
    SSFTDetector,
    noise_scorer,
)
from tests.cases import InterruptedTraining, noisy_digits, quick_net, untouched_rng

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
ROOT = Path(__file__).parents[2]
X, LABELS, MASK, _ = noisy_digits(200)


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Return what kills every fit so many times, all in one process, and tells what happened to each."""

    @cache
    def killed(kills):
        command = [sys.executable, "-m", "tests.detectors.killing", str(kills), str(tmp_path_factory.mktemp("killed"))]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return killed


@pytest.mark.parametrize("kills", [5, pytest.param(20, marks=pytest.mark.full)])
@pytest.mark.parametrize("fit", ["one_run", "five_runs"])
def test_killed_at_random_moments_a_fit_ends_with_the_same_scores(killed, fit, kills):
    record = killed(kills)[fit]
    assert record["kills"] == kills
    assert record["with_checkpoint"] >= kills // 4  # not all before there was anything to lose
    assert set(record["ended"]) == {0}
    assert set(record["equal"]) == {True}


class Trouble(Callback):
    """Goes wrong in one batch of an epoch, once."""

    at: int | None = None
    kind: type[BaseException] | str = KeyboardInterrupt

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        if training and len(net.history) == Trouble.at:
            Trouble.at = None
            if Trouble.kind == "nan":
                with torch.no_grad():
                    batch[0][0] = torch.nan
            else:
                raise Trouble.kind("trouble")


class EndsAfter(Callback):
    """Ends the training after an epoch, as skorch's own callbacks do."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.epoch:
            raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def _no_trouble():
    Trouble.at = None
    yield
    Trouble.at = None


def _fit(kind=CurvatureNoiseDetector, *, trouble=None, at=None, **options):
    Trouble.at, Trouble.kind = at, trouble
    net = quick_net(max_epochs=8, callbacks=[("trouble", Trouble())])
    detector = kind(net, **{"device": "cpu", "random_state": 0, **options})
    with untouched_rng():
        return detector.fit(X, LABELS)


def _assert_same(one, other):
    assert np.array_equal(one.scores_, other.scores_)
    assert one.signal_scores_.keys() == other.signal_scores_.keys()
    assert all(np.array_equal(one.signal_scores_[name], other.signal_scores_[name]) for name in one.signal_scores_)
    assert np.array_equal(one.suggested_labels_, other.suggested_labels_)


@pytest.mark.parametrize("trouble", [KeyboardInterrupt, MemoryError, "nan"], ids=str)
def test_what_was_measured_before_an_error_is_kept_and_the_error_raised(trouble):
    error = FloatingPointError if trouble == "nan" else trouble
    Trouble.at, Trouble.kind = 5, trouble
    net = quick_net(max_epochs=8, callbacks=[("trouble", Trouble())])
    detector = CurvatureNoiseDetector(net, every=1, device="cpu", random_state=0)
    with pytest.raises(error), untouched_rng():
        detector.fit(X, LABELS)
    assert detector.interrupted_
    assert detector.stop_reason_ == "interrupted"
    assert detector.n_iter_ == len(detector.history_) == 4
    assert detector.predict().sum() == 20
    assert np.isnan(detector.signal_quarters_["loss"]).all(1).tolist() == [False, False, True, True]
    net = quick_net(max_epochs=8, callbacks=[("ends", EndsAfter(4))])
    ended = CurvatureNoiseDetector(net, every=1, device="cpu", random_state=0).fit(X, LABELS)
    assert ended.stop_reason_ == "early_stopping"
    assert np.array_equal(detector.scores_, ended.scores_)
    assert ended.signal_scores_.keys() - detector.signal_scores_.keys() == {"inconfidence"}  # of the finished net
    for name, scores in detector.signal_scores_.items():
        assert np.array_equal(scores, ended.signal_scores_[name])


KINDS = {
    "curvature": (CurvatureNoiseDetector, {"signals": ("averaged_margin", "final_loss"), "contrast": True}),
    "loss": (LossDetector, {}),
    "fused": (FusedDetector, {"n_repeats": 2}),
    "ssft": (SSFTDetector, {"statistic": "time"}),
    "curv_ssft": (CurvSSFT, {}),
    "curv_ssft_shared": (CurvSSFT, {"share_training": True}),
    "confident": (ConfidentLearningDetector, {"cv": 3}),
}


@pytest.mark.parametrize(("kind", "options"), KINDS.values(), ids=KINDS)
def test_every_detector_goes_on_where_it_was_cut_short(tmp_path, kind, options):
    trouble = "nan" if kind is LossDetector else KeyboardInterrupt
    expected = _fit(kind, **options)
    with pytest.raises((KeyboardInterrupt, FloatingPointError)):
        _fit(kind, trouble=trouble, at=6, checkpoint_dir=tmp_path, **options)
    _assert_same(_fit(kind, checkpoint_dir=tmp_path, **options), expected)
    # finished now: no training is begun again
    _assert_same(_fit(kind, trouble=KeyboardInterrupt, at=1, checkpoint_dir=str(tmp_path), **options), expected)


def test_the_training_that_finds_the_number_of_flags_is_taken_up_too(tmp_path):
    expected = _fit(q="auto")
    InterruptedTraining.trainings = 0
    net = quick_net(max_epochs=8, callbacks=[("trouble", Trouble()), ("ctrl_c", InterruptedTraining(2, 5))])
    detector = CurvatureNoiseDetector(net, q="auto", checkpoint_dir=tmp_path, device="cpu", random_state=0)
    with pytest.raises(KeyboardInterrupt):
        detector.fit(X, LABELS)
    assert np.isnan(detector.noise_rate_)
    assert np.array_equal(detector.scores_, expected.scores_)
    detector.fit(X, LABELS)
    assert (detector.noise_rate_, detector.noise_rate_interval_) == (
        expected.noise_rate_,
        expected.noise_rate_interval_,
    )
    _assert_same(detector, expected)


OTHERS = {
    "h was 0.01 and is 0.1": {"h": 0.1},
    "random_state was 0 and is 1": {"random_state": 1},
    "detector was CurvatureNoiseDetector and is LossDetector": {"kind": LossDetector},
}


def test_a_checkpoint_of_another_fit_is_refused_by_name(tmp_path):
    first = _fit(checkpoint_dir=tmp_path)
    for named, change in OTHERS.items():
        with pytest.raises(ValueError, match=named):
            _fit(checkpoint_dir=tmp_path, **change)
    again = _fit(trouble=KeyboardInterrupt, at=1, checkpoint_dir=tmp_path, q=0.3, verbose=1)
    _assert_same(first, again)  # these do not touch the training
    assert again.labels_.sum() == 60
    with pytest.raises(ValueError, match=r"other data \(y changed\)\."):
        first.fit(X, np.roll(LABELS, 1))
    with pytest.raises(ValueError, match=r"other data \(X changed\)\."):
        first.fit(X + 1, LABELS)
    _assert_same(first, again)  # a fit that is refused changes nothing


def test_a_generator_that_stands_elsewhere_is_another_parameter(tmp_path):
    first = _fit(random_state=np.random.RandomState(3), checkpoint_dir=tmp_path)
    _assert_same(_fit(random_state=np.random.RandomState(3), checkpoint_dir=tmp_path), first)
    with pytest.raises(ValueError, match=r"random_state was a generator at .* and is a generator at"):
        _fit(random_state=np.random.RandomState(4), checkpoint_dir=tmp_path)


def test_on_a_disk_that_fills_up_the_fit_ends_and_the_last_good_checkpoint_is_usable(tmp_path):
    expected = _fit()
    with pytest.raises(KeyboardInterrupt):
        _fit(trouble=KeyboardInterrupt, at=4, checkpoint_dir=tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        # the operating system's own limit: a write beyond it fails as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (2048, before[1]))
        with pytest.warns(RuntimeWarning, match="checkpoint could not be written.*The training goes on"):
            on_full_disk = _fit(checkpoint_dir=tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    _assert_same(on_full_disk, expected)
    with pytest.raises(KeyboardInterrupt):  # the fourth epoch is still to come
        _fit(trouble=KeyboardInterrupt, at=4, checkpoint_dir=tmp_path)
    _assert_same(_fit(checkpoint_dir=tmp_path), expected)


def test_a_torn_checkpoint_costs_an_epoch(tmp_path):
    expected = _fit()
    with pytest.raises(KeyboardInterrupt):
        _fit(trouble=KeyboardInterrupt, at=6, checkpoint_dir=tmp_path)
    content = (tmp_path / "checkpoint").read_bytes()
    (tmp_path / "checkpoint").write_bytes(content[:1000])
    with pytest.warns(RuntimeWarning, match="is torn"):
        again = _fit(checkpoint_dir=tmp_path)
    _assert_same(again, expected)


def test_a_place_that_is_no_directory_is_refused_before_anything_is_trained(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        _fit(trouble=KeyboardInterrupt, at=1, checkpoint_dir=tmp_path / "file")
    with pytest.raises(ValueError, match="checkpoint_dir must be None or the path of a directory, got 3"):
        _fit(checkpoint_dir=3)


GRID = {"h": [1e-3, 1e-1], "max_epochs": [2, 3]}


def _detector(kind=CurvatureNoiseDetector, training=99, epoch=2, **options):
    InterruptedTraining.trainings = 0
    net = quick_net(callbacks=[("ctrl_c", InterruptedTraining(training, epoch))])
    return kind(net, **{"max_epochs": 4, "device": "cpu", "random_state": 0, **options})


@pytest.mark.parametrize("mask", [MASK[:100], None], ids=["known", "planted"])
def test_a_search_with_checkpoints_goes_on_where_it_was_cut_short(tmp_path, mask):
    def search(detector):
        return CurvatureSearch(detector, GRID, n_repeats=2, random_state=0)

    expected = search(_detector()).fit(X[:100], LABELS[:100], noise_mask=mask)
    detector = _detector(training=3, checkpoint_dir=tmp_path)
    cut = search(detector)
    with pytest.raises(KeyboardInterrupt), untouched_rng():
        cut.fit(X[:100], LABELS[:100], noise_mask=mask)
    assert cut.interrupted_
    assert len(cut.cv_results_["params"]) == 2
    InterruptedTraining.trainings = 99
    again = search(detector).fit(X[:100], LABELS[:100], noise_mask=mask)
    assert np.array_equal(again.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"])
    assert again.best_params_ == expected.best_params_
    assert np.array_equal(again.score_samples(), expected.score_samples())
    places = {path.name for path in tmp_path.iterdir()}
    assert places - {"best"} == {f"setting-{i}-repeat-{repeat}" for i in (0, 1) for repeat in (0, 1)}
    assert ("best" in places) == (mask is None)
    assert detector.checkpoint_dir == tmp_path


def test_planted_noise_with_checkpoints_goes_on_where_it_was_cut_short(tmp_path):
    def planted(detector):
        return PlantedNoise(detector, rate=0.1, n_repeats=2, refit=True, random_state=0)

    expected = planted(_detector(LossDetector)).fit(X[:100], LABELS[:100])
    with pytest.raises(KeyboardInterrupt):
        planted(_detector(LossDetector, training=2, checkpoint_dir=tmp_path)).fit(X[:100], LABELS[:100])
    again = planted(_detector(LossDetector, training=99, checkpoint_dir=tmp_path))
    again.detector.net.callbacks[-1][1].training = 2  # as it was: a callback is a parameter of the net
    InterruptedTraining.trainings = 5
    again.fit(X[:100], LABELS[:100])
    assert np.array_equal(again.grades_["roc_auc"], expected.grades_["roc_auc"])
    assert np.array_equal(again.detector_.scores_, expected.detector_.scores_)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["given", "planted-0", "planted-1"]


def test_settings_that_train_differently_do_not_share_a_directory(tmp_path):
    detector = _detector(checkpoint_dir=tmp_path)
    scoring = noise_scorer(MASK)
    search = GridSearchCV(detector, {"h": [1e-2, 1e-1]}, cv=InSample(), scoring=scoring, error_score="raise")
    with pytest.raises(ValueError, match=r"h was 0\.01 and is 0\.1"):
        search.fit(X, LABELS)

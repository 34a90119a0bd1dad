"""One seed leads to one set of scores, however the work is spread, and leaves the caller's generators alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from curvdetect import ConfidentLearningDetector, CurvatureNoiseDetector, CurvSSFT, FusedDetector, memorizing_net
from tests.cases import draw_from_every_generator, noisy_digits, untouched_rng

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, LABELS, *_ = noisy_digits(120)
PICTURES = X.reshape(-1, 1, 8, 8)
KINDS = {
    "curvature": (CurvatureNoiseDetector, {"contrast": True}),
    "fused": (FusedDetector, {"n_repeats": 2}),
    "curv_ssft": (CurvSSFT, {"share_training": True}),
    "confident": (ConfidentLearningDetector, {"cv": 2}),
}


def _scores(kind=CurvatureNoiseDetector, net=None, X=X, threads=1, **options):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        detector = kind(net, **{"max_epochs": 3, "device": "cpu", "random_state": 0, **options}).fit(X, LABELS)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    return np.stack([detector.scores_, *detector.signal_scores_.values()])


@cache
def _expected(name, seed=0):
    """Return the scores of one of `KINDS`, fitted alone."""
    kind, options = KINDS[name]
    return _scores(kind, random_state=seed, **options)


@pytest.mark.usefixtures("few_trees")
@pytest.mark.parametrize("name", KINDS)
def test_the_same_seed_leads_to_the_same_scores_and_another_to_others(name):
    expected, (kind, options) = _expected(name), KINDS[name]
    draw_from_every_generator()
    with untouched_rng():
        assert np.array_equal(_scores(kind, **options), expected)
    assert not np.array_equal(_expected(name, seed=1), expected)


@pytest.mark.usefixtures("few_trees")
@pytest.mark.parametrize("name", ["fused", "confident"])
def test_in_threads_beside_each_other_scores_are_the_same(name):
    kind, options = KINDS[name]
    with ThreadPoolExecutor(3) as pool, untouched_rng():
        together = list(pool.map(lambda seed: _scores(kind, random_state=seed, **options), [0, 1, 0]))
    assert np.array_equal(together[0], together[2])
    assert np.array_equal(together[0], _expected(name))
    assert np.array_equal(together[1], _expected(name, seed=1))


def test_pictures_are_scored_alike_on_one_and_two_threads_where_that_is_asked_for():
    def scores(threads):
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            net = memorizing_net(None, deterministic=True)
            detector = CurvatureNoiseDetector(net, keep_snapshots=2, max_epochs=2, device="cpu", random_state=0)
            detector.fit(PICTURES[:90], LABELS[:90])
            return *detector.signal_scores_.values(), detector.score_samples(PICTURES[90:], LABELS[90:])
        finally:
            torch.set_num_threads(before)

    assert all(map(np.array_equal, scores(2), scores(1)))


def test_settings_of_torch_are_put_back():
    torch.use_deterministic_algorithms(True, warn_only=False)
    try:
        _scores(net=memorizing_net(nn.Linear(64, 10), deterministic=True), threads=2)
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


def _with_workers(n):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(64, 32), nn.Dropout(0.2), nn.ReLU(), nn.Linear(32, 10))
    return memorizing_net(
        module, iterator_train=DataLoader, iterator_train__shuffle=True, iterator_train__num_workers=n
    )


def test_the_number_of_loading_processes_changes_nothing():
    expected = _scores(net=_with_workers(0))
    for n in (1, 2):
        assert np.array_equal(_scores(net=_with_workers(n)), expected)

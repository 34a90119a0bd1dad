"""Searches whose candidates are trained by the processes of a cluster."""

from __future__ import annotations

from contextlib import contextmanager

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from curvdetect import CurvatureNoiseDetector, CurvatureSearch, InSample, LossDetector, PlantedNoise
from tests.cases import noisy_digits, quick_net

pytestmark = [
    pytest.mark.slow,
    pytest.mark.processes,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    # of dask's own
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
X, LABELS, MASK, _ = noisy_digits(120)
COMMON = {"max_epochs": 3, "device": "cpu", "random_state": 0}


@contextmanager
def dask_cluster():
    """Start two processes of dask's."""
    distributed = pytest.importorskip("distributed")
    # processes, since threads of one would take turns: a training has the global generators to itself
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0
        ) as local,
        distributed.Client(local),
    ):
        yield


@contextmanager
def ray_cluster():
    """Start ray with two processors."""
    ray = pytest.importorskip("ray")
    pytest.importorskip("ray.util.joblib").register_ray()
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


CLUSTERS = {"dask": dask_cluster, "ray": ray_cluster}
PACKAGES = {"dask": "distributed", "ray": "ray"}


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=pytest.mark.meets(PACKAGES[name])) for name in CLUSTERS]
)
def cluster(request):
    """A cluster of two processes on this machine, by its name for joblib."""
    with CLUSTERS[request.param]():
        yield request.param


def test_a_search_on_a_cluster_finds_what_it_finds_here(cluster):
    """`GridSearchCV` under `joblib.parallel_config` of the cluster finds the same scores as without."""
    detector = PlantedNoise(LossDetector(quick_net(), **COMMON), random_state=0)
    grid = {"detector__net__lr": [0.01, 0.1]}
    search = GridSearchCV(detector, grid, cv=InSample(), refit=False, error_score="raise", n_jobs=-1)
    found = {}
    for backend in (cluster, "sequential"):
        with joblib.parallel_config(backend=backend):
            found[backend] = search.fit(X, LABELS).cv_results_["mean_test_score"]
    # a worker may have fewer threads, and one pair of samples changes places
    np.testing.assert_allclose(found[cluster], found["sequential"], atol=2e-3)
    assert len(set(found[cluster])) > 1


def test_trainings_of_a_curvature_search_are_done_by_the_workers(cluster):
    """`CurvatureSearch` on the cluster finds the same scores as without."""
    grid = {"net__lr": [0.02, 0.1], "h": [1e-3, 1e-1]}
    search = CurvatureSearch(CurvatureNoiseDetector(quick_net(), **COMMON), grid, n_jobs=-1, random_state=0)
    with joblib.parallel_config(backend=cluster):
        found = clone(search).fit(X, LABELS, noise_mask=MASK)
    here = clone(search).set_params(n_jobs=None).fit(X, LABELS, noise_mask=MASK)
    np.testing.assert_allclose(found.cv_results_["mean_test_score"], here.cv_results_["mean_test_score"], atol=2e-3)
    assert found.n_trainings_ == here.n_trainings_ == 2
    np.testing.assert_allclose(found.score_samples(X), here.score_samples(X), rtol=1e-3)

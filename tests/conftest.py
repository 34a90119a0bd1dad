"""Fixtures that many tests share."""

from __future__ import annotations

import pytest
import torch
from hypothesis import settings

from tests.meets.record import (  # noqa: F401 - hooks, for tests in any folder
    pytest_addoption,
    pytest_collection_modifyitems,
    pytest_terminal_summary,
)

settings.register_profile("untimed", deadline=None)  # how fast an example runs says nothing about the code
settings.load_profile("untimed")


@pytest.fixture
def few_chains(monkeypatch):
    """Estimate how many labels are wrong in a tenth of the time, where it is not the estimate that is tested."""
    for name in ("N_CHAINS", "N_AT_ONCE"):
        monkeypatch.setattr(f"curvdetect.detectors.noise_rate.{name}", 8)


@pytest.fixture
def few_trees(monkeypatch):
    """Grow a fifth of the forest, where it is not its quality that is tested."""
    monkeypatch.setattr("curvdetect.detectors.trees.N_TREES", 30)


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request):
    """Every device there is; a GPU test says so where there is none."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    return torch.device(request.param)

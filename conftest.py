"""What tests and the examples of the documentation share."""

from __future__ import annotations

import os
import sys

import pytest
import torch

os.environ.setdefault("MPLBACKEND", "Agg")  # no window opens

# sphinx-build runs these; the pages beside them are tested
collect_ignore_glob = [
    "docs/conf.py",
    "docs/extensions/*",
    "docs/examples/*",
    "docs/auto_examples/*",
    "docs/generated/*",
]


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Small tensors are faster on one thread, and tests beside each other don't fight for cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")  # of the processes that tests start
        yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _no_figure_stays():
    """Close what displays leave with pyplot, as scikit-learn's do."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")

"""What tests and the examples of the documentation share."""

from __future__ import annotations

import os
import sys

import pytest

# read when numpy is loaded: workers that multiply with as many threads as there are cores wait for each other
os.environ.setdefault("OMP_NUM_THREADS", "1")

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


def pytest_addoption(parser):
    """Let tests that say how well something is found be asked whether another training would do, too."""
    parser.addoption(
        "--seed-shift",
        type=int,
        default=0,
        metavar="N",
        help="Train every net with its seed plus N, which stands for another processor: bounds of what is found are to "
        "hold, whatever N is. Data, and processes that tests start, stay as they are: tests marked 'processes' skip.",
    )
    parser.addoption(
        "--threads",
        type=int,
        default=1,
        metavar="N",
        help="Threads of torch in each process.",
    )


def pytest_collection_modifyitems(config, items):
    """Begin with files that take long, and leave out what compares with a process that knows of no other seed."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
    if config.getoption("--seed-shift"):
        for item in items:
            if item.get_closest_marker("processes"):
                item.add_marker(pytest.mark.skip(reason="compares with a process whose seeds are not shifted"))


@pytest.fixture(scope="session", autouse=True)
def _other_trainings(request):
    """Move the seed of every training by what the command line says."""
    shift = request.config.getoption("--seed-shift")
    with pytest.MonkeyPatch.context() as patch:
        if shift:
            from curvdetect.training import memorize

            isolated = memorize.isolated_rng
            patch.setattr(memorize, "isolated_rng", lambda device, seed: isolated(device, seed + shift))
        yield


@pytest.fixture(scope="session", autouse=True)
def _one_thread(request):
    """Small tensors are faster on one thread, and tests beside each other don't fight for cores."""
    before, threads = torch.get_num_threads(), request.config.getoption("--threads")
    torch.set_num_threads(threads)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", str(threads))  # of the processes that tests start
        yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _no_figure_stays():
    """Close what displays leave with pyplot, as scikit-learn's do."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")

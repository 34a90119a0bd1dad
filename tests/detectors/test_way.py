"""The user's data goes one straight way from ``fit`` to ``scores_``."""

from __future__ import annotations

import sys
from collections import defaultdict

import numpy as np
import pytest
import torch

import curvdetect
from curvdetect import CurvatureNoiseDetector
from curvdetect.data.samples import Inputs, Samples
from tests.cases import quick_net

ROOT = curvdetect.__file__.removesuffix("__init__.py")
N = 151


def _place(frame):
    """Return the room and the file of a frame, where it is one of the package's."""
    name = frame.f_code.co_filename
    return tuple(name.removeprefix(ROOT).split("/")) if name.startswith(ROOT) else ()


def _arguments(frame):
    code = frame.f_code
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return [frame.f_locals[name] for name in names if name in frame.f_locals]


def _callers(frame):
    while frame.f_back is not None:
        frame = frame.f_back
        if _place(frame):
            yield frame


def _is_data(value):
    return isinstance(value, Samples) or (isinstance(value, np.ndarray | torch.Tensor) and len(value) == N)


def _files_entered(detector, X, y):
    """Return the files of the two rooms that are handed the data or the samples, with the places that hand it on.

    What samples are asked (a batch, their columns), questions about the kind of ``X``, and the training itself are no
    stations: the data does not change hands there.
    """
    entered = defaultdict(set)

    def watch(frame, event, _):
        if event != "call" or not frame.f_code.co_filename.startswith((f"{ROOT}data/", f"{ROOT}detectors/")):
            return
        if frame.f_code.co_name == "_rank":
            sys.setprofile(None)
        place, callers = _place(frame), list(_callers(frame))
        if (
            frame.f_code.co_name.startswith("is_")
            or any(_place(one)[0] in ("training", "signals") for one in callers)
            or any(isinstance(one.f_locals.get("self"), Samples | Inputs) for one in (frame, *callers))
            or not any(map(_is_data, _arguments(frame)))
        ):
            return
        caller = (_place(callers[0]), callers[0].f_code.co_name) if callers else ((), "the user")
        if caller[0] != place:
            entered["/".join(place)].add(caller)

    torch.optim.SGD(torch.nn.Linear(1, 1).parameters())  # what the first one loads is a long way of its own
    sys.setprofile(watch)
    try:
        detector.fit(X, y)
    finally:
        sys.setprofile(None)
    return entered


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_data_is_handed_on_by_few_files_and_from_few_places():
    X, y = np.random.default_rng(0).standard_normal((N, 4)), np.arange(N) % 3
    entered = _files_entered(CurvatureNoiseDetector(quick_net(4, 3), max_epochs=1, device="cpu"), X, y)
    assert len(entered) <= 8, dict(entered)
    assert max(map(len, entered.values())) <= 2, dict(entered)
    assert {"detectors/base.py", "detectors/inputs.py", "data/samples.py", "detectors/measured.py"} <= entered.keys()

"""What a watched run holds on to while its scores are read."""

from __future__ import annotations

import gc
import sys
import weakref
from dataclasses import replace

import pytest

from curvdetect import LossDetector
from curvdetect.detectors import measured
from curvdetect.signals.dynamics import Loss, Margin
from curvdetect.signals.registry import SIGNALS
from tests.cases import noisy_digits, quick_net


@pytest.fixture
def without_collector():
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("without_collector")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("loads", [True, False], ids=["first fit", "later fit"])
def test_the_sums_of_a_signal_are_gone_when_the_next_ones_scores_are_read(monkeypatch, loads):
    train, alive, found = measured.memorize, weakref.WeakSet(), []

    def memorize(samples, signals, settings):
        alive.update(signal for signal in signals if isinstance(signal, Loss))
        # as a module does that is loaded meanwhile and keeps the frame it was called from
        kept = sys._getframe() if loads else None
        if kept is not None:
            monkeypatch.setitem(sys.modules, "loaded late", sys)
        return train(samples, signals, settings)

    class Looks(Margin):
        def scores(self):
            found.append(len(alive))
            return super().scores()

    monkeypatch.setattr(measured, "memorize", memorize)
    monkeypatch.setattr(measured, "_LOADED_LATE", "loaded late")
    monkeypatch.setitem(SIGNALS, "margin", replace(SIGNALS["margin"], make=Looks))
    X, y, *_ = noisy_digits(40)
    LossDetector(quick_net(), max_epochs=1, device="cpu", random_state=0).fit(X, y)
    assert found == [0]

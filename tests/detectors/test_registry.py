"""The table of detectors, and how little it takes to add one."""

from __future__ import annotations

import re

import numpy as np
import pytest
from click.testing import CliRunner

import curvdetect
from curvdetect import CurvatureNoiseDetector, FusedDetector, LossDetector, fuse, load, save
from curvdetect.cli import main
from curvdetect.detectors import registry
from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.detectors.parameters import OneRun, with_parameters
from curvdetect.signals.dynamics import Loss
from curvdetect.signals.registry import SIGNALS, Entry
from tests.cases import noisy_digits, quick_net

X, LABELS, *_ = noisy_digits(80)


@with_parameters
class DoubledLossDetector(OneRun, BaseNoiseDetector):
    """Rank samples by a multiple of their mean loss; higher is more suspect.

    Parameters
    ----------
    times : float, default=2
        Factor.
    """

    times: float = 2

    def _score(self, measured):
        return self.times * measured.signal_scores["loss"]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_class_and_a_line_in_the_table_make_a_detector(monkeypatch, tmp_path):
    entry = registry.Entry(f"{__name__}:DoubledLossDetector", "twice the mean loss")
    monkeypatch.setitem(registry.DETECTORS, "doubled", entry)
    params = {"net": quick_net(), "device": "cpu", "random_state": 0}
    detector, loss = DoubledLossDetector(**params).fit(X, LABELS), LossDetector(**params).fit(X, LABELS)
    assert np.array_equal(detector.scores_, 2 * loss.scores_)
    assert "times : float, default=2" in DoubledLossDetector.__doc__
    assert "max_epochs : int, optional" in DoubledLossDetector.__doc__
    save(detector, tmp_path / "saved")
    assert np.array_equal(load(tmp_path / "saved", net=quick_net()).score_samples(X), detector.scores_)


class DoubledLoss(Loss):
    name = "doubled_loss"

    def scores(self):
        return 2 * super().scores()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_class_and_a_line_in_the_table_make_a_signal(monkeypatch, tmp_path):
    monkeypatch.setitem(SIGNALS, "doubled_loss", Entry(DoubledLoss, "twice the loss", "asked"))
    params = {"signals": ["doubled_loss"], "device": "cpu", "random_state": 0}
    curvature, fused = (kind(quick_net(), **params).fit(X, LABELS) for kind in (CurvatureNoiseDetector, FusedDetector))
    for detector in (curvature, fused):
        assert np.array_equal(detector.signal_scores_["doubled_loss"], 2 * detector.signal_scores_["loss"])
    assert np.array_equal(fused.scores_, fuse(fused.signal_scores_["loss"]))
    save(fused, tmp_path / "saved")
    again = load(tmp_path / "saved", net=quick_net())
    assert np.array_equal(again.signal_scores_["doubled_loss"], fused.signal_scores_["doubled_loss"])
    np.savez(tmp_path / "digits.npz", X=X, y=LABELS)
    words = ["compare", str(tmp_path / "digits.npz"), "--epochs", "1", "--device", "cpu", "--quiet"]
    table = CliRunner().invoke(main, words)
    assert re.search(r"^twice the loss +\d", table.output, re.MULTILINE), table.output


def test_every_public_detector_is_in_the_table():
    public = {name for name in curvdetect.__all__ if name.endswith(("Detector", "SSFT"))} - {"BaseNoiseDetector"}
    assert registry.classes().keys() == public

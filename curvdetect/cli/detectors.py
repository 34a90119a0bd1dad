"""The detectors that a scan can be asked for by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.detectors.confident import ConfidentLearningDetector
from curvdetect.detectors.curv_ssft import CurvSSFT
from curvdetect.detectors.curvature import CurvatureNoiseDetector
from curvdetect.detectors.dynamics import LossDetector, MarginDetector
from curvdetect.detectors.fused import FusedDetector
from curvdetect.detectors.ssft import SSFTDetector

#: What every scan of one run records beside what it ranks by.
_EXTRAS = ("input_gradient", "late_loss", "late_margin")


def _fused(net: Any, **common: Any) -> BaseNoiseDetector:
    return FusedDetector(net, beside=(*_EXTRAS, "curvature"), **common)


def _curvature(net: Any, **common: Any) -> BaseNoiseDetector:
    return CurvatureNoiseDetector(net, signals=_EXTRAS, **common)


def _contrast(net: Any, **common: Any) -> BaseNoiseDetector:
    return CurvatureNoiseDetector(net, contrast=True, signals=_EXTRAS, **common)


#: From a name to what makes the detector.
DETECTORS: dict[str, Callable[..., BaseNoiseDetector]] = {
    "fused": _fused,
    "curvature": _curvature,
    "contrast": _contrast,
    "loss": LossDetector,
    "margin": MarginDetector,
    "ssft": SSFTDetector,
    "curv-ssft": CurvSSFT,
    "confident": ConfidentLearningDetector,
}

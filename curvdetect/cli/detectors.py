"""The detectors that a scan can be asked for by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.detectors.confident import ConfidentLearningDetector
from curvdetect.detectors.curv_ssft import CurvSSFT
from curvdetect.detectors.curvature import CurvatureNoiseDetector
from curvdetect.detectors.dynamics import LossDetector, MarginDetector
from curvdetect.detectors.fused import FusedDetector
from curvdetect.detectors.ssft import SSFTDetector

#: What every scan of one run records beside what it ranks by.
_EXTRAS = ("input_gradient", "late_loss", "late_margin")


#: From a name to what makes the detector.
DETECTORS: dict[str, Callable[..., BaseNoiseDetector]] = {
    "fused": partial(FusedDetector, beside=(*_EXTRAS, "curvature_contrast")),
    "curvature": partial(CurvatureNoiseDetector, signals=_EXTRAS),
    "plain-curvature": partial(CurvatureNoiseDetector, signals=_EXTRAS, contrast=False),
    "loss": LossDetector,
    "margin": MarginDetector,
    "ssft": SSFTDetector,
    "curv-ssft": CurvSSFT,
    "confident": ConfidentLearningDetector,
}

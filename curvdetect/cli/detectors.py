"""The names of detectors and signals on the command line."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.detectors.confident import ConfidentLearningDetector
from curvdetect.detectors.fused import FusedDetector
from curvdetect.detectors.one_signal import CurvatureNoiseDetector, LossDetector, MarginDetector
from curvdetect.detectors.ssft import CurvSSFT, SSFTDetector

#: Signals that a scan of one training records beside those that rank.
_EXTRAS = ("input_gradient", "late_loss", "late_margin")

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

#: What a detector of several trainings costs, in plain trainings.
COSTS = {"ssft": 2.3, "curv-ssft": 3.7, "confident": 4}

CAPTIONS = {
    "fused": "recommended: fused",
    "loss": "cumulative loss",
    "late_loss": "loss, second half of the epochs",
    "final_loss": "loss, last quarter of the epochs",
    "margin": "margin",
    "early_margin": "margin, first quarter of the epochs",
    "late_margin": "margin, second half of the epochs",
    "averaged_margin": "margin of averaged probabilities",
    "input_gradient": "input gradient",
    "gradient_contrast": "input gradient, label contrast",
    "curvature": "curvature",
    "curvature_contrast": "curvature, label contrast",
    "learning_time": "learning time",
    "inconfidence": "inconfidence",
    "ssft": "second-split forgetting",
    "curv-ssft": "curvature and forgetting",
    "confident": "confident learning",
}

"""curvdetect: find wrong labels by watching a network memorize them."""

from importlib.metadata import version

from curvdetect.data.folders import load_image_folder
from curvdetect.data.noise import corrupt_labels
from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.detectors.confident import ConfidentLearningDetector
from curvdetect.detectors.curvature import CurvatureNoiseDetector
from curvdetect.detectors.dynamics import (
    InconfidenceDetector,
    InputGradientDetector,
    LearningTimeDetector,
    LossDetector,
    MarginDetector,
)
from curvdetect.review.plots import SuspectsDisplay
from curvdetect.signals.curvature import input_curvature
from curvdetect.training.recipe import memorizing_net, one_cycle, step_decay

__version__ = version("curvdetect")

__all__ = [
    "BaseNoiseDetector",
    "ConfidentLearningDetector",
    "CurvatureNoiseDetector",
    "InconfidenceDetector",
    "InputGradientDetector",
    "LearningTimeDetector",
    "LossDetector",
    "MarginDetector",
    "SuspectsDisplay",
    "corrupt_labels",
    "input_curvature",
    "load_image_folder",
    "memorizing_net",
    "one_cycle",
    "step_decay",
]

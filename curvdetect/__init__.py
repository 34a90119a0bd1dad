"""curvdetect: find wrong labels by watching a network memorize them."""

from importlib.metadata import version

from curvdetect.data.folders import load_image_folder
from curvdetect.data.noise import corrupt_labels
from curvdetect.detectors.confident import ConfidentLearningDetector
from curvdetect.detectors.curvature import CurvatureNoiseDetector
from curvdetect.detectors.dynamics import (
    InconfidenceDetector,
    InputGradientDetector,
    LearningTimeDetector,
    LossDetector,
    MarginDetector,
)
from curvdetect.signals.curvature import input_curvature
from curvdetect.training.nets import memorizing_net

__version__ = version("curvdetect")

__all__ = [
    "ConfidentLearningDetector",
    "CurvatureNoiseDetector",
    "InconfidenceDetector",
    "InputGradientDetector",
    "LearningTimeDetector",
    "LossDetector",
    "MarginDetector",
    "corrupt_labels",
    "input_curvature",
    "load_image_folder",
    "memorizing_net",
]

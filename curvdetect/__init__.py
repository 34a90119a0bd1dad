"""curvdetect: find wrong labels by watching a network memorize them."""

from importlib.metadata import version

from curvdetect.data.folders import load_image_folder
from curvdetect.data.items import TwoViews
from curvdetect.data.noise import conflicting_duplicates, corrupt_labels
from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.detectors.confident import ConfidentLearningDetector
from curvdetect.detectors.fused import FusedDetector, recommended_signals
from curvdetect.detectors.grading import InSample, noise_scorer
from curvdetect.detectors.one_signal import (
    CurvatureNoiseDetector,
    InconfidenceDetector,
    InputGradientDetector,
    LearningTimeDetector,
    LossDetector,
    MarginDetector,
)
from curvdetect.detectors.planted import PlantedNoise
from curvdetect.detectors.ranking import fuse
from curvdetect.detectors.search import CurvatureSearch
from curvdetect.detectors.ssft import CurvSSFT, SSFTDetector
from curvdetect.review.cleanlab import label_issues, register_with_datalab
from curvdetect.review.duplicates import find_conflicting_duplicates
from curvdetect.review.plots.agreement import DetectionCurveDisplay, SimilarityCurveDisplay
from curvdetect.review.plots.overview import LabelConfusionDisplay, ScoreHistogramDisplay
from curvdetect.review.plots.pictures import ExtremesDisplay, SuspectsDisplay
from curvdetect.review.plots.training import TrainingCurveDisplay
from curvdetect.review.report import write_report
from curvdetect.review.results import scores_by_epoch
from curvdetect.review.storage import load, save
from curvdetect.review.verdicts import apply_verdicts
from curvdetect.signals.curvature import input_curvature, input_curvatures
from curvdetect.training.recipe import memorizing_net, one_cycle, step_decay

__version__ = version("curvdetect")

__all__ = [
    "BaseNoiseDetector",
    "ConfidentLearningDetector",
    "CurvSSFT",
    "CurvatureNoiseDetector",
    "CurvatureSearch",
    "DetectionCurveDisplay",
    "ExtremesDisplay",
    "FusedDetector",
    "InSample",
    "InconfidenceDetector",
    "InputGradientDetector",
    "LabelConfusionDisplay",
    "LearningTimeDetector",
    "LossDetector",
    "MarginDetector",
    "PlantedNoise",
    "SSFTDetector",
    "ScoreHistogramDisplay",
    "SimilarityCurveDisplay",
    "SuspectsDisplay",
    "TrainingCurveDisplay",
    "TwoViews",
    "apply_verdicts",
    "conflicting_duplicates",
    "corrupt_labels",
    "find_conflicting_duplicates",
    "fuse",
    "input_curvature",
    "input_curvatures",
    "label_issues",
    "load",
    "load_image_folder",
    "memorizing_net",
    "noise_scorer",
    "one_cycle",
    "recommended_signals",
    "register_with_datalab",
    "save",
    "scores_by_epoch",
    "step_decay",
    "write_report",
]

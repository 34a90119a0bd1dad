"""curvdetect: find wrong labels by watching a network memorize them.

Names are imported when they are first used: importing the package alone loads neither torch nor scikit-learn.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from curvdetect.data.folders import load_image_folder as load_image_folder
    from curvdetect.data.items import TwoViews as TwoViews
    from curvdetect.data.noise import conflicting_duplicates as conflicting_duplicates
    from curvdetect.data.noise import corrupt_labels as corrupt_labels
    from curvdetect.detectors.base import BaseNoiseDetector as BaseNoiseDetector
    from curvdetect.detectors.confident import ConfidentLearningDetector as ConfidentLearningDetector
    from curvdetect.detectors.fused import FusedDetector as FusedDetector
    from curvdetect.detectors.fused import recommended_signals as recommended_signals
    from curvdetect.detectors.grading import InSample as InSample
    from curvdetect.detectors.grading import noise_scorer as noise_scorer
    from curvdetect.detectors.left_out import LeaveOneOutDetector as LeaveOneOutDetector
    from curvdetect.detectors.left_out import OutOfBagDetector as OutOfBagDetector
    from curvdetect.detectors.one_signal import CurvatureNoiseDetector as CurvatureNoiseDetector
    from curvdetect.detectors.one_signal import InconfidenceDetector as InconfidenceDetector
    from curvdetect.detectors.one_signal import InputGradientDetector as InputGradientDetector
    from curvdetect.detectors.one_signal import LearningTimeDetector as LearningTimeDetector
    from curvdetect.detectors.one_signal import LossDetector as LossDetector
    from curvdetect.detectors.one_signal import MarginDetector as MarginDetector
    from curvdetect.detectors.planted import PlantedNoise as PlantedNoise
    from curvdetect.detectors.ranking import fuse as fuse
    from curvdetect.detectors.search import CurvatureSearch as CurvatureSearch
    from curvdetect.detectors.ssft import CurvSSFT as CurvSSFT
    from curvdetect.detectors.ssft import SSFTDetector as SSFTDetector
    from curvdetect.features.embedder import ImageEmbedder as ImageEmbedder
    from curvdetect.features.patches import PatchFeatures as PatchFeatures
    from curvdetect.files.registry import read_data as read_data
    from curvdetect.review.cleanlab import label_issues as label_issues
    from curvdetect.review.cleanlab import register_with_datalab as register_with_datalab
    from curvdetect.review.duplicates import find_conflicting_duplicates as find_conflicting_duplicates
    from curvdetect.review.plots.agreement import DetectionCurveDisplay as DetectionCurveDisplay
    from curvdetect.review.plots.agreement import SimilarityCurveDisplay as SimilarityCurveDisplay
    from curvdetect.review.plots.overview import LabelConfusionDisplay as LabelConfusionDisplay
    from curvdetect.review.plots.overview import ScoreHistogramDisplay as ScoreHistogramDisplay
    from curvdetect.review.plots.pictures import ExtremesDisplay as ExtremesDisplay
    from curvdetect.review.plots.pictures import SuspectsDisplay as SuspectsDisplay
    from curvdetect.review.plots.training import TrainingCurveDisplay as TrainingCurveDisplay
    from curvdetect.review.report import write_report as write_report
    from curvdetect.review.results import scores_by_epoch as scores_by_epoch
    from curvdetect.review.storage import load as load
    from curvdetect.review.storage import save as save
    from curvdetect.review.verdicts import apply_verdicts as apply_verdicts
    from curvdetect.signals.curvature import input_curvature as input_curvature
    from curvdetect.signals.curvature import input_curvatures as input_curvatures
    from curvdetect.training.finetuning import finetuning_net as finetuning_net
    from curvdetect.training.recipe import memorizing_net as memorizing_net
    from curvdetect.training.schedules import one_cycle as one_cycle
    from curvdetect.training.schedules import step_decay as step_decay

#: Modules and their public names.
_PLACES = {
    "data.folders": ["load_image_folder"],
    "data.items": ["TwoViews"],
    "data.noise": ["conflicting_duplicates", "corrupt_labels"],
    "detectors.base": ["BaseNoiseDetector"],
    "detectors.confident": ["ConfidentLearningDetector"],
    "detectors.fused": ["FusedDetector", "recommended_signals"],
    "detectors.grading": ["InSample", "noise_scorer"],
    "detectors.left_out": ["LeaveOneOutDetector", "OutOfBagDetector"],
    "detectors.one_signal": [
        "CurvatureNoiseDetector",
        "InconfidenceDetector",
        "InputGradientDetector",
        "LearningTimeDetector",
        "LossDetector",
        "MarginDetector",
    ],
    "detectors.planted": ["PlantedNoise"],
    "detectors.ranking": ["fuse"],
    "detectors.search": ["CurvatureSearch"],
    "detectors.ssft": ["CurvSSFT", "SSFTDetector"],
    "features.embedder": ["ImageEmbedder"],
    "features.patches": ["PatchFeatures"],
    "files.registry": ["read_data"],
    "review.cleanlab": ["label_issues", "register_with_datalab"],
    "review.duplicates": ["find_conflicting_duplicates"],
    "review.plots.agreement": ["DetectionCurveDisplay", "SimilarityCurveDisplay"],
    "review.plots.overview": ["LabelConfusionDisplay", "ScoreHistogramDisplay"],
    "review.plots.pictures": ["ExtremesDisplay", "SuspectsDisplay"],
    "review.plots.training": ["TrainingCurveDisplay"],
    "review.report": ["write_report"],
    "review.results": ["scores_by_epoch"],
    "review.storage": ["load", "save"],
    "review.verdicts": ["apply_verdicts"],
    "signals.curvature": ["input_curvature", "input_curvatures"],
    "training.finetuning": ["finetuning_net"],
    "training.recipe": ["memorizing_net"],
    "training.schedules": ["one_cycle", "step_decay"],
}
#: Packages and modules that are attributes without an import of their own, too.
_ROOMS = ("data", "detectors", "features", "files", "metrics", "review", "signals", "training")

__version__ = version("curvdetect")

if not TYPE_CHECKING:  # a type checker knows the names above, and would take any other for known
    __all__ = sorted(name for names in _PLACES.values() for name in names)

    def __getattr__(name: str) -> object:
        """Import a public name."""
        place = next((place for place, names in _PLACES.items() if name in names), None)
        if place is None and name not in _ROOMS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = import_module(f"{__name__}.{place or name}")
        globals()[name] = value = getattr(value, name) if place else value
        return value

    def __dir__() -> list[str]:
        """Return the public names beside those that were imported."""
        return sorted({*globals(), *__all__, *_ROOMS})

"""The table of detectors: an entry for each, read by the command line, for saved files and for the documentation."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.detectors.confident import ConfidentLearningDetector
from curvdetect.detectors.fused import FusedDetector
from curvdetect.detectors.one_signal import (
    CurvatureNoiseDetector,
    InconfidenceDetector,
    InputGradientDetector,
    LearningTimeDetector,
    LossDetector,
    MarginDetector,
)
from curvdetect.detectors.parameters import OneRun
from curvdetect.detectors.ssft import CurvSSFT, SSFTDetector
from curvdetect.signals.registry import recorded

#: Forward passes (F) over the data that an epoch of training costs.
EPOCH = 3
#: Signals that a scan of one training records beside those that rank.
_BESIDE = ("input_gradient", "late_loss", "late_margin")
ALWAYS, _PROBED, _FORGETTING = (tuple(recorded(when)) for when in ("always", "probed", "second split"))


class Entry(NamedTuple):
    """A detector with its defaults, or with other parameters."""

    detector: type[BaseNoiseDetector]
    caption: str
    score: str
    """What its score is."""
    passes: float | Fraction
    """Forward passes over the data for each epoch of one plain training, which makes 3 of them."""
    records: tuple[str, ...]
    """What it leaves in ``signal_scores_``."""
    params: Mapping[str, Any] = {}
    """What makes it another one than the detector by default."""
    scan: Mapping[str, Any] | None = {}
    """What a scan on the command line sets beside; None where it doesn't offer the detector."""

    @property
    def trainings(self) -> Fraction:
        """Its cost in plain trainings."""
        return Fraction(self.passes) / EPOCH

    @property
    def apart(self) -> bool:
        """Whether it needs trainings of its own: its score is no signal of a single run."""
        return not issubclass(self.detector, OneRun)


#: By their names on the command line.
DETECTORS: dict[str, Entry] = {
    "fused": Entry(
        FusedDetector,
        "recommended: fused",
        "several signals of one training, by default the recommended ones",
        3,
        (*ALWAYS, "late_margin", "early_margin"),
        scan={"beside": (*_BESIDE, "curvature_contrast")},
    ),
    "curvature": Entry(
        CurvatureNoiseDetector,
        "curvature, label contrast",
        "curvature of the loss around the input, of the given label against the best other one, mean over epochs",
        Fraction(9, 2),
        (*ALWAYS, *_PROBED),
        scan={"signals": _BESIDE},
    ),
    "plain-curvature": Entry(
        CurvatureNoiseDetector,
        "curvature",
        "curvature of the loss around the input, mean over epochs",
        4,
        (*ALWAYS, "curvature"),
        params={"contrast": False},
        scan={"signals": _BESIDE},
    ),
    "loss": Entry(LossDetector, "cumulative loss", "mean loss (cumulative sample loss)", 3, ALWAYS),
    "margin": Entry(MarginDetector, "margin", "area under the margin, sign turned", 3, ALWAYS),
    "learning-time": Entry(
        LearningTimeDetector, "learning time", "first epoch from which a sample stays correct", 3, ALWAYS, scan=None
    ),
    "inconfidence": Entry(
        InconfidenceDetector, "inconfidence", "one minus the given label's probability in the end", 3, ALWAYS, scan=None
    ),
    "input-gradient": Entry(
        InputGradientDetector,
        "input gradient",
        "norm of the loss's gradient at the input, mean over epochs",
        3,
        (*ALWAYS, "input_gradient"),
        scan=None,
    ),
    "ssft": Entry(
        SSFTDetector,
        "second-split forgetting",
        "how soon a learned label is forgotten during the training on the other half",
        7,
        _FORGETTING,
    ),
    "curv-ssft": Entry(
        CurvSSFT,
        "curvature and forgetting",
        "curvature and second-split forgetting, by ranks",
        Fraction(23, 2),
        (*ALWAYS, *_PROBED, *_FORGETTING),
    ),
    "confident": Entry(
        ConfidentLearningDetector,
        "confident learning",
        "cleanlab's label quality on out-of-fold probabilities",
        12,
        ("self_confidence", "normalized_margin", "flags"),
    ),
}


def classes() -> dict[str, type[BaseNoiseDetector]]:
    """Return the classes of all detectors by their names, which saved files hold."""
    return {entry.detector.__name__: entry.detector for entry in DETECTORS.values()}


def scanned() -> dict[str, Entry]:
    """Return the detectors that a scan on the command line offers."""
    return {name: entry for name, entry in DETECTORS.items() if entry.scan is not None}

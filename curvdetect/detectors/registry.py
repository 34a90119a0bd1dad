"""The table of detectors: an entry for each, read by the command line, for saved files and for the documentation.

It names classes rather than importing them: the command line shows its help from it, without torch and scikit-learn.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from inspect import signature
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from curvdetect.detectors.base import BaseNoiseDetector

#: Signals that a scan by curvature records beside it.
_BESIDE = ("input_gradient", "late_loss", "late_margin")


class Entry(NamedTuple):
    """A detector with its defaults, or with other parameters."""

    place: str
    """Its module and its class, as ``package.module:Class``."""
    score: str
    """What its score is."""
    trainings: Fraction = Fraction(1)
    """Its cost in plain trainings, where every epoch is scored: a training makes 3 forward passes in each epoch."""
    caption: str = ""
    """What tables call its score, where that is no signal of a single run."""
    params: Mapping[str, Any] = {}
    """What makes it another one than the detector by default."""
    scan: Mapping[str, Any] | None = {}
    """What a scan on the command line sets beside; None where it doesn't offer the detector."""

    @property
    def detector(self) -> type[BaseNoiseDetector]:
        """The class."""
        return resolve_name(self.place)

    @property
    def takes(self) -> set[str]:
        """The names of its parameters."""
        return {*self.detector().get_params(deep=False)}

    @property
    def takes_probabilities(self) -> bool:
        """Whether its ``fit`` takes probabilities of a model of the user's own."""
        return "pred_probs" in signature(self.detector.fit).parameters

    def scanning(self, **options: object) -> BaseNoiseDetector:
        """Return a detector for a scan on the command line."""
        return self.detector(**{**self.params, **(self.scan or {}), **options})

    @property
    def apart(self) -> bool:
        """Whether it needs trainings of its own: its score is no signal of a single run."""
        return self.trainings >= 2


#: By their names on the command line.
DETECTORS: dict[str, Entry] = {
    "fused": Entry(
        "curvdetect.detectors.fused:FusedDetector",
        "what the training, and all other samples, say of the label; or signals by name",
        caption="recommended: fused",
    ),
    "curvature": Entry(
        "curvdetect.detectors.one_signal:CurvatureNoiseDetector",
        "curvature of the loss around the input, of the given label against the best other one, mean over epochs",
        Fraction(3, 2),
        scan={"signals": _BESIDE},
    ),
    "plain-curvature": Entry(
        "curvdetect.detectors.one_signal:CurvatureNoiseDetector",
        "curvature of the loss around the input, mean over epochs",
        Fraction(4, 3),
        params={"contrast": False},
        scan={"signals": _BESIDE},
    ),
    "loss": Entry(
        "curvdetect.detectors.one_signal:LossDetector",
        "mean loss (cumulative sample loss)",
    ),
    "margin": Entry(
        "curvdetect.detectors.one_signal:MarginDetector",
        "area under the margin, sign turned",
    ),
    "learning-time": Entry(
        "curvdetect.detectors.one_signal:LearningTimeDetector",
        "first epoch from which a sample stays correct",
        scan=None,
    ),
    "inconfidence": Entry(
        "curvdetect.detectors.one_signal:InconfidenceDetector",
        "one minus the given label's probability in the end",
        scan=None,
    ),
    "input-gradient": Entry(
        "curvdetect.detectors.one_signal:InputGradientDetector",
        "norm of the loss's gradient at the input, mean over epochs",
        scan=None,
    ),
    "leave-one-out": Entry(
        "curvdetect.detectors.left_out:LeaveOneOutDetector",
        "minus the log-probability of the label by a ridge regression without the sample",
        Fraction(0),
    ),
    "out-of-bag": Entry(
        "curvdetect.detectors.left_out:OutOfBagDetector",
        "minus the log-probability of the label by a forest without the sample",
        Fraction(0),
    ),
    "ssft": Entry(
        "curvdetect.detectors.ssft:SSFTDetector",
        "how soon a learned label is forgotten during the training on the other half",
        Fraction(7, 3),
        caption="second-split forgetting",
    ),
    "curv-ssft": Entry(
        "curvdetect.detectors.ssft:CurvSSFT",
        "curvature and second-split forgetting, by ranks",
        Fraction(23, 6),
        caption="curvature and forgetting",
    ),
    "confident": Entry(
        "curvdetect.detectors.confident:ConfidentLearningDetector",
        "cleanlab's label quality on out-of-fold probabilities",
        Fraction(4),
        caption="confident learning",
    ),
}


def classes() -> dict[str, type[BaseNoiseDetector]]:
    """Return the classes of all detectors by their names, which saved files hold."""
    return {entry.detector.__name__: entry.detector for entry in DETECTORS.values()}


def scanned() -> dict[str, Entry]:
    """Return the detectors that a scan on the command line offers."""
    return {name: entry for name, entry in DETECTORS.items() if entry.scan is not None}

"""The table of detectors: an entry for each, read by the command line, for saved files and for the documentation.

It names classes rather than importing them: the command line shows its help from it, without torch and scikit-learn.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from curvdetect.detectors.base import BaseNoiseDetector

#: Forward passes (F) over the data that an epoch of training costs.
EPOCH = 3
#: Signals that a scan of one training records beside those that rank.
_BESIDE = ("input_gradient", "late_loss", "late_margin")


class Entry(NamedTuple):
    """A detector with its defaults, or with other parameters."""

    place: str
    """Its module and its class, as ``package.module:Class``."""
    score: str
    """What its score is."""
    passes: float | Fraction = EPOCH
    """Forward passes over the data for each epoch of one plain training, which makes 3 of them."""
    leaves: tuple[str, ...] = ("always",)
    """What it leaves in ``signal_scores_``: a name, or when signals are recorded, which stands for all of those."""
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

    def scanning(self, **options: object) -> BaseNoiseDetector:
        """Return a detector for a scan on the command line."""
        return self.detector(**{**self.params, **(self.scan or {}), **options})

    @property
    def records(self) -> tuple[str, ...]:
        """The names of all that it leaves in ``signal_scores_``."""
        from curvdetect.signals.registry import SIGNALS

        meant = {word: [name for name, signal in SIGNALS.items() if signal.recorded == word] for word in self.leaves}
        return tuple(name for word, names in meant.items() for name in names or [word])

    @property
    def trainings(self) -> Fraction:
        """Its cost in plain trainings."""
        return Fraction(self.passes) / EPOCH

    @property
    def apart(self) -> bool:
        """Whether it needs trainings of its own: its score is no signal of a single run."""
        return self.trainings >= 2


#: By their names on the command line.
DETECTORS: dict[str, Entry] = {
    "fused": Entry(
        "curvdetect.detectors.fused:FusedDetector",
        "several signals of one training, by default the recommended ones",
        3,
        ("always", "late_margin", "early_margin"),
        caption="recommended: fused",
        scan={"beside": (*_BESIDE, "curvature_contrast")},
    ),
    "curvature": Entry(
        "curvdetect.detectors.one_signal:CurvatureNoiseDetector",
        "curvature of the loss around the input, of the given label against the best other one, mean over epochs",
        Fraction(9, 2),
        ("always", "probed"),
        scan={"signals": _BESIDE},
    ),
    "plain-curvature": Entry(
        "curvdetect.detectors.one_signal:CurvatureNoiseDetector",
        "curvature of the loss around the input, mean over epochs",
        4,
        ("always", "curvature"),
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
        3,
        ("always", "input_gradient"),
        scan=None,
    ),
    "ssft": Entry(
        "curvdetect.detectors.ssft:SSFTDetector",
        "how soon a learned label is forgotten during the training on the other half",
        7,
        ("second split",),
        caption="second-split forgetting",
    ),
    "curv-ssft": Entry(
        "curvdetect.detectors.ssft:CurvSSFT",
        "curvature and second-split forgetting, by ranks",
        Fraction(23, 2),
        ("always", "probed", "second split"),
        caption="curvature and forgetting",
    ),
    "confident": Entry(
        "curvdetect.detectors.confident:ConfidentLearningDetector",
        "cleanlab's label quality on out-of-fold probabilities",
        12,
        ("self_confidence", "normalized_margin", "flags"),
        caption="confident learning",
    ),
}


def classes() -> dict[str, type[BaseNoiseDetector]]:
    """Return the classes of all detectors by their names, which saved files hold."""
    return {entry.detector.__name__: entry.detector for entry in DETECTORS.values()}


def scanned() -> dict[str, Entry]:
    """Return the detectors that a scan on the command line offers."""
    return {name: entry for name, entry in DETECTORS.items() if entry.scan is not None}

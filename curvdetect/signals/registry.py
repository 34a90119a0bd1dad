"""The signals by name: what makes each, what tables call it, when it is recorded, and what it costs.

Whatever lists signals reads this table.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeGuard

import numpy as np

from curvdetect.signals.dynamics import AveragedMargin, InputGradient, LearningTime, Loss, Margin, PartOfTheEpochs
from curvdetect.signals.evaluated import (
    Curvature,
    CurvatureContrast,
    ForgettingLoss,
    ForgettingTime,
    ForgottenShare,
    GradientContrast,
    Inconfidence,
)
from curvdetect.signals.signal import Signal

Recorded = Literal["always", "asked", "probed", "second split", "closed form"]


@dataclass(frozen=True)
class Entry:
    """A row of the table."""

    make: Callable[..., Signal] | None
    """Makes the signal; one that is probed needs ``h``, ``n``, ``power`` and ``seed``. None for one in closed form."""
    caption: str
    recorded: Recorded
    """In every run, where it is asked for by name, with the curvature, in a second split, or without any training."""
    known_as: str = ""
    """Its abbreviation in the literature."""
    cost: str = "0"
    """Forward passes over the samples beside the training, each time that it looks: after a scored epoch as a rule."""


#: The order is that of tables. A contrast measures the curvature too, and so goes before it.
SIGNALS: dict[str, Entry] = {
    "loss": Entry(Loss, "cumulative loss", "always", "CSL"),
    "late_loss": Entry(
        partial(PartOfTheEpochs, "late_loss", Loss, slice(2, None)), "loss, second half of the epochs", "asked"
    ),
    # what a network that memorizes can't fit by then is told two things at once: one sample under two labels
    "final_loss": Entry(
        partial(PartOfTheEpochs, "final_loss", Loss, slice(3, None)), "loss, last quarter of the epochs", "asked"
    ),
    "margin": Entry(Margin, "margin", "always", "AUM"),
    # before memorizing sets in, what a network gets wrong is what the other samples contradict
    "early_margin": Entry(
        partial(PartOfTheEpochs, "early_margin", Margin, slice(1)), "margin, first quarter of the epochs", "asked"
    ),
    "late_margin": Entry(
        partial(PartOfTheEpochs, "late_margin", Margin, slice(2, None)), "margin, second half of the epochs", "asked"
    ),
    "averaged_margin": Entry(AveragedMargin, "margin of averaged probabilities", "asked"),
    "input_gradient": Entry(InputGradient, "input gradient", "asked"),
    "gradient_contrast": Entry(GradientContrast, "input gradient, label contrast", "asked", cost="3"),
    "curvature_contrast": Entry(CurvatureContrast, "curvature, label contrast", "probed", cost="3 (n + 1)"),
    "curvature": Entry(Curvature, "curvature", "probed", cost="2 (n + 1)"),
    "learning_time": Entry(LearningTime, "learning time", "always", "LT"),
    "inconfidence": Entry(Inconfidence, "inconfidence", "always", cost="1, once"),
    "leave_one_out": Entry(None, "left out, ridge regression", "closed form"),
    "out_of_bag": Entry(None, "left out, forest", "closed form"),
    "pred_probs": Entry(None, "probabilities that were passed", "closed form"),
    "forgetting_loss": Entry(ForgettingLoss, "forgetting, mean loss", "second split", cost="1"),
    "forgotten_share": Entry(ForgottenShare, "forgetting, share of epochs", "second split", cost="1"),
    "forgetting_time": Entry(ForgettingTime, "forgetting time", "second split", "SSFT", cost="1"),
}


def recorded(when: Recorded) -> dict[str, Callable[..., Signal]]:
    """Return what makes the signals that are recorded so, by name."""
    return {name: entry.make for name, entry in SIGNALS.items() if entry.make is not None and entry.recorded == when}


def closed_form() -> set[str]:
    """Return the names of the signals that need no training."""
    return {name for name, entry in SIGNALS.items() if entry.recorded == "closed form"}


def asked_for(names: object) -> list[Signal]:
    """Return the signals that are asked for by name beside those of every run."""
    known = recorded("asked")
    if not is_names(names, known):
        raise ValueError(
            f"signals must be a sequence of {sorted(known)}, got {names!r}. The loss, the margin, the learning time "
            "and the inconfidence are always recorded."
        )
    return [known[name]() for name in names]


def is_names(names: object, known: Collection[str]) -> TypeGuard[Collection[str]]:
    """Say whether ``names`` is an ordered collection of known names, rather than a string or something else."""
    if isinstance(names, str) or not isinstance(names, Sequence | Mapping | np.ndarray):
        return False
    return all(isinstance(name, str) and name in known for name in names)


def curvatures(*, contrast: bool, h: float, n: int, power: int, seed: int, beside: bool = False) -> list[Signal]:
    """Return the curvature, after its contrast where that is wanted; ``beside`` gives them the names of a grid."""
    return [
        make(h=h, n=n, power=power, seed=seed, name=grid_name(name, h, n, power) if beside else None)
        for name, make in recorded("probed").items()
        if contrast or name != "curvature_contrast"
    ]


def grid_name(name: str, h: float, n: int, power: int) -> str:
    """Return the name of a curvature that is measured beside the detector's own."""
    return f"{name}(h={h!r}, n={n!r}, power={power!r})"


def in_order(probed: list[Signal], others: list[Signal]) -> list[Signal]:
    """Return signals in an order in which those that need more of a batch go first."""
    contrast = any(isinstance(signal, CurvatureContrast) for signal in probed)
    return [*probed, *others] if contrast else [*others, *probed]

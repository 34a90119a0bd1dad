"""Parameters of the estimators: how they are declared and checked, and those that families of detectors share.

A parameter is an annotated attribute. It is declared, described and constrained once, in the class that brings it in.
Classes that inherit from it have the parameter in their signature and the description in their docstring.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from numbers import Integral, Real
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar, dataclass_transform

from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from curvdetect.data.wording import brief

_T = TypeVar("_T")


@dataclass_transform(eq_default=False, kw_only_default=True, field_specifiers=(field,))
def with_parameters(cls: type[_T]) -> type[_T]:
    """Give an estimator the constructor of its annotated attributes, and inherited descriptions in its docstring.

    The constructor is that of a dataclass: its signature is explicit, and it does nothing but assign.
    """
    made = dataclass(eq=False, repr=False, kw_only=True)(cls)
    sections = _sections(made)
    for heading in ("Parameters", "Attributes"):
        entries: dict[str, str] = {}
        for known in made.__mro__:  # entries of the nearest class go first, and count
            entries = entries | _entries(_sections(known)[heading]) | entries
        # the net goes first, as in the signature
        sections[heading] = "\n".join(sorted(entries.values(), key=lambda text: not text.startswith("net :")))
    titled = [f"{heading}\n{'-' * len(heading)}\n{text}" for heading, text in sections.items() if heading and text]
    made.__doc__ = "\n\n".join([sections[""], *titled])
    return made


def _sections(cls: type) -> dict[str, str]:
    """Return the sections of a docstring by heading, with room for parameters and attributes after the summary."""
    summary, *others = re.split(r"\n\n(?=[A-Z][\w ]+\n---)", inspect.cleandoc(cls.__doc__ or ""))
    sections = {"": summary, "Parameters": "", "Attributes": ""}
    for section in others:
        heading, _, text = section.split("\n", 2)
        sections[heading] = text
    return sections


def _entries(section: str) -> dict[str, str]:
    """Return the entries of a section by what they describe."""
    entries = re.split(r"\n(?=\S)", section) if section else []
    return {entry.split("\n")[0].partition(" : ")[0]: entry for entry in entries}


class Number(NamedTuple):
    """Numbers that a parameter may be, in the words of an error."""

    words: str
    kind: type = Integral
    holds: Callable[[Any], bool] = lambda value: value >= 1


RUNS, EPOCHS = Number("a whole number of runs, at least 1"), Number("a whole number of epochs, at least 1")
#: What each parameter may be: None, strings, ``callable``, numbers.
Constraints = Mapping[str, Iterable[str | Callable[..., Any] | Number | None]]


def check_parameters(estimator: BaseEstimator) -> None:
    """Raise for a parameter that the ``_constraints`` of its class, or of one that this inherits from, don't allow."""
    for cls in reversed(type(estimator).__mro__):
        for name, allowed in vars(cls).get("_constraints", {}).items():
            check_value(name, getattr(estimator, name), allowed)


def check_value(name: str, value: object, allowed: Iterable[str | Callable[..., Any] | Number | None]) -> None:
    """Raise where a value is none of those that are allowed."""
    allowed = list(allowed)
    if not any(_is_one(value, kind) for kind in allowed):
        *most, last = ("a callable" if kind is callable else getattr(kind, "words", repr(kind)) for kind in allowed)
        words = f"{', '.join(most)} or {last}" if most else last
        raise ValueError(f"{name} must be {words}, got {brief(value)}.")


def _is_one(value: object, kind: object) -> bool:
    """Say whether a value is of a kind that is allowed."""
    if isinstance(kind, Number):
        return isinstance(value, kind.kind) and not isinstance(value, bool) and kind.holds(value)
    if isinstance(kind, str):
        return isinstance(value, str) and value == kind
    return callable(value) if kind is callable else value is kind


class _Defaults:
    """What holds for detectors that lack one of these parameters."""

    net: Any = None
    max_epochs: int | None = None
    stop_at: float | None = None
    checkpoint_dir: str | Path | None = None
    score_on: Any = None
    keep_snapshots: int = 0
    patience: int = 1
    every: int | str = "auto"
    units: str = "raw"


@with_parameters
class Common(_Defaults):
    """All detectors.

    Parameters
    ----------
    q : float, int or "auto", default=0.1
        Share, or count, of the scored samples to flag. "auto" flags as many as it estimates to be wrong, maybe none:
        by what a ridge regression or a forest says of samples left out, where the detector has one, otherwise by one
        more plain training on a copy with planted wrong labels. After Ctrl-C before the estimate it flags a tenth.
    device : str, default="auto"
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.
    random_state : int, RandomState instance or None, default=None
        Seed of weights (but for those of a module instance), order, augmentation, splits and probes.
    verbose : int, default=0
        1 shows a progress bar with the time left.

    Attributes
    ----------
    scores_, decision_scores_ : array of shape (n_samples,)
        Score of each training sample; NaN for those that ``score_on`` left out.
    scored_mask_ : array of shape (n_samples,), bool
        True where a sample has a score.
    ranking_ : array of shape (n_scored,)
        Indices of the samples that have a score, most suspect first.
    labels_ : array of shape (n_samples,)
        1 for a suspect, 0 otherwise; exactly the top ``q``.
    threshold_, offset_ : float
        Lowest score among the suspects; just above the highest score where there are none.
    noise_rate_ : float
        With ``q="auto"``, the estimated share of wrong labels among the scored samples. NaN after Ctrl-C.
    noise_rate_interval_ : tuple of float
        With ``q="auto"``, the ends of the rate's 95 % interval. The better scores separate, the narrower.
    suggested_labels_ : array of shape (n_samples,)
        For each sample the best label other than the given one.
    signal_scores_ : dict of arrays of shape (n_samples,)
        Every signal that was recorded, by name, higher for the more suspect; NaN where it was not measured.
    classes_ : array
        Distinct labels, sorted.
    n_features_in_ : int
        Length of the first axis of a sample.
    feature_names_in_ : array
        Column names, where ``X`` had some.
    device_ : str
        Where it ran.
    interrupted_ : bool
        Whether Ctrl-C, or an error, ended the run early; scores are then those of the complete part.
    """

    q: float | int | str = 0.1
    device: str = "auto"
    random_state: Any = None
    verbose: int = 0


@with_parameters
class Trained(_Defaults):
    """Detectors that train a network.

    Parameters
    ----------
    net : None, str, skorch.NeuralNet, nn.Module or nn.Module class, default=None
        The net to train, as a copy. Training starts from the weights of a module instance: pass it untrained, and a
        pretrained one by `finetuning_net`. None takes an MLP for 2-D ``X`` and a compact ResNet for pictures;
        ``"resnet18-cifar"`` and ``"resnet-mnist"`` are the paper's.
    max_epochs : int, optional
        Length of the training; by default the net's own.
    stop_at : float, optional
        Stop after the first epoch with this training accuracy.
    checkpoint_dir : str or Path, optional
        Directory for a checkpoint after each epoch. A fit that was killed goes on from there when it is called again
        with the same data and parameters, to the same scores; other data or parameters are refused by name. A finished
        fit is taken up too: delete the directory to train anew.
    """

    net: Any = field(default=None, kw_only=False)
    max_epochs: int | None = None
    stop_at: float | None = None
    checkpoint_dir: str | Path | None = None

    _constraints: ClassVar[Constraints] = {
        "max_epochs": [None, Number("a whole number, at least 1")],
        "stop_at": [None, Number("a training accuracy in (0, 1]", Real, lambda share: 0 < share <= 1)],
    }


@with_parameters
class OneRun(Trained):
    """Detectors whose signals are those of single runs on all samples.

    Parameters
    ----------
    score_on : array-like of int, or of bool of shape (n_samples,), optional
        Positions of the samples to score, or a mask; by default all. The network is trained on all samples, but only
        these are measured, ranked and flagged, with the scores of a run that measures all. The others get NaN. Signals
        that are read off the training are there for all.
    keep_snapshots : int, default=0
        Number of scored epochs, evenly chosen, whose weights are kept in memory, or with ``checkpoint_dir`` there, so
        that ``score_samples(X, y)`` can measure samples that were not fitted.

    Attributes
    ----------
    signal_quarters_ : dict of arrays of shape (4, n_samples)
        The loss and the margin within each quarter of the planned training; NaN where it ended before.
    net_ : skorch.NeuralNet
        The trained net. Its classes are the positions of ``classes_``.
    n_iter_ : int
        Epochs trained.
    train_accuracy_ : float
        Share of the given labels that the trained net predicts.
    stop_reason_ : {"max_epochs", "stop_at", "early_stopping", "interrupted"}
        Why the training ended.
    history_ : list of dict
        One record for each epoch.
    seconds_ : dict of float
        Time spent on training, on each signal and, with ``q="auto"``, on ``noise_rate``.
    snapshots_ : list of Snapshot
        Epochs and weights, as ``keep_snapshots`` said.
    """

    score_on: ArrayLike | None = None
    keep_snapshots: int = 0

    _constraints: ClassVar[Constraints] = {
        "keep_snapshots": [Number("a whole number of epochs, 0 or more", holds=lambda n: n >= 0)]
    }


@with_parameters
class Probing:
    """Detectors that measure the curvature.

    Parameters
    ----------
    h : float, default=1e-2
        Step of the finite difference, in ``units``.
    n : int, default=1
        Number of Rademacher probes.
    power : {1, 2}, default=1
        1 averages norms of the difference, 2 squared norms, eq. (6) of the paper.
    units : {"deviation", "raw"}, default="deviation"
        Units of ``h`` and of the gradients for rows of numbers. "deviation" is that of each column, the distance of its
        quartiles divided by 1.349, so that no score depends on the columns' own units; "raw" are these own units.
        Pictures and longer shapes are always taken as they are.
    every : int or "auto", default="auto"
        Distance of the epochs after which it is measured, counted back from the last. "auto" measures at
        distances that grow. With the default net these are, after the first tenth, a third of all epochs for rows of
        numbers, 10 to 24, in the first half; and an eighth for pictures, 4 to 12, in the first two fifths, with the
        mean of the weights over the batches of each. With another net they are a quarter of all epochs, 8 to 24.

    Attributes
    ----------
    units_ : array of shape (n_features,)
        Unit of each column, where ``units="deviation"`` met rows of numbers; 0 for a constant column.
    """

    h: float = 1e-2
    n: int = 1
    power: int = 1
    units: str = "deviation"
    every: int | str = "auto"

    _constraints: ClassVar[Constraints] = {"units": ["deviation", "raw"], "every": ["auto", EPOCHS]}


@with_parameters
class Contrasting(Probing):
    """Detectors that measure the curvature under two labels.

    Parameters
    ----------
    contrast : bool, default=True
        Score by the share of the curvature under the given label beside that under the best other one,
        ``c_y / (c_y + c_o)``, so that what makes a sample difficult under any label cancels. False scores by the
        curvature alone, as the paper does, and saves one backward pass for each gradient.
    """

    contrast: bool = True

    @property
    def _own_signal(self) -> str:
        return "curvature_contrast" if self.contrast else "curvature"

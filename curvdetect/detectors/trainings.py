"""The trainings of a search, one after the other or beside each other, and what each of them yields."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.utils.parallel import Parallel, delayed

from curvdetect.detectors.candidates import Graded
from curvdetect.detectors.grading import grade_of
from curvdetect.detectors.last_step import last_step


class Training(NamedTuple):
    """One training of a search that is still to be done."""

    estimator: Any
    """Unfitted; it measures what all of the settings are read off."""
    settings: Sequence[tuple[float, int, int]]
    """Keys of ``grid_scores_`` whose scores are graded."""
    labels: Any
    mask: NDArray[np.bool_]
    """True where a label is known to be wrong."""
    scoring: str
    keep: bool
    """Whether the fitted estimator is wanted back."""


class Trained(NamedTuple):
    """What a search wants to know of a training."""

    grades: list[float]
    """One for each setting."""
    score_seconds: list[float]
    fit_seconds: float
    columns: SimpleNamespace
    """Of the fitted attributes those that scikit-learn wants to know of the columns."""
    run: Any = None
    """The fitted estimator, where it is wanted."""


def train(training: Training, X: Any) -> Trained:
    """Fit, and grade every setting.

    Parameters
    ----------
    training : Training
        What to fit.
    X : array, tensor, DataFrame or Dataset
        The samples.
    """
    started = time.perf_counter()
    run = training.estimator.fit(X, training.labels)
    fit_seconds = time.perf_counter() - started
    grades, seconds = [], []
    for setting in training.settings:
        started = time.perf_counter()
        grades.append(grade_of(training.scoring, training.mask, last_step(run).grid_scores_[setting]))
        seconds.append(time.perf_counter() - started)
    names = ("n_features_in_", "feature_names_in_")
    columns = SimpleNamespace(**{name: getattr(run, name) for name in names if hasattr(run, name)})
    return Trained(grades, seconds, fit_seconds, columns, run if training.keep else None)


def trained(trainings: Iterable[Training], X: Any, n_jobs: int | None) -> Iterator[Trained]:
    """Yield what trainings yield, in their order and as they are done.

    Parameters
    ----------
    trainings : iterable of Training
        What to fit.
    X : array, tensor, DataFrame or Dataset
        The samples.
    n_jobs : int, optional
        How many at a time, by joblib's backend; None is one, but for what ``joblib.parallel_config`` says.
    """
    if joblib.effective_n_jobs(n_jobs) == 1:
        yield from (train(training, X) for training in trainings)
        return
    try:
        beside = Parallel(n_jobs=n_jobs, return_as="generator")
    except ValueError:  # raised for a backend that returns all at once, such as ray's
        beside = Parallel(n_jobs=n_jobs)
    yield from beside(delayed(train)(training, X) for training in trainings)


def graded_by(repeats: Sequence[Trained]) -> list[Graded]:
    """Return what repeats of a training say of each of its settings."""
    return [
        Graded(
            [repeat.grades[i] for repeat in repeats],
            [repeat.fit_seconds for repeat in repeats],
            [repeat.score_seconds[i] for repeat in repeats],
        )
        for i in range(len(repeats[0].grades))
    ]

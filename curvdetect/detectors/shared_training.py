"""Trainings that several settings of a search share: which these are, how a setting is read off one, and the table."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from numbers import Real

import joblib
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from sklearn.base import BaseEstimator
from sklearn.model_selection import ParameterGrid
from sklearn.pipeline import Pipeline
from sklearn.utils.parallel import Parallel, delayed

from curvdetect.data.types import Array, Record
from curvdetect.detectors.delegation import columns_of, last_step
from curvdetect.detectors.grading import grade_of
from curvdetect.detectors.ranking import n_flagged
from curvdetect.signals.registry import grid_name

#: Parameters that say how a training is measured and read, and leave it as it is.
READ_OFF = ("h", "n", "power", "q")
#: A step, a number of probes and a power: the keys of ``grid_scores_``.
Setting = tuple[float, int, int]
#: The grade of a setting by a training, the seconds of its fit, and those of the grading.
Grade = tuple[float, float, float]
#: What a search keeps of a training: a grade for each setting, the attributes of the columns, and the fitted estimator.
Trained = tuple[list[Grade], Record, BaseEstimator | None]


def candidates_of(
    param_grid: Mapping[str, Sequence[object]] | Sequence[Mapping[str, Sequence[object]]],
) -> list[Record]:
    """Return the settings that a grid spans, as scikit-learn's `ParameterGrid` does; raise where there are none."""
    candidates = list(ParameterGrid(param_grid))
    if not any(candidates):
        raise ValueError(
            f"param_grid names nothing to search over, got {param_grid!r}. Pass values by parameter, such as "
            "{'h': [1e-3, 1e-2], 'n': [1, 10]}."
        )
    return candidates


def by_training(candidates: Sequence[Record], prefix: str) -> list[list[int]]:
    """Return the numbers of the candidates, those together that differ in nothing that touches training.

    ``prefix`` stands before the names of the detector's own parameters.
    """
    read_off = {prefix + name for name in READ_OFF}
    groups: dict[frozenset[tuple[str, object]], list[int]] = {}
    for number, params in enumerate(candidates):
        touching = frozenset((name, _key(value)) for name, value in params.items() if name not in read_off)
        groups.setdefault(touching, []).append(number)
    return list(groups.values())


def _key(value: object) -> object:
    """Return a number or a name as it is, and of anything else its identity."""
    return value if isinstance(value, bool | int | float | str | np.generic) else (id(value),)


def train(
    estimator: BaseEstimator,
    settings: Sequence[Setting],
    y: ArrayLike | None,
    mask: NDArray[np.bool_],
    scoring: str,
    keep: bool,
    X: object,
) -> Trained:
    """Fit an estimator that measures all settings, and grade each; return the estimator too where it is to be kept."""
    started = time.perf_counter()
    run = estimator.fit(X, y)
    fit_seconds = time.perf_counter() - started
    grades = []
    for setting in settings:
        started = time.perf_counter()
        grade = grade_of(scoring, mask, last_step(run).grid_scores_[setting])
        grades.append((grade, fit_seconds, time.perf_counter() - started))
    return grades, columns_of(run), run if keep else None


def trained(trainings: Iterable[Callable[[object], Trained]], X: object, n_jobs: int | None) -> Iterator[Trained]:
    """Yield what trainings return, in their order and as they are done, ``n_jobs`` at a time by joblib's backend."""
    if joblib.effective_n_jobs(n_jobs) == 1:
        yield from (training(X) for training in trainings)
        return
    try:
        beside = Parallel(n_jobs=n_jobs, return_as="generator")
    except ValueError:  # raised for a backend that returns all at once, such as ray's
        beside = Parallel(n_jobs=n_jobs)
    yield from beside(delayed(training)(X) for training in trainings)


def read_off(run: BaseEstimator, estimator: BaseEstimator) -> BaseEstimator:
    """Return ``estimator`` as a fit of its own would leave it, made of a run that measured its setting in a grid."""
    if isinstance(run, Pipeline):
        estimator.steps[:-1] = run.steps[:-1]
        read_off(run.steps[-1][1], estimator.steps[-1][1])
        return estimator
    setting, params = (estimator.h, estimator.n, estimator.power), run.get_params(deep=False)
    own = run.grid_signals_[setting]
    vars(estimator).update({name: value for name, value in vars(run).items() if name not in params})
    estimator.signal_scores_ = {**run.signal_scores_, **own}
    seconds = dict(run.seconds_)
    for name in own:
        seconds[name] += sum(seconds.pop(grid_name(name, *other)) for other in run.grid_signals_)
    estimator.seconds_ = seconds
    estimator.history_ = [_of_one(record, own, setting, run.grid_signals_) for record in run.history_]
    del estimator.grid_signals_, estimator.grid_scores_
    estimator._rank(run.grid_scores_[setting], n_flagged(estimator.q, len(run.ranking_)))
    return estimator


def _of_one(record: Record, names: Iterable[str], setting: Setting, settings: Iterable[Setting]) -> Record:
    """Return what a fit of one setting would note of an epoch."""
    one = dict(record)
    for name in names:
        means = {other: one.pop(f"mean_{grid_name(name, *other)}", None) for other in settings}
        if means[setting] is not None:
            one[f"mean_{name}"] = means[setting]
    return one


def best_of(graded: Mapping[int, Sequence[Grade]]) -> int:
    """Return the number of the setting with the highest mean grade, the first of several."""
    return max(sorted(graded), key=lambda number: np.mean([grade for grade, *_ in graded[number]]))


def as_cv_results(candidates: Sequence[Record], graded: Sequence[Sequence[Grade]]) -> Record:
    """Return the table of a search, whose settings have a grade for each repeat, as ``GridSearchCV.cv_results_``."""
    grades, fit_seconds, score_seconds = np.moveaxis(np.array(graded, dtype=float), 2, 0)
    results: Record = {}
    for name, seconds in (("fit", fit_seconds), ("score", score_seconds)):
        results |= {f"mean_{name}_time": seconds.mean(1), f"std_{name}_time": seconds.std(1)}
    for name in sorted({name for params in candidates for name in params}):
        results[f"param_{name}"] = _column([params.get(name, np.ma.masked) for params in candidates])
    results["params"] = list(candidates)
    results |= {f"split{repeat}_test_score": grades[:, repeat] for repeat in range(grades.shape[1])}
    mean = np.array([np.mean(row) for row in grades])
    results |= {"mean_test_score": mean, "std_test_score": grades.std(1)}
    results["rank_test_score"] = rankdata(-mean, method="min").astype(np.int32)
    return results


def _column(values: Sequence[object]) -> Array:
    """Return values as a masked array, of numbers where they are numbers."""
    there = [value for value in values if value is not np.ma.masked]
    numbers = all(isinstance(value, Real) and not isinstance(value, bool) for value in there)
    column = np.ma.MaskedArray(np.empty(len(values), np.asarray(there).dtype if numbers else object), mask=True)
    for row, value in enumerate(values):
        column[row] = value
    return column

"""The settings of a search: which of them can share a training, and their grades as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.model_selection import ParameterGrid

#: Parameters that say how a training is measured and read, and leave it as it is.
READ_OFF = ("h", "n", "power", "q")


@dataclass
class Graded:
    """What a search keeps of one setting."""

    grades: list[float]
    """One of each repeat."""
    fit_seconds: list[float]
    """Of the trainings, which several settings may share."""
    score_seconds: list[float]
    """Of the grading."""


def candidates_of(param_grid: Any) -> list[dict[str, Any]]:
    """Return the settings that a grid spans, as scikit-learn's `ParameterGrid` does; raise where there are none."""
    candidates = list(ParameterGrid(param_grid))
    if not any(candidates):
        raise ValueError(
            f"param_grid names nothing to search over, got {param_grid!r}. Pass values by parameter, such as "
            "{'h': [1e-3, 1e-2], 'n': [1, 10]}."
        )
    return candidates


def by_training(candidates: Sequence[dict[str, Any]], prefix: str) -> list[list[int]]:
    """Return the numbers of the candidates, those together that differ in nothing that touches training.

    Parameters
    ----------
    candidates : sequence of dict
        Settings.
    prefix : str
        What stands before the names of the detector's own parameters.
    """
    read_off = {prefix + name for name in READ_OFF}
    groups: list[tuple[dict[str, Any], list[int]]] = []
    for number, params in enumerate(candidates):
        touching = {name: value for name, value in params.items() if name not in read_off}
        for other, members in groups:
            if touching.keys() == other.keys() and all(_same(value, other[name]) for name, value in touching.items()):
                members.append(number)
                break
        else:
            groups.append((touching, [number]))
    return [members for _, members in groups]


def _same(one: Any, other: Any) -> bool:
    """Say whether two values are one; of what can't be compared like numbers and names, only the very same is."""
    if one is other:
        return True
    simple = (bool, int, float, str, np.generic)
    return isinstance(one, simple) and isinstance(other, simple) and bool(one == other)


def best_of(graded: dict[int, Graded]) -> int:
    """Return the number of the setting with the highest mean grade, the first of several."""
    return max(sorted(graded), key=lambda number: np.mean(graded[number].grades))


def as_cv_results(candidates: Sequence[dict[str, Any]], graded: Sequence[Graded]) -> dict[str, Any]:
    """Return the table of a search in the form of ``GridSearchCV.cv_results_``."""
    results: dict[str, Any] = {}
    for name in ("fit", "score"):
        seconds = np.array([getattr(one, f"{name}_seconds") for one in graded])
        results |= {f"mean_{name}_time": seconds.mean(1), f"std_{name}_time": seconds.std(1)}
    for name in sorted({name for params in candidates for name in params}):
        results[f"param_{name}"] = _column([params.get(name, np.ma.masked) for params in candidates])
    results["params"] = list(candidates)
    grades = np.array([one.grades for one in graded])
    results |= {f"split{repeat}_test_score": grades[:, repeat] for repeat in range(grades.shape[1])}
    mean = np.array([np.mean(row) for row in grades])
    results |= {"mean_test_score": mean, "std_test_score": grades.std(1)}
    results["rank_test_score"] = rankdata(-mean, method="min").astype(np.int32)
    return results


def _column(values: list[Any]) -> NDArray[Any]:
    """Return values as a masked array, of numbers where they are numbers."""
    there = [value for value in values if value is not np.ma.masked]
    numbers = all(isinstance(value, Real) and not isinstance(value, bool) for value in there)
    column = np.ma.MaskedArray(np.empty(len(values), np.asarray(there).dtype if numbers else object), mask=True)
    for row, value in enumerate(values):
        if value is not np.ma.masked:
            column[row] = value
    return column

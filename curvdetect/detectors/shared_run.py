"""One fit that measured many settings in its grid, read as the fit of each of them."""

from __future__ import annotations

from typing import Any

from sklearn.pipeline import Pipeline

from curvdetect.detectors.catalogue import grid_name
from curvdetect.detectors.curvature import CurvatureNoiseDetector
from curvdetect.detectors.ranking import n_flagged


def setting_of(detector: CurvatureNoiseDetector) -> tuple[float, int, int]:
    """Return the key of a detector's own scores in ``grid_scores_``."""
    return detector.h, detector.n, detector.power


def read_off(run: Any, estimator: Any) -> Any:
    """Return ``estimator`` as a fit of its own would leave it, made of a run that measured its setting in a grid."""
    if isinstance(run, Pipeline):
        estimator.steps[:-1] = run.steps[:-1]
        read_off(run.steps[-1][1], estimator.steps[-1][1])
        return estimator
    setting = setting_of(estimator)
    own = run.grid_signals_[setting]
    params = run.get_params(deep=False)
    vars(estimator).update({name: value for name, value in vars(run).items() if name not in params})
    estimator.signal_scores_ = {**run.signal_scores_, **own}
    seconds = dict(run.seconds_)
    for name in own:
        seconds[name] += sum(seconds.pop(grid_name(name, *other)) for other in run.grid_signals_)
    estimator.seconds_ = seconds
    estimator.history_ = [_of_one(record, list(own), setting, run.grid_signals_) for record in run.history_]
    del estimator.grid_signals_, estimator.grid_scores_
    estimator._rank(run.grid_scores_[setting], n_flagged(estimator.q, len(run.ranking_)))
    return estimator


def _of_one(record: dict[str, Any], names: list[str], setting: Any, settings: Any) -> dict[str, Any]:
    """Return what a fit of one setting would note of an epoch."""
    one = dict(record)
    means = {key: one.pop(key) for name in names for other in settings if (key := _mean_of(name, other)) in one}
    return one | {f"mean_{name}": means[key] for name in names if (key := _mean_of(name, setting)) in means}


def _mean_of(name: str, setting: tuple[float, int, int]) -> str:
    return f"mean_{grid_name(name, *setting)}"

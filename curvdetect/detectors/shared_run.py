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
    del estimator.grid_signals_, estimator.grid_scores_
    estimator._rank(run.grid_scores_[setting], n_flagged(estimator.q, len(run.scores_)))
    return estimator

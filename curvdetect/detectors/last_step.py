"""A detector, or a pipeline that ends with one: how estimators that hold either get at the detector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sklearn.pipeline import Pipeline


def last_step(estimator: Any) -> Any:
    """Return the detector at the end of a pipeline, or the detector itself."""
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    return estimator


def prefix_of(estimator: Any) -> str:
    """Return what stands before the names of the detector's parameters: ``"step__"`` in a pipeline, else nothing."""
    prefix = ""
    while isinstance(estimator, Pipeline):
        name, estimator = estimator.steps[-1]
        prefix += f"{name}__"
    return prefix


def before_last(estimator: Any, X: Any) -> Any:
    """Return ``X`` as the detector at the end of a fitted pipeline sees it; None stays None."""
    if X is None or not isinstance(estimator, Pipeline):
        return X
    for _, step in estimator.steps[:-1]:
        if step is not None and step != "passthrough":
            X = step.transform(X)
    return before_last(estimator.steps[-1][1], X)


def keep_apart(estimator: Any, name: str) -> Any:
    """Return the estimator with a directory of its own for the checkpoints of one fit among several, where it has one.

    Parameters
    ----------
    estimator : estimator or Pipeline
        With a detector at the end, unfitted; changed.
    name : str
        Of the directory within ``checkpoint_dir``.
    """
    detector = last_step(estimator)
    if detector.checkpoint_dir is not None:
        detector.set_params(checkpoint_dir=Path(detector.checkpoint_dir) / name)
    return estimator

"""Estimators that hold a detector, or a pipeline that ends with one, and have the methods of the one they fitted."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sized
from dataclasses import field
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.pipeline import Pipeline
from sklearn.utils import Tags, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from curvdetect.data.types import Array, Record
from curvdetect.detectors.inputs import not_flagged
from curvdetect.detectors.parameters import RUNS, Constraints, with_parameters

_Method = TypeVar("_Method", bound=Callable[..., object])


def last_step(estimator: BaseEstimator) -> BaseEstimator:
    """Return the detector at the end of a pipeline, or the detector itself."""
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    return estimator


def prefix_of(estimator: BaseEstimator) -> str:
    """Return the prefix of the detector's parameters: ``"step__"`` in a pipeline, else nothing."""
    if not isinstance(estimator, Pipeline):
        return ""
    name, last = estimator.steps[-1]
    return f"{name}__{prefix_of(last)}"


def before_last(estimator: BaseEstimator, X: object) -> object:
    """Return ``X`` transformed for the detector at the end of a fitted pipeline; None stays None."""
    if X is None or not isinstance(estimator, Pipeline):
        return X
    for _, step in estimator.steps[:-1]:
        if step is not None and step != "passthrough":
            X = step.transform(X)
    return before_last(estimator.steps[-1][1], X)


def columns_of(fitted: BaseEstimator) -> Record:
    """Return scikit-learn's attributes of the columns."""
    return {name: getattr(fitted, name) for name in ("n_features_in_", "feature_names_in_") if hasattr(fitted, name)}


def keep_apart(estimator: BaseEstimator, name: str) -> BaseEstimator:
    """Change the directory for checkpoints to one within it, for one fit among several; return the estimator."""
    detector = last_step(estimator)
    if detector.checkpoint_dir is not None:
        detector.set_params(checkpoint_dir=Path(detector.checkpoint_dir) / name)
    return estimator


def _refits(estimator: BaseEstimator) -> bool:
    """Return True where a detector is fitted on the labels as given; raise where none is."""
    if not estimator.refit:
        raise AttributeError(
            f"{type(estimator).__name__}(refit=False) fits no detector on the labels as given, so it has no "
            "scores. Pass refit=True."
        )
    return True


#: Makes a method one that is there only with ``refit``.
after_refit: Callable[[_Method], _Method] = available_if(_refits)


@with_parameters
class HoldsDetector(MetaEstimatorMixin, BaseEstimator):
    """Base of estimators that grade a ``detector``, and have its methods where one is fitted in the end.

    Subclasses have a ``refit``, and name the attribute that holds the fitted one.

    Parameters
    ----------
    scoring : {"roc_auc", "average_precision"}, default="roc_auc"
        The grade; higher is better.

    Attributes
    ----------
    n_features_in_, feature_names_in_
        As of the detector.
    """

    detector: Any = field(kw_only=False)
    scoring: str = "roc_auc"
    n_repeats: int = 1
    random_state: Any = None

    _fitted_name: ClassVar[str]
    _constraints: ClassVar[Constraints] = {"n_repeats": [RUNS]}

    @abstractmethod
    def fit(self, X: Sized, y: ArrayLike | None = None) -> Self:
        """Fit the detector."""

    def _fitted(self) -> BaseEstimator:
        """Return the fitted detector, or the pipeline that ends with it."""
        check_is_fitted(self, self._fitted_name)
        return getattr(self, self._fitted_name)

    def _ask(self, method: str, X: object, y: ArrayLike | None) -> Array:
        """Call a method of the fitted detector with transformed rows."""
        fitted = self._fitted()
        return getattr(last_step(fitted), method)(before_last(fitted, X), y)

    @after_refit
    def score_samples(self, X: object = None, y: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return the fitted detector's scores; higher is more suspect. See `BaseNoiseDetector.score_samples`."""
        return self._ask("score_samples", X, y)

    @after_refit
    def decision_function(self, X: object = None, y: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return the fitted detector's scores less its threshold; positive or zero is suspect."""
        return self._ask("decision_function", X, y)

    @after_refit
    def predict(self, X: object = None, y: ArrayLike | None = None) -> NDArray[np.int64]:
        """Return the fitted detector's flags: 1 for a suspect and 0 otherwise."""
        return self._ask("predict", X, y)

    @after_refit
    def fit_predict(self, X: Sized, y: ArrayLike | None = None, **fit_params: object) -> NDArray[np.int64]:
        """Fit, and return the flags of the training data."""
        return self.fit(X, y, **fit_params).predict()

    @after_refit
    def fit_resample(self, X: Sized, y: ArrayLike | None = None) -> tuple[object, object]:
        """Fit, and return the data without the samples that are flagged. See `BaseNoiseDetector.fit_resample`."""
        self.sample_indices_, left, labels = not_flagged(last_step(self.fit(X, y)._fitted()), X, y)
        return left, labels

    @after_refit
    def ranking(self, k: int | None = None) -> pd.DataFrame:
        """Return the fitted detector's table, most suspect first. See `BaseNoiseDetector.ranking`."""
        return last_step(self._fitted()).ranking(k)

    @after_refit
    def label_quality(self) -> NDArray[np.float64]:
        """Return the fitted detector's quality of each label in (0, 1); low is bad."""
        return last_step(self._fitted()).label_quality()

    def _forget(self) -> None:
        """Delete what an earlier fit left."""
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        held = get_tags(self.detector)
        tags.target_tags.required = True
        tags.input_tags = held.input_tags
        tags.non_deterministic = held.non_deterministic or self.random_state is None
        return tags

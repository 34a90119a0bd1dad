"""What an estimator that holds a detector answers like one: by handing the question on to the detector it fitted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from curvdetect.detectors.cleaning import rows_of
from curvdetect.detectors.inputs import fitted_rows
from curvdetect.detectors.last_step import before_last, last_step


def _refits(estimator: Any) -> bool:
    """Say that methods are there where a detector is fitted on the labels as given."""
    if not estimator.refit:
        raise AttributeError(
            f"{type(estimator).__name__}(refit=False) fits no detector on the labels as given, so there is none to "
            "answer. Pass refit=True."
        )
    return True


_Method = TypeVar("_Method", bound=Callable[..., Any])


def after_refit(method: _Method) -> _Method:
    """Have a method only where there is a detector to answer."""
    return available_if(_refits)(method)


class HoldsDetector(MetaEstimatorMixin, BaseEstimator):
    """Base of estimators with a ``detector``, a ``refit``, and the methods of the detector that is fitted in the end.

    Subclasses name the attribute that holds the fitted one, be it a detector or a pipeline that ends with one.
    """

    detector: Any
    refit: bool
    random_state: Any
    _fitted_name: str
    fit: Callable[..., Any]

    def _fitted(self) -> Any:
        check_is_fitted(self, self._fitted_name)
        return getattr(self, self._fitted_name)

    def _ask(self, method: str, X: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the answer of the fitted detector to a question about rows."""
        fitted = self._fitted()
        return getattr(last_step(fitted), method)(before_last(fitted, X), *args, **kwargs)

    @after_refit
    def score_samples(self, X: Any = None, y: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return the fitted detector's scores; higher is more suspect. See `BaseNoiseDetector.score_samples`."""
        return self._ask("score_samples", X, y)

    @after_refit
    def decision_function(self, X: Any = None, y: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return the fitted detector's scores less its threshold; positive or zero is suspect."""
        return self._ask("decision_function", X, y)

    @after_refit
    def predict(self, X: Any = None, y: ArrayLike | None = None) -> NDArray[np.int64]:
        """Return the fitted detector's flags: 1 for a suspect and 0 otherwise."""
        return self._ask("predict", X, y)

    @after_refit
    def fit_predict(self, X: Any, y: ArrayLike | None = None, **fit_params: Any) -> NDArray[np.int64]:
        """Fit, and return the flags of the training data."""
        return self.fit(X, y, **fit_params).predict()

    @after_refit
    def fit_resample(self, X: Any, y: ArrayLike | None = None) -> tuple[Any, Any]:
        """Fit, and return the data without the samples that are flagged. See `BaseNoiseDetector.fit_resample`."""
        kept = np.flatnonzero(self.fit(X, y).predict() == 0)
        self.sample_indices_ = kept
        detector = last_step(self._fitted())
        return rows_of(X, kept), detector.classes_[fitted_rows(detector).labels[kept]] if y is None else rows_of(
            y, kept
        )

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

    def _take_names_of(self, fitted: Any) -> None:
        """Set what scikit-learn wants to know of the columns."""
        for name in ("n_features_in_", "feature_names_in_"):
            self.__dict__.pop(name, None)
            if hasattr(fitted, name):
                setattr(self, name, getattr(fitted, name))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        held = get_tags(self.detector)
        tags.target_tags.required = True
        tags.input_tags = held.input_tags
        tags.non_deterministic = held.non_deterministic or self.random_state is None
        return tags

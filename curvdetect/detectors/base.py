"""The common part of all detectors: from labelled data to scores, flags and a ranking.

A detector says which signals it wants and which number is its score; everything else is here. There is no
``OutlierMixin``, whose ``fit_predict`` drops the labels, and no ``ClassifierMixin``, since nothing is classified.
"""

from __future__ import annotations

import warnings
from abc import ABCMeta, abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import roc_auc_score
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from curvdetect.data.rows import RowIndex
from curvdetect.data.sources import Samples, as_samples, is_dataset
from curvdetect.detectors.auto_q import find_rate
from curvdetect.detectors.checks import check_run_params, derive_seed, is_count, plain, plain_labels
from curvdetect.detectors.measured import Measured, one_run
from curvdetect.detectors.ranking import is_auto, lowest_flagged, n_flagged, quality, worst_first
from curvdetect.metrics import as_mask
from curvdetect.signals.signal import Signal
from curvdetect.training.device import resolve_device


class BaseNoiseDetector(BaseEstimator, metaclass=ABCMeta):
    """Base of all detectors of wrong labels; higher scores are more suspect.

    Subclasses implement `_signals` and `_score`. See `CurvatureNoiseDetector` for parameters and attributes.
    """

    net: Any
    q: float | int | str
    every: int | str = "auto"
    max_epochs: int | None
    stop_at: float | None
    device: str
    random_state: Any
    verbose: int

    @abstractmethod
    def _signals(self, seed: int) -> Sequence[Signal]:
        """Return the signals wanted beside those that always ride along."""

    @abstractmethod
    def _score(self, measured: Measured) -> NDArray[np.float64]:
        """Return the detector's own score."""

    def fit(self, X: Any, y: ArrayLike | None = None) -> Self:
        """Train a network on the labels as they are, and score every sample meanwhile.

        Parameters
        ----------
        X : array, tensor, DataFrame or map-style Dataset, n_samples long
            The samples: (n_samples, n_features), or pictures (n_samples, channels, height, width). uint8 pictures
            are scaled to [0, 1].
        y : array-like of shape (n_samples,), optional
            Given labels, of any kind. May be left out where ``X`` is a dataset that carries them; beside one, they
            take the place of its own.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For data that can't be scored: NaN, complex, one class, wrong shapes.
        TypeError
            For sparse ``X``, and for a ``net`` of any other kind.
        FloatingPointError
            Where the training loss became infinite or NaN.
        """
        check_run_params(every=self.every, max_epochs=self.max_epochs, stop_at=self.stop_at)
        device = resolve_device(self.device)
        samples = self._validated(X, y)
        n_top = n_flagged(self.q, len(samples))
        rows = RowIndex(samples)
        seed = derive_seed(self.random_state)
        measured = self._measure(samples, device, seed)
        if is_auto(self.q):
            n_top = find_rate(self, samples, measured, device, seed)
        self._store(samples, rows, measured, n_top)
        if measured.interrupt is not None:
            raise measured.interrupt
        return self

    def _measure(self, samples: Samples, device: torch.device, seed: int) -> Measured:
        """Return the signals of all samples; here, those of one run."""
        return one_run(
            self.net,
            samples,
            self._signals(seed),
            max_epochs=self.max_epochs,
            stop_at=self.stop_at,
            every=self.every,
            device=device,
            seed=seed,
            progress=bool(self.verbose),
        )

    def _store(self, samples: Samples, rows: RowIndex, measured: Measured, n_top: int) -> None:
        """Keep what was measured; give up where the run ended before the detector's own score was."""
        interrupt = measured.interrupt
        try:
            scores = np.asarray(self._score(measured), dtype=np.float64)
        except (KeyError, ValueError):
            if interrupt is None:
                raise
            raise interrupt from None
        if interrupt is not None and not np.isfinite(scores).all():
            raise interrupt
        for name in [n for n in vars(self) if n.endswith("_") and n not in ("n_features_in_", "feature_names_in_")]:
            delattr(self, name)  # an earlier fit with other parameters may have left more than this one
        self._rows = rows
        self._given = samples.labels.numpy()
        self.classes_ = samples.classes
        self.signal_scores_ = measured.signal_scores
        self.suggested_labels_ = samples.classes[measured.other]
        self._rank(scores, n_top)
        self.interrupted_ = interrupt is not None
        for name, value in measured.attributes.items():
            setattr(self, name, value)

    def _rank(self, scores: NDArray[np.float64], n_top: int) -> None:
        """Set everything that follows from scores and the number of flags."""
        self.scores_ = self.decision_scores_ = scores
        self.ranking_ = worst_first(scores)
        self.labels_ = np.zeros(len(scores), dtype=int)
        self.labels_[self.ranking_[:n_top]] = 1
        self.threshold_ = self.offset_ = lowest_flagged(scores, n_top)

    def score_samples(self, X: Any = None, y: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return a score for each sample; higher is more suspect.

        Parameters
        ----------
        X : array, tensor, DataFrame or Dataset, optional
            Rows of the training data: all, a permutation or a subset. Left out, the training data.
        y : array-like, optional
            Scores of samples that were not fitted need weights kept from during the training, which this version
            does not do: leave it out.

        Returns
        -------
        array of shape (n_samples,), float64

        Raises
        ------
        ValueError
            Where a row was not fitted, or its copies carry different labels; the message names the rows.
        """
        index = self._find(X, y)
        return self.scores_[index]

    def decision_function(self, X: Any = None, y: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return ``score_samples(X) - threshold_``; positive or zero is suspect, higher is more so."""
        return self.score_samples(X, y) - self.threshold_

    def predict(self, X: Any = None, y: ArrayLike | None = None) -> NDArray[np.int64]:
        """Return 1 for a suspect and 0 otherwise: over the training data exactly the top ``q`` are 1."""
        index = self._find(X, y)
        return self.labels_[index]

    def fit_predict(self, X: Any, y: ArrayLike | None = None) -> NDArray[np.int64]:
        """Fit, and return the flags of the training data."""
        return self.fit(X, y).labels_

    def score(
        self,
        X: Any = None,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        noise_mask: ArrayLike | None = None,
    ) -> float:
        """Return the ROC AUC against labels known to be wrong; higher is better.

        Parameters
        ----------
        X : array, tensor, DataFrame or Dataset, optional
            Rows of the training data; left out, all of them.
        y : array-like of shape (n_samples,), optional
            The right labels of these rows, where they are known: given labels that differ are the wrong ones.
        sample_weight : array-like of shape (n_samples,), optional
            Weights.
        noise_mask : array-like of shape (n_samples,), bool, optional
            True where a label is known to be wrong. Goes before ``y``.

        Returns
        -------
        float
            NaN, with an ``UndefinedMetricWarning``, where no label or every label is wrong.
        """
        index = self._find(X, None)
        name, known = ("noise_mask", noise_mask) if noise_mask is not None else ("y", y)
        if known is None:
            raise ValueError(
                "noise_mask is needed: a detector can only be graded against labels known to be wrong. Plant some "
                "with corrupt_labels, which returns the mask, and pass score(noise_mask=mask)."
            )
        known = column_or_1d(plain(known))
        if len(known) != len(index):
            raise ValueError(f"{name} has {len(known)} entries for {len(index)} samples.")
        mask = as_mask(known, name) if name == "noise_mask" else known != self.classes_[self._given[index]]
        if mask.all() or not mask.any():
            warnings.warn(
                "no label, or every label, is known to be wrong, so the ROC AUC is undefined. Pass noise_mask, or as "
                "y the right labels rather than those that were fitted.",
                UndefinedMetricWarning,
                stacklevel=2,
            )
            return float("nan")
        return float(roc_auc_score(mask, self.scores_[index], sample_weight=sample_weight))

    def ranking(self, k: int | None = None) -> pd.DataFrame:
        """Return the samples as a table, most suspect first.

        Parameters
        ----------
        k : int, optional
            Length of the table; by default all samples.

        Returns
        -------
        DataFrame
            Columns ``index`` (position in the training data), ``score``, ``rank`` (from 1), ``given``,
            ``suggested`` and ``flagged``.
        """
        check_is_fitted(self, "scores_")
        if k is not None and not is_count(k):
            raise ValueError(f"k must be None or a whole number of rows, at least 1, got {k!r}.")
        order = self.ranking_[:k]
        return pd.DataFrame(
            {
                "index": order,
                "score": self.scores_[order],
                "rank": np.arange(1, len(order) + 1),
                "given": self.classes_[self._given[order]],
                "suggested": self.suggested_labels_[order],
                "flagged": self.labels_[order].astype(bool),
            }
        )

    def label_quality(self) -> NDArray[np.float64]:
        """Return the quality of each label in (0, 1); low is bad, as in cleanlab.

        The share of samples that are more suspect, so that 0.05 means "among the worst twentieth", not a probability.
        """
        check_is_fitted(self, "scores_")
        return quality(self.scores_)

    def _find(self, X: Any, y: ArrayLike | None) -> NDArray[np.int64]:
        """Return training indices of rows, all for None."""
        check_is_fitted(self, "scores_")
        if X is None:
            return np.arange(len(self.scores_))
        if y is not None:
            raise ValueError(
                "y was passed beside X, which asks for scores of samples that were not fitted. They need weights "
                "kept during the training, and none are: leave y out for rows of the training data, or fit on the "
                "new samples too."
            )
        if not is_dataset(X):
            X = validate_data(self, plain(X), reset=False, allow_nd=True, dtype="numeric")
        return self._rows.find(X)

    def _validated(self, X: Any, y: ArrayLike | None) -> Samples:
        """Return indexed samples, or raise what is wrong with them."""
        if is_dataset(X):
            samples = as_samples(X, None if y is None else column_or_1d(plain_labels(y)))
            self.n_features_in_ = samples.shape[0] if samples.shape else 1
            self.__dict__.pop("feature_names_in_", None)
        else:
            X, y = validate_data(self, plain(X), plain_labels(y), allow_nd=True, dtype="numeric", ensure_min_samples=2)
            samples = as_samples(X, y)
        check_classification_targets(samples.classes[samples.labels.numpy()])
        if len(samples) < 2:
            raise ValueError(f"X holds {len(samples)} sample, and a ranking needs 2 at least.")
        if len(samples.classes) < 2:
            raise ValueError(
                f"y holds one class only ({samples.classes.tolist()}); a label can be wrong only where there are two."
            )
        return samples

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.three_d_array = True
        tags.non_deterministic = self.random_state is None
        return tags

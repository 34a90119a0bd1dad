"""The common part of all detectors: from labelled data to scores, flags and a ranking.

A detector names its signals and the number that is its score. Everything else is here. There is no ``OutlierMixin``,
whose ``fit_predict`` drops the labels, and no ``ClassifierMixin``, since nothing is classified.
"""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from curvdetect.data.rows import RowIndex
from curvdetect.data.samples import Samples
from curvdetect.detectors.checks import check_net_params, is_count
from curvdetect.detectors.grading import graded
from curvdetect.detectors.inputs import check_paired, rows_fitted, rows_of, samples_labelled, samples_to_fit
from curvdetect.detectors.measured import Measured, begin, measure_unseen, one_run
from curvdetect.detectors.noise_rate import find_rate
from curvdetect.detectors.parameters import Common, check_parameters, with_parameters
from curvdetect.detectors.ranking import is_auto, lowest_flagged, n_flagged, rank_share, worst_first
from curvdetect.signals.signal import Signal
from curvdetect.training.settings import Settings, resolve_device


@with_parameters
class BaseNoiseDetector(Common, BaseEstimator, metaclass=ABCMeta):
    """Base of all detectors of wrong labels; higher scores are more suspect.

    Subclasses implement ``_score`` and, for signals of their own, ``_signals``.
    """

    def _signals(self, seed: int) -> Sequence[Signal]:
        """Return the signals beside those of every run: here, none."""
        return ()

    @abstractmethod
    def _score(self, measured: Measured) -> NDArray[np.float64]:
        """Return the detector's own score."""

    def set_params(self, **params: Any) -> Self:
        """Set parameters, those of the net as ``net__lr``, and return the detector."""
        check_net_params(params.get("net", self.net), params)
        return super().set_params(**params)

    def fit(self, X: Any, y: ArrayLike | None = None) -> Self:
        """Train a network on the labels as they are, and score every sample during the training.

        Parameters
        ----------
        X : array, tensor, DataFrame or map-style Dataset, n_samples long
            The samples: (n_samples, n_features), or pictures (n_samples, channels, height, width). uint8 pictures
            are scaled to [0, 1]. A ``numpy.memmap`` is never copied whole: leave its file alone meanwhile.
        y : array-like of shape (n_samples,), optional
            Given labels, of any kind. A dataset that carries labels needs none; labels beside it replace its own.

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
        check_parameters(self)
        device = resolve_device(self.device)
        samples = samples_to_fit(self, X, y)
        n_top = n_flagged(self.q, samples.n_scored)
        rows = RowIndex(samples)
        settings = begin(self, samples, device)
        measured = self._measure(samples, settings)
        if is_auto(self.q):
            n_top = find_rate(self, samples, measured, settings)
        self._store(samples, rows, measured, n_top)
        self._seed = settings.seed
        if measured.interrupt is not None:
            raise measured.interrupt
        return self

    def _measure(self, samples: Samples, settings: Settings) -> Measured:
        """Return the signals of all samples; here, those of one run."""
        return one_run(samples, self._signals(settings.seed), settings)

    def _store(self, samples: Samples, rows: RowIndex, measured: Measured, n_top: int) -> None:
        """Keep the measurements; raise if the run ended before the detector's own score was complete."""
        interrupt = measured.interrupt
        try:
            scores = self._scores_of(samples, measured)
        except (KeyError, ValueError):
            if interrupt is None:
                raise
            raise interrupt from None
        if interrupt is not None and np.isfinite(scores).sum() < samples.n_scored:
            raise interrupt
        for name in [n for n in vars(self) if n.endswith("_") and n not in ("n_features_in_", "feature_names_in_")]:
            delattr(self, name)  # an earlier fit with other parameters may have left more than this one
        self._rows = rows
        self.classes_ = samples.classes
        self.signal_scores_ = measured.signal_scores
        self.suggested_labels_ = samples.classes[measured.other]
        self._rank(scores, n_top)
        self.interrupted_ = interrupt is not None
        if samples.units is not None:
            self.units_ = samples.units.numpy()
        for name, value in measured.attributes.items():
            setattr(self, name, value)

    def _scores_of(self, samples: Samples, measured: Measured) -> NDArray[np.float64]:
        """Return the detector's own score, NaN for samples that are not to have one."""
        if samples.scored is None:
            return np.asarray(self._score(measured), dtype=np.float64)
        rows, scores = samples.scored.numpy(), np.full(len(samples), np.nan)
        scores[rows] = self._score(measured.only(rows))
        return scores

    def _rank(self, scores: NDArray[np.float64], n_top: int) -> None:
        """Set everything that follows from scores and the number of flags."""
        self.scores_ = self.decision_scores_ = scores
        self.ranking_ = worst_first(scores)
        self.labels_ = np.zeros(len(scores), dtype=int)
        self.labels_[self.ranking_[:n_top]] = 1
        self.threshold_ = self.offset_ = lowest_flagged(scores, n_top)

    @property
    def scored_mask_(self) -> NDArray[np.bool_]:
        """True where a sample has a score: everywhere, unless ``score_on`` chose some. Shape (n_samples,)."""
        check_is_fitted(self, "scores_")
        return ~np.isnan(self.scores_)

    def score_samples(self, X: Any = None, y: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return a score for each sample; higher is more suspect. NaN for those that ``score_on`` left out.

        Parameters
        ----------
        X : array, tensor, DataFrame or Dataset, optional
            Without ``y``, rows of the training data: all, a permutation or a subset. Left out, the training data.
        y : array-like of shape (n_samples,), optional
            Labels of ``X``, for samples that were not fitted. A row that was fitted under this very label has the score
            of its training, as without ``y``; all others, and those that ``score_on`` left out, are measured on the
            weights that ``keep_snapshots`` kept, in evaluation mode.

        Returns
        -------
        array of shape (n_samples,), float64

        Raises
        ------
        ValueError
            Without ``y``, where a row was not fitted, or its copies carry different labels and ``X`` is not the whole
            training data in its order; the message names the rows. With it, where ``X`` is missing, a label was not
            fitted, or no weights were kept for samples that need them.
        """
        if y is not None:
            return self._score_labelled(X, y)[0]
        index = rows_fitted(self, X)
        return self.scores_[index]

    def decision_function(self, X: Any = None, y: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return ``score_samples(X) - threshold_``; positive or zero is suspect, higher is more so."""
        return self.score_samples(X, y) - self.threshold_

    def predict(self, X: Any = None, y: ArrayLike | None = None) -> NDArray[np.int64]:
        """Return 1 for a suspect and 0 otherwise: over the training data exactly the top ``q`` are 1.

        Samples that were not fitted, ``X`` with their labels ``y``, are suspect from ``threshold_`` on, which more than
        ``q`` of them reach, since training lowers scores.
        """
        if y is None:
            index = rows_fitted(self, X)
            return self.labels_[index]
        scores, index = self._score_labelled(X, y)
        return np.where(index >= 0, self.labels_[index], scores >= self.threshold_)

    def fit_predict(self, X: Any, y: ArrayLike | None = None) -> NDArray[np.int64]:
        """Fit, and return the flags of the training data."""
        return self.fit(X, y).labels_

    def fit_resample(self, X: Any, y: ArrayLike | None = None) -> tuple[Any, Any]:
        """Fit, and return the data without the samples that are flagged: a step of an imbalanced-learn pipeline.

        Parameters
        ----------
        X, y
            As in `fit`.

        Returns
        -------
        X, y
            What is left, in its order and as the same kind of thing; of a dataset a ``Subset``, and the labels as an
            array where ``y`` was left out. Which samples they are is in ``sample_indices_``.
        """
        kept = np.flatnonzero(self.fit(X, y).labels_ == 0)
        self.sample_indices_ = kept
        return rows_of(X, kept), self.classes_[self._rows.labels[kept]] if y is None else rows_of(y, kept)

    def score(
        self,
        X: Any = None,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        noise_mask: ArrayLike | None = None,
    ) -> float:
        """Return the ROC AUC against labels known to be wrong; higher is better. Samples without a score don't count.

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
            NaN, with an ``UndefinedMetricWarning``, where no label or every label is wrong. A search that grades by it
            ends with a ``RuntimeError``.
        """
        for name, known in {"y": y, "sample_weight": sample_weight, "noise_mask": noise_mask}.items():
            check_paired(X, known, name)
        index = rows_fitted(self, X)
        given = self.classes_[self._rows.labels[index]]
        return graded(self.scores_[index], given, y, sample_weight=sample_weight, noise_mask=noise_mask)

    def ranking(self, k: int | None = None) -> pd.DataFrame:
        """Return the samples that have a score as a table, most suspect first.

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
                "given": self.classes_[self._rows.labels[order]],
                "suggested": self.suggested_labels_[order],
                "flagged": self.labels_[order].astype(bool),
            }
        )

    def label_quality(self) -> NDArray[np.float64]:
        """Return the quality of each label in (0, 1); low is bad, as in cleanlab.

        The share of samples that are more suspect, so that 0.05 means "among the worst twentieth", not a probability;
        NaN for samples without a score.
        """
        check_is_fitted(self, "scores_")
        return 1 - rank_share(self.scores_)

    def _score_labelled(self, X: Any, y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return scores of samples under these labels, and their training indices: -1 where the training had none."""
        samples = samples_labelled(self, X, y)
        index = self._rows.find_labelled(samples)
        scores = np.where(index >= 0, self.scores_[index], np.nan)
        new = np.flatnonzero(np.isnan(scores))
        if len(new):
            index[new] = -1
            part = samples if len(new) == len(samples) else samples.only(torch.from_numpy(new))
            scores[new] = self._score_measured_later(measure_unseen(self, part))
        return scores, index

    def _score_measured_later(self, measured: Measured) -> NDArray[np.float64]:
        """Return the detector's own score of samples that were not fitted."""
        return np.asarray(self._score(measured), dtype=np.float64)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.three_d_array = True
        tags.non_deterministic = self.random_state is None
        return tags

"""The common part of all detectors: from labelled data to scores, flags and a ranking.

A detector names its signals and the number that is its score. Everything else is here. It is no ``OutlierMixin``,
whose ``fit_predict`` drops the labels, and no ``ClassifierMixin``, since it classifies nothing.
"""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Sequence
from typing import Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from torch import nn

from curvdetect.data.devices import resolve_device
from curvdetect.data.rows import RowIndex
from curvdetect.data.samples import Samples
from curvdetect.detectors.grading import graded
from curvdetect.detectors.inputs import check_paired, not_flagged, rows_fitted, samples_labelled, samples_to_fit
from curvdetect.detectors.measured import Measured, begin, measure_unseen, one_run
from curvdetect.detectors.noise_rate import find_rate
from curvdetect.detectors.parameters import Common, Number, check_parameters, check_value, with_parameters
from curvdetect.detectors.ranking import is_auto, lowest_flagged, n_flagged, rank_share, worst_first
from curvdetect.signals.signal import Signal
from curvdetect.training.settings import Settings


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

    def set_params(self, **params: object) -> Self:
        """Set parameters, those of the net as ``net__lr``, and return the detector."""
        net, nested = params.get("net", self.net), [name for name in params if name.startswith("net__")]
        if nested and not hasattr(net, "set_params"):
            shown = f"{type(net).__name__}(...)" if isinstance(net, nn.Module) else repr(getattr(net, "__name__", net))
            raise ValueError(
                f"{nested[0]!r} can't be set: net={shown} has no parameters of its own. Pass "
                f"net=memorizing_net({shown}), which has."
            )
        return super().set_params(**params)

    def fit(self, X: object, y: ArrayLike | None = None) -> Self:
        """Train a network on the labels as they are, and score every sample during the training.

        Parameters
        ----------
        X : array, tensor, DataFrame or map-style Dataset, n_samples long
            Rows of shape (n_samples, n_features), or pictures (n_samples, channels, height, width); uint8 pictures are
            scaled to [0, 1]. A ``numpy.memmap`` is never copied whole: leave its file alone meanwhile.
        y : array-like of shape (n_samples,), optional
            Given labels, of any kind. They replace those that a dataset carries.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            For parameters out of range and for data that can't be scored: sparse, NaN, complex, one class.
        FloatingPointError
            Where the training loss became infinite or NaN.
        """
        return self._fit(X, y)

    def _fit(self, X: object, y: ArrayLike | None, pred_probs: object = None) -> Self:
        """Fit, with probabilities that were passed where a detector takes some."""
        check_parameters(self)
        device = resolve_device(self.device)
        samples = samples_to_fit(self, X, y, pred_probs)
        n_top = n_flagged(self.q, samples.n_scored)
        rows = RowIndex(samples)
        settings = begin(self, samples, device)
        measured = self._measure(samples, settings)
        if is_auto(self.q):
            n_top = self._find_rate(samples, measured, settings)
        self._store(samples, rows, measured, n_top)
        self._seed = settings.seed
        if measured.interrupt is not None:
            raise measured.interrupt
        return self

    def _measure(self, samples: Samples, settings: Settings) -> Measured:
        """Return the signals of all samples; here, those of one run."""
        return one_run(samples, self._signals(settings.seed), settings)

    def _find_rate(self, samples: Samples, measured: Measured, settings: Settings) -> int:
        """Return how many samples ``q="auto"`` flags."""
        return find_rate(self, samples, measured, settings)

    def _measure_unseen(self, samples: Samples) -> Measured:
        """Return the signals of samples that were not fitted; here, on the weights that were kept."""
        return measure_unseen(self, samples)

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

    def score_samples(self, X: object = None, y: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return a score for each sample; higher is more suspect. NaN for those that ``score_on`` left out.

        Parameters
        ----------
        X : array, tensor, DataFrame or Dataset, optional
            Rows of the training data, in any order; by default all. With ``y``, any samples.
        y : array-like of shape (n_samples,), optional
            Labels of ``X``. A row that was fitted under this label keeps its score; the others, and those that
            ``score_on`` left out, are measured on the weights that ``keep_snapshots`` kept, in evaluation mode.

        Returns
        -------
        array of shape (n_samples,), float64

        Raises
        ------
        ValueError
            Without ``y``, where a row was not fitted, or its copies have different labels and ``X`` is not the training
            data in its order. With ``y``, where ``X`` is missing, a label was not fitted, or weights are needed and
            none were kept.
        """
        return self._scored(X, y)[0]

    def decision_function(self, X: object = None, y: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return ``score_samples(X) - threshold_``; positive or zero is suspect, higher is more so."""
        return self.score_samples(X, y) - self.threshold_

    def predict(self, X: object = None, y: ArrayLike | None = None) -> NDArray[np.int64]:
        """Return 1 for a suspect and 0 otherwise: of the training data exactly the top ``q`` are 1.

        Samples that were not fitted, ``X`` with labels ``y``, are suspect from ``threshold_`` on. More than ``q`` of
        them reach it, since training lowers scores.
        """
        scores, index = self._scored(X, y)
        return np.where(index >= 0, self.labels_[index], scores >= self.threshold_)

    def fit_predict(self, X: object, y: ArrayLike | None = None, **fit_params: object) -> NDArray[np.int64]:
        """Fit, and return the flags of the training data."""
        return self.fit(X, y, **fit_params).labels_

    def fit_resample(self, X: object, y: ArrayLike | None = None, **fit_params: object) -> tuple[object, object]:
        """Fit, and return the data without the samples that are flagged: a step of an imbalanced-learn pipeline.

        Parameters
        ----------
        X, y, **fit_params
            As in `fit`.

        Returns
        -------
        X, y
            What is left, in its order and as the same kind of thing; of a dataset a ``Subset``, of a frame of dask one
            of pandas, and the labels as an array where ``y`` was left out. ``sample_indices_`` has their positions.
        """
        self.sample_indices_, left, labels = not_flagged(self.fit(X, y, **fit_params), X, y)
        return left, labels

    def score(
        self,
        X: object = None,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        noise_mask: ArrayLike | None = None,
    ) -> float:
        """Return the ROC AUC of the scores against labels known to be wrong; higher is better.

        Parameters
        ----------
        X : array, tensor, DataFrame or Dataset, optional
            Rows of the training data; left out, all of them.
        y : array-like of shape (n_samples,), optional
            The right labels of these rows: given labels that differ are the wrong ones.
        sample_weight : array-like of shape (n_samples,), optional
            Weights.
        noise_mask : array-like of shape (n_samples,), bool, optional
            True where a label is known to be wrong; replaces ``y``.

        Returns
        -------
        float
            NaN, with an ``UndefinedMetricWarning``, where no label or every label is wrong; a search that grades by
            this ends with a ``RuntimeError``.
        """
        for name, known in (("y", y), ("sample_weight", sample_weight), ("noise_mask", noise_mask)):
            check_paired(X, known, name)
        index = rows_fitted(self, X)
        given = self.classes_[self._rows.labels[index]]
        return graded(self.scores_[index], given, y, sample_weight, noise_mask)

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
        check_value("k", k, [None, Number("a whole number of rows, at least 1")])
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

    def _scored(self, X: object, y: ArrayLike | None) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return scores of samples, under these labels where given, and their training indices: -1 for new ones."""
        if y is None:
            index = rows_fitted(self, X)
            return self.scores_[index], index
        samples = samples_labelled(self, X, y)
        index = self._rows.find_labelled(samples)
        scores = np.where(index >= 0, self.scores_[index], np.nan)
        new = np.flatnonzero(np.isnan(scores))
        if len(new):
            index[new] = -1
            part = samples if len(new) == len(samples) else samples.only(torch.from_numpy(new))
            scores[new] = self._score_unseen(self._measure_unseen(part))
        return scores, index

    def _score_unseen(self, measured: Measured) -> NDArray[np.float64]:
        """Return the detector's own score of samples that were not fitted."""
        return self._score(measured)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.three_d_array = True
        tags.non_deterministic = self.random_state is None
        return tags

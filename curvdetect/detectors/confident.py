"""Confident learning, run properly: the baseline that everything else is compared with.

Out-of-fold probabilities come from the same network and the same number of epochs as in the other detectors, a fresh
network for each fold. cleanlab's own code makes scores and flags of them.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import ClassVar
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from torch import Tensor

from curvdetect.data.isolation import isolated_rng
from curvdetect.data.samples import Samples
from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.detectors.measured import Measured
from curvdetect.detectors.parameters import Constraints, Number, with_parameters
from curvdetect.signals.passes import logits_of, measuring, rows_within
from curvdetect.training.memorize import memorize
from curvdetect.training.own_net import output_kind, whole_of
from curvdetect.training.settings import Settings, deterministically

#: Which of cleanlab's quality scores there are.
METHODS = ("self_confidence", "normalized_margin")


@with_parameters
class ConfidentLearningDetector(BaseNoiseDetector):
    """Rank samples by cleanlab's label quality on out-of-fold probabilities; higher is more suspect.

    Each fold's probabilities come from a fresh copy of the network that is trained on the other folds. The score is
    one minus the quality. Costs ``cv`` trainings on a share of ``(cv - 1) / cv`` of the data each.

    Parameters
    ----------
    cv : int, default=5
        Number of stratified folds; scikit-learn warns where the smallest class has fewer samples.
    method : {"self_confidence", "normalized_margin"}, default="self_confidence"
        Which of cleanlab's quality scores is the detector's own.

    Attributes
    ----------
    label_issues_ : array of shape (n_samples,), bool
        cleanlab's own flags (`cleanlab.filter.find_label_issues`), whose number cleanlab decides. ``labels_`` has
        exactly the top ``q``.
    pred_probs_ : array of shape (n_samples, n_classes)
        Out-of-fold probabilities.
    suggested_labels_ : array of shape (n_samples,)
        Most probable label other than the given one.
    signal_scores_ : dict of arrays of shape (n_samples,)
        ``"self_confidence"`` and ``"normalized_margin"``, one minus either quality; and ``"flags"``, cleanlab's own
        flags as a ranking: what ``label_issues_`` has before what it has not, both by self-confidence.

    References
    ----------
    .. [1] Northcutt, Jiang, Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 2021.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from curvdetect import ConfidentLearningDetector
    >>> X, y = make_blobs(60, centers=3, random_state=0, cluster_std=0.5)
    >>> detector = ConfidentLearningDetector(cv=2, max_epochs=10, device="cpu", random_state=0)
    >>> detector.fit(X, y).pred_probs_.shape
    (60, 3)
    """

    cv: int = 5
    method: str = "self_confidence"

    _constraints: ClassVar[Constraints] = {
        "cv": [Number("a whole number of folds, at least 2", holds=lambda n: n >= 2)],
        "method": METHODS,
    }

    def _measure(self, samples: Samples, settings: Settings) -> Measured:
        """Cross-validate the network and hand its probabilities to cleanlab."""
        from cleanlab.filter import find_label_issues
        from cleanlab.rank import get_label_quality_scores

        labels = samples.labels.numpy()
        largest = int(np.bincount(labels).max())
        if self.cv > largest:
            way = f"pass cv={largest}" if largest > 1 else "a net can't predict a label that it has not seen"
            raise ValueError(
                f"cv={self.cv} folds need a class of as many samples, and the largest in y has {largest}: {way}."
            )
        one_way = deterministically(bool(getattr(self.net, "deterministic", False)))
        # predictions read a dataset, which may draw
        with warnings.catch_warnings(), isolated_rng(settings.device, settings.seed), one_way:
            warnings.simplefilter("ignore", ConvergenceWarning)
            probabilities = cross_val_predict(
                _Fold(samples, settings),
                np.arange(len(samples)),
                labels,
                cv=StratifiedKFold(self.cv, shuffle=True, random_state=settings.seed % 2**32),
                method="predict_proba",
            )
        signals = {name: 1 - get_label_quality_scores(labels, probabilities, method=name) for name in METHODS}
        issues = np.asarray(find_label_issues(labels, probabilities, n_jobs=1), dtype=bool)
        signals["flags"] = issues + signals["self_confidence"]
        others = probabilities.copy()
        others[np.arange(len(labels)), labels] = -1
        attributes = {"pred_probs_": probabilities, "label_issues_": issues, "device_": str(settings.device)}
        return Measured(signals, others.argmax(1), attributes)

    def _score(self, measured: Measured) -> NDArray[np.float64]:
        return measured.signal_scores[self.method]


class _Fold(ClassifierMixin, BaseEstimator):
    """A training as a classifier of sample numbers, for scikit-learn's cross-validation."""

    def __init__(self, samples: Samples, settings: Settings) -> None:
        self.samples = samples
        self.settings = settings

    def __sklearn_clone__(self) -> _Fold:
        return _Fold(self.samples, self.settings)

    def fit(self, index: NDArray[np.int64], y: NDArray[np.int64]) -> _Fold:
        """Train a fresh net on the samples ``index``."""
        self.classes_ = np.arange(len(self.samples.classes))
        name = f"fold-without-{len(self.samples) - len(index)}-{crc32(index.tobytes()):08x}"
        settings = replace(self.settings, checkpoints=self.settings.checkpoints.part(name))
        run = memorize(self.samples.only(torch.as_tensor(index)), [], settings)
        if run.interrupt is not None:
            raise run.interrupt
        self.net_, self.device_ = run.net, run.device
        return self

    def predict(self, index: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the most probable class of the samples ``index``."""
        return self.predict_proba(index).argmax(1)

    def predict_proba(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return probabilities of the samples ``index``."""
        kind, parts, asked = output_kind(self.net_), [], torch.as_tensor(index)

        def forward(chunk: Tensor) -> Tensor:
            return logits_of(self.net_.infer(chunk), kind)

        with measuring(whole_of(self.net_)):
            rows = rows_within(forward, self.samples.batch(asked[:2]).to(self.device_))
            with torch.no_grad():
                for chunk in torch.split(asked, rows):
                    logits = forward(self.samples.batch(chunk).to(self.device_))
                    parts.append(logits[:, : len(self.classes_)].float().softmax(1).cpu().double())
        return torch.cat(parts).numpy()

"""Confident learning: the out-of-sample baseline that everything else is compared with.

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
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold
from torch import Tensor

from curvdetect.data.isolation import isolated_rng
from curvdetect.data.samples import Samples
from curvdetect.data.wording import named, warn
from curvdetect.detectors.measured import Measured
from curvdetect.detectors.parameters import Constraints, Number, Trained, with_parameters
from curvdetect.detectors.probabilities import Passed
from curvdetect.detectors.with_probabilities import TakesProbabilities
from curvdetect.signals.passes import logits_of, measuring, rows_within
from curvdetect.training.memorize import Run, memorize
from curvdetect.training.own_net import output_kind, whole_of
from curvdetect.training.settings import Settings, deterministically

#: cleanlab's quality scores.
METHODS = ("self_confidence", "normalized_margin")


@with_parameters
class ConfidentLearningDetector(Trained, TakesProbabilities):
    """Rank samples by cleanlab's label quality on out-of-fold probabilities; higher is more suspect.

    Each fold's probabilities come from a fresh copy of the network that is trained on the other folds. The score is
    one minus the quality. Costs ``cv`` trainings on a share of ``(cv - 1) / cv`` of the data each. ``fit(X, y,
    pred_probs=...)`` takes the probabilities of a model of your own instead, and trains nothing.

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
        ``"self_confidence"`` and ``"normalized_margin"``, one minus either quality; and ``"flags"``, a ranking of the
        samples in ``label_issues_`` before all others, both by self-confidence.

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
        """Pass the probabilities of the cross-validated network, or those of the user's own model, to cleanlab."""
        from cleanlab.filter import find_label_issues
        from cleanlab.rank import get_label_quality_scores

        labels = samples.labels.numpy()
        passed = samples.pred_probs
        probabilities = self._out_of_fold(samples, settings) if passed is None else passed
        signals = {name: 1 - get_label_quality_scores(labels, probabilities, method=name) for name in METHODS}
        if alone := samples.classes[np.bincount(labels) == 1].tolist():
            warn(
                f"y has classes of one sample, which cleanlab never flags: {named(alone)}. Their scores are in scores_ "
                "all the same, but little tells whether the labels are wrong: add samples, or leave these out."
            )
        with warnings.catch_warnings():  # which would give the class by its number
            warnings.filterwarnings("ignore", "May not flag all label issues", UserWarning)
            issues = np.asarray(find_label_issues(labels, probabilities, n_jobs=1), dtype=bool)
        signals["flags"] = issues + signals["self_confidence"]
        other = np.where(np.eye(len(samples.classes), dtype=bool)[labels], -1, probabilities).argmax(1)
        attributes = {"pred_probs_": probabilities, "label_issues_": issues, "device_": str(settings.device)}
        left_out = None if passed is None else Passed(samples).left_out
        return Measured(signals, other, attributes, left_out=left_out)

    def _out_of_fold(self, samples: Samples, settings: Settings) -> NDArray[np.float64]:
        """Return probabilities of the network, each by one that was trained on the other folds."""
        labels = samples.labels.numpy()
        largest = int(np.bincount(labels).max())
        if self.cv > largest:
            way = f"pass cv={largest}" if largest > 1 else "a net can't predict a label that it has not seen"
            raise ValueError(
                f"cv={self.cv} folds need a class of as many samples, and the largest in y has {largest}: {way}."
            )
        folds = StratifiedKFold(self.cv, shuffle=True, random_state=settings.seed % 2**32)
        probabilities = np.empty((len(samples), len(samples.classes)))
        one_way = deterministically(bool(getattr(self.net, "deterministic", False)))
        # predictions read a dataset, which may draw
        with warnings.catch_warnings(), isolated_rng(settings.device, settings.seed), one_way:
            warnings.simplefilter("ignore", ConvergenceWarning)
            for others, fold in folds.split(labels, labels):
                place = settings.checkpoints.part(f"fold-without-{len(fold)}-{crc32(others.tobytes()):08x}")
                run = memorize(samples.only(torch.from_numpy(others)), [], replace(settings, checkpoints=place))
                if run.interrupt is not None:
                    raise run.interrupt
                probabilities[fold] = _predicted(run, samples, fold)
        return probabilities

    def _score(self, measured: Measured) -> NDArray[np.float64]:
        return measured.signal_scores[self.method]


def _predicted(run: Run, samples: Samples, index: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return a trained net's probabilities of the samples ``index``, shape (len(index), n_classes)."""
    kind, parts, asked = output_kind(run.net), [], torch.as_tensor(index)

    def forward(chunk: Tensor) -> Tensor:
        return logits_of(run.net.infer(chunk), kind)

    with measuring(whole_of(run.net)):
        rows = rows_within(forward, samples.batch(asked[:2]).to(run.device))
        with torch.no_grad():
            for chunk in torch.split(asked, rows):
                logits = forward(samples.batch(chunk).to(run.device))
                parts.append(logits[:, : len(samples.classes)].float().softmax(1).cpu().double())
    return torch.cat(parts).numpy()

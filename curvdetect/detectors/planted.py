"""Tuning without ground truth: plant wrong labels, and see how well they are found."""

from __future__ import annotations

from numbers import Real
from typing import ClassVar, Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils.validation import check_is_fitted

from curvdetect.data.items import is_dataset
from curvdetect.data.labels import encode, plain_labels
from curvdetect.data.noise import CorruptedLabels, corrupt_labels
from curvdetect.data.samples import as_samples
from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.detectors.delegation import HoldsDetector, before_last, columns_of, keep_apart, last_step
from curvdetect.detectors.explaining import check_discrete
from curvdetect.detectors.grading import GRADES, check_scored, grade_of
from curvdetect.detectors.inputs import check_paired, rows_fitted
from curvdetect.detectors.measured import derive_seed, derived_seed
from curvdetect.detectors.parameters import Constraints, Number, check_parameters, check_value, with_parameters

RATE = Number("a share of the labels, such as 0.05, in (0, 1)", Real, lambda rate: 0 < rate < 1)
Kind = Literal["uniform", "pair"]


@with_parameters
class PlantedNoise(HoldsDetector):
    """Grade a detector by how well it finds wrong labels that are planted for the purpose; higher is better.

    Some labels of a copy are replaced by wrong ones, the detector is fitted on it, and the grade says how high it ranks
    the planted ones. No ground truth is needed. As the estimator of a search it compares settings on data whose wrong
    labels are not known.

    Parameters
    ----------
    detector : BaseNoiseDetector or Pipeline that ends with one
        The detector to grade, as a copy. Give it a ``random_state`` to compare settings on equal terms. With a
        ``checkpoint_dir`` each fit has a directory within it.
    rate : float in (0, 1), default=0.05
        Share of each class to replace; where that is less than half a label in every class, one in the largest.
    kind : {"uniform", "pair"}, default="uniform"
        As in `corrupt_labels`.
    n_repeats : int, default=1
        How often labels are planted and the detector is trained, each time others and with another seed.
    refit : bool, default=False
        Whether to fit the detector on the labels as given, too, for one more training. ``score_samples``, ``predict``,
        ``ranking`` and so on are then those of that fit.
    random_state : int, RandomState instance or None, default=None
        Which labels are planted. With an int all settings of a search meet the same ones.

    Attributes
    ----------
    grades_ : dict of arrays of shape (n_repeats,)
        Each grade by name.
    planted_masks_ : array of shape (n_repeats, n_samples), bool
        True where a label was planted.
    planted_labels_ : array of shape (n_repeats, n_samples)
        What the detector was fitted on.
    detectors_ : list of length n_repeats
        The fitted detectors, or pipelines.
    detector_ : BaseNoiseDetector or Pipeline
        The one fitted on the labels as given, where ``refit`` is true.

    See Also
    --------
    CurvatureSearch : Plants too where no mask is known, and trains once for all ``h``, ``n`` and ``power``.

    Notes
    -----
    Labels that were wrong before count as right, which lowers the grade of every setting alike, the ROC AUC by about
    half their share. Compare settings by it: it does not tell how well the wrong labels of the data are found.

    Costs ``n_repeats`` fits of the detector, and one more with ``refit``.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.model_selection import GridSearchCV
    >>> from curvdetect import InSample, LossDetector, PlantedNoise
    >>> X, y = make_blobs(60, centers=3, random_state=0, cluster_std=0.5)
    >>> planted = PlantedNoise(LossDetector(device="cpu", random_state=0), rate=0.1, random_state=0)
    >>> grid = {"detector__max_epochs": [1, 20]}
    >>> search = GridSearchCV(planted, grid, cv=InSample(), refit=False, error_score="raise").fit(X, y)
    >>> search.best_params_
    {'detector__max_epochs': 20}
    """

    _fitted_name = "detector_"

    rate: float = 0.05
    kind: Kind = "uniform"
    refit: bool = False

    _constraints: ClassVar[Constraints] = {"scoring": GRADES, "rate": [RATE], "kind": get_args(Kind)}

    def fit(self, X: object, y: ArrayLike | None = None) -> Self:
        """Plant wrong labels, fit the detector on them, and grade how well it finds them.

        Parameters
        ----------
        X, y
            As in `BaseNoiseDetector.fit`. ``y`` is copied before anything is planted.

        Returns
        -------
        self
            Ctrl-C, or an error, keeps the repeats that are complete, and is raised again.
        """
        check_parameters(self)
        if not isinstance(last_step(self.detector), BaseNoiseDetector):
            raise TypeError(
                "detector must be a detector, such as CurvatureNoiseDetector(), or a pipeline that ends with one, got "
                f"{last_step(self.detector)!r}."
            )
        planted = plant(X, y, self.rate, self.kind, n_repeats=self.n_repeats, seed=derive_seed(self.random_state))
        for _, mask in planted:
            check_scored(mask, last_step(self.detector).score_on)
        self._forget()
        detectors: list[BaseEstimator] = []
        try:
            for repeat, (labels, _) in enumerate(planted):
                detector = keep_apart(reseeded(clone(self.detector), repeat), f"planted-{repeat}")
                detectors.append(detector.fit(X, labels))
        finally:
            if detectors:
                self.detectors_ = detectors
                complete = planted[: len(detectors)]
                self.planted_labels_ = np.stack([labels for labels, _ in complete])
                self.planted_masks_ = np.stack([mask for _, mask in complete])
                fits = list(zip(self.planted_masks_, [last_step(one).scores_ for one in detectors], strict=True))
                self.grades_ = {name: np.array([grade_of(name, *fit) for fit in fits]) for name in GRADES}
                self.__dict__.update(columns_of(detectors[0]))
        if self.refit:
            self.detector_ = keep_apart(clone(self.detector), "given")
            self.detector_.fit(X, y)
        return self

    def score(self, X: object = None, y: object = None, sample_weight: ArrayLike | None = None) -> float:
        """Return how well the planted labels were found, the mean over the repeats; higher is better.

        Parameters
        ----------
        X, sample_weight
            As in `BaseNoiseDetector.score`.
        y : ignored
            There because scikit-learn passes it.

        Returns
        -------
        float
            NaN, with an ``UndefinedMetricWarning``, where none or all of the rows were planted.
        """
        check_is_fitted(self, "detectors_")
        check_value("scoring", self.scoring, GRADES)
        first = self.detectors_[0]
        index = rows_fitted(last_step(first), before_last(first, X))
        why = "none or all of these rows had a label planted, so there is nothing to tell apart."
        grades = []
        for mask, detector in zip(self.planted_masks_, self.detectors_, strict=True):
            scores = last_step(detector).scores_
            grades.append(grade_of(self.scoring, mask[index], scores[index], sample_weight, undefined=why))
            if np.isnan(grades[-1]):
                return grades[-1]
        return float(np.mean(grades))


def plant(
    X: object, y: ArrayLike | None, rate: float, kind: Kind, *, n_repeats: int, seed: int
) -> list[CorruptedLabels]:
    """Return for each repeat labels of which some are wrong on purpose, at least one, and which those are."""
    if y is None:
        if not is_dataset(X):
            raise ValueError("requires y to be passed, but the target y is None")
        samples = as_samples(X)
        y = samples.classes[samples.labels.numpy()]
    check_paired(X, y)
    given = column_or_1d(plain_labels(y), warn=True)
    assert_all_finite(given, input_name="y")
    classes, codes = encode(given)
    check_discrete(classes)
    rate = max(rate, 0.5 / np.bincount(codes).max())
    return [corrupt_labels(given, rate, kind=kind, random_state=derived_seed(seed, i)) for i in range(n_repeats)]


def reseeded(estimator: BaseEstimator, repeat: int) -> BaseEstimator:
    """Return the estimator with a seed for a repeat of the training: the first has the detector's own."""
    detector = last_step(estimator)
    if repeat and detector.random_state is not None:
        detector.set_params(random_state=derived_seed(derive_seed(detector.random_state), repeat))
    return estimator

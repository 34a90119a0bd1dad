"""A search over the step and the probes of the curvature that trains once for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Sized
from dataclasses import field
from functools import partial
from itertools import islice, product
from typing import ClassVar, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone

from curvdetect.data.progress import progress_bar
from curvdetect.data.types import Record
from curvdetect.detectors.delegation import HoldsDetector, after_refit, before_last, keep_apart, last_step, prefix_of
from curvdetect.detectors.grading import GRADES, as_noise_mask, check_scored
from curvdetect.detectors.inputs import check_paired, rows_to_score
from curvdetect.detectors.measured import derive_seed, derived_seed
from curvdetect.detectors.one_signal import CurvatureNoiseDetector
from curvdetect.detectors.parameters import Constraints, check_parameters, with_parameters
from curvdetect.detectors.planted import RATE, Kind, plant, reseeded
from curvdetect.detectors.ranking import is_auto, n_flagged
from curvdetect.detectors.shared_training import (
    Grade,
    Trained,
    as_cv_results,
    best_of,
    by_training,
    candidates_of,
    read_off,
    train,
    trained,
)
from curvdetect.training.ranks import writes_here

#: Labels to fit on, and where they are known to be wrong.
Task = tuple[ArrayLike | None, NDArray[np.bool_]]


@with_parameters
class CurvatureSearch(HoldsDetector):
    """Grid search for `CurvatureNoiseDetector` that trains once for all ``h``, ``n`` and ``power``.

    Every setting gets the scores that a fit of its own would give it, since probes don't change a training. The grade
    says how high known wrong labels are ranked. Where none are known, some are planted as in `PlantedNoise`, and the
    best setting is then fitted on the labels as given.

    Parameters
    ----------
    detector : CurvatureNoiseDetector, or Pipeline that ends with one
        The detector to tune, as copies. Where it has no ``random_state``, one is drawn that all settings share. With a
        ``checkpoint_dir`` each training has a directory within it, so that a search that was killed goes on (give ints
        as ``random_state``, here and there).
    param_grid : dict of sequences or list of such
        Values by parameter, as in ``GridSearchCV``; in a pipeline as ``curvaturenoisedetector__h``. ``h``, ``n``,
        ``power`` and ``q`` are read off one training. Any other parameter takes a training for each of its values.
    planted_rate : float in (0, 1), default=0.05
        Share of each class to plant wrong labels in, where ``fit`` gets no ``noise_mask``.
    planted_kind : {"uniform", "pair"}, default="uniform"
        As in `corrupt_labels`.
    n_repeats : int, default=1
        Number of trainings for each setting that touches training, with seeds of their own; where labels are planted,
        each time others. Grades are averaged.
    refit : bool, default=True
        Whether to have ``best_estimator_``, and its ``score_samples``, ``predict``, ``ranking`` and so on. It comes
        out of the search itself where a ``noise_mask`` was passed, and costs one more training elsewhere
        (two with ``q="auto"``).
    n_jobs : int, optional
        Number of trainings at a time, by joblib; None is one, but for what ``joblib.parallel_config`` says, and -1 one
        for each core. Processes train with few threads each: it pays where a net is too small to keep the cores busy,
        or with a cluster as joblib's backend.
    random_state : int, RandomState instance or None, default=None
        Seed of the planted labels, and of the trainings where the detector has none.
    verbose : int, default=0
        1 shows a bar that counts trainings.

    Attributes
    ----------
    cv_results_ : dict of arrays
        One row for each setting, as of ``GridSearchCV``, with a split for each repeat. ``mean_fit_time`` is that of the
        training, which all settings share that are read off it.
    best_index_, best_params_, best_score_
        Row of the highest mean grade (the first of several), its setting and its grade.
    best_estimator_ : CurvatureNoiseDetector or Pipeline
        Fitted on the labels as given, with the attributes of a fit of its own and the seed in its ``random_state``.
        ``seconds_`` are those of the shared training, with the probes of all settings.
    n_trainings_ : int
        Trainings that were completed.
    planted_masks_ : array of shape (n_repeats, n_samples), bool
        True where a label was planted; only where labels were.
    interrupted_ : bool
        Whether something ended the search early; settings that were complete are kept.

    See Also
    --------
    InSample : For scikit-learn's own searches, over other detectors or in several processes.
    PlantedNoise : What a grade by planted labels means.

    Notes
    -----
    Costs ``n_repeats`` trainings for each setting that touches training, and in each, for every ``h``, the probes of
    its largest ``n``. Memory: the scores of all settings of one training, and one trained net beside that.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from curvdetect import CurvatureNoiseDetector, CurvatureSearch, corrupt_labels
    >>> X, y = make_blobs(60, centers=3, random_state=0, cluster_std=0.5)
    >>> labels, mask = corrupt_labels(y, rate=0.1, random_state=0)
    >>> detector = CurvatureNoiseDetector(max_epochs=10, stop_at=1.0, device="cpu", random_state=0)
    >>> search = CurvatureSearch(detector, {"h": [1e-3, 1e-2, 1e-1], "n": [1, 4], "power": [1, 2]})
    >>> search.fit(X, labels, noise_mask=mask).n_trainings_
    1
    >>> len(search.cv_results_["params"]), sorted(search.best_params_)
    (12, ['h', 'n', 'power'])
    """

    _fitted_name = "best_estimator_"

    param_grid: Mapping[str, Sequence[object]] | Sequence[Mapping[str, Sequence[object]]] = field(kw_only=False)
    planted_rate: float = 0.05
    planted_kind: Kind = "uniform"
    refit: bool = True
    n_jobs: int | None = None
    verbose: int = 0

    _constraints: ClassVar[Constraints] = {"scoring": GRADES, "planted_rate": [RATE], "planted_kind": get_args(Kind)}

    def fit(self, X: Sized, y: ArrayLike | None = None, noise_mask: ArrayLike | None = None) -> Self:
        """Train once for each setting that touches training, and grade all settings.

        Parameters
        ----------
        X, y
            As in `BaseNoiseDetector.fit`.
        noise_mask : array-like of shape (n_samples,), bool, optional
            True where a label is known to be wrong. Left out, wrong labels are planted in a copy of ``y``.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            Before any training, for parameters that don't exist or are out of range.
        """
        check_parameters(self)
        _check_kind(self.detector)
        candidates = candidates_of(self.param_grid)
        seed = derive_seed(self.random_state)
        estimators = [self._estimator(params, derived_seed(seed, 0, 0), len(X)) for params in candidates]
        tasks: list[Task]
        if noise_mask is None:
            tasks = [*plant(X, y, self.planted_rate, self.planted_kind, n_repeats=self.n_repeats, seed=seed)]
        else:
            check_paired(X, noise_mask, "noise_mask")
            tasks = [(y, as_noise_mask(noise_mask, len(X)))] * self.n_repeats
        for estimator, (_, mask) in product(estimators, tasks):
            check_scored(mask, last_step(estimator).score_on)
        self._forget()
        if noise_mask is None:
            self.planted_masks_ = np.stack([mask for _, mask in tasks])
        self.n_trainings_, self.interrupted_ = 0, True
        self._search(X, candidates, estimators, tasks, keep=self.refit and noise_mask is not None)
        if self.refit and not hasattr(self, "best_estimator_"):
            self.best_estimator_ = keep_apart(estimators[self.best_index_], "best")
            self.best_estimator_.fit(X, y)
            self.n_trainings_ += 1
        self.interrupted_ = False
        return self

    def _search(
        self, X: object, candidates: list[Record], estimators: list[BaseEstimator], tasks: list[Task], *, keep: bool
    ) -> None:
        """Train, grade, and set what follows from the settings that are complete, whatever ends the search."""
        groups = by_training(candidates, prefix_of(self.detector))
        # each is made when its turn comes
        trainings = (
            self._training([estimators[number] for number in group], task, repeat, keep, name=group[0])
            for group in groups
            for repeat, task in enumerate(tasks)
        )
        graded: dict[int, Sequence[Grade]] = {}
        best = None
        shown = bool(self.verbose) and writes_here()
        bar = progress_bar(len(groups) * len(tasks), shown=shown, desc="searching", unit="training")
        found = trained(trainings, X, self.n_jobs)
        try:
            for group in groups:
                repeats: list[Trained] = []
                for one in islice(found, len(tasks)):
                    repeats.append(one)
                    self.n_trainings_ += 1
                    bar.update()
                grades, columns, runs = zip(*repeats, strict=True)
                self.__dict__.update(columns[0])
                graded |= zip(group, zip(*grades, strict=True), strict=True)
                if keep and best_of(graded) in group:
                    winner = estimators[best_of(graded)]
                    best = None if is_auto(last_step(winner).q) else read_off(runs[0], winner)
        finally:
            bar.close()
            self._keep(candidates, graded, best) if graded else self._forget()

    def _keep(self, candidates: list[Record], graded: dict[int, Sequence[Grade]], best: BaseEstimator | None) -> None:
        """Set what follows from the settings that are complete."""
        complete = sorted(graded)
        self.cv_results_ = as_cv_results([candidates[n] for n in complete], [graded[n] for n in complete])
        self.best_index_ = complete.index(best_of(graded))
        self.best_params_ = self.cv_results_["params"][self.best_index_]
        self.best_score_ = float(self.cv_results_["mean_test_score"][self.best_index_])
        if best is not None:
            self.best_estimator_ = best

    @after_refit
    def score(
        self,
        X: object = None,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        noise_mask: ArrayLike | None = None,
    ) -> float:
        """Return the best detector's ROC AUC against labels known to be wrong. See `BaseNoiseDetector.score`."""
        fitted = self._fitted()
        return last_step(fitted).score(before_last(fitted, X), y, sample_weight, noise_mask)

    def _estimator(self, params: Record, seed: int, n_samples: int) -> BaseEstimator:
        """Return the unfitted estimator of a setting, or raise what a fit would refuse in it."""
        estimator = clone(self.detector)
        try:
            estimator.set_params(**clone(params, safe=False))
        except AttributeError as error:
            raise ValueError(
                f"param_grid names {sorted(params)}, and a parameter on the way there is None: nested ones need the "
                "object that has them in its place."
            ) from error
        detector = last_step(estimator)
        _check_kind(detector)
        if detector.grid is not None:
            raise ValueError("detector.grid must be None in a search: param_grid says what is measured.")
        check_parameters(detector)
        rows = rows_to_score(detector.score_on, n_samples)
        n_flagged(detector.q, n_samples if rows is None else len(rows))
        detector._signals(seed=0)
        if detector.random_state is None:
            detector.set_params(random_state=seed)
        return estimator

    def _training(
        self, estimators: list[BaseEstimator], task: Task, repeat: int, keep: bool, *, name: int
    ) -> Callable[[object], Trained]:
        """Return the training that settings share, or a repeat of it."""
        run = keep_apart(reseeded(clone(estimators[0]), repeat), f"setting-{name}-repeat-{repeat}")
        settings = [(one.h, one.n, one.power) for one in map(last_step, estimators)]
        grid = [{"h": [h], "n": [n], "power": [power]} for h, n, power in dict.fromkeys(settings)]
        last_step(run).set_params(grid=grid, q=0.1)  # grades need no flags, and no training to find their number
        return partial(train, run, settings, *task, self.scoring, keep and repeat == 0)


def _check_kind(detector: BaseEstimator) -> None:
    """Raise where there is nothing whose step and probes could be searched."""
    if not isinstance(last_step(detector), CurvatureNoiseDetector):
        raise TypeError(
            "detector must be a CurvatureNoiseDetector, or a pipeline that ends with one, got "
            f"{last_step(detector)!r}. For any other detector: GridSearchCV(detector, ..., cv=InSample())."
        )

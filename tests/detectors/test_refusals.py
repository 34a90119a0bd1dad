"""What can't be done is refused by name before anything is trained: one table for detectors, searches and functions."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from curvdetect import (
    ConfidentLearningDetector,
    CurvatureNoiseDetector,
    CurvatureSearch,
    CurvSSFT,
    FusedDetector,
    LossDetector,
    PlantedNoise,
    SSFTDetector,
    fuse,
    noise_scorer,
    recommended_signals,
)
from tests.cases import noisy_digits

N = 100
X, LABELS, MASK, _ = noisy_digits(N)
A, B = np.array([0.1, 0.2, 0.9, 0.3]), np.array([5.0, 7.0, 6.0, 1.0])
SCALED = make_pipeline(StandardScaler(), LossDetector())


def fit(kind=CurvatureNoiseDetector, **params):
    """Return a fit of something that can't be trained."""
    return lambda: kind(object(), **{"device": "cpu", **params}).fit(X, LABELS)


def planted(detector=None, **params):
    return lambda: PlantedNoise(LossDetector(object()) if detector is None else detector, **params).fit(X, LABELS)


def search(grid=None, mask=MASK, labels=LABELS, detector=None, **params):
    detector = CurvatureNoiseDetector(device="cpu", random_state=0) if detector is None else detector
    grid = {"h": [1e-2]} if grid is None else grid
    return lambda: CurvatureSearch(detector, grid, **params).fit(X, labels, noise_mask=mask)


def curvature(**params):
    return CurvatureNoiseDetector(device="cpu", random_state=0, **params)


REFUSED = {
    # detectors
    "q": (fit(q=1.5), "q must be a share between 0 and 1.*or 'auto', got 1.5"),
    "every": (fit(every=0), "every must be 'auto' or a whole number of epochs, at least 1, got 0"),
    "stop_at": (fit(LossDetector, stop_at=2), r"stop_at must be None or a training accuracy in \(0, 1\], got 2"),
    "snapshots": (fit(LossDetector, keep_snapshots=-1), "keep_snapshots must be a whole number of epochs, 0 or more"),
    "units": (fit(units="std"), "units must be 'deviation' or 'raw', got 'std'"),
    "seed": (fit(random_state="x"), "random_state must be None, a whole number"),
    "h": (fit(h=-1), "h must be a positive number"),
    "h of a grid": (fit(grid={"h": [-1.0]}), "h must be a positive number"),
    "n": (fit(n=0), "n must be a whole number of probes"),
    "power": (fit(power=True), "power must be 1"),
    "grid of nothing": (fit(grid=[]), "grid must be a dict"),
    "grid in a list": (fit(grid=[{"h": [1]}, {"q": [1]}]), "keys among"),
    "grid without keys": (fit(grid={}), "grid must be a dict"),
    "grid of numbers": (fit(grid=[1e-2]), "grid must be a dict"),
    "grid of a number": (fit(grid={"h": 1e-2}), r"grid\['h'\] must be a sequence"),
    "grid of no values": (fit(grid={"n": []}), r"grid\['n'\] must be a sequence"),
    "signal": (fit(signals=("lost",)), "signals must be"),
    "method": (fit(ConfidentLearningDetector, method="x"), "method must be 'self_confidence' or 'normalized_margin'"),
    "folds": (fit(ConfidentLearningDetector, cv=1), "cv must be a whole number of folds, at least 2, got 1"),
    "half a fold": (fit(ConfidentLearningDetector, cv=2.5), "cv must be a whole number of folds, at least 2, got 2.5"),
    "folds of a class": (fit(ConfidentLearningDetector, cv=50), "cv=50 folds need .* pass cv="),
    "statistic": (fit(SSFTDetector, statistic="epoch"), "statistic must be 'loss', 'share' or 'time', got 'epoch'"),
    "second stage": (fit(SSFTDetector, second_epochs=0), "second_epochs must be None or a whole number"),
    "patience": (fit(SSFTDetector, patience=0), "patience must be a whole number of epochs, at least 1, got 0"),
    "splits": (fit(SSFTDetector, n_repeats=1.5), "n_repeats must be a whole number of runs, at least 1, got 1.5"),
    "first stage": (fit(SSFTDetector, max_epochs=-1), "max_epochs must be None or a whole number"),
    "combination": (fit(CurvSSFT, combine="vote"), "combine must be 'rank_mean'.*'log_mean' or a callable"),
    "weight": (fit(CurvSSFT, weight=2), r"weight must be a share in \[0, 1\].*got 2"),
    "statistic of both": (fit(CurvSSFT, statistic=None), "statistic must be"),
    "h of both": (fit(CurvSSFT, h=-1), "h must be a positive number"),
    "fused name": (fit(FusedDetector, signals=["loss", "lost"]), "signals must be 'auto', or a sequence .* names from"),
    "fused string": (fit(FusedDetector, signals="loss"), "signals must be 'auto', or .* names from .* got 'loss'"),
    "fused nothing": (fit(FusedDetector, signals=[]), "signals must be 'auto'"),
    "fused set": (fit(FusedDetector, signals={"loss", "margin"}), "signals must be 'auto', or a sequence"),
    "fused kind": (fit(FusedDetector, signals=3), "signals must be 'auto'"),
    "fused weight": (fit(FusedDetector, signals={"loss": -1, "margin": 2}), "weights must hold 2 numbers"),
    "weights of a callable": (
        fit(FusedDetector, signals={"loss": 1, "margin": 2}, combine=np.maximum),
        "weights go with ranks",
    ),
    "fusion": (fit(FusedDetector, combine="vote"), "combine must be one of"),
    "fused runs": (fit(FusedDetector, n_repeats=0), "n_repeats must be a whole number"),
    "h of the fused": (fit(FusedDetector, signals=["curvature"], h=0), "h must be a positive number"),
    "beside": (fit(FusedDetector, beside="curvature"), "beside must be .* names from .*'curvature'.*got 'curvature'"),
    # planted noise
    "rate zero": (planted(rate=0), r"rate must be a share.*got 0"),
    "rate one": (planted(rate=1.0), "rate must be a share"),
    "rate count": (planted(rate=True), "rate must be a share"),
    "rate name": (planted(rate="auto"), "rate must be a share"),
    "planted kind": (planted(kind="confusion"), r"kind must be 'uniform' or 'pair', got 'confusion'"),
    "planted scoring": (planted(scoring="f1"), "scoring must be 'roc_auc'"),
    "planted repeats": (planted(n_repeats=0), "n_repeats must be a whole number of runs, at least 1, got 0"),
    "classifier": (planted(LogisticRegression()), "detector must be a detector.*LogisticRegression"),
    "no last step": (planted(make_pipeline(StandardScaler())), "ends with one, got StandardScaler"),
    "class": (planted(LossDetector), "detector must be a detector"),
    "planted of one kind": (
        planted(LossDetector(score_on=[0, 1]), rate=0.01, random_state=0),
        "samples that score_on chose 0 are known",
    ),
    "no labels to plant in": (lambda: PlantedNoise(LossDetector()).fit(X), "requires y to be passed"),
    "nan to plant in": (lambda: PlantedNoise(LossDetector()).fit(X, np.where(LABELS == 1, np.nan, LABELS)), "NaN"),
    "numbers to plant in": (lambda: PlantedNoise(LossDetector()).fit(X, LABELS + 0.5), "Unknown label type"),
    "fewer to plant in": (lambda: PlantedNoise(LossDetector()).fit(X, LABELS[1:]), "inconsistent numbers of samples"),
    # searches
    "unknown": (search({"colour": [1]}), "colour"),
    "read off nothing": (
        search({"net__lr": [0.1]}),
        r"'net__lr' can't be set: net=None has no parameters.*memorizing_net",
    ),
    "step is none": (
        search({"scale__copy": [True]}, detector=Pipeline([("scale", None), ("detector", curvature())])),
        r"param_grid names \['scale__copy'\], and a parameter on the way there is None",
    ),
    "no grid": (search({}), "param_grid names nothing"),
    "no grids": (search([]), "param_grid names nothing"),
    "empty grids": (search([{}]), "param_grid names nothing"),
    "no values": (search({"h": []}), "non-empty sequence"),
    "one value": (search({"h": 1e-2}), "parameter 'h' needs to be a list or a numpy array"),
    "a number": (search(3), "Parameter grid should be a dict or a list"),
    "searched h": (search({"h": [1e-2, -1.0]}), "h must be a positive number"),
    "searched q": (search({"q": [0.1, 2.5]}), "q must be a share"),
    "q of the scored": (search({"q": [30]}, detector=curvature(score_on=range(20))), "from 1 to 20"),
    "score_on": (search(detector=curvature(score_on=[N])), f"score_on holds {N}"),
    "scored of one kind": (
        search({"score_on": [None, np.flatnonzero(~MASK)]}),
        "samples that score_on chose 0 are known to be wrong",
    ),
    "searched every": (search({"every": [1, 0]}), "every must be"),
    "searched epochs": (search({"max_epochs": [1, -1]}), "max_epochs must be"),
    "searched signals": (search({"signals": [(), ("lost",)]}), "signals must be"),
    "grid in the grid": (search({"grid": [{"h": [1]}]}), "detector.grid must be None"),
    "detector has a grid": (search(detector=curvature(grid={"h": [1]})), "detector.grid must be None"),
    "no h": (search(detector=LossDetector()), "must be a CurvatureNoiseDetector.*LossDetector.*GridSearchCV"),
    "no h at the end": (search(detector=SCALED), r"must be a CurvatureNoiseDetector.*got LossDetector\(\)"),
    "searched class": (search(detector=CurvatureNoiseDetector), "must be a CurvatureNoiseDetector"),
    "searched scoring": (search(scoring="accuracy"), "scoring must be 'roc_auc'"),
    "planted rate": (search(planted_rate=1), "planted_rate must be a share"),
    "searched kind": (search(planted_kind="blobs"), "planted_kind must be 'uniform'"),
    "searched repeats": (search(n_repeats=0), "n_repeats must be"),
    "short mask": (search(mask=MASK[1:]), "noise_mask has 99 entries for 100 samples"),
    "nothing wrong": (search(mask=np.zeros(N, bool)), "noise_mask marks no label as wrong"),
    "mask of names": (search(mask=np.full(N, "yes")), "noise_mask must hold booleans"),
    "no labels": (search(mask=None, labels=None), "requires y to be passed"),
    # functions
    "scorer of nothing": (lambda: noise_scorer(np.zeros(N, bool)), "marks no label as wrong.*PlantedNoise"),
    "scorer of everything": (lambda: noise_scorer(np.ones(N, bool)), "marks every label as wrong"),
    "scorer of strings": (lambda: noise_scorer(["yes", "no"]), "noise_mask must hold booleans"),
    "scorer of two columns": (lambda: noise_scorer(np.stack([MASK, MASK], 1)), "1d array"),
    "grade": (
        lambda: noise_scorer(MASK, "accuracy"),
        "scoring must be 'roc_auc' or 'average_precision', got 'accuracy'",
    ),
    "grade without a name": (lambda: noise_scorer(MASK, ["roc_auc"]), "scoring must be 'roc_auc'"),
    "accuracy": (lambda: recommended_signals(1.5), r"train_accuracy must be a share in \[0, 1\], got 1.5"),
    "fuse nothing": (lambda: fuse(), "scores are missing"),
    "fuse text": (lambda: fuse(["a", "b"]), "scores must be arrays of numbers"),
    "fuse lengths": (lambda: fuse(A, B[:2]), r"shape \(n_samples,\), got \[\(4,\), \(2,\)\]"),
    "fuse a matrix": (lambda: fuse(np.zeros((2, 2))), r"shape \(n_samples,\)"),
    "fuse nan": (lambda: fuse(A, [1, np.nan, 2, 3]), "NaN or infinity"),
    "fuse by name": (lambda: fuse(A, B, combine="vote"), "combine must be one of 'fisher'.*got 'vote'"),
    "fuse by kind": (lambda: fuse(A, B, combine=3), "combine must be one of .* got 3"),
    "weigh the first": (lambda: fuse(A, B, weights=(1, 1), combine="first"), "weights go with ranks .*'first'"),
    "weigh a callable": (lambda: fuse(A, B, weights=(1, 1), combine=np.maximum), "weights go with ranks"),
    "one weight": (lambda: fuse(A, B, weights=(1,)), "weights must hold 2 numbers"),
    "negative weight": (lambda: fuse(A, B, weights=(2, -1)), "none negative"),
    "no weight": (lambda: fuse(A, B, weights=(0, 0)), "not all zero"),
    "a sum": (lambda: fuse(A, B, combine=lambda a, b: a.sum()), "combine returned .* one finite number"),
    "to infinity": (lambda: fuse(A, B, combine=lambda a, b: a + np.inf), "combine returned .* one finite number"),
}
TYPES = ("classifier", "no last step", "class", "no h", "no h at the end", "searched class", "one value", "a number")


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_said_before_any_training(case, monkeypatch):
    def train(*args, **kwargs):
        raise AssertionError("trained")

    for module in ("measured", "confident"):
        monkeypatch.setattr(f"curvdetect.detectors.{module}.memorize", train)
    refuse, message = REFUSED[case]
    with pytest.raises(TypeError if case in TYPES else ValueError, match=message):
        refuse()

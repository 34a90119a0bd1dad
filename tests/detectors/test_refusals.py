"""What can't be done is refused by name before anything is trained: one table for detectors, searches and functions."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier
from torch import nn
from torch.utils.data import SubsetRandomSampler, TensorDataset

from curvdetect import (
    ConfidentLearningDetector,
    CurvatureNoiseDetector,
    CurvatureSearch,
    CurvSSFT,
    FusedDetector,
    LossDetector,
    PlantedNoise,
    SSFTDetector,
    SuspectsDisplay,
    fuse,
    noise_scorer,
    recommended_signals,
)
from curvdetect.training.nets import MLP
from tests.cases import digits, noisy_digits, quick_net

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:The least populated class:UserWarning"),
]

N = 100
X, LABELS, MASK, _ = noisy_digits(N)
A, B = np.array([0.1, 0.2, 0.9, 0.3]), np.array([5.0, 7.0, 6.0, 1.0])


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
    "n": (fit(n=0), "n must be a whole number of probes"),
    "power": (fit(power=True), "power must be 1"),
    "grid of nothing": (fit(grid=[]), "grid must be a dict"),
    "grid of a number": (fit(grid={"h": 1e-2}), r"grid\['h'\] must be a sequence"),
    "signal": (fit(signals=("lost",)), "signals must be"),
    "method": (fit(ConfidentLearningDetector, method="x"), "method must be 'self_confidence' or 'normalized_margin'"),
    "folds": (fit(ConfidentLearningDetector, cv=1), "cv must be a whole number of folds, at least 2, got 1"),
    "folds of a class": (fit(ConfidentLearningDetector, cv=50), "cv=50 folds need .* pass cv="),
    "statistic": (fit(SSFTDetector, statistic="epoch"), "statistic must be 'loss', 'share' or 'time', got 'epoch'"),
    "second stage": (fit(SSFTDetector, second_epochs=0), "second_epochs must be None or a whole number"),
    "patience": (fit(SSFTDetector, patience=0), "patience must be a whole number of epochs, at least 1, got 0"),
    "splits": (fit(SSFTDetector, n_repeats=1.5), "n_repeats must be a whole number of runs, at least 1, got 1.5"),
    "combination": (fit(CurvSSFT, combine="vote"), "combine must be 'rank_mean'.*'log_mean' or a callable"),
    "checkpoints": (fit(checkpoint_dir=3), "checkpoint_dir must be None or the path of a directory, got 3"),
    "negative seed": (fit(random_state=-1), "random_state must be.*between 0 and"),
    "seed of a generator": (fit(random_state=np.random.default_rng(0)), "random_state must be"),
    "weight": (fit(CurvSSFT, weight=2), r"weight must be a share in \[0, 1\].*got 2"),
    "fused name": (fit(FusedDetector, signals=["loss", "lost"]), "signals must be 'auto', or a sequence .* names from"),
    "fused string": (fit(FusedDetector, signals="loss"), "signals must be 'auto', or .* names from .* got 'loss'"),
    "fused weight": (fit(FusedDetector, signals={"loss": -1, "margin": 2}), "weights must hold 2 numbers"),
    "fused word for a weight": (fit(FusedDetector, signals={"loss": "a"}), "weights must hold 1 numbers"),
    "fused zero": (fit(FusedDetector, signals={"loss": 0}), "weights must hold 1 numbers"),
    "weights of a callable": (
        fit(FusedDetector, signals={"loss": 1, "margin": 2}, combine=np.maximum),
        "weights go with ranks",
    ),
    "fusion": (fit(FusedDetector, combine="vote"), "combine must be one of"),
    "beside": (fit(FusedDetector, beside="curvature"), "beside must be .* names from .*'curvature'.*got 'curvature'"),
    "score_on share": (
        fit(LossDetector, score_on=0.5),
        r"score_on must be None, positions .*got float64 of shape \(\)",
    ),
    "score_on short_mask": (
        fit(LossDetector, score_on=[True, False]),
        f"score_on is a mask with 2 entries for {N} samples",
    ),
    "score_on beyond": (
        fit(LossDetector, score_on=[0, N]),
        f"score_on holds {N}, and the {N} samples are numbered from 0.*leave it out",
    ),
    "score_on twice": (fit(LossDetector, score_on=[3, 4, 3]), "score_on holds sample 3 2 times: name each once"),
    "score_on one": (fit(LossDetector, score_on=[3]), "score_on chooses 1 of 100 samples, and a ranking needs 2"),
    "a count of the scored": (fit(LossDetector, score_on=[1, 2, 3], q=4), "a count from 1 to 3"),
    "device": (fit(device="cud"), "device='cud' is not known"),
    # planted noise
    "rate one": (planted(rate=1.0), "rate must be a share"),
    "planted kind": (planted(kind="confusion"), r"kind must be 'uniform' or 'pair', got 'confusion'"),
    "classifier": (planted(LogisticRegression()), "detector must be a detector.*LogisticRegression"),
    "no last step": (planted(make_pipeline(StandardScaler())), "ends with one, got StandardScaler"),
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
    "q of the scored": (search({"q": [30]}, detector=curvature(score_on=range(20))), "from 1 to 20"),
    "scored of one kind": (
        search({"score_on": [None, np.flatnonzero(~MASK)]}),
        "samples that score_on chose 0 are known to be wrong",
    ),
    "searched every": (search({"every": [1, 0]}), "every must be"),
    "detector has a grid": (search(detector=curvature(grid={"h": [1]})), "detector.grid must be None"),
    "no h": (search(detector=LossDetector()), "must be a CurvatureNoiseDetector.*LossDetector.*GridSearchCV"),
    "planted rate": (search(planted_rate=1), "planted_rate must be a share"),
    "short mask": (search(mask=MASK[1:]), "noise_mask has 99 entries for 100 samples"),
    "nothing wrong": (search(mask=np.zeros(N, bool)), "noise_mask marks no label as wrong"),
    # functions
    "not fitted": (lambda: LossDetector().ranking(), "not fitted yet"),
    "unknown parameter": (lambda: LossDetector().set_params(foo=1), "Invalid parameter 'foo'"),
    "unknown of the net": (lambda: LossDetector(quick_net()).set_params(net__foo=1), "Invalid parameter 'foo'"),
    "lr of no net": (lambda: LossDetector().set_params(net__lr=1), r"net=None has no .* net=memorizing_net\(None\)"),
    "lr of a named net": (
        lambda: make_pipeline(LossDetector("resnet-mnist")).set_params(lossdetector__net__lr=1),
        r"'net__lr'.*net='resnet-mnist' has no .* net=memorizing_net\('resnet-mnist'\)",
    ),
    "lr of a module": (lambda: LossDetector(MLP(4, 2)).set_params(net__lr=1), r"net=memorizing_net\(MLP\(\.\.\.\)\)"),
    "scorer of nothing": (lambda: noise_scorer(np.zeros(N, bool)), "marks no label as wrong.*PlantedNoise"),
    "scorer of everything": (lambda: noise_scorer(np.ones(N, bool)), "marks every label as wrong"),
    "scorer of strings": (lambda: noise_scorer(["yes", "no"]), "noise_mask must hold booleans"),
    "grade": (
        lambda: noise_scorer(MASK, "accuracy"),
        "scoring must be 'roc_auc' or 'average_precision', got 'accuracy'",
    ),
    "accuracy": (lambda: recommended_signals(1.5), r"train_accuracy must be a share in \[0, 1\], got 1.5"),
    "fuse nothing": (lambda: fuse(), "scores are missing"),
    "fuse text": (lambda: fuse(["a", "b"]), "scores must be arrays of numbers"),
    "fuse a dictionary": (lambda: fuse({"a": [1, 2]}), "scores must be arrays of numbers"),
    "fuse lengths": (lambda: fuse(A, B[:2]), r"shape \(n_samples,\), got \[\(4,\), \(2,\)\]"),
    "fuse nan": (lambda: fuse(A, [1, np.nan, 2, 3]), "NaN or infinity"),
    "fuse by name": (lambda: fuse(A, B, combine="vote"), "combine must be one of 'fisher'.*got 'vote'"),
    "weigh the first": (lambda: fuse(A, B, weights=(1, 1), combine="first"), "weights go with ranks .*'first'"),
    "one weight": (lambda: fuse(A, B, weights=3), "weights must hold 2 numbers"),
    "infinite weight": (lambda: fuse(A, B, weights=[1, float("inf")]), "weights must hold 2 numbers"),
    "negative weight": (lambda: fuse(A, B, weights=(2, -1)), "none negative"),
    "a sum": (lambda: fuse(A, B, combine=lambda a, b: a.sum()), "combine returned .* one finite number"),
}
TYPES = ("classifier", "no last step", "no h")


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_said_before_any_training(case, monkeypatch):
    def train(*args, **kwargs):
        raise AssertionError("trained")

    for module in ("measured", "confident"):
        monkeypatch.setattr(f"curvdetect.detectors.{module}.memorize", train)
    refuse, message = REFUSED[case]
    with pytest.raises(TypeError if case in TYPES else ValueError, match=message):
        refuse()


FEW = 40
SOME, Y = digits(FEW)


def _with(value, at=(3, 5)):
    changed = SOME.copy()
    changed[at] = value
    return changed


@pytest.fixture(scope="module")
def fitted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        named = pd.DataFrame(SOME[:, 20:24], columns=list("abcd"))
        pictures = TensorDataset(torch.rand(FEW, 3, 8, 8), torch.tensor(Y))
        return {
            "array": LossDetector(quick_net(), device="cpu").fit(SOME, Y),
            "frame": LossDetector(quick_net(4), device="cpu").fit(named, Y),
            "dataset": LossDetector(max_epochs=1, device="cpu").fit(pictures),
            "kept": LossDetector(quick_net(), keep_snapshots=2, device="cpu").fit(SOME, Y),
        }


ROWS = {
    "fewer_features": ("array", SOME[:, :9], None, "X has 9 features, but LossDetector is expecting 64"),
    "other_dimension": (
        "array",
        SOME[:, :, None],
        None,
        r"X has samples of shape \(64, 1\).*fitted on samples of shape \(64,\)",
    ),
    "nan": ("array", _with(np.nan), None, "Input X contains NaN"),
    "columns_swapped": (
        "frame",
        pd.DataFrame(SOME[:, 20:24], columns=list("abdc")),
        None,
        "feature names should match",
    ),
    "other_side": ("dataset", torch.zeros(2, 3, 8, 9), None, r"X has samples of shape \(3, 8, 9\)"),
    "none_kept": ("array", SOME + 1, Y, r"fit LossDetector\(keep_snapshots=8\).*leave y out"),
    "new_label": ("kept", SOME + 1, Y + 5, r"y holds labels that were not fitted: \[10, 11, 12, 13, 14\]"),
    "dataset_shape": ("kept", TensorDataset(torch.zeros(FEW, 9)), Y, r"X has samples of shape \(9,\), but"),
    "continuous": ("kept", SOME, Y + 0.5, "Unknown label type"),
    "no_rows": ("array", SOME[:0], None, r"0 sample\(s\)"),
    "text": ("frame", pd.DataFrame(SOME[:, 20:24], columns=list("abcd")).assign(a="x"), None, r"no number in .* 'a'"),
    "no_samples": ("kept", None, Y, r"y was passed without X.*Leave y out .*or pass the samples"),
}


@pytest.mark.parametrize(("holder", "rows", "labels", "message"), ROWS.values(), ids=ROWS)
def test_rows_that_a_fitted_detector_can_t_score_are_refused(fitted, holder, rows, labels, message):
    for ask in (fitted[holder].score_samples, fitted[holder].predict, fitted[holder].decision_function):
        with pytest.raises(ValueError, match=message):
            ask(rows, labels)


WRONG = np.arange(FEW) < 4
ANSWERS = {
    "no mask": (lambda d: d.score(SOME), "noise_mask is needed"),
    "indices": (lambda d: d.score(noise_mask=[3, 5]), "noise_mask has 2 entries for 40 samples"),
    "numbers": (lambda d: d.score(noise_mask=np.arange(FEW)), "noise_mask must hold booleans"),
    "words": (lambda d: d.score(noise_mask=["a"] * FEW), "noise_mask must hold booleans"),
    "two columns": (lambda d: d.score(noise_mask=np.zeros((FEW, 2))), r"be a 1d array.*\(40, 2\)\.$"),
    "gaps": (lambda d: d.score(noise_mask=pd.array([True, pd.NA] * 20)), "contains NaN .*20 of 40"),
    "masked": (lambda d: d.score(noise_mask=np.ma.masked_array(WRONG, WRONG)), "noise_mask is a masked array"),
    "fewer labels": (lambda d: d.score(y=Y[1:]), "y has 39 entries for 40 samples"),
    "fewer weights": (lambda d: d.score(noise_mask=WRONG, sample_weight=[1.0]), r"must hold 40 numbers.*\(1,\)"),
    "nan weights": (lambda d: d.score(noise_mask=WRONG, sample_weight=[np.nan] * FEW), "sample_weight must hold"),
    "negative weights": (lambda d: d.score(noise_mask=WRONG, sample_weight=[-1] * FEW), "sample_weight must hold"),
    "words for weights": (
        lambda d: d.score(noise_mask=WRONG, sample_weight=["a"] * 9999),
        r"sample_weight must hold numbers, got \['a', 'a', 'a', 'a', 'a', \.\.\.\]\.$",
    ),
    "share of rows": (lambda d: d.ranking(2.0), "k must be None or a whole number of rows"),
    "pictures of a table": (lambda d: SuspectsDisplay.from_estimator(d, SOME), r"shape \(64,\), which is no picture"),
    "other pictures": (lambda d: SuspectsDisplay.from_estimator(d, SOME[:9]), "9 samples, but the detector .* 40"),
}


@pytest.mark.parametrize(("ask", "message"), ANSWERS.values(), ids=ANSWERS)
def test_what_a_fitted_detector_cannot_answer_is_refused(fitted, ask, message):
    with pytest.raises(ValueError, match=message):
        ask(fitted["array"])


LEAVING_OUT = {
    "sampler": {"iterator_train__sampler": SubsetRandomSampler(range(FEW - 5))},
    "drop_last": {"iterator_train__drop_last": True, "batch_size": 35},
}


@pytest.mark.parametrize("options", LEAVING_OUT.values(), ids=LEAVING_OUT)
def test_samples_that_the_loader_leaves_out_are_named(options):
    net = NeuralNetClassifier(MLP(64, 10, 16), criterion=nn.CrossEntropyLoss, max_epochs=1, **options)
    with pytest.raises(ValueError, match=r"5 sample\(s\) got no finite score of signal 'loss', the first at index 35"):
        CurvatureNoiseDetector(net, device="cpu").fit(SOME, Y)


def test_a_column_whose_steps_leave_single_precision_is_named():
    rows = np.c_[SOME, np.where(np.arange(len(SOME)) % 2, 3e38, -3e38)].astype(np.float32)
    with pytest.raises(ValueError, match=r"column 64 of X holds numbers as large as 3e\+38.*Scale X first"):
        CurvatureNoiseDetector(device="cpu", max_epochs=1).fit(rows, Y)

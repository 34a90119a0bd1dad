"""Detectors that judge each label by what was fitted without its sample."""

from __future__ import annotations

import json
import pickle
from functools import cache

import numpy as np
import pytest
from scipy.special import log_softmax
from scipy.stats import rankdata
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from curvdetect import (
    FusedDetector,
    InSample,
    LeaveOneOutDetector,
    OutOfBagDetector,
    PatchFeatures,
    corrupt_labels,
    load,
    noise_scorer,
    save,
)
from curvdetect.detectors import trees
from curvdetect.detectors.witnesses import accuracy_of, pooled
from curvdetect.features.radial import SquareRoots
from curvdetect.metrics import auroc
from tests.cases import noisy_digits

X, LABELS, MASK, Y = noisy_digits(500)
ROWS = X
PICTURES = X.reshape(-1, 1, 8, 8)


def fit(features="auto", X=X, labels=LABELS, kind=LeaveOneOutDetector, **params):
    params = {"features": features, **params} if kind is LeaveOneOutDetector else params
    return kind(device="cpu", random_state=0, **params).fit(X, labels)


@cache
def fitted(features="auto", kind=LeaveOneOutDetector):
    """Return a detector fitted once on all digits, for tests that only look at it."""
    return fit(features, kind=kind)


@pytest.mark.parametrize("kind", [LeaveOneOutDetector, OutOfBagDetector])
def test_wrong_labels_are_found_and_right_ones_suggested(kind):
    detector = fitted(kind=kind)
    assert auroc(MASK, detector.scores_) > 0.98
    assert (detector.suggested_labels_[MASK] == Y[MASK]).mean() > 0.9
    np.testing.assert_allclose(detector.pred_probs_.sum(1), 1)
    own = detector.pred_probs_[np.arange(500), LABELS]
    np.testing.assert_allclose(detector.scores_, -np.log(own))


@pytest.mark.parametrize(
    "features", ["linear", PCA(20), make_pipeline(StandardScaler(), PCA(20)), PatchFeatures(n_filters=20)]
)
def test_features_may_be_named_or_made_by_a_transformer(features):
    pictures = isinstance(features, PatchFeatures)
    detector = fit(features, PICTURES if pictures else X)
    assert auroc(MASK, detector.scores_) > 0.95
    new = detector.score_samples(*((PICTURES if pictures else X)[:5] + 0.01, LABELS[:5]))
    assert np.isfinite(new).all()


def test_features_are_chosen_by_the_likelihood_of_labels_left_out():
    assert fit(X=PICTURES[:200], labels=LABELS[:200]).features_ == "patches"
    assert fitted().features_.startswith("radial basis")
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(40, 3))
    rows = rng.normal(size=(400, 40))
    assert fit(X=rows, labels=(rows @ weights).argmax(1)).features_ == "linear"
    assert fit(X=rows**2 * (rows > 0), labels=(rows.clip(0) @ weights).argmax(1)).features_ == "square roots"


def test_features_are_compared_on_all_samples():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(2000, 300))
    labels = (rows @ rng.normal(size=(300, 3))).argmax(1)
    # by a third of the samples the radial basis seems to be better
    assert fit(X=rows[:500], labels=labels[:500]).features_.startswith("radial basis")
    assert fit(X=rows, labels=labels).features_ == "linear"


def test_scores_do_not_depend_on_the_units_of_columns_or_on_their_order():
    rng = np.random.default_rng(1)
    units, order = 2.0 ** rng.integers(-100, 100, X.shape[1]), rng.permutation(X.shape[1])
    changed = fit("linear", X[:, order] * units)
    np.testing.assert_allclose(changed.scores_, fitted("linear").scores_, rtol=1e-3, atol=1e-3)


def test_the_forest_does_not_depend_on_units_however_small():
    units = 2.0 ** np.random.default_rng(1).integers(-120, 20, X.shape[1])
    plain, small = (fit(X=rows[:400], labels=LABELS[:400], kind=OutOfBagDetector) for rows in (X, X * units))
    np.testing.assert_allclose(small.scores_, plain.scores_, rtol=1e-6)
    new = (one.score_samples(rows[400:], LABELS[400:]) for one, rows in ((plain, X), (small, X * units)))
    np.testing.assert_allclose(*new, rtol=1e-6)


def test_twins_under_one_wrong_label_are_found_where_they_are_left_out_together():
    rows = np.r_[:300, np.flatnonzero(MASK[:300])]
    twice, labels, mask, groups = X[rows], LABELS[rows], MASK[rows], rows
    alone, together = (fit(X=twice, labels=labels, groups=own) for own in (None, groups))
    assert auroc(mask, together.scores_) > 0.98 > 0.9 > auroc(mask, alone.scores_)


def test_groups_may_be_values_of_any_kind():
    codes = np.arange(500) // 2
    mixed = [str(code) if code % 2 else code for code in codes]
    assert np.array_equal(fit("linear", groups=mixed).scores_, fit("linear", groups=codes).scores_)


def test_memorization_is_what_the_sample_adds_to_its_own_label():
    detector = fitted()
    assert (detector.memorization_ > 0).mean() > 0.95
    assert detector.memorization_[MASK].mean() > 1.2 * detector.memorization_[~MASK].mean()


@pytest.mark.parametrize("kind", [LeaveOneOutDetector, OutOfBagDetector])
def test_new_samples_are_scored_without_snapshots(kind):
    detector = pickle.loads(pickle.dumps(fit(X=X[:400], labels=LABELS[:400], kind=kind)))
    scores = detector.score_samples(X[400:], LABELS[400:])
    assert auroc(MASK[400:], scores) > 0.95
    again = detector.score_samples(np.concatenate([X[:3], X[400:]]), np.concatenate([LABELS[:3], LABELS[400:]]))
    np.testing.assert_allclose(again, np.concatenate([detector.scores_[:3], scores]))


def test_new_samples_of_the_forest_are_those_of_scikit_learns():
    detector = fitted(kind=OutOfBagDetector)
    ranks = rankdata(X, axis=0)  # of no more samples than there are quantiles
    forest = ExtraTreesClassifier(150, min_samples_leaf=3, bootstrap=True, random_state=detector._seed)
    forest.fit(ranks, LABELS)
    known = np.random.default_rng(0).integers(0, len(X), X.shape)
    moved = np.take_along_axis(X, known, 0)
    logits = np.log((150 * forest.predict_proba(np.take_along_axis(ranks, known, 0)) + 0.1) / 15.1)
    said = log_softmax(logits * detector._fitted.factors + detector._fitted.offsets, axis=1)
    np.testing.assert_allclose(detector.score_samples(moved, LABELS), -said[np.arange(500), LABELS], rtol=1e-6)


@pytest.mark.usefixtures("few_trees")
def test_an_increasing_function_of_a_column_changes_nothing_for_the_forest():
    rows = np.random.default_rng(0).normal(size=(80, 3))
    labels = (rows[:, 0] > 0) + 2 * (rows[:, 1] > 0)
    expected = fit(X=rows, labels=labels, kind=OutOfBagDetector).scores_
    for unit, function in ((1e-30, np.cbrt), (1.0, np.exp), (1e30, np.arctan)):
        bent = np.column_stack([unit * function(rows[:, 0]), rows[:, 1:]])
        assert np.array_equal(fit(X=bent, labels=labels, kind=OutOfBagDetector).scores_, expected)


def test_new_samples_of_a_forest_are_scored_alike_whatever_held_the_others(tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(400) % 3
    tenths = np.round((y[:, None] + rng.integers(0, 3, (400, 6))) / 10 + 0.1, 1)  # of which float32 has others
    np.save(tmp_path / "X.npy", tenths[:300])
    held, mapped, new = tenths[:300], np.load(tmp_path / "X.npy", mmap_mode="r"), tenths[300:]
    new[:, 0] += 1e-4  # none that was fitted
    fits = (fit(X=one, labels=y[:300], kind=OutOfBagDetector) for one in (held, mapped))
    assert np.array_equal(*(detector.score_samples(new, y[300:]) for detector in fits))


def test_columns_with_heavy_tails_tell_the_forest_as_much():
    rng = np.random.default_rng(0)
    y = np.arange(400) % 3
    heavy = 2 * rng.normal(size=(3, 10))[y] + np.random.default_rng(1).standard_t(1, size=(400, 10))
    labels, mask = corrupt_labels(y, 0.1, random_state=0)
    assert auroc(mask, fit(X=heavy, labels=labels, kind=OutOfBagDetector).scores_) > 0.9


def test_a_memory_map_has_the_scores_of_its_array(tmp_path):
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert np.array_equal(fit("linear", mapped).scores_, fitted("linear").scores_)


def test_a_search_grades_features():
    search = GridSearchCV(
        LeaveOneOutDetector(device="cpu", random_state=0),
        {"features": ["linear", "auto"]},
        scoring=noise_scorer(MASK),
        cv=InSample(),
        refit=False,
    ).fit(X, LABELS)
    assert search.best_params_ == {"features": "auto"}


def test_a_witness_that_knows_nothing_gets_little_weight():
    said = np.log(fitted().pred_probs_)
    nothing = np.random.default_rng(0).normal(size=said.shape)
    together, weights = pooled({"knows": said, "guesses": nothing}, LABELS)
    assert weights["guesses"] < 0.25 * weights["knows"]
    assert weights["knows"] + weights["guesses"] == pytest.approx(2)
    assert accuracy_of(together, LABELS) > accuracy_of(said, LABELS) - 0.01


REFUSED = {
    "features": ({"features": "pixels"}, "features must be 'auto', 'linear' or a transformer"),
    "class": ({"features": PCA}, "features must be .* get_params.*PCA"),
    "nan_features": (
        {"features": FunctionTransformer(lambda X: X * np.nan)},
        "X, as features=Func.* returns it, contains NaN",
    ),
    "few_rows": ({"features": FunctionTransformer(lambda X: X[:5])}, "64 column.s. for 5 samples of 500"),
    "no_columns": ({"features": FunctionTransformer(lambda X: X[:, :0])}, "returned 0 column"),
    "missing_group": ({"groups": [None, np.nan, *"ab" * 249]}, "no value for 2 of 500 samples, the first at index 0"),
    "groups": ({"groups": [1, 2]}, "groups must hold one value for each of 500 samples"),
    "one_group": ({"groups": np.zeros(500)}, "groups holds one group only"),
}


@pytest.mark.parametrize(("params", "message"), REFUSED.values(), ids=REFUSED)
def test_what_can_not_be_left_out_is_refused(params, message):
    with pytest.raises(ValueError, match=message):
        fit(**params)


def test_a_detector_asked_for_witnesses_alone_scores_new_samples():
    detector = FusedDetector(
        signals={"leave_one_out": 1.0, "out_of_bag": 0.5}, combine="sum", max_epochs=1, device="cpu", random_state=0
    ).fit(X[:400], LABELS[:400])
    assert auroc(MASK[:400], detector.scores_) > 0.98
    assert auroc(MASK[400:], detector.score_samples(X[400:], LABELS[400:])) > 0.95


@pytest.mark.filterwarnings("ignore:the net memorized the labels at once")
def test_more_columns_than_rows_hide_wrong_labels_from_the_training_and_not_from_the_forest():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 150)
    rows = rng.normal(size=(150, 4000)).astype(np.float32) / 2
    for c in range(3):
        rows[y == c, 50 * c : 50 * c + 50] += 1.5
    wrong = np.arange(0, 150, 10)
    labels = y.copy()
    labels[wrong] = (y[wrong] + 1) % 3
    detector = FusedDetector(max_epochs=10, device="cpu", random_state=0).fit(rows, labels)
    mask = labels != y
    assert auroc(mask, detector.scores_) > 0.97
    assert auroc(mask, detector.signal_scores_["loss"]) < auroc(mask, detector.scores_)


SHAPES = {"series": (3, 40), "one_color": (1, 8, 8), "strips": (1, 2, 60)}


@pytest.mark.parametrize(
    ("kind", "shape"),
    [*((LeaveOneOutDetector, shape) for shape in SHAPES.values()), (FusedDetector, SHAPES["one_color"])],
)
def test_samples_that_have_no_patches_are_taken_as_rows(kind, shape):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 150)
    levels = (y + rng.normal(size=150) / 5).reshape(-1, *[1] * len(shape))
    samples = np.broadcast_to(levels, (150, *shape))
    labels = np.where(np.arange(150) < 15, (y + 1) % 3, y)
    detector = kind(device="cpu", random_state=0, **({"max_epochs": 2} if kind is FusedDetector else {}))
    assert auroc(labels != y, detector.fit(samples.astype(np.float32), labels).scores_) > 0.95


@pytest.mark.filterwarnings("error:The number of unique classes", "ignore:y holds:UserWarning")
def test_many_classes_are_not_warned_of_by_each_tree():
    assert np.isfinite(fit(X=X[:40], labels=np.arange(40), kind=OutOfBagDetector).scores_).all()


def test_a_transformer_may_return_sparse_features():
    encoder = OneHotEncoder(handle_unknown="ignore")
    assert auroc(MASK, fit(encoder, (16 * X).round()).scores_) > 0.9


SAVED = {
    "linear": {"features": "linear"},
    "radial": {},
    "roots": {"features": SquareRoots()},
    "patches": {"X": PICTURES},
    "own_patches": {"X": PICTURES, "features": PatchFeatures(n_filters=10, random_state=0)},
    "forest": {"kind": OutOfBagDetector},
    "fused": {"kind": FusedDetector, "max_epochs": 1, "keep_snapshots": 1},
}


@pytest.mark.usefixtures("few_trees")
@pytest.mark.parametrize("params", SAVED.values(), ids=SAVED)
def test_a_loaded_detector_scores_new_samples_as_before_and_files_without_what_that_takes_say_so(tmp_path, params):
    X = params.get("X", ROWS)
    detector = fit(**{**params, "X": X[:60], "labels": LABELS[:60]})
    save(detector, tmp_path / "saved")
    again = load(tmp_path / "saved")
    save(again, tmp_path / "again")
    expected = detector.score_samples(X[50:70], LABELS[50:70])
    for one in (again, load(tmp_path / "again"), pickle.loads(pickle.dumps(detector))):
        assert np.array_equal(one.score_samples(X[50:70], LABELS[50:70]), expected)
    description = json.loads((tmp_path / "saved" / "detector.json").read_text())
    description["attributes"] = {
        k: v for k, v in description["attributes"].items() if k not in ("_fitted", "_witnesses")
    }
    (tmp_path / "saved" / "detector.json").write_text(json.dumps(description | {"format": 2}))
    old = load(tmp_path / "saved")
    assert np.array_equal(old.score_samples(X[:60]), detector.scores_)
    with pytest.raises(ValueError, match="samples that were not fitted need what"):
        old.score_samples(X[60:70], LABELS[60:70])


@pytest.mark.parametrize("features", [PCA(5), PatchFeatures(n_filters=5, random_state=np.random.RandomState(0))])
def test_features_that_no_file_can_hold_are_named_once_they_are_missed(tmp_path, features):
    name, X = type(features).__name__, PICTURES if isinstance(features, PatchFeatures) else ROWS
    detector = fit(features, X[:60], LABELS[:60])
    save(detector, tmp_path / "saved")
    with pytest.warns(UserWarning, match=f"saved without features={name}"):
        again = load(tmp_path / "saved")
    assert np.array_equal(again.score_samples(X[:60], LABELS[:60]), detector.scores_)
    with pytest.raises(ValueError, match=rf"fitted with \({name}\), which its saved"):
        again.score_samples(X[60:70], LABELS[60:70])


def test_trees_of_many_rows_see_some_of_them_and_rank_as_well(monkeypatch):
    whole = fitted(kind=OutOfBagDetector)
    monkeypatch.setattr(trees, "DRAWN", 250)
    monkeypatch.setattr(trees, "LOOKED_AT", 8)
    some = fit(kind=OutOfBagDetector)
    assert len(some._fitted.trees.feature) < 0.8 * len(whole._fitted.trees.feature)
    assert auroc(MASK, some.scores_) > auroc(MASK, whole.scores_) - 0.01
    # more trees have not seen a sample, and its probabilities are as sharp
    assert -np.log(some.pred_probs_[np.arange(500), LABELS]).mean() == pytest.approx(
        -np.log(whole.pred_probs_[np.arange(500), LABELS]).mean(), abs=0.1
    )

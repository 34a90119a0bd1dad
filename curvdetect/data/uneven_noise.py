"""Which labels become wrong, and what they become, where the samples of a class are not alike.

Wrong labels then fall on what a weak classifier confuses, on the work of careless annotators, or on all that came from
one source.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array

from curvdetect.data.labels import codes_of_groups, plain
from curvdetect.data.wording import brief

Codes = NDArray[np.int64]
#: Annotators where none are named.
_ANNOTATORS = 10
#: The weak classifier: principal components that it sees, and folds of which it leaves out one at a time.
_COMPONENTS, _FOLDS = 30, 5
#: Least probability of a class, so that each can be confused with each.
_LEAST = 1e-9


def weak_probabilities(X: object, codes: Codes, rng: np.random.RandomState) -> NDArray[np.float64]:
    """Return out-of-fold probabilities of all classes by a logistic regression on a few principal components."""
    rows = _numbers(X)
    if len(rows) != len(codes):
        raise ValueError(f"X must hold one sample for each of {len(codes)} labels in y, got {len(rows)}.")
    rarest = int(np.bincount(codes).min())
    if rarest < 2:
        raise ValueError(
            "y holds one sample only of a class, and the weak classifier that kind='confusion' and kind='instance' fit "
            "to X needs two. Leave such classes out, or take kind='uniform'."
        )
    seed = rng.randint(2**31 - 1)
    components = min(_COMPONENTS, rows.shape[1], max(1, len(rows) // 4))
    model = make_pipeline(StandardScaler(), PCA(components, whiten=True, random_state=seed), LogisticRegression())
    folds = StratifiedKFold(min(_FOLDS, rarest), shuffle=True, random_state=seed)
    found: NDArray[np.float64] = cross_val_predict(model, rows, codes, cv=folds, method="predict_proba")
    return np.maximum(found, _LEAST)


def _numbers(X: object) -> NDArray[np.float32]:
    """Return samples as rows of numbers, or raise what they are instead."""
    try:
        array = np.asarray(plain(X))
        array = array if array.dtype.kind in "biufc" else array.astype(np.float32)
    except (TypeError, ValueError):
        array = None
    if array is None or array.ndim < 2:
        raise ValueError(
            "X must be an array of numbers, a row or a picture for each label, that a weak classifier can learn, got "
            f"{brief(X)}. Encode words and categories, give one column as X.reshape(-1, 1), and read a dataset first."
        )
    rows: NDArray[np.float32] = check_array(array, dtype=np.float32, allow_nd=True, input_name="X")
    return rows.reshape(len(rows), -1)


def confusions(X: object, codes: Codes, rng: np.random.RandomState) -> NDArray[np.float64]:
    """Return the mean probability of each class over the samples of each class; rows sum to 1."""
    probabilities = weak_probabilities(X, codes, rng)
    means = np.stack([probabilities[codes == c].mean(0) for c in range(codes.max() + 1)])
    return means / means.sum(axis=1, keepdims=True)


def by_instance(codes: Codes, rate: float, X: object, rng: np.random.RandomState) -> Codes:
    """Return labels that are wrong where a weak classifier doubts the right ones, and are what it takes them for."""
    others = weak_probabilities(X, codes, rng)
    others[np.arange(len(codes)), codes] = 0
    chosen = _drawn(codes, rate, np.log(others.sum(axis=1)), rng)
    wrong = codes.copy()
    with np.errstate(divide="ignore"):  # the right class is never drawn
        wrong[chosen] = (np.log(others[chosen]) + rng.gumbel(size=(len(chosen), others.shape[1]))).argmax(axis=1)
    return wrong


def by_annotator(codes: Codes, rate: float, groups: ArrayLike | None, rng: np.random.RandomState) -> Codes:
    """Return labels that are wrong the more often the more careless who gave them, each in ways of their own."""
    by_chance = rng.permutation(len(codes)) % _ANNOTATORS
    annotators = by_chance if groups is None else _in_sorted_order(groups, len(codes))
    habits = _habits(annotators.max() + 1, codes.max() + 1, rng)
    carelessness = rng.exponential(size=len(habits))
    chosen = _drawn(codes, rate, np.log(carelessness)[annotators], rng)
    wrong = codes.copy()
    wrong[chosen] = habits[annotators[chosen], codes[chosen]]
    return wrong


def by_group(codes: Codes, rate: float, groups: ArrayLike, rng: np.random.RandomState) -> Codes:
    """Return labels of which those of whole groups are wrong, in a way of the group, and of one group a part."""
    of = _in_sorted_order(groups, len(codes))
    habits = _habits(of.max() + 1, codes.max() + 1, rng)
    turn = rng.permutation(len(habits))
    chosen = np.lexsort((rng.permutation(len(codes)), turn[of]))[: rounded(rate, len(codes))]
    wrong = codes.copy()
    wrong[chosen] = habits[of[chosen], codes[chosen]]
    return wrong


def rounded(share: float, total: int) -> int:
    """Return how many a share of so many is, rounded half up."""
    return int(np.floor(share * total + 0.5 + 1e-9))


def _drawn(codes: Codes, rate: float, log_weights: NDArray[np.float64], rng: np.random.RandomState) -> Codes:
    """Return positions of a share of each class, drawn one after the other in proportion to weights."""
    keys = log_weights + rng.gumbel(size=len(codes))  # the highest of these are such a draw
    chosen = []
    for c in range(codes.max() + 1):
        members = np.flatnonzero(codes == c)
        chosen.append(members[np.argsort(-keys[members], kind="stable")[: rounded(rate, len(members))]])
    return np.concatenate(chosen)


def _habits(n_groups: int, n_classes: int, rng: np.random.RandomState) -> Codes:
    """Return for each group and class another class."""
    return (np.arange(n_classes) + rng.randint(1, n_classes, size=(n_groups, n_classes))) % n_classes


def _in_sorted_order(groups: ArrayLike, n_samples: int) -> Codes:
    """Return codes of groups that do not depend on the order of the samples."""
    codes, found = codes_of_groups(groups, n_samples)
    by_name = np.argsort([str(name) for name in found], kind="stable")
    return np.argsort(by_name)[codes]

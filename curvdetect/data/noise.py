"""Planting wrong labels where the truth is known.

Counts are exact, not binomial, so that a rate of 1 % means 1 % in every class and every seed.
"""

from __future__ import annotations

from numbers import Real
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state, column_or_1d

from curvdetect.data.labels import encode, plain_labels
from curvdetect.data.types import Array
from curvdetect.data.uneven_noise import by_annotator, by_group, by_instance, confusions, rounded

Kind = Literal["uniform", "pair", "confusion", "instance", "annotator", "group"]
#: What each kind is made of beside labels.
_MADE_OF = {"confusion": ("confusion", "X"), "instance": ("X",), "annotator": ("groups",), "group": ("groups",)}


class CorruptedLabels(NamedTuple):
    """What `corrupt_labels` returns."""

    labels: Array
    mask: NDArray[np.bool_]


def corrupt_labels(
    y: ArrayLike,
    rate: float | None = None,
    *,
    kind: Kind = "uniform",
    confusion: ArrayLike | None = None,
    X: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> CorruptedLabels:
    """Replace an exact share of the labels by wrong ones, at random or as labels become wrong in practice.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels of any sortable kind. Not changed.
    rate : float in [0, 1], optional
        Share of each class to corrupt; with ``kind="group"`` the share of all samples. Counts are rounded. Needed,
        except with a matrix as ``confusion``, where None means that the matrix is to be taken literally.
    kind : {"uniform", "pair", "confusion", "instance", "annotator", "group"}, default="uniform"
        ``"uniform"``: each wrong label is any other class with equal chance. ``"pair"``: class c becomes c + 1, the
        last one the first. ``"confusion"``: classes become those they are confused with, as ``confusion`` says or as a
        weak classifier does on ``X``. ``"instance"``: the samples that the weak classifier confuses become what it
        takes them for. ``"annotator"``: annotators differ in their care, and each takes a class for another one of
        their own. ``"group"``: all samples of some groups are wrong, each class of a group in the same way.
    confusion : array-like of shape (n_classes, n_classes), optional
        Row c holds the shares of class c that get each label, in the sorted order of the classes; rows sum to 1.
        With a ``rate``, each row's entries off the diagonal are rescaled to sum to it.
    X : array-like of shape (n_samples, ...), optional
        Rows, pictures or features as numbers, for ``kind="instance"``, and for ``kind="confusion"`` without a matrix.
    groups : array-like of shape (n_samples,), optional
        Which group each sample is of, for ``kind="group"``; who labelled it, for ``kind="annotator"``, by default one
        of ten at random.
    random_state : int, RandomState instance or None, default=None
        Which samples, and which wrong labels.

    Returns
    -------
    CorruptedLabels
        Named tuple of ``labels``, in the dtype that ``y`` has as a numpy array, and ``mask``, boolean, True where the
        label is now wrong.

    Raises
    ------
    ValueError
        Where ``rate``, ``kind``, ``confusion``, ``X`` and ``groups`` make no sense together, or ``X`` is given and a
        class has one sample only.

    Notes
    -----
    The weak classifier is a logistic regression on 30 principal components of the standardized columns, fitted without
    the fold of the sample; there are five folds, or as many as the rarest class has samples. ``"confusion"`` takes the
    mean of its probabilities over each class. ``"instance"`` draws samples of a class one after the other in proportion
    to the probability of all other classes, as part of the noise that depends on instances [1]_, and the wrong
    label in proportion to its own probability.

    The care of annotators is drawn from an exponential distribution. Of the groups that ``"group"`` makes wrong, in
    random order, the last is wrong in part where the rate asks for it.

    References
    ----------
    .. [1] Xia et al., "Part-dependent Label Noise: Towards Instance-dependent Label Noise", NeurIPS 2020.

    Examples
    --------
    >>> from curvdetect import corrupt_labels
    >>> labels, mask = corrupt_labels(["cat", "dog"] * 50, rate=0.1, random_state=0)
    >>> int(mask.sum())
    10

    Digits that a weak classifier confuses, and all that one of ten people wrote:

    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> doubtful = corrupt_labels(y, rate=0.1, kind="instance", X=X, random_state=0)
    >>> writer = [i // 180 for i in range(len(y))]
    >>> labels, mask = corrupt_labels(y, rate=0.1, kind="group", groups=writer, random_state=0)
    >>> {writer[i] for i in mask.nonzero()[0]}
    {0}
    """
    rng = check_random_state(random_state)
    classes, encoded = _two_or_more(y)
    _check_made_of(kind, {"confusion": confusion, "X": X, "groups": groups})
    _check_needed(kind, rate, confusion)
    share = 0.0 if rate is None else float(rate)
    if kind == "instance":
        wrong = by_instance(encoded, share, X, rng)
    elif kind == "annotator":
        wrong = by_annotator(encoded, share, groups, rng)
    elif kind == "group":
        assert groups is not None
        wrong = by_group(encoded, share, groups, rng)
    else:
        matrix = confusions(X, encoded, rng) if X is not None else confusion
        wrong = _by_class(encoded, _transition(len(classes), rate, kind, matrix), rng, spread=kind == "uniform")
    return CorruptedLabels(classes[wrong], wrong != encoded)


class ConflictingDuplicates(NamedTuple):
    """What `conflicting_duplicates` returns."""

    source: NDArray[np.int64]
    labels: Array
    mask: NDArray[np.bool_]


def conflicting_duplicates(
    y: ArrayLike, rate: float, *, random_state: int | np.random.RandomState | None = None
) -> ConflictingDuplicates:
    """Choose pairs of samples to be made one sample under two labels.

    One position of each pair shows the other's sample under a random other label.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels of any sortable kind. Not changed.
    rate : float in [0, 1]
        Share of the samples that are to be in a pair; the number of pairs is rounded.
    random_state : int, RandomState instance or None, default=None
        Which samples, and which labels.

    Returns
    -------
    ConflictingDuplicates
        Named tuple of ``source``, such that ``X[source]`` holds the pairs, ``labels``, and ``mask``, True for both
        members of each pair.

    Raises
    ------
    ValueError
        Where ``rate`` is no share, or ``y`` holds one class only.

    References
    ----------
    .. [1] Ravikumar et al., "Towards Memorization Estimation: Fast, Formal and Free", ICML 2025: the protocol of its
       experiment on duplicates, 250 pairs in 50,000 samples.

    Examples
    --------
    >>> from curvdetect import conflicting_duplicates
    >>> source, labels, mask = conflicting_duplicates(["cat", "dog"] * 50, rate=0.1, random_state=0)
    >>> int((source != range(100)).sum()), int(mask.sum())
    (5, 10)
    """
    rng = check_random_state(random_state)
    classes, encoded = _two_or_more(y)
    n_samples = len(encoded)
    _check_rate(rate)
    n_pairs = min(int(np.floor(rate * n_samples / 2 + 0.5)), n_samples // 2)
    copies, originals = rng.permutation(n_samples)[: 2 * n_pairs].reshape(2, n_pairs)
    source = np.arange(n_samples)
    source[copies] = originals
    codes = encoded.copy()
    codes[copies] = (encoded[originals] + rng.randint(1, len(classes), n_pairs)) % len(classes)
    mask = np.zeros(n_samples, dtype=np.bool_)
    mask[copies] = mask[originals] = True
    return ConflictingDuplicates(source, classes[codes], mask)


def _two_or_more(y: ArrayLike) -> tuple[Array, NDArray[np.int64]]:
    """Return the classes and the codes of labels, or raise where there is one class only."""
    classes, encoded = encode(column_or_1d(plain_labels(y)))
    if len(classes) < 2:
        raise ValueError(f"y holds one class only ({classes.tolist()}); a wrong label needs another class to go to.")
    return classes, encoded


def _check_made_of(kind: str, given: dict[str, object]) -> None:
    """Raise where a kind is unknown, lacks what it is made of, or is given what it is not made of."""
    if kind not in get_args(Kind):
        raise ValueError(f"kind must be {', '.join(map(repr, get_args(Kind)[:-1]))} or 'group', got {kind!r}.")
    for name, value in given.items():
        if value is not None and name not in _MADE_OF.get(kind, ()):
            kinds = " or ".join(f"kind={one!r}" for one, names in _MADE_OF.items() if name in names)
            raise ValueError(f"{name} goes with {kinds}, got kind={kind!r}. Leave {name} out, or change the kind.")
    if kind == "confusion" and (given["confusion"] is None) is (given["X"] is None):
        seen = "neither" if given["X"] is None else "both"
        raise ValueError(
            "kind='confusion' needs confusion, the matrix of shares, or X, the samples that it is estimated from: pass "
            f"one of them, got {seen}."
        )
    if kind == "instance" and given["X"] is None:
        raise ValueError("kind='instance' needs the samples that a weak classifier confuses: pass X=X, got X=None.")
    if kind == "group" and given["groups"] is None:
        raise ValueError("kind='group' needs to know where each sample is from: pass groups, one value a sample.")


def _check_needed(kind: str, rate: float | None, confusion: ArrayLike | None) -> None:
    """Raise where a rate is missing or none."""
    if rate is None and confusion is None:
        raise ValueError(f"rate is needed with kind={kind!r}: pass the share of labels to corrupt, such as rate=0.1.")
    if rate is not None:
        _check_rate(rate)


def _by_class(
    codes: NDArray[np.int64], transition: NDArray[np.float64], rng: np.random.RandomState, *, spread: bool
) -> NDArray[np.int64]:
    """Return labels of which the members of each class get the shares of its row."""
    wrong = codes.copy()
    for c in range(len(transition)):
        members = rng.permutation(np.flatnonzero(codes == c))
        counts = _apportion(transition[c], len(members), c, spread=spread, rng=rng)
        wrong[members] = np.repeat(np.arange(len(transition)), counts)
    return wrong


def _transition(n_classes: int, rate: float | None, kind: str, confusion: ArrayLike | None) -> NDArray[np.float64]:
    """Return the row-stochastic matrix of given label by true label."""
    identity = np.eye(n_classes)
    if kind != "confusion":
        off = (1 - identity) / (n_classes - 1) if kind == "uniform" else np.roll(identity, 1, axis=1)
        share = float(rate or 0)
        return (1 - share) * identity + share * off
    try:
        matrix = np.asarray(confusion, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"confusion must be a matrix of shares, one row a class, got {confusion!r}.") from error
    if matrix.shape != (n_classes, n_classes):
        raise ValueError(f"confusion must have shape {(n_classes, n_classes)}, one row a class, got {matrix.shape}.")
    if (matrix < 0).any() or not np.allclose(matrix.sum(axis=1), 1):
        raise ValueError("confusion must hold shares: no negative entry, and every row must sum to 1.")
    if rate is None:
        return matrix / matrix.sum(axis=1, keepdims=True)
    off = matrix * (1 - identity)
    total = off.sum(axis=1, keepdims=True)
    if (total == 0).any():
        raise ValueError("confusion has a row with nothing off the diagonal, which can't be rescaled to a rate.")
    return off / total * rate + (1 - rate) * identity


def _check_rate(rate: object) -> None:
    if isinstance(rate, bool) or not isinstance(rate, Real) or not 0 <= float(rate) <= 1:
        raise ValueError(f"rate must lie in [0, 1], got {rate!r}. It is a share: 0.1 for one label in ten.")


def _apportion(
    shares: NDArray[np.float64], total: int, own: int, *, spread: bool, rng: np.random.RandomState
) -> NDArray[np.int64]:
    """Return how many of ``total`` members of class ``own`` get each label; those that stay right are rounded first."""
    n_wrong = rounded(1 - shares[own], total)
    others = np.delete(shares, own)
    if n_wrong == 0:
        wrong = np.zeros(len(others), dtype=np.int64)
    elif spread:  # independently of each other, as uniform noise does
        wrong = np.bincount(rng.randint(len(others), size=n_wrong), minlength=len(others))
    else:
        exact = others / others.sum() * n_wrong
        wrong = np.floor(exact + 1e-9).astype(np.int64)
        remainder = np.argsort(wrong - exact, kind="stable")[: n_wrong - wrong.sum()]
        wrong[remainder] += 1
    return np.insert(wrong, own, total - n_wrong)

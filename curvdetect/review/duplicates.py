"""One sample under two labels: exact copies by their contents, near copies among the nearest samples of other labels.

Copies under one label contradict nothing and are passed over.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations
from numbers import Real

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from curvdetect.data.devices import resolve_device
from curvdetect.data.isolation import isolated_rng
from curvdetect.data.samples import Samples
from curvdetect.data.types import Array
from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.detectors.inputs import fitted_rows, samples_unlabelled
from curvdetect.detectors.parameters import Number, check_value
from curvdetect.review.neighbours import Fingerprints, features_of, nearest
from curvdetect.review.results import refuse_other_than_fitted

#: Most copies of one sample of which all pairs are listed; of more, each copy is in one.
_ALL_PAIRS = 16
_TOLERANCE = Number("a number in [0, 1), where 0 is the same and 1 has nothing in common", Real, lambda x: 0 <= x < 1)


def find_conflicting_duplicates(
    detector: BaseNoiseDetector,
    X: object,
    *,
    k: int | None = None,
    near: bool = True,
    tolerance: float = 0.2,
    n_neighbors: int = 3,
) -> pd.DataFrame:
    """Return pairs of the same, or nearly the same, sample under two labels, the most contradictory first.

    At least one label of a pair is wrong, or the two classes overlap. No ranking shows such pairs.

    Parameters
    ----------
    detector : fitted detector
        Its late loss and its curvature order the pairs, where it has them. Anything else raises TypeError.
    X : array, tensor, DataFrame or Dataset, n_samples long
        The training data, in the same order; other data raises ValueError.
    k : int, optional
        Most pairs in the table; by default all that were found.
    near : bool, default=True
        Whether to look for near copies too, in the features of the net and in the pixels or columns. Without a net, or
        a linear layer in it, a warning says that there are no features. Exact copies are found from their hashes.
    tolerance : float, default=0.2
        Largest distance of a near copy: 0 is the same, 1 has nothing in common. 0.2 finds pictures moved by a pixel, 10
        percent brighter and stored as JPEG again, and few that merely look alike; 0.3 finds many of the latter.
    n_neighbors : int, default=3
        Number of nearest samples of other labels that are compared, in each space that is searched.

    Returns
    -------
    DataFrame
        A row for each pair: ``first`` and ``second``, positions in the training data, the smaller first;
        ``first_label`` and ``second_label``, as given; ``kind``, ``"exact"`` or ``"near"``; ``distance``; ``score``,
        in [0, 1], higher for the more contradictory: the share of all samples with less ``late_loss`` and less
        ``curvature``, of which the table has the means of both members, NaN where the detector has none. Exact copies
        come first, each kind in order of ``score``.

    Notes
    -----
    The guide says how near copies are found, and how pairs are scored and measured. A sample with more than 16 copies
    has one pair for each. Time grows with the square of the number of samples, memory with the number alone: the
    features, and 12 kB of a colour picture.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from curvdetect import LossDetector, conflicting_duplicates, find_conflicting_duplicates
    >>> X, y = load_digits(n_class=4, return_X_y=True)
    >>> source, labels, mask = conflicting_duplicates(y, rate=0.02, random_state=0)
    >>> detector = LossDetector(max_epochs=5, stop_at=0.9, device="cpu", random_state=0).fit(X[source], labels)
    >>> pairs = find_conflicting_duplicates(detector, X[source])
    >>> int(mask.sum()) // 2, pairs["kind"].tolist()
    (7, ['exact', 'exact', 'exact', 'exact', 'exact', 'exact', 'exact'])
    """
    refuse_other_than_fitted(detector, "find_conflicting_duplicates")
    check_value("k", k, [None, Number("a whole number of pairs, at least 1")])
    check_value("n_neighbors", n_neighbors, [Number("a whole number, at least 1")])
    check_value("tolerance", tolerance, [_TOLERANCE])
    labels = fitted_rows(detector).labels
    with isolated_rng(resolve_device("cpu")):
        samples = _samples_fitted(detector, X)
        prints = Fingerprints(samples)
    pairs = exact = _exact_pairs(prints.digests, labels)
    distance = np.zeros(len(exact))
    if near:
        views, features = dict(prints.views), _features(detector, samples)
        if features is not None:
            views["features"] = features
        candidates = _nearest_pairs(views, labels, n_neighbors)
        candidates = candidates[prints.digests[candidates[:, 0]] != prints.digests[candidates[:, 1]]]
        candidates = candidates[prints.distances_at_least(candidates) <= tolerance]
        measured = prints.distances(candidates)
        pairs = np.concatenate([exact, candidates[measured <= tolerance]])
        distance = np.concatenate([distance, measured[measured <= tolerance]])
    return _table(detector, pairs, distance, len(exact)).head(len(pairs) if k is None else k)


def _samples_fitted(detector: BaseNoiseDetector, X: object) -> Samples:
    """Return the training data, or raise where it is another or in another order."""
    samples, n_samples = samples_unlabelled(detector, X), len(detector.scores_)
    if len(samples) == n_samples and (fitted_rows(detector).find(samples) == np.arange(n_samples)).all():
        return samples
    other = f"has {len(samples)} samples of {n_samples}" if len(samples) != n_samples else "holds them in another order"
    raise ValueError(f"X {other} that the detector was fitted on. Pass the training data as `fit` received it.")


def _features(detector: BaseNoiseDetector, samples: Samples) -> NDArray[np.float32] | None:
    """Return the features of the detector's net, or warn why there are none."""
    why = "the detector was loaded without its net: load(path, net=...) takes what it was made with"
    try:
        if hasattr(detector, "net_"):
            return features_of(detector.net_, samples)
    except ValueError as error:
        why = str(error).rstrip(".")
    where = "columns" if len(samples.shape) == 1 else "pixels"
    warnings.warn(f"near copies are searched by {where} alone, since {why}.", UserWarning, stacklevel=3)
    return None


def _exact_pairs(digests: Array, labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return pairs of equal samples under two labels, shape (n_pairs, 2)."""
    groups: dict[bytes, list[int]] = defaultdict(list)
    for i, digest in enumerate(digests.tolist()):
        groups[digest].append(i)
    found: list[tuple[int, int]] = []
    for members in groups.values():
        pairs: Iterable[tuple[int, int]] = combinations(members, 2)
        if len(members) > _ALL_PAIRS:
            # two samples of different labels are enough: each other one makes a pair with one of them
            first = members[0]
            other = next((i for i in members if labels[i] != labels[first]), first)
            pairs = ((first if labels[i] != labels[first] else other, i) for i in members[1:])
        found += [(min(i, j), max(i, j)) for i, j in pairs if labels[i] != labels[j]]
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def _nearest_pairs(
    views: dict[str, NDArray[np.float32]], labels: NDArray[np.int64], n_neighbors: int
) -> NDArray[np.int64]:
    """Return pairs of a sample and one of its nearest under another label in any view, each once."""
    found = [np.empty((0, 2), dtype=np.int64)]
    for points in views.values():
        for label in np.unique(labels):
            asked = np.flatnonzero(labels == label)
            index = nearest(points, asked, n_neighbors, among=labels != label)
            found.append(np.stack([np.repeat(asked, index.shape[1]), index.ravel()], axis=1))
    return np.unique(np.sort(np.concatenate(found), axis=1), axis=0)


def _late_loss(detector: BaseNoiseDetector) -> NDArray[np.float64] | None:
    """Return the loss of the last quarter of the training, or what comes nearest to it."""
    signals = detector.signal_scores_
    if "final_loss" in signals:
        return signals["final_loss"]
    quarters = getattr(detector, "signal_quarters_", {}).get("loss", np.empty((0, 0)))
    complete = quarters[~np.isnan(quarters).any(axis=1)]
    return complete[-1] if len(complete) else signals.get("late_loss", signals.get("loss"))


def _table(
    detector: BaseNoiseDetector, pairs: NDArray[np.int64], distance: NDArray[np.float64], n_exact: int
) -> pd.DataFrame:
    """Return the table of pairs, the most contradictory first."""
    n_samples, labels = len(detector.scores_), detector.classes_[fitted_rows(detector).labels]
    found = {"late_loss": _late_loss(detector), "curvature": detector.signal_scores_.get("curvature")}
    signals = {name: np.full(n_samples, np.nan) if values is None else values for name, values in found.items()}
    known = [values for values in signals.values() if not np.isnan(values).any()]
    shares = np.mean([(rankdata(s, method="min") - 1) / n_samples for s in known or [detector.scores_]], axis=0)
    first, second = pairs.T
    table = pd.DataFrame(
        {
            "first": first,
            "second": second,
            "first_label": labels[first],
            "second_label": labels[second],
            "kind": np.where(np.arange(len(pairs)) < n_exact, "exact", "near"),
            "distance": distance,
            **{name: values[pairs].mean(axis=1) for name, values in {"score": shares, **signals}.items()},
        }
    )
    return table.sort_values(
        ["kind", "score", "first", "second"], ascending=[True, False, True, True], ignore_index=True
    )

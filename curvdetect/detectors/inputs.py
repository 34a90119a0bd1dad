"""The one door by which a user's data comes to a detector: checked, and made into samples that don't change."""

from __future__ import annotations

import warnings
from dataclasses import replace
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import _safe_indexing, column_or_1d
from sklearn.utils.validation import check_is_fitted, validate_data
from skorch import NeuralNet
from torch.utils.data import Subset

from curvdetect.data.inputs import is_mapped
from curvdetect.data.items import is_dataset
from curvdetect.data.labels import plain, plain_labels
from curvdetect.data.rows import RowIndex
from curvdetect.data.samples import Samples, as_samples, as_unlabelled
from curvdetect.data.shapes import check_channels_first, check_no_series, may_be_series, padding_of
from curvdetect.data.wording import brief, callers_level
from curvdetect.detectors.explaining import check_discrete, in_words, no_number, warn_of_classes, where_missing
from curvdetect.detectors.probabilities import check_probabilities, warn_where_misplaced, warn_where_seen
from curvdetect.training.ranks import by_first, writes_here

if TYPE_CHECKING:
    from curvdetect.detectors.base import BaseNoiseDetector

#: Steps of the curvature, in standard deviations of pictures, that are taken without a warning.
LEAST_STEP, LARGEST_STEP = 1e-4, 0.5
#: Standard deviation of pictures below which they drown in the floor of the default network's normalization: MNIST
#: divided by 2**12 (7.6e-5) was memorized as before, divided by 2**16 it was not learned at all.
LEAST_DEVIATION = 5e-5


def samples_to_fit(detector: BaseNoiseDetector, X: object, y: ArrayLike | None, pred_probs: object = None) -> Samples:
    """Return samples as a detector's ``fit`` needs them, or raise what is wrong; the detector learns their columns."""
    samples = _labelled(detector, X, y, reset=True)
    if len(samples) < 2:
        raise ValueError(f"X holds {len(samples)} sample, and a ranking needs 2 at least.")
    if len(samples.classes) < 2:
        raise ValueError(
            f"y holds one class only ({brief(samples.classes.tolist())}); a label can be wrong only where there are "
            "two."
        )
    default = _takes_default(detector)
    # what has no net takes the numbers of two axes as rows
    for_pictures = default and "net" in detector.get_params(deep=False)
    if default:
        check_channels_first(samples.shape)
    if for_pictures:
        check_no_series(samples.inputs)
    if writes_here():
        warn_of_classes(samples.classes, len(samples))
        if default:
            _warn_of_scale(samples)
            _warn_of_tokens(samples)
        if for_pictures:
            _warn_of_series(samples)
    if pred_probs is not None:
        check_paired(X, pred_probs, "pred_probs")
        checked = check_probabilities(pred_probs, len(samples), samples.classes)
        samples = replace(samples, pred_probs=checked)
        if writes_here():
            warn_where_seen(checked, samples.labels.numpy())
            warn_where_misplaced(checked, samples.labels.numpy(), samples.classes)
    scored = rows_to_score(detector.score_on, len(samples))
    columns = samples.columns if detector.units == "deviation" else None
    return replace(samples, scored=scored, units=None if columns is None else columns.deviation)


def samples_labelled(detector: BaseNoiseDetector, X: object, y: ArrayLike) -> Samples:
    """Return samples of the shape and the classes that were fitted, or raise what is wrong with them."""
    rows = fitted_rows(detector)
    if X is None:
        raise ValueError(
            "y was passed without X, and a label alone has no score. Leave y out for the scores of the training, or "
            "pass the samples that the labels belong to."
        )
    samples = _labelled(detector, X, y, reset=False)
    rows.check_shape(samples.shape)
    classes = detector.classes_
    known = set(classes.tolist())
    if new := [label for label in samples.classes.tolist() if label not in known]:
        raise ValueError(
            f"y holds labels that were not fitted: {brief(new)}. The network knows no others than "
            f"{brief(classes.tolist())}: leave these samples out, or fit on them too."
        )
    labels = torch.from_numpy(np.searchsorted(classes, samples.classes))[samples.labels]
    units = torch.from_numpy(detector.units_) if hasattr(detector, "units_") else None
    return replace(samples, classes=classes, labels=labels, units=units)


def samples_unlabelled(detector: BaseNoiseDetector, X: object) -> Samples:
    """Return samples of which only the inputs matter, or raise where they have other columns than were fitted."""
    return as_unlabelled(X) if is_dataset(X) else _of_array(detector, plain(X), reset=False)


def fitted_rows(detector: BaseNoiseDetector) -> RowIndex:
    """Return what a fitted detector keeps of its training data: the rows, their shape and the codes of their labels."""
    check_is_fitted(detector, "scores_")
    return detector._rows


def rows_fitted(detector: BaseNoiseDetector, X: object) -> NDArray[np.int64]:
    """Return training indices of rows that were fitted, all for None; raise where one was not."""
    rows = fitted_rows(detector)
    return np.arange(len(rows.labels)) if X is None else rows.find(samples_unlabelled(detector, X))


def _labelled(detector: BaseNoiseDetector, X: object, y: ArrayLike | None, *, reset: bool) -> Samples:
    check_paired(X, y)
    if is_dataset(X):
        labels = None if y is None else column_or_1d(plain_labels(y))
        net = getattr(detector, "net", None)
        # by as many processes as the net reads with where nothing is trained
        workers = net.get_params_for("iterator_valid").get("num_workers", 0) if isinstance(net, NeuralNet) else 0
        samples = as_samples(X, labels, n_workers=workers)
        if reset:
            detector.n_features_in_ = samples.shape[0] if samples.shape else 1
            detector.__dict__.pop("feature_names_in_", None)
    else:
        X, y = plain(X), plain_labels(y)
        samples = _of_array(detector, X, y, reset=reset, ensure_min_samples=2 if reset else 1)
    check_discrete(samples.classes)
    return samples


def _of_array(detector: BaseNoiseDetector, X: object, y: object = "no_validation", **checks: object) -> Samples:
    """Return samples of an array or a table that scikit-learn accepts."""
    X = _as_pandas(X)
    has_rows = hasattr(X, "__len__") or hasattr(X, "__array__")
    if isinstance(X, Real | set | frozenset) or getattr(X, "ndim", 2) == 0 or not has_rows:
        what = brief(X) if X is None or isinstance(X, Real) or hasattr(X, "ndim") else f"a {type(X).__name__}"
        raise ValueError(
            f"X is {what}. Pass the samples: an array, a list of rows, a DataFrame, a tensor or a map-style Dataset."
        )
    try:
        # whether it is finite is seen where it is read
        found = validate_data(detector, X, y, allow_nd=True, dtype="numeric", ensure_all_finite=False, **checks)
    except (TypeError, ValueError) as error:
        raise in_words(error, X, y) from None
    array, labels = found if isinstance(found, tuple) else (found, None)
    if array.dtype.kind not in "biuf" and (wrong := no_number(X)) is not None:
        raise ValueError(wrong)
    try:
        return as_unlabelled(array) if labels is None else as_samples(array, labels)
    except ValueError as error:
        if "contains NaN" not in str(error) or is_mapped(array):
            raise
        raise ValueError(
            f"Input X contains NaN in {where_missing(X)}. Fill missing numbers in (scikit-learn's SimpleImputer), "
            "or leave these rows or columns out."
        ) from None


def _as_pandas(X: object) -> object:
    """Return a frame of polars, pyarrow or dask as one of pandas, whose names of columns every scikit-learn knows."""
    if hasattr(X, "get_column") and hasattr(X, "columns"):  # of polars, whose to_pandas needs pyarrow
        return pd.DataFrame({name: np.asarray(X.get_column(name)) for name in X.columns})
    if hasattr(X, "to_pandas") and hasattr(X, "columns"):
        return X.to_pandas()
    return X.compute() if hasattr(X, "compute") and hasattr(X, "columns") else X


def check_paired(X: object, y: object, name: str = "y") -> None:
    """Raise where ``X`` and ``y`` have one index of pandas or dask in different orders, since positions make the pairs.

    Warn where their indices hold different values, and one has the other's values at other positions: all of them, or
    some where neither is a plain count of the rows. Messages call ``y`` by ``name``.
    """
    rows, labels = _index_of(X), _index_of(y)
    if rows is None or labels is None or len(rows) != len(labels) or rows.equals(labels):
        return
    both = pd.factorize(rows.append(labels), use_na_sentinel=False)[0]
    ours, theirs = both[: len(rows)], both[len(rows) :]
    if (ours == theirs).all():
        return
    ours_there, theirs_there = np.isin(ours, theirs), np.isin(theirs, ours)
    if ours_there.all() and labels.is_unique:
        by_index = f"{name}.loc[X.index]"
    elif theirs_there.all() and rows.is_unique:
        by_index = f"X.loc[{name}.index]"
    else:
        by_index = "what a join by an index without repeated values finds"
    way = f"Pass {by_index} for pairs by index, or {name}.to_numpy() where the order is right as it is."
    if np.array_equal(np.sort(ours), np.sort(theirs)):
        raise ValueError(
            f"X and {name} have one index in different orders, from position {np.argmax(ours != theirs)} on, and are "
            f"paired by position. {way}"
        )
    elsewhere = (ours_there | theirs_there) & (ours != theirs)
    counted = any(index.equals(pd.RangeIndex(len(index))) for index in (rows, labels))
    if ours_there.all() or theirs_there.all() or (elsewhere.any() and not counted):
        warnings.warn(
            f"X and {name} have index values in common at different positions, {elsewhere.sum()} of {len(rows)}, and "
            f"are paired by position. {way}",
            UserWarning,
            stacklevel=callers_level(),
        )


def _index_of(data: object) -> pd.Index | None:
    index: object = getattr(data, "index", None)
    index = index.compute() if hasattr(index, "compute") else index  # of dask
    return index if isinstance(index, pd.Index) else None


def rows_to_score(score_on: ArrayLike | None, n_samples: int) -> torch.Tensor | None:
    """Return the positions of the samples that are scored, in rising order; None where all are."""
    # of several processes that train together, the choice of the first counts
    rows = by_first(lambda: _chosen(score_on, n_samples))
    return None if rows is None else torch.from_numpy(rows)


def _chosen(score_on: ArrayLike | None, n_samples: int) -> NDArray[np.int64] | None:
    """Return positions that are each named once, or raise what is wrong with them."""
    if score_on is None:
        return None
    wanted = "score_on must be None, positions in the data, or a mask with True for each sample to score"
    try:
        array = np.asarray(plain(score_on, "score_on"))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{wanted}: {str(error).rstrip('.')}.") from error
    if array.ndim != 1 or array.dtype.kind not in "biu":
        raise ValueError(f"{wanted}, got {array.dtype} of shape {array.shape}.")
    if array.dtype.kind == "b":
        if len(array) != n_samples:
            raise ValueError(f"score_on is a mask with {len(array)} entries for {n_samples} samples.")
        array = np.flatnonzero(array)
    beyond = array[(array < 0) | (array >= n_samples)]
    if len(beyond):
        raise ValueError(
            f"score_on holds {beyond[0]}, and the {n_samples} samples are numbered from 0. Where a search or a "
            "cross-validation fits on some of the samples, leave it out."
        )
    rows, times = np.unique(array.astype(np.int64), return_counts=True)
    if (times > 1).any():
        raise ValueError(f"score_on holds sample {rows[times > 1][0]} {times.max()} times: name each once.")
    if len(rows) < 2:
        raise ValueError(f"score_on chooses {len(rows)} of {n_samples} samples, and a ranking needs 2 at least.")
    return rows


def _takes_default(detector: BaseNoiseDetector) -> bool:
    """Say whether what is fitted follows from the shape of the samples."""
    net = detector.net.module if isinstance(detector.net, NeuralNet) else detector.net
    return (net is None or isinstance(net, str)) and isinstance(getattr(detector, "features", "auto"), str)


def _warn_of_series(samples: Samples) -> None:
    """Warn where samples that are taken for grey pictures are longer than these are."""
    if may_be_series(samples.inputs):
        warnings.warn(
            f"X has samples of shape {tuple(samples.shape)}, which are taken for grey pictures. If they are series, "
            "pass a net of your own, or rows: features such as those of MiniRocket in aeon or sktime, or "
            "X.reshape(len(X), -1). If they are pictures, pass X[:, None].",
            UserWarning,
            stacklevel=callers_level(),
        )


def _warn_of_tokens(samples: Samples) -> None:
    """Warn where rows seem to be token ids, which are names rather than amounts."""
    if samples.integral and (fill := padding_of(samples.inputs)) is not None:
        warnings.warn(
            f"X holds rows of whole numbers filled up with {fill}, which look like token ids: they are taken as "
            "amounts. Pass a net that begins with an embedding, or vectors of the texts as rows. If they are amounts, "
            "pass floats: X.astype('float32').",
            UserWarning,
            stacklevel=callers_level(),
        )


def _warn_of_scale(samples: Samples) -> None:
    """Warn where the values of pictures are too small for the default networks, which take them as they are."""
    if len(samples.shape) > 1 and 0 < samples.inputs.deviation < LEAST_DEVIATION:
        warnings.warn(
            f"X holds pictures whose values deviate by {samples.inputs.deviation:.2g}, which are next to nothing for "
            "the default network: it may not learn them. Scale X to [0, 1].",
            UserWarning,
            stacklevel=callers_level(),
        )


def check_step(h: float, samples: Samples) -> None:
    """Warn where a step of the curvature is out of proportion to pictures, which are taken as they are."""
    if len(samples.shape) < 2:
        return
    deviation = samples.inputs.deviation
    if deviation > 0 and not LEAST_STEP <= h / deviation <= LARGEST_STEP:
        warnings.warn(
            f"h={h:g} is a step of {h / deviation:.2g} standard deviations of the values of X, which deviate by "
            f"{deviation:.2g}: the curvature tells little. Scale X to [0, 1], or pass h={deviation / 30:.1g}.",
            UserWarning,
            stacklevel=callers_level(),
        )


def rows_of(data: Any, index: NDArray[np.int64]) -> Any:
    """Return some rows of an array, tensor, DataFrame or list as the same kind of thing, of a dataset a ``Subset``."""
    if is_dataset(data):
        return Subset(data, index.tolist())
    return _safe_indexing(data.compute() if hasattr(data, "compute") else data, index)  # of dask


def not_flagged(
    detector: BaseNoiseDetector, X: object, y: ArrayLike | None
) -> tuple[NDArray[np.int64], object, object]:
    """Return the positions of the samples that a fitted detector doesn't flag, these samples and their labels."""
    kept = np.flatnonzero(detector.labels_ == 0)
    labels = detector.classes_[fitted_rows(detector).labels[kept]] if y is None else rows_of(y, kept)
    return kept, rows_of(X, kept), labels

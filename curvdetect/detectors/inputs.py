"""What a user hands to a detector: samples to fit, rows that were fitted, or samples that were not."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted
from skorch import NeuralNet

from curvdetect.data.choosing import spread
from curvdetect.data.isolation import isolated_rng
from curvdetect.data.items import is_dataset
from curvdetect.data.labels import plain_labels
from curvdetect.data.sources import Samples, as_samples
from curvdetect.data.wording import brief
from curvdetect.detectors.arrays import validated
from curvdetect.detectors.classes import warn_of_classes
from curvdetect.detectors.pairing import check_paired
from curvdetect.training.ranks import writes_here

#: Steps of the curvature, in standard deviations of pictures, that are taken without a word.
LEAST_STEP, LARGEST_STEP = 1e-4, 0.5


def samples_to_fit(detector: Any, X: Any, y: Any) -> Samples:
    """Return indexed samples, or raise what is wrong with them; the detector learns their columns.

    Parameters
    ----------
    detector : BaseNoiseDetector
        Who is fitted.
    X, y
        As its ``fit`` takes them.
    """
    samples = _samples(detector, X, y, reset=True)
    if len(samples) < 2:
        raise ValueError(f"X holds {len(samples)} sample, and a ranking needs 2 at least.")
    if len(samples.classes) < 2:
        raise ValueError(
            f"y holds one class only ({brief(samples.classes.tolist())}); a label can be wrong only where there are "
            "two."
        )
    if writes_here():
        warn_of_classes(samples.classes, len(samples))
    return samples


def samples_labelled(detector: Any, X: Any, y: Any) -> Samples:
    """Return indexed samples of the shape and the classes that were fitted, or raise what is wrong with them.

    Parameters
    ----------
    detector : BaseNoiseDetector
        Fitted. Its classes become those of the samples.
    X, y
        Samples and their labels.
    """
    check_is_fitted(detector, "scores_")
    if X is None:
        raise ValueError(
            "y was passed without X, and a label alone has no score. Leave y out for the scores of the training, or "
            "pass the samples that the labels belong to."
        )
    samples = _samples(detector, X, y, reset=False)
    detector._rows.check_shape(samples.shape)
    _encode_as_fitted(samples, detector.classes_)
    if hasattr(detector, "units_"):
        samples.units = torch.from_numpy(detector.units_)
    return samples


def _encode_as_fitted(samples: Samples, classes: NDArray[Any]) -> None:
    """Give the labels the numbers that they had in the training, or raise where one was not among them."""
    known = set(classes.tolist())
    new = [label for label in samples.classes.tolist() if label not in known]
    if new:
        raise ValueError(
            f"y holds labels that were not fitted: {brief(new)}. The network knows no others than "
            f"{brief(classes.tolist())}: leave these samples out, or fit on them too."
        )
    codes = np.searchsorted(classes, samples.classes)
    samples.classes, samples.labels = classes, torch.from_numpy(codes)[samples.labels]


def step_units(units: Any, samples: Samples) -> torch.Tensor | None:
    """Return the length of a step of one in each column of a table; None where it is one in all, and in pictures."""
    if units not in ("deviation", "raw"):
        raise ValueError(f"units must be 'deviation' or 'raw', got {units!r}.")
    columns = samples.columns if units == "deviation" else None
    return None if columns is None else columns.deviation


def check_step(h: float, samples: Samples) -> None:
    """Warn where a step of the curvature is out of proportion to pictures, which are taken as they are."""
    if len(samples.shape) < 2:
        return
    with isolated_rng(torch.device("cpu")):  # a dataset may draw as it is read
        deviation = float(samples.batch(spread(len(samples), 100)).std())
    if deviation > 0 and not LEAST_STEP <= h / deviation <= LARGEST_STEP:
        warnings.warn(
            f"h={h:g} is a step of {h / deviation:.2g} standard deviations of the values of X, which deviate by "
            f"{deviation:.2g}: the curvature tells little. Scale X to [0, 1], or pass h={deviation / 30:.1g}.",
            UserWarning,
            stacklevel=2,
        )


def rows_fitted(detector: Any, X: Any) -> NDArray[np.int64]:
    """Return training indices of rows that were fitted, all for None; raise where one was not.

    Parameters
    ----------
    detector : BaseNoiseDetector
        Fitted.
    X : array, tensor, DataFrame, Dataset or None
        The rows.
    """
    check_is_fitted(detector, "scores_")
    if X is None:
        return np.arange(len(detector.scores_))
    return detector._rows.find(X if is_dataset(X) else validated(detector, X, reset=False))


def _samples(detector: Any, X: Any, y: Any, *, reset: bool) -> Samples:
    check_paired(X, y)
    if is_dataset(X):
        labels = None if y is None else column_or_1d(plain_labels(y))
        samples = as_samples(X, labels, n_workers=_n_workers(getattr(detector, "net", None)))
        if reset:
            detector.n_features_in_ = samples.shape[0] if samples.shape else 1
            detector.__dict__.pop("feature_names_in_", None)
    else:
        X, y = validated(detector, X, plain_labels(y), reset=reset, ensure_min_samples=2 if reset else 1)
        samples = as_samples(X, y)
    if samples.classes.dtype.kind == "f":
        check_classification_targets(samples.classes)
    return samples


def _n_workers(net: Any) -> int:
    """Return the number of processes by which a net of skorch reads where nothing is trained."""
    return net.get_params_for("iterator_valid").get("num_workers", 0) if isinstance(net, NeuralNet) else 0

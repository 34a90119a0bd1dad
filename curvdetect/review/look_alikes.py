"""The samples to compare a suspect with: the nearest of its given and of its suggested class."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from curvdetect.data.sources import Part, Samples
from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.review.features import features_of, nearest

#: How many of each class, and up to how many suspects; beyond there is one.
ALIKE, MANY = 3, 2_000


def look_alikes(
    detector: BaseNoiseDetector, samples: Samples, index: NDArray[np.int64], suggested: NDArray[np.int64]
) -> dict[str, NDArray[np.int64]]:
    """Return for each suspect the nearest samples of its given and of its suggested class.

    Parameters
    ----------
    detector : BaseNoiseDetector
        Fitted.
    samples : Samples
        All samples as they are shown.
    index : array of shape (k,), int
        Positions of the suspects.
    suggested : array of shape (n_samples,), int
        Suggested labels as codes.

    Returns
    -------
    dict of arrays of shape (k, m)
        Positions, ``"alike_given"`` and ``"alike_suggested"``, nearest first; -1 fills what lacks. Empty where the
        network can't be asked: it was not kept, has no last linear layer, or knows the samples as something else.
    """
    net = getattr(detector, "net_", None)
    fitted = None if net is None else _as_fitted(detector, samples)
    if fitted is None:
        return {}
    try:
        points = features_of(net, fitted)
    except ValueError:  # a net without a last linear layer
        return {}
    n_alike = ALIKE if len(index) <= MANY else 1
    # what is suspect itself would show the wrong thing under the right name
    clear = detector.labels_ == 0
    clear[index] = False
    found = {}
    for name, of in {"alike_given": detector._given, "alike_suggested": suggested}.items():
        found[name] = np.full((len(index), n_alike), -1)
        for code in np.unique(of[index]):
            asked = np.flatnonzero(of[index] == code)
            among = detector._given == code
            among = among & clear if (among & clear).any() else among
            _, near = nearest(points, index[asked], n_alike, among=among)
            found[name][asked, : near.shape[1]] = near
    return found


def _as_fitted(detector: BaseNoiseDetector, samples: Samples) -> Samples | None:
    """Return samples as the network knows them; None for what is merely nicer to look at."""
    shape = tuple(detector._rows.shape)
    if np.prod(shape, dtype=int) != np.prod(samples.shape, dtype=int):
        return None
    same = _Reshaped(samples, shape)
    few = torch.arange(min(16, len(samples)))
    try:
        return same if detector._rows.are_first(same.batch(few).cpu().numpy()) else None
    except ValueError:  # rows that can't be compared
        return None


class _Reshaped(Part):
    """The same numbers in the shape that the network takes: the pictures of a table's rows as rows again."""

    def __init__(self, whole: Samples, shape: tuple[int, ...]) -> None:
        super().__init__(whole, torch.arange(len(whole)))
        self.shape = shape

    def batch(self, index: torch.Tensor) -> torch.Tensor:
        return super().batch(index).reshape(-1, *self.shape)

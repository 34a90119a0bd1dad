"""The four measures of a ranking whose wrong labels are known, and how far two rankings are apart over seeds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from curvdetect.metrics import auroc, average_precision, fnr_at_noise_rate

#: What tables show. The fourth, the share of wrong labels missed, is 1 minus the precision at the true count.
MEASURES = {"auroc": "AUROC, %", "ap": "Average precision, %", "precision": "Precision at the true count, %"}
TRUE_COUNT = (
    "Precision at the true count: as many samples are flagged as labels are wrong. Of those flagged, this share is "
    "wrong. The share of wrong labels that is missed (false negative rate) is 100 % minus it."
)
#: How sure the interval of a difference is.
CONFIDENCE = 0.95


class Difference(NamedTuple):
    """A mean difference, with the ends of its interval, NaN if there is none."""

    mean: float
    low: float = float("nan")
    high: float = float("nan")

    @property
    def resolved(self) -> bool:
        """Whether there is an interval, and 0 is outside of it."""
        return self.low > 0 or self.high < 0


def graded(mask: ArrayLike, scores: ArrayLike) -> dict[str, float]:
    """Return all measures of a ranking, as records hold them."""
    missed = fnr_at_noise_rate(mask, scores)
    found = {"auroc": auroc(mask, scores), "ap": average_precision(mask, scores), "precision": 1 - missed}
    return {name: round(value, 6) for name, value in {**found, "fnr": missed}.items()}


def by_measure(mask: ArrayLike, scores: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Return all measures of several rankings, by the name of the measure first."""
    return pd.DataFrame({name: graded(mask, one) for name, one in scores.items()}).T.to_dict()


def difference(values: pd.Series, reference: pd.Series) -> Difference:
    """Return the mean difference to a reference, seed by seed, and its interval by Student's t.

    There is no interval for fewer than two seeds, or if all differ by the same: nothing then says how far they vary.
    """
    apart = (values - reference).dropna().round(9)
    if apart.nunique() < 2:
        return Difference(apart.mean())
    return Difference(apart.mean(), *stats.t.interval(CONFIDENCE, len(apart) - 1, apart.mean(), stats.sem(apart)))

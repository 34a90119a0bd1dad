"""How many labels of each class a detector flags, and what it suggests instead."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.detectors.inputs import fitted_rows


def by_class(detector: BaseNoiseDetector) -> pd.DataFrame:
    """Return a row for each class of a fitted detector; those with surely many flagged labels come first.

    The index is the position in ``classes_``. The columns are ``class``; ``samples`` and ``flagged``, the numbers of
    labels; ``share``, flagged of all, with ``low`` and ``high``, the ends of its 95 % Wilson interval, by whose lower
    end the rows are ordered; and ``suggested``, the label most often suggested for flagged samples, None without any.
    """
    given, flagged = fitted_rows(detector).labels, detector.labels_ == 1
    classes = detector.classes_.astype(object)  # pandas can't hold every text as text
    suggested = np.searchsorted(detector.classes_, detector.suggested_labels_)
    samples, hits = (np.bincount(codes, minlength=len(classes)) for codes in (given, given[flagged]))
    interval = cache(lambda k, n: binomtest(k, n).proportion_ci(method="wilson"))  # many classes have the same numbers
    ends = [interval(k, n) for k, n in zip(hits.tolist(), samples.tolist(), strict=True)]
    pairs = pd.DataFrame({"given": given[flagged], "suggested": suggested[flagged]}).value_counts().reset_index()
    # the first of the classes where several are suggested equally often
    pairs = pairs.sort_values(["count", "suggested"], ascending=[False, True]).drop_duplicates("given")
    most = np.full(len(classes), None, dtype=object)
    most[pairs["given"].to_numpy()] = classes[pairs["suggested"].to_numpy()]
    table = pd.DataFrame(
        {
            "class": pd.Series(classes, dtype=object),
            "samples": samples,
            "flagged": hits,
            "share": hits / samples,
            "low": [end.low for end in ends],
            "high": [end.high for end in ends],
            "suggested": pd.Series(most, dtype=object),
        }
    )
    return table.sort_values("low", ascending=False, kind="stable")

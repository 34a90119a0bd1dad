"""How alike scores of memorization are, in the paper's measures and one that a constant can't do well in."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from curvdetect.metrics import cosine_similarity

from .memorization import Memorization
from .written import markdown

MEASURES = {"cosine": "CS", "top_k": "top-K CS", "spearman": "Spearman"}
#: Rows that are no score of a run: what any score has to be seen against.
CONSTANT, CEILING = "constant", "other half"
BASELINES = {CONSTANT: "The same for every sample", CEILING: "Half of the memorization's nets, against the others"}


def explained(reference: Memorization, top: float) -> str:
    """Return in words what the measures are, and how high the last one can be."""
    _, ties = np.unique(reference.values, return_counts=True)
    n = len(reference.values)
    highest = np.sqrt(1 - (ties**3 - ties).sum() / (n**3 - n))
    tied = f" (of a score without ties with this memorization at most {highest:.2f})" if highest < 0.95 else ""
    return (
        f"CS: cosine similarity to memorization; top-K CS: on the {top_k(n, top)} samples that are memorized most; "
        f"Spearman: correlation of ranks{tied}. A score that can be negative is counted from its lowest value."
    )


def graded(scores: np.ndarray, reference: np.ndarray, top: float) -> dict[str, float]:
    """Return the similarity of scores to memorization."""
    return alike(scores, reference, reference, top)


def alike(one: np.ndarray, other: np.ndarray, reference: np.ndarray, top: float) -> dict[str, float]:
    """Return the similarity of two scores, over all samples and over the share with the highest ``reference``."""
    one = np.asarray(one, dtype=np.float64)
    # a cosine needs a zero that means none: the lowest of negative scores
    one = one - min(0.0, one.min())
    most = np.argsort(-reference, kind="stable")[: top_k(len(one), top)]
    ranked = one.min() < one.max() and other.min() < other.max()
    values = {
        "cosine": cosine_similarity(one, other),
        "top_k": cosine_similarity(one[most], other[most]),
        # correlation with a constant is not defined, and no ranking is what is meant
        "spearman": float(spearmanr(one, other).statistic) if ranked else 0.0,
    }
    return {name: round(value, 4) for name, value in values.items()}


def top_k(n_samples: int, top: float) -> int:
    return max(1, round(top * n_samples))


def baselines(reference: Memorization, top: float) -> dict[str, dict[str, float]]:
    """Return what a constant gets, and what the reference gets against itself from other networks.

    The latter is measured from one half of the networks to the other, so that it is a little below what the whole
    would get: no score can be expected to do much better.
    """
    found = {CONSTANT: graded(np.ones_like(reference.values), reference.values, top)}
    if reference.halves is not None:
        found[CEILING] = graded(*reference.halves, top)
    return found


def named(weight_decay: float) -> str:
    return f"wd {weight_decay:g}" if weight_decay else "no wd"


def table(
    frame: pd.DataFrame,
    captions: dict[str, str],
    published: dict[tuple[str, float, str], float] | None = None,
    measures: dict[str, str] = MEASURES,
) -> str:
    """Return a table: a row for each score in captions, a column for each measure and weight decay.

    The frame has a row for each score and training; `BASELINES` hold for every weight decay. What was published, by
    name, weight decay and measure, stands in brackets.
    """
    decays = sorted(frame["weight_decay"].dropna().unique(), reverse=True)
    rows = {}
    for name, caption in captions.items():
        some = frame[frame["name"] == name]
        if some.empty:
            continue
        row = rows.setdefault(caption, {})
        for decay in decays:
            part = some[some["weight_decay"].isna() | (some["weight_decay"] == decay)]
            for measure, words in measures.items():
                known = (published or {}).get((name, float(decay), measure))
                row[f"{words}, {named(decay)}"] = cell(part[measure]) + (f" ({known:.2f})" if known is not None else "")
    return markdown(pd.DataFrame.from_dict(rows, orient="index"))


def cell(values: pd.Series) -> str:
    """Return mean and standard deviation of what is known."""
    values = values.dropna()
    if values.empty:
        return ""
    return f"{values.mean():.2f}" + (f" ± {values.std(ddof=1):.2f}" if len(values) > 1 else "")

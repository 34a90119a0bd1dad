"""How alike scores of memorization are, in the paper's measures and one that a constant can't do well in."""

from __future__ import annotations

from pathlib import Path

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
    """Return the similarity of scores to memorization. Parameters as in `alike`."""
    return alike(scores, reference, reference, top)


def alike(one: np.ndarray, other: np.ndarray, reference: np.ndarray, top: float) -> dict[str, float]:
    """Return the similarity of two scores.

    Parameters
    ----------
    one, other : array of shape (n_samples,)
        Higher is more memorized. A cosine needs a zero that means none: where some of ``one`` are negative, the lowest
        is taken.
    reference : array of shape (n_samples,)
        Memorization, which says what top-K looks at.
    top : float
        Share of the samples that it looks at.
    """
    one = np.asarray(one, dtype=np.float64)
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
    """Return a table: a row for each score, a column for each measure and weight decay.

    Parameters
    ----------
    frame : DataFrame
        A row for each score and training: ``name``, ``weight_decay`` and the measures. Rows of `BASELINES` hold for
        every weight decay.
    captions : dict
        From names to what the table calls them, in its order.
    published : dict, optional
        By name, weight decay and measure: what stands in brackets.
    measures : dict
        From columns of the frame to what the table calls them.
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


def picture(
    frame: pd.DataFrame, captions: dict[str, str], title: str, path: Path, measures: dict[str, str] = MEASURES
) -> None:
    """Draw the table of the same arguments: a panel for each measure, the baselines as lines."""
    from matplotlib.figure import Figure

    names = [name for name in captions if name not in BASELINES and name in set(frame["name"])]
    figure = Figure(figsize=(9, 1.4 + 0.24 * len(names)), layout="constrained")
    axes = figure.subplots(1, len(measures), sharey=True)
    for ax, (measure, words) in zip(axes, measures.items(), strict=True):
        for baseline, style in ((CONSTANT, ":"), (CEILING, "--")):
            value = frame.loc[frame["name"] == baseline, measure].dropna()
            if len(value):
                ax.axvline(value.iloc[0], color="0.5", ls=style, lw=1, label=BASELINES[baseline])
        for i, decay in enumerate(sorted(frame["weight_decay"].dropna().unique(), reverse=True)):
            groups = frame[frame["weight_decay"] == decay].groupby("name")[measure]
            mean, std = groups.mean().reindex(names), groups.std(ddof=1).fillna(0).reindex(names)
            places = np.arange(len(names)) + 0.2 * i
            ax.errorbar(mean, places, xerr=std, fmt="o", ms=4, lw=1, color=f"C{i}", label=named(decay))
        ax.set_xlabel(words)
        ax.grid(axis="x", alpha=0.3)
    axes[0].set_yticks(range(len(names)), [captions[name] for name in names], fontsize=8)
    axes[0].invert_yaxis()
    figure.suptitle(title, fontsize=10)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=7)
    figure.savefig(path, dpi=72)

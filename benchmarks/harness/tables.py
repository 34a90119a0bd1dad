"""Tables of means and standard deviations over seeds, and of paired differences with their intervals.

They are made of frames with a row for each seed of each cell (``seed`` and other levels in the index) and a column for
each method, in percent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from . import written
from .measures import CONFIDENCE, Difference, difference


def spread(values: pd.Series) -> str:
    """Return the mean over seeds and, of two or more, the standard deviation."""
    known = values.dropna()
    if known.empty:
        return ""
    return f"{known.mean():.2f}" + (f" ± {known.std(ddof=1):.2f}" if len(known) > 1 else "")


def over_seeds(seeds: Sequence[int]) -> str:
    """Return what the numbers of a table are, in words."""
    named = ", ".join(map(str, seeds))
    return f"Seed {named}." if len(seeds) == 1 else f"Mean ± standard deviation over seeds {named}."


def in_words(gap: Difference) -> str:
    """Return a difference and, in brackets, its interval."""
    mean, low, high = (f"{value:+.2f}" if value else "0.00" for value in gap)
    return mean if pd.isna(gap.low) else f"{mean} ({low} to {high})"


def by_cell(values: pd.DataFrame) -> Any:
    """Return the groups of rows that differ in nothing but the seed."""
    return values.groupby(level=[name for name in values.index.names if name != "seed"], sort=False)


def means(values: pd.DataFrame) -> pd.DataFrame:
    """Return mean ± standard deviation over the seeds of each cell."""
    return by_cell(values).agg(spread)


def differences(values: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Return how far each other method is from a reference in each cell; bold where that is resolved."""

    def cell(part: pd.DataFrame, method: str) -> str:
        gap = difference(part[method], part[reference])
        text = "" if pd.isna(gap.mean) else in_words(gap)
        return f"**{text}**" if gap.resolved else text

    others = [method for method in values if method != reference]
    return pd.DataFrame({method: by_cell(values).apply(cell, method) for method in others})


def compared(values: pd.DataFrame, reference: str, measure: str, *, across: bool = False) -> list[str]:
    """Return the section of differences to a reference, nothing where no cell has two seeds.

    Methods are columns, or rows where cells go ``across``.
    """
    if reference not in values or values.shape[1] < 2 or by_cell(values).size().max() < 2:
        return []
    frame = differences(values, reference)
    text = (
        written.markdown(frame.T.rename_axis(index=None, columns=None))
        if across
        else written.markdown(frame.reset_index(), index=False, left=len(frame.index.names))
    )
    return [
        f"## {measure.removesuffix(', %')}, paired differences, points",
        "",
        text,
        "",
        f"Each method minus {reference}, on the same wrong labels: mean over seeds and, in brackets, its "
        f"{100 * CONFIDENCE:g} % interval by Student's t. Bold: resolved, 0 is outside. No interval: all seeds "
        "differ by the same.",
        "",
    ]


def percent(rows: list[dict[str, Any]], measure: str) -> pd.DataFrame:
    """Return a measure of records that are of one method each; the older ones have no precision at the true count."""
    frame = pd.DataFrame(rows).set_index(["rate", "seed", "method"])
    values = 1 - frame["fnr"] if measure == "precision" else frame[measure]
    return 100 * values.unstack()


def best_of_each(
    values: pd.DataFrame, order: dict[str, str], beside: dict[str, dict[float, str]] | None = None
) -> pd.DataFrame:
    """Return means over seeds by rate; the best of each is bold, and numbers from elsewhere are in brackets."""
    present = [method for method in order if method in values]
    mean, texts = by_cell(values[present]).mean(), means(values[present])
    cells = pd.DataFrame(index=[order[method] for method in present])
    for rate in mean.index:
        column = []
        for method, m, text in zip(present, mean.loc[rate], texts.loc[rate], strict=True):
            known = (beside or {}).get(method, {}).get(rate)
            shown = f"**{text}**" if f"{m:.2f}" == f"{mean.loc[rate].max():.2f}" else text  # as they are shown
            column.append(shown if known is None else f"{shown} ({known})")
        cells[f"{100 * rate:g} % wrong"] = column
    return cells


def verdict(values: pd.DataFrame, order: dict[str, str]) -> list[str]:
    """Return, in words, what beats the curvature, and what Curv-SSFT and the recommendation are worth."""
    methods = [method for method in order if method in values]
    others = [method for method in methods if method != "curvature"]
    singles = [m for m in methods if not m.startswith(("fused", "curv_ssft", "cl_", "ssft", "leave_one_out"))]
    told = (
        ("Curvature against the best other score", "curvature", others),
        ("Curv-SSFT against the better of its two halves", "curv_ssft", ["curvature", "ssft_loss"]),
        ("The same with label contrast", "curv_ssft_contrast", ["curvature_contrast", "ssft_loss"]),
        ("The same with shared training", "curv_ssft_shared", ["curvature", "ssft_loss"]),
        ("The recommendation against the best single signal of the run", "fused_auto", singles),
        ("FusedDetector against the best of the others", "fused", [m for m in methods if m != "fused"]),
    )
    lines = []
    for words, method, rivals in told:
        present = [m for m in rivals if m in methods]
        if method not in methods or not present:
            continue
        parts = []
        for rate, part in values.groupby(level="rate"):
            best = part[present].mean().idxmax()
            gap = difference(part[method], part[best])
            parts.append(f"at {100 * rate:g} % {standing(gap)} {order[best]}")
        lines.append(f"{words}: {'; '.join(parts)}.")
    return lines


def standing(gap: Difference) -> str:
    """Return whether a difference is resolved, in words that the other's name follows."""
    if gap.resolved:
        return f"{in_words(gap)} points, {'ahead of' if gap.mean > 0 else 'behind'}"
    if round(gap.mean, 2) == 0 and pd.isna(gap.low):
        return "level with"
    return f"{in_words(gap)} points, not resolved from"

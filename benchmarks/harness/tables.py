"""Tables of mean and standard deviation over seeds."""

from __future__ import annotations

from typing import Any

import pandas as pd

from . import written

METRICS = {
    "auroc": "AUROC, %",
    "average_precision": "Average precision, %",
    "fnr": "Wrong labels missed when exactly the noise rate is flagged (FNR), %",
}


def pivot(rows: list[dict[str, Any]], metric: str, order: dict[str, str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return mean and standard deviation over seeds in percent: methods as rows, noise rates as columns."""
    frame = pd.DataFrame(rows)
    groups = frame.assign(percent=100 * frame[metric]).groupby(["method", "rate"])["percent"]
    present = [method for method in order if method in set(frame["method"])]
    return groups.mean().unstack().reindex(present), groups.std(ddof=1).unstack().reindex(present)


def markdown(
    rows: list[dict[str, Any]],
    metric: str,
    order: dict[str, str],
    beside: dict[str, dict[float, float]] | None = None,
) -> str:
    """Return one table; the best of each column is bold, and numbers from elsewhere stand beside it in brackets."""
    mean, std = pivot(rows, metric, order)
    best = mean.min() if metric == "fnr" else mean.max()
    cells = pd.DataFrame(index=[order[m] for m in mean.index])
    for rate in mean.columns:
        column = []
        for method, m, s in zip(mean.index, mean[rate], std[rate], strict=True):
            text = f"{m:.2f}" if pd.isna(s) else f"{m:.2f} ± {s:.2f}"
            text = f"**{text}**" if round(m, 2) == round(best[rate], 2) else text
            known = (beside or {}).get(method, {}).get(rate)
            column.append(text if known is None else f"{text} ({known:.1f})")
        cells[f"{100 * rate:g} % wrong"] = column
    if metric == "auroc":
        cost = pd.DataFrame(rows).groupby("method")["cost"].median().reindex(mean.index)
        cells["cost"] = [f"{c:.2f}" for c in cost]
    return written.markdown(cells)


def verdict(rows: list[dict[str, Any]], order: dict[str, str]) -> list[str]:
    """Return, in words, what beats the curvature, and what Curv-SSFT and the recommendation are worth."""
    mean, _ = pivot(rows, "auroc", order)
    others = [method for method in mean.index if method != "curvature"]
    singles = [m for m in mean.index if not m.startswith(("fused", "curv_ssft", "cl_", "ssft"))]
    told = (
        ("Curvature against the best other score", "curvature", others),
        ("Curv-SSFT against the better of its two halves", "curv_ssft", ["curvature", "ssft_loss"]),
        ("The same with label contrast", "curv_ssft_contrast", ["curvature_contrast", "ssft_loss"]),
        ("The same with shared training", "curv_ssft_shared", ["curvature", "ssft_loss"]),
        ("The recommendation against the best single signal of the run", "fused_auto", singles),
    )
    lines = []
    for words, method, rivals in told:
        present = [m for m in rivals if m in mean.index]
        if method not in mean.index or not present:
            continue
        parts = []
        for rate in mean.columns:
            best = mean.loc[present, rate].idxmax()
            gap = mean.loc[method, rate] - mean.loc[best, rate]
            how = "level with" if round(gap, 2) == 0 else "ahead of" if gap > 0 else "behind"
            amount = "" if round(gap, 2) == 0 else f"{abs(gap):.2f} points "
            parts.append(f"at {100 * rate:g} % {amount}{how} {order[best]}")
        lines.append(f"{words}: {'; '.join(parts)}.")
    return lines

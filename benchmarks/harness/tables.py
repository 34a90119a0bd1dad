"""Tables of mean and standard deviation over seeds: Markdown, CSV and a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

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


def markdown(rows: list[dict[str, Any]], metric: str, order: dict[str, str]) -> str:
    """Return one table; the best of each column is bold."""
    mean, std = pivot(rows, metric, order)
    best = mean.min() if metric == "fnr" else mean.max()
    cells = pd.DataFrame(index=[order[m] for m in mean.index])
    for rate in mean.columns:
        column = []
        for m, s in zip(mean[rate], std[rate], strict=True):
            text = f"{m:.2f}" if pd.isna(s) else f"{m:.2f} ± {s:.2f}"
            column.append(f"**{text}**" if round(m, 2) == round(best[rate], 2) else text)
        cells[f"{100 * rate:g} % wrong"] = column
    if metric == "auroc":
        cost = pd.DataFrame(rows).groupby("method")["cost"].median().reindex(mean.index)
        cells["cost"] = [f"{c:.2f}" for c in cost]
    return cells.to_markdown(disable_numparse=True, colalign=["left"] + ["right"] * cells.shape[1])


def verdict(rows: list[dict[str, Any]], order: dict[str, str]) -> str:
    """Return, in words, what beats the curvature and by how much."""
    mean, _ = pivot(rows, "auroc", order)
    if "curvature" not in mean.index:
        return ""
    parts = []
    for rate in mean.columns:
        others = mean[rate].drop("curvature")
        if others.empty:
            return ""
        gap = mean.loc["curvature", rate] - others.max()
        word = "leads" if gap > 0 else "trails"
        parts.append(f"at {100 * rate:g} % it {word} {order[others.idxmax()]} by {abs(gap):.2f} points")
    return "Curvature against the best other score: " + "; ".join(parts) + "."


def csv(rows: list[dict[str, Any]], order: dict[str, str]) -> pd.DataFrame:
    """Return all metrics in long form."""
    parts = []
    for metric in METRICS:
        mean, std = pivot(rows, metric, order)
        long = pd.DataFrame({"mean": mean.stack(), "std": std.stack()}).reset_index()
        parts.append(long.assign(metric=metric))
    return pd.concat(parts)[["metric", "method", "rate", "mean", "std"]]


def picture(rows: list[dict[str, Any]], order: dict[str, str], title: str, path: Path) -> None:
    """Draw the AUROC of every method, one panel a noise rate."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    mean, std = pivot(rows, "auroc", order)
    rates = list(mean.columns)
    figure = Figure(figsize=(2.2 + 2.4 * len(rates), 0.9 + 0.3 * len(mean)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(rates), sharey=True, squeeze=False)[0]
    for ax, rate in zip(axes, rates, strict=True):
        colors = ["tab:red" if method == "curvature" else "tab:blue" for method in mean.index]
        places = range(len(mean))
        ax.errorbar(mean[rate], places, xerr=std[rate].fillna(0), fmt="none", ecolor="0.6", elinewidth=1.5)
        ax.scatter(mean[rate], places, c=colors, zorder=3)
        ax.set_title(f"{100 * rate:g} % wrong")
        ax.set_xlabel("AUROC, %")
        ax.grid(axis="x", alpha=0.3)
    axes[0].set_yticks(range(len(mean)), [order[m] for m in mean.index])
    axes[0].invert_yaxis()
    figure.suptitle(title)
    figure.savefig(path, dpi=110)

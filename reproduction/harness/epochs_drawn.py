"""Figures of what happens by epoch, after Figs. 6, 8, 14 and 15 of the paper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .epochs import MEASURES, grouped, onset
from .pictures import save

#: Okabe and Ito's, told apart with every kind of colour vision.
BLUE, RED, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"


def curves(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw losses, curvature and, where labels were planted wrong, AUROC by epoch; a column for each weight decay."""
    groups = grouped(rows)
    figure, axes = panels(3 if "auroc" in rows[0] else 2, len(groups))
    for column, (name, some) in zip(axes.T, groups.items(), strict=True):
        epochs = some[0]["epochs"]
        for part, said, color, style in (("training", "training", BLUE, "-"), ("held_out", "held out", RED, "--")):
            band(column[0], epochs, [row[f"{part} loss"] for row in some], color, style, said)
            band(column[1], epochs, [row[f"{part} curvature"] for row in some], color, style, said)
        column[0].set(title=name, yscale="log")
        column[1].set(yscale="log")
        if "auroc" in some[0]:
            for part, color, style in (("right", GREEN, ":"), ("wrong", PINK, "-.")):
                values = [row[f"{part} curvature"] for row in some]
                band(column[1], epochs, values, color, style, f"training, {part} labels")
            band(column[2], epochs, [row["auroc"]["cumulative"] for row in some], BLUE, "-", "mean of epochs so far")
            band(column[2], epochs, [row["auroc"]["epoch"] for row in some], RED, "--", "epoch alone")
        finish(column, some)
    for ax, words in zip(axes[:, 0], ("loss", "mean curvature", "AUROC, wrong labels"), strict=False):
        ax.set_ylabel(words)
    legends(axes[:, -1])
    save(figure, path)


def similarities(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw the similarity to memorization by epoch: a row for each measure, a column for each weight decay."""
    groups = grouped(rows)
    figure, axes = panels(len(MEASURES), len(groups))
    for column, (name, some) in zip(axes.T, groups.items(), strict=True):
        for ax, measure in zip(column, MEASURES, strict=True):
            parts = [row["similarity"][measure] for row in some]
            band(ax, some[0]["epochs"], [p["cumulative"] for p in parts], BLUE, "-", "mean of epochs so far")
            band(ax, some[0]["epochs"], [p["epoch"] for p in parts], RED, "--", "epoch alone")
            if measure != "spearman":
                ax.axhline(parts[0]["constant"], color="0.4", ls="-.", lw=0.9, label="a constant")
        column[0].set_title(name.split(", ")[1])
        finish(column, some)
    for ax, words in zip(axes[:, 0], MEASURES.values(), strict=True):
        ax.set_ylabel(words)
    legends(axes[:1, -1])
    save(figure, path)


def panels(n_rows: int, n_columns: int) -> tuple[Any, Any]:
    """Return a figure and its axes; those of a row share their scale."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.2 + 3.6 * n_columns, 0.6 + 2.1 * n_rows), layout="constrained")
    return figure, figure.subplots(n_rows, n_columns, squeeze=False, sharex=True, sharey="row")


def band(ax: Any, epochs: list[int], values: list[list[float]], color: str, style: Any, label: str) -> None:
    """Draw the mean over seeds, and the range that they lie in."""
    array = np.array(values)
    ax.plot(epochs, array.mean(0), color=color, ls=style, lw=1.6, label=label)
    if len(array) > 1:
        ax.fill_between(epochs, array.min(0), array.max(0), color=color, alpha=0.18, lw=0)


def finish(column: Any, rows: list[dict[str, Any]]) -> None:
    """Mark, in a column of panels, where over-fitting begins and where the learning rate first drops."""
    begins = np.median([row["epochs"][onset(row)] for row in rows])
    first, last = rows[0]["first_phase"], rows[0]["epochs"][-1]
    for ax in column:
        ax.axvline(begins, color="k", ls=":", lw=1.1, label="held-out loss lowest")
        if first < last:
            ax.axvline(first, color="0.7", lw=1, label="learning rate drops")
        ax.set_xscale("log")
        ax.grid(alpha=0.25)
    ticks = [tick for tick in (1, 2, 5, 10, 20, 50, 100, 200) if rows[0]["epochs"][0] <= tick <= last]
    column[-1].set_xticks(ticks, [str(tick) for tick in ticks])
    column[-1].minorticks_off()
    column[-1].set_xlabel("epoch")


def legends(axes: Any) -> None:
    """Name the curves to the right of the last column."""
    for ax in axes:
        ax.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)

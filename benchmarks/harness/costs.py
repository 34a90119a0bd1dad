"""The tables and the chart of what everything costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from curvdetect import memorizing_net

from . import written
from .environment import command
from .fits import FOLDS
from .written import markdown

#: Length of the run that is put together: that of a detector unless told otherwise.
EPOCHS = memorizing_net(None).max_epochs
#: Probes of the passes that are timed.
PROBES = (1, 5, 10)
#: Jobs that are a curvature pass, in the order of tables and chart.
PASSES = ["default pass", *(f"pass n={n}" for n in PROBES)]
CAPTIONS = {
    "raw epoch": "A training epoch, plain PyTorch loop",
    "raw epoch, contiguous": "The same, channels not last",
    "raw epoch, bfloat16": "The same, bfloat16 autocast",
    "raw epoch, bounded": "The same, gradients bounded, as the default for tables has them",
    "epoch": "A training epoch under skorch, loss and margin watched",
    "epoch, unwatched": "The same, without what the watching takes",
    "epoch, bfloat16": 'Under skorch and watched, `precision="bfloat16"`',
    "default pass": "A curvature pass of `CurvatureNoiseDetector()`, with label contrast",
    **{f"pass n={n}": f"A curvature pass, `contrast=False`, n = {n}" for n in PROBES},
    "authors' pass n=1": "The authors' loop, n = 1",
    "authors' pass n=10": "The authors' loop, n = 10",
    "cross-validation": f"Cleanlab's {FOLDS} folds, for each epoch of theirs",
}

#: What the chart calls them, where the job's own name is too long.
WORDS = {
    "epoch": "training\nunder skorch",
    "default pass": "default pass,\ncontrast",
    "authors' pass n=1": "authors' loop\nn = 1",
    "authors' pass n=10": "authors' loop\nn = 10",
    "cross-validation": "cleanlab\n5 folds",
}


def write(rows: list[dict[str, Any]], scored: dict[str, int], repeats: int, out: Path) -> None:
    """Print the tables and write them, and the chart; ``scored`` is the number of scored epochs in each layout."""
    layouts = list(scored)
    timed = pd.DataFrame([row for row in rows if row["job"] in CAPTIONS])
    order = [job for job in CAPTIONS if job in set(timed["job"])]

    def table(column: str, jobs: list[str], digits: int) -> str:
        cells = timed.pivot(index="job", columns="layout", values=column).reindex(index=jobs, columns=layouts)
        words = cells.map(lambda v: "" if pd.isna(v) else f"{v:,.{digits}f}")
        return markdown(words.rename(index=CAPTIONS))

    peak = {
        layout: {
            row["job"].removeprefix("memory "): f"{row['peak_mib']:,.0f}"
            for row in rows
            if row["layout"] == layout and row["job"].startswith("memory")
        }
        for layout in layouts
    }
    lines = [
        "# Cost, side by side",
        "",
        f"`{command()}`",
        "",
        f"Median of {repeats} repeats of all jobs in turn.",
        "",
        "## In epochs of a plain PyTorch training loop",
        "",
        table("ratio", order, 2),
        "",
        "Same network and layout throughout, save where the table says otherwise and for the authors' loop, which is "
        "as they have it: channels not last, BatchNorm not folded, two gradients a probe. On CUDA all but the "
        "curvature passes convolve in TF32, torch's default.",
        "",
        "## How many times faster than the authors' loop at n = 10",
        "",
        table("speedup", PASSES, 1),
        "",
        f"## A whole run of {EPOCHS} epochs, in plain trainings of as many",
        "",
        markdown(whole_run(timed, scored)),
        "",
        "Put together from the medians above. The authors' recipe trains and measures with the channels not last.",
        "",
        "## Peak memory, MiB",
        "",
        markdown(pd.DataFrame(peak).rename(index={"n=0": "training alone"})),
        "",
        "Of the whole process on a CPU, of what torch allocated on CUDA; 256 samples, one epoch.",
        "",
    ]
    chart(timed, layouts, out / "speed.png")
    written.write(lines, rows, out)


def whole_run(timed: pd.DataFrame, scored: dict[str, int]) -> pd.DataFrame:
    """Return what a run of the default, of the paper's setting and of the authors' recipe costs in each layout."""
    r = timed.pivot(index="job", columns="layout", values="ratio")[list(scored)].T
    n_scored = pd.Series(scored)
    added = n_scored / EPOCHS * r["default pass"]
    default, theirs = r["epoch"] + added, r["authors' pass n=10"]
    rows = {
        "`LossDetector()`": r["epoch"],
        "`CurvatureNoiseDetector(contrast=False)`": r["epoch"] + n_scored / EPOCHS * r["pass n=1"],
        "`CurvatureNoiseDetector()`": default,
        "what the curvature adds to it": added,
        "`CurvatureNoiseDetector.paper()`": r["epoch"] + r["pass n=10"],
        "the authors' recipe": r["raw epoch, contiguous"] + theirs,
        "the authors' recipe over `CurvatureNoiseDetector()`": (r["raw epoch, contiguous"] + theirs) / default,
        "the same, measuring alone": theirs / added,
    }
    words = pd.DataFrame(rows).map(lambda v: f"{v:,.2f}")
    words.insert(3, f"epochs that these two score, of {EPOCHS}", n_scored.astype(str))
    return words.T


def chart(timed: Any, layouts: list[str], path: Path) -> None:
    """Draw the ratios as bars, a group for each layout."""
    from matplotlib.figure import Figure

    jobs = ["epoch", *PASSES, "authors' pass n=1", "authors' pass n=10", "cross-validation"]
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    ax = figure.subplots()
    width = 0.8 / len(layouts)
    for i, layout in enumerate(layouts):
        ratios = timed[timed["layout"] == layout].set_index("job")["ratio"].reindex(jobs)
        bars = ax.bar(np.arange(len(jobs)) + i * width, ratios, width, label=layout)
        ax.bar_label(bars, fmt="%.1f", fontsize=6)
    ax.set_yscale("log")
    ax.axhline(1, color="0.5", lw=0.8)
    ax.set_xticks(
        np.arange(len(jobs)) + width * (len(layouts) - 1) / 2,
        [WORDS.get(j, j.replace(" n=", "\nn = ")) for j in jobs],
        fontsize=8,
    )
    ax.set_ylabel("epochs of plain training")
    ax.legend(fontsize=7)
    figure.savefig(path, dpi=110)

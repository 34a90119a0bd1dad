"""The toy in the plane, drawn after Fig. 7 of the paper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .epochs_drawn import BLUE, GREEN, PINK, RED
from .pictures import save

COLORS, MARKERS = (BLUE, RED), ("o", "^")


def still(store: dict[str, Any], wrong: Any, parts: dict[str, Any], shown: list[int], path: Path) -> None:
    """Draw data, losses and curvatures, and below them the plane and the logits after some epochs."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(8.0, 2.0 * len(shown)), 7.0), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(1, 1.45))
    left, middle, right = above.subplots(1, 3, width_ratios=(1, 1.25, 1.25))
    points(left, parts["held"], parts["true"], 8, alpha=0.3, lw=0)
    points(left, parts["X"], parts["labels"], 45, edge=edges(wrong))
    left.set_aspect("equal")
    said = "training points over test points; circles:\nclass 1, triangles: class 2; black edge: wrong label"
    left.set_xlabel(said, fontsize=8)
    epochs = np.arange(1, len(store["seen loss"]) + 1)
    middle.plot(epochs, store["seen loss"], color=BLUE, label="training, as trained")
    middle.plot(epochs, mean(store, "training loss"), color=GREEN, ls=":", label="training, BatchNorm averages")
    middle.plot(epochs, mean(store, "held_out loss"), color=RED, ls="--", label="held out, BatchNorm averages")
    middle.set(yscale="log", ylabel="loss", ylim=(1e-5, None))
    curvature = np.array(store["training curvature"])
    right.plot(epochs, curvature[:, wrong].mean(1), color=PINK, ls="-.", label="training, wrong labels")
    right.plot(epochs, curvature[:, ~wrong].mean(1), color=GREEN, ls=":", label="training, right labels")
    right.plot(epochs, curvature.mean(1), color=BLUE, label="training, all")
    right.plot(epochs, mean(store, "held_out curvature"), color=RED, ls="--", label="held out")
    right.set(yscale="log", ylabel="mean curvature")
    for ax in (middle, right):
        ax.set_xlabel("epoch")
        ax.grid(alpha=0.25)
        ax.legend(fontsize=7, loc="lower right")
    axes = below.subplots(2, len(shown), squeeze=False)
    for column, epoch in zip(axes.T, shown, strict=True):
        plane(column[0], store, wrong, parts, epoch)
        column[0].set_title(f"epoch {epoch}", fontsize=9)
        logits(column[1], store, wrong, parts, epoch)
    axes[0, 0].set_ylabel("input space, size: curvature", fontsize=8)
    axes[1, 0].set_ylabel("logit of class 2", fontsize=8)
    save(figure, path, dpi=100)


def plane(ax: Any, store: dict[str, Any], wrong: Any, parts: dict[str, Any], epoch: int) -> None:
    """Draw the probability of class 2 all over the plane, and training points as large as their curvature."""
    x, y = parts["x"], parts["y"]
    probability = np.array(store["plane"][epoch - 1]).reshape(len(y), len(x))
    ax.contourf(x, y, probability, np.linspace(0, 1, 9), cmap="RdBu_r", alpha=0.75)
    if probability.min() < 0.5 < probability.max():
        ax.contour(x, y, probability, [0.5], colors="k", linewidths=1)
    curvature = np.array(store["training curvature"][epoch - 1])
    points(ax, parts["X"], parts["labels"], 10 + 90 * curvature / max(curvature.max(), 1e-12), edge=edges(wrong))
    ax.set(xticks=[], yticks=[], aspect="equal", xlim=x[[0, -1]], ylim=y[[0, -1]])


def logits(ax: Any, store: dict[str, Any], wrong: Any, parts: dict[str, Any], epoch: int) -> None:
    """Draw the training points where the network puts them, and the line between the classes."""
    values = np.array(store["logits"][epoch - 1])
    side = 200
    ax.plot([-side, side], [-side, side], color="k", lw=1)
    points(ax, values, parts["labels"], 22, edge=edges(wrong))
    ticks = [-100, -10, -1, 1, 10, 100]
    for axis, set_scale in (("x", ax.set_xscale), ("y", ax.set_yscale)):
        set_scale("symlog", linthresh=1, linscale=0.5)
        ax.set(**{f"{axis}lim": (-side, side), f"{axis}ticks": ticks, f"{axis}ticklabels": map(str, ticks)})
    ax.minorticks_off()
    ax.set_aspect("equal")
    ax.set_xlabel("logit of class 1", fontsize=8)
    ax.tick_params(labelsize=7)


def points(ax: Any, X: Any, labels: Any, size: Any, *, edge: Any = None, alpha: float = 1.0, lw: float = 1.2) -> None:
    """Draw points in the colour and with the marker of their given label."""
    size = np.broadcast_to(size, len(X))
    for label, (color, marker) in enumerate(zip(COLORS, MARKERS, strict=True)):
        some = labels == label
        edged = {} if edge is None else {"edgecolors": [edge[i] for i in np.flatnonzero(some)]}
        ax.scatter(*X[some].T, s=size[some], c=color, marker=marker, alpha=alpha, linewidths=lw, **edged)


def edges(wrong: Any) -> list[str]:
    return ["black" if w else "white" for w in wrong]


def mean(store: dict[str, Any], name: str) -> Any:
    return np.array(store[name]).mean(1)

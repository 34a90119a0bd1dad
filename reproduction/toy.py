"""Thirty points in the plane, three in ten under a wrong label, memorized: boundary, logits and curvature by epoch.

Fig. 7 and Appendix A of the paper: seven fully connected layers, SGD with learning rate 0.1, momentum 0.9 and weight
decay 5e-4, one minibatch an epoch, 150 epochs, 15 points of each class, abundant test data without noise. Nothing is
downloaded; the first seed is drawn.

    python reproduction/toy.py
    python reproduction/toy.py --shape moons --out reproduction/runs/toy-moons

Every finished training is one line in OUT/records.jsonl; the same command again goes on where it was cut short.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from harness import data
from harness.environment import command
from harness.epochs import number, times, whole
from harness.options import add_run, command_line, started
from harness.plane import still
from harness.quiet import quietly
from harness.records import Records
from harness.shared import Shared
from harness.watching import Watch, outputs, tensors
from harness.written import markdown, write
from sklearn.datasets import make_blobs, make_moons
from sklearn.utils import check_random_state
from skorch.callbacks import Callback
from torch import nn

from curvdetect import LossDetector, memorizing_net, step_decay
from curvdetect.metrics import auroc

#: Inputs of the seven layers (Appendix A); the last one puts out the two logits.
SIZES = (2, 100, 100, 500, 200, 100, 1000)
#: Momentum of BatchNorm's running averages, with which a network is measured.
AVERAGES = {0.1: "running averages (torch's default)", 1.0: "statistics of the last batch"}
SHAPES = {
    "blobs": lambda n, seed: make_blobs(n, centers=[[-1.0, 0.0], [1.0, 0.0]], cluster_std=0.6, random_state=seed),
    "moons": lambda n, seed: make_moons(n, noise=0.1, random_state=seed),
}
SETTINGS = ("shape", "points", "rate", "epochs", "h", "n", "power")
KEY = ("settings", "averages", "seed")
#: Epochs, as shares of the training, in the table and under the still.
SHOWN = (1, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150)
DRAWN = (5, 10, 20, 30, 50, 150)


class Network(nn.Sequential):
    """Seven fully connected layers, each but the last followed by BatchNorm and ReLU."""

    def __init__(self, momentum: float = 0.1) -> None:
        layers: list[nn.Module] = []
        for before, after in pairwise(SIZES):
            layers += [nn.Linear(before, after), nn.BatchNorm1d(after, momentum=momentum), nn.ReLU()]
        super().__init__(*layers, nn.Linear(SIZES[-1], 2))


class Look(Callback):
    """Gather, after each epoch, the logits of the points and the probability of class 1 all over the grid."""

    def __init__(self, store: Shared, sets: Shared) -> None:
        self.store, self.sets = store, sets

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        self.store.setdefault("logits", []).append(outputs(net.module_, self.sets["points"]).numpy())
        plane = outputs(net.module_, self.sets["grid"]).softmax(1)[:, 1]
        self.store.setdefault("plane", []).append(plane.numpy())


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    environment = started(args)
    settings = {name: getattr(args, name) for name in SETTINGS}
    cells = [{"settings": settings, "averages": a, "seed": s} for s in args.seeds for a in args.averages]
    records = Records(args.out / "records.jsonl", KEY)
    rows = records.measured(cells, lambda cell: summary(*trained(cell, args)[:2]), environment=environment)
    store, mask, parts = trained(cells[0], args, looking=True)
    shown = [epoch for epoch in DRAWN if epoch < args.epochs] + [args.epochs]
    still(store, mask, parts, shown, args.out / "toy.png")
    render(rows, args)


def trained(cell: dict[str, Any], args: argparse.Namespace, *, looking: bool = False) -> tuple[Shared, Any, Shared]:
    """Train once; return what every epoch gave, the mask of wrong labels, and the data.

    ``looking`` gathers logits and probabilities as well.
    """
    seed = cell["seed"]
    draw = SHAPES[args.shape]
    X, y = draw(2 * args.points, seed)
    held, true = draw(200, 10_000 + seed)
    _, labels, mask = data.corrupt(X, y, args.rate, "uniform", seed)
    parts = Shared(X=X.astype(np.float32), labels=labels, held=held, true=true)
    # the probes are those that a detector with this random_state draws
    probes = int(check_random_state(seed).randint(2**31 - 1))
    sets = Shared(training=(*tensors(parts["X"], labels), args.n), held_out=(*tensors(held, true), 1))
    store = Shared()
    callbacks: list[Callback] = [Watch(store, sets, h=args.h, power=args.power, seed=probes)]
    if looking:
        center, half = (X.max(0) + X.min(0)) / 2, np.ptp(X, axis=0).max() / 2 + 0.4
        parts["x"], parts["y"] = (np.linspace(c - half, c + half, 81) for c in center)
        grid = np.stack(np.meshgrid(parts["x"], parts["y"]), 2).reshape(-1, 2).astype(np.float32)
        callbacks.append(Look(store, Shared(points=torch.as_tensor(parts["X"]), grid=torch.as_tensor(grid))))
    net = memorizing_net(
        partial(Network, momentum=cell["averages"]),
        lr=0.1,
        momentum=0.9,
        weight_decay=5e-4,
        schedule=partial(step_decay, milestones=()),
        batch_size=len(X),
        max_epochs=args.epochs,
        callbacks=callbacks,
    )
    with quietly():
        detector = LossDetector(net, device=args.device, random_state=seed).fit(parts["X"], labels)
    store["seen loss"] = [record["train_loss"] for record in detector.history_]
    return store, mask, parts


def summary(store: Shared, mask: Any) -> dict[str, Any]:
    """Return the measurements of a training: means after the epochs that are shown, and how they turn and end."""
    curvature = np.array(store["training curvature"])
    means = {
        f"{part} {what}": np.array(store[f"{part} {what}"], dtype=float).mean(1)
        for part in ("training", "held_out")
        for what in ("loss", "correct", "curvature")
    }
    shown = {"seen loss": np.array(store["seen loss"])} | means
    shown |= {"wrong curvature": curvature[:, mask].mean(1), "right curvature": curvature[:, ~mask].mean(1)}
    at = np.array(epochs_shown(len(curvature))) - 1
    return {
        "shown": {name: short(values[at]) for name, values in shown.items()},
        "lowest": int(means["held_out loss"].argmin()) + 1,
        "highest": int(means["training curvature"].argmax()) + 1,
        "left": short(v[-1] / v.max() for v in (means["training curvature"], means["held_out curvature"])),
        "auroc": short(auroc(mask, scores) for scores in (curvature.mean(0), curvature[-1])),
    }


def epochs_shown(n_epochs: int) -> list[int]:
    return sorted({epoch for epoch in SHOWN if epoch < n_epochs} | {n_epochs})


def short(values: Iterable[float]) -> list[float]:
    """Return numbers to four significant digits."""
    return [float(f"{value:.4g}") for value in values]


def render(rows: list[dict[str, Any]], args: argparse.Namespace) -> None:
    """Print the tables and write them beside the records."""
    lines = [
        f"# Toy: two {args.shape} in the plane, {2 * args.points} points, {100 * args.rate:g} % wrong labels, "
        f"{len(args.seeds)} seed(s)",
        "",
        f"`{command()}`",
        "",
        f"{args.epochs} epochs of one minibatch, learning rate 0.1, momentum 0.9, weight decay 0.0005; h = {args.h:g}, "
        f"n = {args.n} (1 at held-out points), power = {args.power}; 200 held-out points without wrong labels. Mean "
        "over seeds.",
        "",
    ]
    groups = {AVERAGES.get(a, f"momentum {a:g}"): [row for row in rows if row["averages"] == a] for a in args.averages}
    for name, some in groups.items():
        table = {f"epoch {epoch}": by_epoch(some, i) for i, epoch in enumerate(epochs_shown(args.epochs))}
        lines += [f"## By epoch, BatchNorm by {name}", "", markdown(pd.DataFrame(table).T), ""]
    ends = pd.DataFrame.from_dict({f"by {name}": end(some) for name, some in groups.items()}, orient="index")
    lines += ["## One epoch against all", "", markdown(ends.rename_axis("BatchNorm")), ""]
    lines += [line for name, some in groups.items() for line in (said(name, some), "")]
    write(lines, rows, args.out)


def by_epoch(rows: list[dict[str, Any]], at: int) -> dict[str, str]:
    """Return the means over seeds after one epoch."""
    columns = {
        "training loss": "training loss",
        "as trained": "seen loss",
        "held-out loss": "held_out loss",
        "training accuracy": "training correct",
        "curvature, right labels": "right curvature",
        "curvature, wrong labels": "wrong curvature",
        "curvature, held out": "held_out curvature",
    }
    return {words: number([np.mean([row["shown"][name][at] for row in rows])]) for words, name in columns.items()}


def end(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Return the AUROC of averaged scores and of the last epoch's, and when curvature and losses turn."""
    lowest, highest = ([row[name] for row in rows] for name in ("lowest", "highest"))
    return {
        "AUROC, mean of all epochs": number(row["auroc"][0] for row in rows),
        "AUROC, last epoch alone": number(row["auroc"][1] for row in rows),
        "held-out loss lowest after epoch": f"{np.median(lowest):.0f} ({whole(lowest)})",
        "curvature highest after epoch": f"{np.median(highest):.0f} ({whole(highest)})",
    }


def said(name: str, rows: list[dict[str, Any]]) -> str:
    """Return, in words, whether curvature rises and falls, and what the last epoch's is worth."""
    falls = sum(row["left"][0] < 0.5 for row in rows)
    better = sum(row["auroc"][0] > row["auroc"][1] for row in rows)
    training, held_out = (times(row["left"][i] for row in rows) for i in (0, 1))
    return (
        f"BatchNorm by {name}: the mean curvature of training points falls to less than half of its highest in {falls} "
        f"of {len(rows)} training(s), on average to {training} of it, that of held-out points to {held_out}. The mean "
        f"of all epochs ranks wrong labels better than the last epoch alone in {better} of {len(rows)}."
    )


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__)
    add = parser.add_argument
    add("--shape", choices=list(SHAPES), default="blobs", help="of the two classes, which the paper leaves open")
    add("--points", type=int, default=15, help="of each class")
    add("--rate", type=float, default=0.3, help="share of wrong labels")
    add("--epochs", type=int, default=150)
    add("--averages", type=float, nargs="+", default=list(AVERAGES), help="momentum of BatchNorm's running averages")
    add("--seeds", type=int, nargs="+", default=range(20), help="of points, labels and training; the first is drawn")
    add("--h", type=float, default=1e-2, help="step of the finite difference, in units of the plane")
    add("--n", type=int, default=10, help="number of probes")
    add("--power", type=int, choices=[1, 2], default=1, help="norm or squared norm")
    add_run(parser, Path(__file__).parent / "runs" / "toy")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()

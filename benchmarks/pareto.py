"""Detection against cost: how few passes of the curvature rank as well as the paper's n = 10 after every epoch.

One training a noise kind and seed is measured after every epoch in several settings (h, n, power); every schedule is
then read off the same numbers, so that schedules are compared on equal trajectories. Costs are timed within the run.

    python benchmarks/pareto.py --datasets mnist --data-dir data --download --subset 1000
    python benchmarks/pareto.py --datasets mnist cifar10 --data-dir data --download --subset 1000 --kinds uniform pair

Every finished measurement is one line in OUT/records.jsonl; the same command again goes on where it was cut short.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from harness import data, recipes
from harness.environment import command
from harness.options import add_run, command_line, started
from harness.quiet import quietly
from harness.records import Records
from harness.schedules import SCHEDULES
from harness.shared import Shared
from harness.written import write
from skorch.callbacks import Callback
from tqdm import tqdm

from curvdetect import LossDetector, input_curvatures, memorizing_net
from curvdetect.metrics import auroc

#: Measured in one pass each, so that each has a cost of its own.
PASSES: dict[str, dict[str, list[Any]]] = {
    "h=0.01": {"h": [1e-2], "n": [1], "power": [1, 2]},
    "h=0.001": {"h": [1e-3], "n": [1, 5, 10], "power": [1, 2]},
}
PAPER = ((1e-3, 10, 2), "every epoch")
DEFAULT = "h=0.01, n=1, power=1"
#: Lines of the picture: setting, and schedules that belong together.
LINES = {
    (DEFAULT, r".*, dense early"): "r.-",
    (DEFAULT, r"every epoch|every \d+.."): "C0.-",
    ("h=0.001, n=10, power=1", r"every epoch|every \d+.."): "C2.-",
    ("h=0.001, n=10, power=2", r"every epoch|every \d+.."): "C7.-",
}
KEY = ("dataset", "kind", "rate", "subset", "epochs", "net", "seed", "setting", "schedule")


class EveryEpoch(Callback):
    """Measure the curvature after every epoch, in every setting."""

    def __init__(self, store: Shared) -> None:
        self.store = store

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        X, y, seed = (self.store[name] for name in ("X", "y", "seed"))
        epoch = net.history[-1, "epoch"]
        for name, settings in PASSES.items():
            started = time.perf_counter()
            measured = input_curvatures(net.module_, X, y, **settings, seed=seed, epoch=epoch)
            self.store.setdefault(f"seconds {name}", []).append(time.perf_counter() - started)
            for setting, values in measured.items():
                self.store.setdefault(setting, []).append(values.numpy())


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    environment = started(args)
    records = Records(args.out / "records.jsonl", KEY)
    cells = [(d, k, s) for d in args.datasets for k in args.kinds for s in args.seeds]
    wanted = []
    for dataset, kind, seed in tqdm(cells, unit="training", file=sys.stderr):
        cell = {
            "dataset": args.titles.get(dataset, dataset),
            "kind": kind,
            "rate": args.rate,
            "subset": args.subset,
            "epochs": args.epochs,
            "net": args.net,
            "seed": seed,
        }
        wanted.append(cell)
        if {**cell, "setting": "loss", "schedule": "every epoch"} in records:
            continue
        for row in measure(dataset, kind, seed, args):
            records.add({**cell, **row, "environment": environment})
    rows = [row for cell in wanted for row in records.matching(**cell)]
    render(rows, args)


def loaded(name: str, args: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Return a part of the data; a folder of pictures is read once for all its trainings."""
    if name not in args.loaded:
        folder = args.folders.get(name)
        source = ("folder", folder) if folder else (name, args.data_dir)
        args.loaded[name] = data.load(*source, download=args.download, subset=args.subset)
    return args.loaded[name]


def measure(dataset: str, kind: str, seed: int, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield the AUROC and the cost of every setting under every schedule, all read off one training."""
    X, labels, mask = data.corrupt(*loaded(dataset, args), args.rate, kind, seed)
    store = trained(X, labels, seed, args)
    training = float(store["training"])
    for name, settings in PASSES.items():
        whole = float(store[name]) / training
        for h, n, power in ((h, n, p) for h in settings["h"] for n in settings["n"] for p in settings["power"]):
            each = whole * (n + 1) / (max(settings["n"]) + 1)
            values = store[f"{h:g}, {n}, {power}"]
            setting = f"h={h:g}, n={n}, power={power}"
            for schedule, choose in SCHEDULES.items():
                if not shown(setting, schedule):
                    continue
                epochs = choose(values)
                yield {
                    "setting": setting,
                    "schedule": schedule,
                    "auroc": round(auroc(mask, values[epochs].mean(0)), 6),
                    "n_scored": len(epochs),
                    "overhead": round(float(each * len(epochs) / args.epochs), 4),
                    "pass": round(float(each), 4),
                }
    yield {
        "setting": "loss",
        "schedule": "every epoch",
        "auroc": round(auroc(mask, store["loss"]), 6),
        "n_scored": 0,
        "overhead": 0.0,
        "pass": 0.0,
        "train_accuracy": round(float(store["accuracy"]), 4),
    }


def shown(setting: str, schedule: str) -> bool:
    """Say whether a setting under a schedule is in a table or in the picture."""
    lines = any(setting == line and re.fullmatch(schedules, schedule) for line, schedules in LINES)
    return setting == DEFAULT or schedule == "every epoch" or lines


def trained(X: np.ndarray, labels: np.ndarray, seed: int, args: argparse.Namespace) -> dict[str, np.ndarray]:
    """Train once; return the curvature after every epoch in every setting, the loss, and median seconds."""
    inputs = torch.from_numpy(data.as_inputs(X))
    store = Shared(X=inputs, y=torch.as_tensor(np.unique(labels, return_inverse=True)[1]), seed=seed)
    batch_size = recipes.batch_size(recipes.BATCH, len(labels))
    net = memorizing_net(args.net, batch_size=batch_size, callbacks=[EveryEpoch(store)])
    detector = LossDetector(net, max_epochs=args.epochs, device=args.device, random_state=seed)
    with quietly():
        detector.fit(X, labels)
    return {
        "loss": detector.scores_,
        "accuracy": np.array(detector.train_accuracy_),
        "training": np.array(np.median([record["seconds_training"] for record in detector.history_])),
        # medians: a neighbour on the machine may hold single epochs up
        **{name: np.array(np.median(store[f"seconds {name}"])) for name in PASSES},
        **{", ".join(f"{v:g}" for v in key): np.array(store[key]) for key in store if isinstance(key, tuple)},
    }


def render(rows: list[dict[str, Any]], args: argparse.Namespace) -> None:
    """Print the tables and write them, and the picture, beside the records."""
    frame = pd.DataFrame(rows)
    frame["percent"] = 100 * frame["auroc"]
    paper = f"h={PAPER[0][0]:g}, n={PAPER[0][1]}, power={PAPER[0][2]}"
    lines = [
        "# Detection against cost",
        "",
        f"`{command()}`",
        "",
        f"{args.subset} samples, {100 * args.rate:g} % wrong, {args.epochs} epochs, net {args.net or 'default'}, "
        f"{len(args.seeds)} seed(s); overhead in plain trainings, timed within the run. AUROC in percent, mean over "
        f"seeds; in brackets what it is above the paper's setting ({paper}, every epoch).",
        "",
    ]
    groups = frame.groupby(["dataset", "kind"], sort=False)
    for title, chosen in ((f"Schedules, {DEFAULT}", DEFAULT), ("Settings, every epoch", None)):
        cells = {}
        for (dataset, kind), part in groups:
            base = part[(part["setting"] == paper) & (part["schedule"] == PAPER[1])]["percent"].mean()
            shown = part[part["setting"] == chosen] if chosen else part[part["schedule"] == PAPER[1]]
            for name, some in shown.groupby("schedule" if chosen else "setting", sort=False):
                mean = some["percent"].mean()
                cells.setdefault(name, {})[f"{dataset}, {kind}"] = f"{mean:.2f} ({mean - base:+.2f})"
                cells[name].setdefault("overhead", []).append(some["overhead"].median())
        table = pd.DataFrame.from_dict(cells, orient="index")
        table["overhead"] = [f"{np.median(values):.2f}" for values in table["overhead"]]
        table = table[[c for c in table if c != "overhead"] + ["overhead"]]
        lines += [f"## {title}", "", table.to_markdown(disable_numparse=True), ""]
    picture(frame, paper, args.out / "pareto.png")
    write(lines, rows, args.out)


def picture(frame: pd.DataFrame, paper: str, path: Path) -> None:
    """Draw AUROC against overhead: a point for every setting and schedule, one panel for each set of data."""
    from matplotlib.figure import Figure

    groups = list(frame.groupby(["dataset", "kind"], sort=False))
    figure = Figure(figsize=(1.5 + 3.4 * len(groups), 4.2), layout="constrained")
    for ax, ((dataset, kind), part) in zip(figure.subplots(1, len(groups), squeeze=False)[0], groups, strict=True):
        mean = part.groupby(["setting", "schedule"], sort=False)[["percent", "overhead"]].mean().reset_index()
        for (setting, start), style in LINES.items():
            names = mean["schedule"].str.fullmatch(start) & (mean["setting"] == setting)
            some = mean[names].sort_values("overhead")
            label = f"{setting}, {'dense early' if 'dense' in start else 'evenly spread'}"
            ax.plot(some["overhead"], some["percent"], style, ms=3, lw=1, label=label)
        chosen = mean[(mean["setting"] == DEFAULT) & (mean["schedule"] == 'every="auto"')]
        ax.plot(chosen["overhead"], chosen["percent"], "ro", ms=8, mfc="none", label="the default")
        reference = mean[(mean["setting"] == paper) & (mean["schedule"] == PAPER[1])]
        ax.plot(reference["overhead"], reference["percent"], "k*", ms=10, label="the paper's")
        ax.axhline(float(mean.loc[mean["setting"] == "loss", "percent"].iloc[0]), color="0.5", ls=":", label="loss")
        ax.axvline(0.35, color="0.8", lw=0.8)
        ax.set(xscale="log", xlabel="overhead, plain trainings", ylabel="AUROC, %", title=f"{dataset}, {kind}")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=7)
    figure.savefig(path, dpi=110)


def pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__)
    add = parser.add_argument
    add("--datasets", nargs="+", default=["digits"], help=f"of {', '.join(data.NAMES)}, or names of --folders")
    add("--folders", type=pair, nargs="+", default=[], metavar="NAME=PATH", help="folders of pictures, by name")
    add("--titles", type=pair, nargs="+", default=[], metavar="NAME=TITLE", help="what the tables call them")
    add("--data-dir", default="data", help="where torchvision finds the data")
    add("--download", action="store_true", help="let torchvision fetch the data")
    add("--subset", type=int, default=1000, help="use so many samples, class shares kept")
    add("--kinds", choices=["uniform", "pair", "duplicates"], nargs="+", default=["uniform"])
    add("--rate", type=float, default=0.1, help="share of labels to corrupt")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2])
    add("--epochs", type=int, default=100)
    add("--net", help="a named network; by default one sized from the data")
    add_run(parser, Path(__file__).parent / "runs" / "pareto")
    args = parser.parse_args(argv)
    args.loaded = {}
    args.folders, args.titles = dict(args.folders), dict(args.titles)
    return args


if __name__ == "__main__":
    main()

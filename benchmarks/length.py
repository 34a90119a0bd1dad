"""How long a training has to be beside witnesses that train nothing: seconds against how well wrong labels rank.

Trainings of several lengths, each ranked by its loss alone and by the loss beside what is left out, a ridge regression
and, for rows, a forest. Tables are made here or come with scikit-learn; pictures are those of data/.

    python benchmarks/length.py
    python benchmarks/length.py --kinds digits --pictures mnist:4000 folder:3000 folder:5000 --data-dir data
    python benchmarks/length.py --kinds --embedded folder:10000  # features of EfficientNet-Lite0, as embeddings.py

Every finished training is one line in OUT/records.jsonl; the same command again goes on where it was cut short.
"""

from __future__ import annotations

import argparse
import time
from functools import lru_cache
from pathlib import Path
from textwrap import fill

import numpy as np
import pandas as pd
import torch
from harness import data
from harness.environment import announce, command
from harness.kinds import KINDS
from harness.lite0 import network
from harness.options import command_line
from harness.quiet import quietly
from harness.records import Records
from harness.written import markdown, write

from curvdetect import FusedDetector, ImageEmbedder, LossDetector, corrupt_labels, memorizing_net
from curvdetect.metrics import auroc, average_precision

TABLES = ("wine", "digits", "wide 100", "one-hot", "imbalanced", "spiral")
LENGTHS = (4, 8, 12, 20, 30)
#: What the names of pictures begin with that are given to a pretrained network first.
FEATURES = "features of "
#: Most data sets whose panels stand side by side in the picture.
BESIDE = 4
#: Weights of the loss, where the mean weight of what is left out is 1.
WEIGHTS = (0.5, 0.75, 1.0, 1.5, 3.0)


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    environment = announce(args.device, threads=1)
    records = Records(args.out / "records.jsonl", ("data", "noise", "rate", "seed", "epochs", "lr"))
    wanted = [
        {"data": name, "noise": noise, "rate": rate, "seed": seed, "epochs": epochs, "lr": lr}
        for name in [*args.kinds, *args.pictures, *(f"features of {name}" for name in args.embedded)]
        for noise, rate in [*(("uniform", rate) for rate in args.rates), *(("pair", rate) for rate in args.pair_rates)]
        for seed in args.seeds
        for lr in args.learning_rates
        for epochs in args.lengths
    ]
    with quietly():
        rows = records.measured(wanted, lambda row: measure(row, args), environment=environment)
    render(rows, args)


def measure(row: dict, args: argparse.Namespace) -> dict:
    """Return what a training of one length makes of one corrupted copy of the labels, alone and beside the others."""
    cell = (row[name] for name in ("data", "noise", "rate", "seed"))
    X, labels, mask = corrupted(*cell, args.data_dir, args.folder, args.cache, args.device)
    left_out, seconds_left_out = left_out_of(X, labels, row, args)
    net = memorizing_net(None, lr=row["lr"])
    started = time.process_time()
    detector = LossDetector(net, max_epochs=row["epochs"], device=args.device, random_state=row["seed"])
    detector.fit(X, labels)
    scores = {f"loss {weight:g}": left_out + weight * detector.scores_ for weight in WEIGHTS}
    scores |= {"loss": detector.scores_, "left out": left_out}
    return {
        "shape": list(X.shape),
        "train_accuracy": round(detector.train_accuracy_, 4),
        "auroc": {name: round(auroc(mask, one), 6) for name, one in scores.items()},
        "ap": {name: round(average_precision(mask, one), 6) for name, one in scores.items()},
        "seconds": {"training": round(time.process_time() - started, 3), "left out": seconds_left_out},
    }


@lru_cache(maxsize=1)
def corrupted(
    name: str, noise: str, rate: float, seed: int, data_dir: str, folder: str, cache: Path, device: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return samples, labels of which some are wrong, and which these are."""
    if name in KINDS:
        X, y = KINDS[name](seed)
        X = np.asarray(X, dtype=np.float32)
    else:
        kind, _, subset = name.removeprefix(FEATURES).partition(":")
        X, y = data.load(kind, folder if kind == "folder" else data_dir, subset=int(subset))
        if name.startswith(FEATURES):
            X = ImageEmbedder(network(), size=160, device=device, cache_dir=cache).fit_transform(X)
    return X, *corrupt_labels(y, rate, kind=noise, random_state=seed)


_LEFT_OUT: dict[str, tuple[np.ndarray, float]] = {}


def left_out_of(X: np.ndarray, labels: np.ndarray, row: dict, args: argparse.Namespace) -> tuple[np.ndarray, float]:
    """Return the weighted sum of what is left out, and the seconds of the processor that it takes."""
    key = f"{row['data']} {row['noise']} {row['rate']} {row['seed']}"
    if key not in _LEFT_OUT:
        _LEFT_OUT.clear()
        torch.set_num_threads(1)
        started = time.process_time()
        detector = FusedDetector(max_epochs=1, device=args.device, random_state=row["seed"]).fit(X, labels)
        spent = time.process_time() - started
        weights = {name: weight for name, weight in detector.fused_signals_.items() if "loss" not in name}
        summed = sum(weight * detector.signal_scores_[name] for name, weight in weights.items())
        _LEFT_OUT[key] = summed, round(spent - detector.seconds_["training"], 3)
    return _LEFT_OUT[key]


def render(rows: list[dict], args: argparse.Namespace) -> None:
    """Print the tables and write them beside the records."""
    lines = ["# How long a training has to be beside what is left out", "", f"`{command()}`", ""]
    shown = ["loss", "left out", *(f"loss {weight:g}" for weight in WEIGHTS)]
    captions = {name: f"{name.split()[-1]} loss + left out" for name in shown[2:]}
    for part, title in (("auroc", "AUROC, %"), ("ap", "Average precision, %")):
        frame = pd.DataFrame([{**cell_of(row, args), **{name: row[part][name] for name in shown}} for row in rows])
        keys = ["data", "wrong", "epochs"] + ["lr"] * (len(args.learning_rates) > 1)
        mean = frame.groupby(keys, sort=False)[shown].mean()
        table = mean.map(lambda value: f"{100 * value:.2f}").rename(columns=captions)
        lines += [f"## {title}", "", markdown(table.reset_index(), index=False, left=2), ""]
    cost = pd.DataFrame([{**cell_of(row, args), **row["seconds"], "accuracy": row["train_accuracy"]} for row in rows])
    median = cost.groupby(["data", "epochs"], sort=False)[["training", "left out", "accuracy"]].median()
    table = median.map(lambda value: f"{value:.2f}")
    lines += ["## Seconds of the processor, and training accuracy", "", markdown(table.reset_index(), index=False), ""]
    lines += [f"Means, and medians of the seconds, over seeds {', '.join(map(str, args.seeds))}. One thread.", ""]
    picture(rows, args)
    write(lines, rows, args.out)


def picture(rows: list[dict], args: argparse.Namespace) -> None:
    """Draw both measures against the seconds of a length, with and without what is left out; a panel for each data."""
    from matplotlib.figure import Figure

    def point(row: dict) -> dict:
        training, left_out = row["seconds"]["training"], row["seconds"]["left out"]
        each = {"loss alone": ("loss", training), "loss + left out": ("loss 1", training + left_out)}
        return {
            **cell_of(row, args),
            **{(name, part): 100 * row[part][score] for name, (score, _) in each.items() for part in ("auroc", "ap")},
            **{(name, "seconds"): seconds for name, (_, seconds) in each.items()},
        }

    frame = pd.DataFrame([point(row) for row in rows])
    groups = list(frame.groupby("data", sort=False))
    beside = min(BESIDE, len(groups))
    figure = Figure(figsize=(0.5 + 3.2 * beside, 5.4 * -(-len(groups) // beside)), layout="constrained")
    axes = figure.subplots(2 * -(-len(groups) // beside), beside, squeeze=False)
    for one in axes.flat:
        one.set_visible(False)
    for number, (title, of_data) in enumerate(groups):
        top = 2 * (number // beside)
        column = axes[top : top + 2, number % beside]
        for ax, (part, caption) in zip(column, (("auroc", "AUROC, %"), ("ap", "average precision, %")), strict=True):
            ax.set_visible(True)
            for color, (wrong, some) in enumerate(of_data.groupby("wrong", sort=False)):
                mean = some.groupby("epochs").mean(numeric_only=True)
                for name, style in (("loss alone", "--"), ("loss + left out", "-")):
                    x, y = mean[name, "seconds"], mean[name, part]
                    ax.plot(x, y, style, marker="o", ms=3, lw=1, color=f"C{color}", label=f"{wrong}, {name}")
                    if color == 0 and name != "loss alone":
                        for epochs in mean.index:
                            ax.annotate(str(epochs), (x[epochs], y[epochs]), fontsize=6)
            ax.set(xlim=(0, None), xlabel="seconds of the processor", ylabel=caption)
        column[0].set_title(fill(title, 36), fontsize=9)
    figure.legend(*column[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=7)
    args.out.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.out / "length.png", dpi=110)


def cell_of(row: dict, args: argparse.Namespace) -> dict:
    """Return what the tables call the cell of a row."""
    name, _, subset = row["data"].removeprefix(FEATURES).partition(":")
    wrong = f"{100 * row['rate']:g} %" + f", {row['noise']}" * (row["noise"] != "uniform")
    called = f"{args.title if name == 'folder' else name.upper()}, {subset}" if subset else name
    called += ", features" * row["data"].startswith(FEATURES)
    return {"data": called, "wrong": wrong, "epochs": row["epochs"], "lr": row["lr"]}


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__, 2)
    add = parser.add_argument
    add("--kinds", nargs="*", default=list(TABLES), choices=list(KINDS), metavar="KIND", help="tables")
    add("--pictures", nargs="*", default=[], metavar="NAME:N", help="subsets: mnist:4000, cifar10:3000, folder:3000")
    add("--embedded", nargs="*", default=[], metavar="NAME:N", help="subsets as features of EfficientNet-Lite0")
    add("--cache", type=Path, default=Path(__file__).parent / "runs" / "features", help="folder of their features")
    add("--data-dir", default="data", help="of torchvision's data sets")
    add("--folder", default="data/train", help="folder of classes that the name folder stands for")
    add("--title", default="folder", help="what tables call the pictures of the name folder")
    add("--lengths", type=int, nargs="+", default=list(LENGTHS), help="of the trainings, in epochs")
    add("--learning-rates", type=float, nargs="+", default=[0.1], help="of the trainings, where highest")
    add("--rates", type=float, nargs="*", default=[0.1, 0.3], help="shares of wrong labels, uniform noise")
    add("--pair-rates", type=float, nargs="*", default=[], help="the same of pair-flip noise")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the data, the corruption and the training")
    add("--device", default="auto")
    add("--out", type=Path, default=Path(__file__).parent / "runs" / "length", help="folder for records and tables")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()

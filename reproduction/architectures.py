r"""How much the curvature owes to the network: Tables 5 to 7 of the paper.

ResNet18, VGG13-BN, DenseNet121 and MobileNetV2 of torchvision, adapted to small pictures, memorize the same labels. The
curvature that each gives is compared with memorization as Feldman and Zhang measure it, and with that of the others.
Without arguments: scikit-learn's digits, with an eighth of the channels in every layer.

    python reproduction/architectures.py
    python reproduction/architectures.py --dataset cifar100 --data-dir data --download --narrower 1 --augment \
        --epochs 300 --step-decay --h 1e-3 --n 10 --every 1 --reference cifar100_infl_matrix.npz

The last is the paper's own setting, for a GPU. Memorization of other data is measured by reproduction/memorization.py.
Every finished comparison is one line in OUT/records.jsonl; the same command again goes on.
"""

from __future__ import annotations

import argparse
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from harness import data, fits, memorization, similarity
from harness.architectures import NAMES, build
from harness.environment import command
from harness.options import (
    add_data,
    add_run,
    add_training,
    command_line,
    every_or_auto,
    measuring,
    started,
    training_net,
)
from harness.records import Records
from harness.similarity import MEASURES
from harness.written import markdown, write

from curvdetect import CurvatureNoiseDetector

#: The other side of the comparisons that are no network's.
MEMORIZATION, CONSTANT = "memorization", "constant"
#: Table 5 of the paper, CIFAR-100: similarity to memorization, of all samples and of the top 5,000.
TABLE_5 = {
    "resnet18": (0.82, 0.90),
    "vgg13_bn": (0.75, 0.87),
    "densenet121": (0.74, 0.83),
    "mobilenet_v2": (0.77, 0.90),
}
#: Tables 7 and 6: the same between networks.
BETWEEN = {
    ("resnet18", "vgg13_bn"): (0.83, 0.89),
    ("resnet18", "densenet121"): (0.83, 0.88),
    ("resnet18", "mobilenet_v2"): (0.87, 0.92),
    ("vgg13_bn", "densenet121"): (0.76, 0.83),
    ("vgg13_bn", "mobilenet_v2"): (0.83, 0.88),
    ("densenet121", "mobilenet_v2"): (0.78, 0.85),
}
SETTINGS = ("subset", "size", "narrower", "epochs", "augment", "step_decay", "weight_decay", "h", "n", "power", "every")


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    environment = started(args)
    args.keep = args.keep or args.out
    X, y = data.load(args.dataset, args.data_dir, download=args.download, subset=args.subset, size=args.size)
    if args.dataset == "digits":
        X = X.reshape(-1, 1, 8, 8)
    reference = memorization.read(args.reference, n_samples=len(y))
    cell = {
        "dataset": args.dataset,
        "reference": reference.digest(),
        "settings": {name: getattr(args, name) for name in (*SETTINGS, "top")},
    }
    records = Records(args.out / "records.jsonl", ("dataset", "reference", "settings", "seed", "one", "other"))
    wanted = [{**cell, **pair} for pair in compared(args)]

    def measured(one: dict[str, Any]) -> dict[str, Any]:
        fit = fitted(X, y, one["one"], one["seed"], args)
        if one["other"] == MEMORIZATION:
            other = reference.values
        elif one["other"] == CONSTANT:
            other = np.ones(len(y))
        else:
            # a network against itself: another training
            seed = following(one["seed"], args) if one["other"] == one["one"] else one["seed"]
            other = fitted(X, y, one["other"], seed, args).signals["curvature"]
        grades = similarity.alike(fit.signals["curvature"], other, reference.values, args.top)
        return {**grades, "train_accuracy": round(fit.train_accuracy, 6)}

    render(records.measured(wanted, measured, environment=environment), reference, args, len(y))


def compared(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Return what is compared with what, in the order in which networks are trained."""
    pairs = [
        {"seed": seed, "one": one, "other": other}
        for seed in args.seeds
        for one in args.nets
        for other in (MEMORIZATION, CONSTANT)
    ]
    pairs += [{"seed": s, "one": one, "other": other} for s in args.seeds for one, other in combinations(args.nets, 2)]
    return pairs + [{"seed": seed, "one": one, "other": one} for seed, _ in pairwise(args.seeds) for one in args.nets]


def following(seed: int, args: argparse.Namespace) -> int:
    return args.seeds[args.seeds.index(seed) + 1]


def fitted(X: np.ndarray, y: np.ndarray, name: str, seed: int, args: argparse.Namespace) -> fits.Fit:
    """Return the curvature that a network gives, or what an earlier call kept of it."""
    settings = [getattr(args, setting) for setting in ("dataset", "data_dir", *SETTINGS)]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = build(name, len(np.unique(y)), X.shape[1], X.shape[2], args.narrower)
    net = training_net(args, module, args.weight_decay)
    common = {"max_epochs": args.epochs, "device": args.device, "random_state": seed}
    detector = CurvatureNoiseDetector(net, **measuring(args), **common)
    return fits.fitted(detector, X, y, args.keep / f"{name}-{seed}-{fits.name_of(settings)}.npz")


def render(
    rows: list[dict[str, Any]], reference: memorization.Memorization, args: argparse.Namespace, n_samples: int
) -> None:
    """Print the tables and write them beside the records."""
    frame = pd.DataFrame(rows)
    title = f"{args.title or args.dataset}, {n_samples} samples, {len(args.seeds)} seed(s)"
    explained = similarity.explained(reference, args.top)
    brackets = "In brackets: the paper, CIFAR-100, top 5,000."
    between = (
        f"{brackets} On the diagonal, where the paper has 1: two trainings of one network. "
        "Last row: a score that is the same for every sample."
    )
    width = "" if args.narrower == 1 else f" with 1/{args.narrower} of the channels"
    lines = [
        f"# Architectures: {title}",
        "",
        f"`{command(without='--keep')}`",
        "",
        f"Networks of torchvision for small pictures{width}, epochs {args.epochs or 'default'}"
        f"{', cropped and flipped' * args.augment}, weight decay {args.weight_decay:g}; curvature with h = {args.h:g}, "
        f"n = {args.n}, power = {args.power}, every = {args.every}. Training accuracy "
        f"{frame['train_accuracy'].min():.4f} or more. Mean ± standard deviation over seeds "
        f"{', '.join(map(str, args.seeds))}. {reference.described}",
        "",
        "## Table 5",
        "",
        to_memorization(frame, reference, args),
        "",
        f"{brackets} {explained}",
        "",
    ]
    for number, measure in ((6, "top_k"), (7, "cosine")):
        lines += [f"## Table {number}", "", matrix(frame, measure, args), "", f"{MEASURES[measure]}. {between}", ""]
    lines += ["## Correlation of ranks", "", matrix(frame, "spearman", args), "", f"Spearman. {between}", ""]
    write(lines, rows, args.out)


def to_memorization(frame: pd.DataFrame, reference: memorization.Memorization, args: argparse.Namespace) -> str:
    """Return the table of similarities to memorization."""
    own = frame[frame["other"] == MEMORIZATION].assign(weight_decay=args.weight_decay).rename(columns={"one": "name"})
    base = similarity.baselines(reference, args.top)
    lowest = pd.DataFrame([{"name": name, "weight_decay": None, **grades} for name, grades in base.items()])
    published = {
        (name, args.weight_decay, measure): value
        for name, values in TABLE_5.items()
        for measure, value in zip(("cosine", "top_k"), values, strict=True)
    }
    captions = {name: NAMES[name] for name in args.nets} | similarity.BASELINES
    return similarity.table(pd.concat([own, lowest]), captions, published)


def values_between(frame: pd.DataFrame, measure: str, one: str, other: str) -> pd.Series:
    """Return a measure between two networks, or a network and something else, over seeds."""
    there = (frame["one"] == one) & (frame["other"] == other)
    back = (frame["one"] == other) & (frame["other"] == one)
    return frame.loc[there | back, measure]


def matrix(frame: pd.DataFrame, measure: str, args: argparse.Namespace) -> str:
    """Return the table of a measure between networks."""
    which = {"cosine": 0, "top_k": 1}.get(measure)
    table = pd.DataFrame(index=[*(NAMES[name] for name in args.nets), "Constant"])
    for one in args.nets:
        column = []
        for other in (*args.nets, CONSTANT):
            known = BETWEEN.get((one, other), BETWEEN.get((other, one)))
            text = similarity.cell(values_between(frame, measure, one, other))
            column.append(text if which is None or known is None else f"{text} ({known[which]:.2f})")
        table[NAMES[one]] = column
    return markdown(table)


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__)
    add_data(parser)
    add_training(parser)
    add = parser.add_argument
    add("--reference", type=Path, help="memorization: a CSV file of reproduction/memorization.py, or a released .npz")
    add("--nets", choices=list(NAMES), nargs="+", default=list(NAMES))
    add("--narrower", type=int, choices=[1, 2, 4, 8], default=8, help="what channels are divided by. Full size: 1")
    add("--weight-decay", type=float, default=1e-4)
    add("--seeds", type=int, nargs="+", default=[0, 1])
    add("--h", type=float, default=1e-2, help="step; the paper: 0.001")
    add("--n", type=int, default=1, help="number of probes; the paper: 10")
    add("--power", type=int, choices=[1, 2], default=1, help="norm or squared norm")
    add("--every", type=every_or_auto, default="auto", help="measure the curvature every so many epochs; the paper: 1")
    add("--keep", type=Path, help="folder that keeps scores; by default that of --out")
    add_run(parser, Path(__file__).parent / "runs" / "architectures-DATASET")
    args = parser.parse_args(argv)
    args.reference = memorization.reference_of(parser, args)
    return args


if __name__ == "__main__":
    main()

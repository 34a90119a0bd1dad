r"""Losses and mean curvature by epoch, of samples trained on and held out, and what scores of single epochs are worth.

Figs. 6, 8, 14 and 15 of the paper. A network memorizes the labels as they are, and with some of them planted wrong,
with and without weight decay; after each epoch its curvature is measured at every sample. Without arguments:
scikit-learn's digits, nothing downloaded.

    python reproduction/dynamics.py
    python reproduction/dynamics.py --reference reproduction/results/memorization-digits/memorization.csv
    python reproduction/dynamics.py --dataset cifar100 --data-dir data --download --paper --held-out test \
        --reference cifar100_infl_matrix.npz

A reference is the memorization of Feldman and Zhang, of the same data in the same order: a table with the columns index
and memorization, or their own file. Every finished training is one line in OUT/records.jsonl; the same command again
goes on where it was cut short.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from harness import data, memorization, recipes
from harness.environment import command
from harness.epochs import tables
from harness.epochs_drawn import curves, similarities
from harness.options import add_data, add_run, command_line, started
from harness.quiet import quietly
from harness.records import Records
from harness.shared import Shared
from harness.watching import Watch, running_mean, tensors
from harness.written import write
from scipy.stats import spearmanr
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state

from curvdetect import LossDetector, memorizing_net, one_cycle, step_decay
from curvdetect.metrics import auroc, cosine_similarity, top_k_cosine_similarity

#: Share of the samples whose memorization is highest, for the top-K similarity: the paper's 5,000 of 50,000.
TOP = 0.1
#: Number of epochs at the end whose mean stands beside the last one alone: there it is not for want of probes.
END = 5
#: Always part of what a record is of; the others only where they are set.
SETTINGS = ("subset", "held_out", "size", "net", "epochs", "schedule", "lr", "h", "n", "power", "every")
LATER_SETTINGS = ("paper", "augment")
KEY = ("dataset", "settings", "rate", "weight_decay", "seed", "reference")


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    environment = started(args)
    parts = split(args)
    settings = {s: getattr(args, s) for s in SETTINGS} | {s: v for s in LATER_SETTINGS if (v := getattr(args, s))}
    cells = [
        {
            "dataset": args.dataset,
            "settings": settings,
            "rate": r,
            "weight_decay": w,
            "seed": s,
            "reference": parts["digest"],
        }
        for s in args.seeds
        for r in args.rates
        for w in args.weight_decays
    ]
    records = Records(args.out / "records.jsonl", KEY)

    def measured(cell: dict[str, Any]) -> dict[str, Any]:
        row = summary(*measure(parts, cell, args), None if cell["rate"] else parts["reference"])
        return {**row, "first_phase": first_phase(args)}

    rows = records.measured(cells, measured, environment=environment)
    render(rows, args, {name: len(parts[name][1]) for name in ("training", "held-out")})


def split(args: argparse.Namespace) -> dict[str, Any]:
    """Return what is trained on and what is held out, and the reference of the former."""
    options = {"download": args.download, "subset": args.subset, "size": args.size}
    if isinstance(args.held_out, str):
        X, y, held, true = data.load_both(args.dataset, args.data_dir, args.held_out, **options)
        index = np.arange(len(y))
    else:
        X, y = data.load(args.dataset, args.data_dir, **options)
        index, rest = train_test_split(np.arange(len(y)), test_size=args.held_out, stratify=y, random_state=0)
        held, true = X[rest], y[rest]
    reference = None
    if args.reference:
        try:
            reference = memorization.read(args.reference, len(y))
        except ValueError as error:
            sys.exit(f"--reference: {error}")
    classes = np.unique(y)
    return {
        "training": (X[index], np.searchsorted(classes, y[index])),
        "held-out": (held, np.searchsorted(classes, true)),
        "reference": None if reference is None else reference.values[index],
        "digest": None if reference is None else reference.digest(),
    }


def measure(parts: dict[str, Any], cell: dict[str, Any], args: argparse.Namespace) -> tuple[dict[str, Any], Any]:
    """Return what every sample did after every epoch of one training, and the mask of wrong labels."""
    X, y = parts["training"]
    labels, mask = y, np.zeros(len(y), dtype=bool)
    if cell["rate"]:
        _, labels, mask = data.corrupt(X, y, cell["rate"], "uniform", cell["seed"])
    return {name: np.array(values) for name, values in trained(parts, labels, cell, args).items()}, mask


def trained(parts: dict[str, Any], labels: Any, cell: dict[str, Any], args: argparse.Namespace) -> dict[str, Any]:
    """Train once, and watch both parts after every epoch."""
    X, seed = parts["training"][0], cell["seed"]
    sets = Shared(training=(*tensors(X, labels), args.n), held_out=(*tensors(*parts["held-out"]), 1))
    # the probes are those that a detector with this random_state draws
    probes = int(check_random_state(seed).randint(2**31 - 1))
    store = Shared()
    watch = Watch(store, sets, h=args.h, power=args.power, seed=probes, every=args.every)
    net = memorizing_net(
        args.net,
        lr=args.lr,
        weight_decay=cell["weight_decay"],
        schedule=one_cycle if args.schedule == "one-cycle" else partial(step_decay, milestones=args.milestones),
        augment=args.augment,
        batch_size=recipes.batch_size(recipes.BATCH, len(labels)),
        max_epochs=args.epochs,
        callbacks=[watch],
        for_tables=False,  # a weight decay of choice, all the time
    )
    with quietly():
        LossDetector(net, device=args.device, random_state=seed).fit(X, labels)
    return store


def first_phase(args: argparse.Namespace) -> int:
    """Return the number of epochs before the learning rate first drops; all where it never does at once."""
    return args.epochs if args.schedule == "one-cycle" else round(args.milestones[0] * args.epochs)


def summary(store: dict[str, Any], mask: Any, reference: Any) -> dict[str, Any]:
    """Return the measurements of a training, by epoch."""
    curvature = np.asarray(store["training curvature"])
    means = running_mean(curvature)
    row: dict[str, Any] = {"epochs": np.asarray(store["epochs"]).tolist()}
    for part in ("training", "held_out"):
        for what in ("loss", "correct", "curvature"):
            row[f"{part} {what}"] = short(np.asarray(store[f"{part} {what}"], dtype=float).mean(1))
    if mask.any():
        row["wrong curvature"] = short(curvature[:, mask].mean(1))
        row["right curvature"] = short(curvature[:, ~mask].mean(1))
        row["auroc"] = {
            "epoch": short([auroc(mask, values) for values in curvature]),
            "cumulative": short([auroc(mask, values) for values in means]),
            "end": short([auroc(mask, curvature[-END:].mean(0))])[0],
        }
    if reference is not None:
        row["similarity"] = {
            name: {
                "epoch": short([measure(values, reference) for values in curvature]),
                "cumulative": short([measure(values, reference) for values in means]),
                "end": short([measure(curvature[-END:].mean(0), reference)])[0],
                "constant": short([0.0 if name == "spearman" else measure(np.ones(len(reference)), reference)])[0],
            }
            for name, measure in SIMILARITIES.items()
        }
    return row


def short(values: Any) -> list[float]:
    """Return numbers to four significant digits."""
    return [float(f"{value:.4g}") for value in values]


SIMILARITIES = {
    "cosine": cosine_similarity,
    "top-k cosine": lambda scores, reference: top_k_cosine_similarity(scores, reference, round(TOP * len(reference))),
    "spearman": lambda scores, reference: float(spearmanr(scores, reference).statistic),
}


def render(rows: list[dict[str, Any]], args: argparse.Namespace, sizes: dict[str, int]) -> None:
    """Print the tables and write them, and the pictures, beside the records."""
    augmented = ", cropped and flipped" if args.augment else ""
    decay = f"times 0.1 after {' and '.join(f'{share:.3g}' for share in args.milestones)} of them"
    schedule = "one-cycle" if args.schedule == "one-cycle" else decay
    lines = [
        f"# Dynamics: {args.title or args.dataset}, {sizes['training']} samples, {sizes['held-out']} held out, "
        f"{len(args.seeds)} seed(s)",
        "",
        f"`{command()}`",
        "",
        f"Net {args.net or 'default'}{augmented}, {args.epochs} epochs, learning rate {args.lr:g}, {schedule}; "
        f"h = {args.h:g}, n = {args.n} (1 at held-out samples), power = {args.power}, measured after every "
        f"{f'{args.every} epochs' if args.every > 1 else 'epoch'}.",
        "",
        *tables(rows),
    ]
    for rate in args.rates:
        curves([row for row in rows if row["rate"] == rate], args.out / f"dynamics-{100 * rate:g}.png")
    compared = [row for row in rows if "similarity" in row]
    if compared:
        similarities(compared, args.out / "similarity.png")
    write(lines, rows, args.out)


def share_or_count(text: str) -> float | int | str:
    try:
        number = float(text)
    except ValueError:
        return text
    return number if number < 1 else int(number)


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__)
    add_data(parser)
    add = parser.add_argument
    add(
        "--held-out",
        type=share_or_count,
        default=0.2,
        help="samples not trained on: a share or number of those there are, or 'test' for torchvision's test data, or "
        "the path of another folder",
    )
    add("--rates", type=float, nargs="+", default=[0.0, 0.1], help="shares of labels to corrupt; 0: labels as given")
    add("--weight-decays", type=float, nargs="+", default=[0.0, 1e-4])
    add("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the corruption and the training")
    add("--reference", type=Path, help="memorization of Feldman and Zhang, to compare with where labels are as given")
    add("--paper", action="store_true", help="network, length, augmentation and curvature as in the paper")
    add("--net", help="a named network; by default one sized from the data")
    add("--epochs", type=int, help="length of the training (default: 100)")
    add("--schedule", choices=["step", "one-cycle"], default="step", help="of the learning rate")
    add("--milestones", type=float, nargs="+", help="shares of the epochs at which it drops (default: 1/2 5/6)")
    add("--lr", type=float, help="learning rate of the first phase (default: 0.1; digits, without BatchNorm: 0.03)")
    add("--augment", action="store_true", help="crop and flip pictures while training")
    add("--h", type=float, help="step of the finite difference (default: 0.01; the paper's 0.001)")
    add("--n", type=int, default=10, help="number of probes; held-out samples, of which the mean counts, get one")
    add("--power", type=int, choices=[1, 2], default=1, help="norm or squared norm")
    add("--every", type=int, default=1, help="measure after every so many epochs; the paper's 4 for ImageNet")
    add_run(parser, Path(__file__).parent / "runs" / "dynamics-DATASET")
    args = parser.parse_args(argv)
    if args.paper and args.dataset not in recipes.PAPER:
        parser.error(f"--paper: the paper has recipes for {', '.join(recipes.PAPER)}. Take one of them as --dataset.")
    if args.dataset == "digits" and isinstance(args.held_out, str):
        parser.error("--held-out: digits come in one piece. Say how many of them to hold out.")
    recipe = recipes.PAPER[args.dataset] if args.paper else {}
    for name, value in (recipe | {"h": 1e-3} if args.paper else {}).items():
        if getattr(args, name) in (None, False):
            setattr(args, name, value)
    args.epochs, args.milestones, args.h = args.epochs or 100, args.milestones or (0.5, 5 / 6), args.h or 1e-2
    args.lr = args.lr or (0.03 if args.dataset == "digits" else 0.1)
    return args


if __name__ == "__main__":
    main()

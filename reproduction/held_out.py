"""Curvature of samples that were held out: of a network trained on them, and of one that never saw them.

App. E of the paper (Figs. 16 and 17) trains the same network on the validation set, without weight decay, and shows
the samples with the highest curvature. Beside it, the network that was trained on the training set scores the held-out
set on weights that it kept meanwhile. With wrong labels planted in the held-out set, both have an AUROC. Without
arguments: scikit-learn's digits cut in two, nothing downloaded, a minute.

    python reproduction/held_out.py
    python reproduction/held_out.py --dataset mnist --data-dir data --download --subset 4000
    python reproduction/held_out.py --dataset cifar10 --data-dir data --download --paper   # full size

Every finished training is in OUT/records.jsonl; the same command again goes on where it was cut short.
"""

from __future__ import annotations

import argparse
import copy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from harness import data, options, pictures
from harness.environment import command
from harness.options import add_data, add_run, command_line, started
from harness.quiet import quietly
from harness.records import Records
from harness.written import markdown, write
from scipy.stats import rankdata, spearmanr

from curvdetect import CurvatureNoiseDetector, LossDetector
from curvdetect.metrics import auroc, average_precision

#: Weights that are kept of the network that never saw the held-out set.
SNAPSHOTS = 8
#: Rankings, by where the network was trained.
METHODS = {
    "held-out set": {
        "curvature": "Curvature, trained on the held-out set (App. E)",
        "loss": "Cumulative loss (CSL), trained on the held-out set",
    },
    "training set": {
        **{
            f"curvature, {k}": f"Curvature, trained on the training set, {k} snapshot{'s' * (k > 1)}"
            for k in (8, 4, 2, 1)
        },
        "curvature, last": "Curvature, trained on the training set, last snapshot alone",
        "loss, 8": "Loss, trained on the training set, 8 snapshots",
    },
}
#: The two rankings that the figure shows and the table compares.
PAIR = (("held-out set", "curvature"), ("training set", "curvature, 8"))
PUBLISHED = "Published: the pictures with the highest curvature (Figs. 16 and 17), and no number."
SETTINGS = ("subset", "size", "net", "epochs", "augment", "paper", "quick", "h", "n", "power", "every", "weight_decay")
CELL = ("dataset", "settings", "rate", "seed", "trained on")
KEPT = 100


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    environment = started(args)
    sizes = {"download": args.download, "subset": args.subset, "size": args.size}
    X, y, held_out, labels = data.load_both(args.dataset, args.data_dir, args.held_out_dir, **sizes)
    settings = {name: getattr(args, name) for name in SETTINGS}
    records = Records(args.out / "records.jsonl", CELL)
    cell = {"dataset": args.dataset, "settings": settings}
    wanted = [
        {**cell, "rate": rate, "seed": seed, "trained on": trained_on}
        for seed in args.seeds
        for trained_on in METHODS
        for rate in args.rates
    ]
    trained = cache(lambda seed: on_training_set(X, y, seed, args))

    def measured(row: dict[str, Any]) -> dict[str, Any]:
        given, mask = planted(held_out, labels, row)
        if row["trained on"] == "training set":
            return graded(over_snapshots(*trained(row["seed"]), held_out, given), mask)
        return graded(on_held_out_set(held_out, given, row["seed"], args), mask)

    render(records.measured(wanted, measured, environment=environment), held_out, labels, args)


def planted(held_out: np.ndarray, labels: np.ndarray, row: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels of the held-out set with a share of wrong ones, and the mask of those."""
    if not row["rate"]:
        return labels, np.zeros(len(labels), dtype=bool)
    _, given, mask = data.corrupt(held_out, labels, row["rate"], "uniform", row["seed"])
    return given, mask


def common(args: argparse.Namespace, seed: int) -> dict[str, Any]:
    return {"max_epochs": args.epochs, "device": args.device, "random_state": seed, "verbose": args.verbose}


def on_held_out_set(held_out: np.ndarray, given: np.ndarray, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """Return the scores of a network that is trained on the held-out set itself."""
    net = options.main_net(args, args.weight_decay, len(given))
    with quietly():
        detector = CurvatureNoiseDetector(net, **options.measuring(args), **common(args, seed)).fit(held_out, given)
    return {name: detector.signal_scores_[name] for name in METHODS["held-out set"]}


def on_training_set(X: np.ndarray, y: np.ndarray, seed: int, args: argparse.Namespace) -> tuple[Any, Any]:
    """Return two detectors with the same training, of which weights are kept: of the curvature, and of the loss."""
    net = options.main_net(args, args.weight_decay, len(y))
    kept = {"keep_snapshots": SNAPSHOTS, **common(args, seed)}
    with quietly():
        curvature = CurvatureNoiseDetector(net, **options.measuring(args), **kept).fit(X, y)
        return curvature, LossDetector(net, **kept).fit(X, y)


def over_snapshots(curvature: Any, loss: Any, held_out: np.ndarray, given: np.ndarray) -> dict[str, np.ndarray]:
    """Return scores of samples that were not fitted, over more and fewer of the weights that were kept."""
    scores = {"loss, 8": loss.score_samples(held_out, given)}
    for name in METHODS["training set"]:
        signal, which = name.split(", ")
        if signal == "curvature":
            scores[name] = with_snapshots(curvature, which).score_samples(held_out, given)
    return scores


def with_snapshots(detector: Any, which: str) -> Any:
    """Return a detector that knows the last of its snapshots alone, or so many, evenly chosen."""
    one = copy.copy(detector)
    every, k = detector.snapshots_, 1 if which == "last" else min(int(which), len(detector.snapshots_))
    chosen = [-1] if which == "last" else [(2 * i + 1) * len(every) // (2 * k) for i in range(k)]
    one.snapshots_ = [every[i] for i in chosen]
    return one


def graded(scores: dict[str, np.ndarray], mask: np.ndarray) -> dict[str, Any]:
    """Return the top of each ranking, the ranks of all samples by the first, and what was found of the wrong labels."""
    told = {}
    for name, values in scores.items():
        told[name] = {}
        if mask.any():
            told[name] = {
                "auroc": round(auroc(mask, values), 6),
                "average_precision": round(average_precision(mask, values), 6),
            }
        if any(name == compared for _, compared in PAIR):
            told[name]["top"] = np.argsort(-values, kind="stable")[:KEPT].tolist()
            told[name]["ranks"] = rankdata(values, method="min").tolist()
    return {"methods": told}


def render(rows: list[dict], held_out: np.ndarray, labels: np.ndarray, args: argparse.Namespace) -> None:
    """Print the table and write it and the figure beside the records."""
    rates = [rate for rate in args.rates if rate]
    lines = []
    for trained_on, methods in METHODS.items():
        for name, caption in methods.items():
            cells = {"ranking": caption}
            for metric, words in (("auroc", "AUROC, %"), ("average_precision", "AP, %")):
                for rate in rates:
                    some = [100 * row["methods"][name][metric] for row in of(rows, trained_on, rate)]
                    spread = f" ± {np.std(some, ddof=1):.2f}" if len(some) > 1 else ""
                    cells[f"{words}, {100 * rate:g} % wrong"] = f"{np.mean(some):.2f}{spread}"
            lines.append(cells)
    frame = pd.DataFrame(lines)
    title = f"{args.title or args.dataset}, {len(labels)} held-out samples"
    text = [
        f"# Held-out samples: {title}, {len(args.seeds)} seed(s)",
        "",
        f"`{command()}`",
        "",
        f"{options.in_words(args)} Weight decay {args.weight_decay:g}. Wrong labels are planted in the held-out set "
        "alone; the training set is as it was published.",
        "",
    ]
    if rates:
        text += ["## Wrong labels in the held-out set", ""]
        text += [markdown(frame, index=False), "", PUBLISHED, ""]
    text += ["## The two curvatures of a held-out sample", "", agreement(rows, args), ""]
    draw(rows, held_out, labels, args, args.out / "figure.png", title)
    write(text, rows, args.out)


def of(rows: list[dict], trained_on: str, rate: float) -> list[dict]:
    return [row for row in rows if (row["trained on"], row["rate"]) == (trained_on, rate)]


def agreement(rows: list[dict], args: argparse.Namespace) -> str:
    """Say how alike the rankings are of a network trained on the held-out set and of one that never saw it."""
    told = []
    for rate in args.rates:
        pairs = list(zip(*(of(rows, trained_on, rate) for trained_on, _ in PAIR), strict=True))
        ours = [[row["methods"][name] for row, (_, name) in zip(pair, PAIR, strict=True)] for pair in pairs]
        rho = np.mean([spearmanr(a["ranks"], b["ranks"]).statistic for a, b in ours])
        shared = np.mean([len(set(a["top"][: args.top]) & set(b["top"][: args.top])) for a, b in ours])
        labels = f"With {100 * rate:g} % wrong labels" if rate else "Labels as published"
        told.append(
            f"{labels}: rank correlation {rho:.2f}; of the {args.top} most suspect of either {shared:.3g} are shared."
        )
    return " ".join(told)


def draw(
    rows: list[dict], held_out: np.ndarray, labels: np.ndarray, args: argparse.Namespace, path: Path, title: str
) -> None:
    """Draw the top samples of both, a row of panels for each share of wrong labels."""
    panels = []
    for rate in args.rates:
        for trained_on, name in PAIR:
            row = of(rows, trained_on, rate)[0]
            given, mask = planted(held_out, labels, row)
            where = "trained on them" if trained_on == "held-out set" else "never seen in training"
            what = f"{100 * rate:g} % planted" if rate else "labels as published"
            top = row["methods"][name]["top"][: args.shown]
            panels.append(pictures.panel(f"Curvature, {where}; {what}", held_out, top, given, mask))
    pictures.draw(panels, path, title=f"{title}: the most suspect; red: label planted")


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__, paragraphs=2)
    add_data(parser)
    add = parser.add_argument
    add("--held-out-dir", default="data/test", help="the folder of held-out pictures, beside --dataset folder")
    add("--rates", type=float, nargs="+", default=[0.0, 0.05], help="shares of wrong labels in the held-out set")
    add("--weight-decay", type=float, default=0.0, help="of all trainings; App. E uses none")
    add("--top", type=int, default=60, help=f"length of the rankings that are compared, up to {KEPT}")
    add("--shown", type=int, default=30, help="how many of them the figure shows")
    add("--seeds", type=int, nargs="+", default=[0], help="of the wrong labels and the training")
    options.add_recipe(parser)
    add("--verbose", type=int, default=0)
    add_run(parser, Path(__file__).parent / "runs" / "held-out-DATASET")
    args = parser.parse_args(argv)
    if max(args.top, args.shown) > KEPT:
        parser.error(f"--top {args.top}, --shown {args.shown}: {KEPT} of each ranking are kept.")
    return options.settle(parser, args)


if __name__ == "__main__":
    main()

"""The most suspect samples, with and without weight decay, and how many of them are one picture under two labels.

Figs. 4, 11 and 18 of the paper: of the 60 samples of CIFAR-100 with the highest curvature, 36 belong to pairs of one
picture under two labels, where the network was trained without weight decay. Here pairs are planted too, so that the
share has a truth, and what the data holds by itself is looked for. Second-split forgetting and confident learning are
set beside. Without arguments: scikit-learn's digits, nothing downloaded, a minute.

    python reproduction/top_samples.py
    python reproduction/top_samples.py --dataset mnist --data-dir data --download --subset 4000
    python reproduction/top_samples.py --dataset cifar100 --data-dir data --download --paper --pairs 0   # full size

Every finished training is in OUT/records.jsonl; the same command again goes on where it was cut short.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from harness import data, fits, options, pictures
from harness.copies import COPIES, NEAR, Planted, graded, members_in, plant
from harness.environment import command
from harness.options import add_data, add_run, command_line, started
from harness.quiet import quietly
from harness.records import Records
from harness.written import markdown, write

from curvdetect import ConfidentLearningDetector, CurvatureNoiseDetector, SSFTDetector, find_conflicting_duplicates
from curvdetect.metrics import auroc, average_precision

#: Signals of each kind of training, by the words of the table.
SIGNALS = {
    "curvature": {name: fits.caption(name) for name in ("curvature", "loss", "final_loss")},
    "ssft": {"forgetting_time": "SSFT, time", "forgetting_loss": "SSFT, mean loss of the second stage"},
    "cl": {"self_confidence": "Confident learning, self-confidence"},
}
#: What the figure shows, of each kind of training.
SHOWN = {"curvature": "curvature", "ssft": "forgetting_loss", "cl": "self_confidence"}
#: How many of each ranking are kept in the records.
KEPT = 100
#: Weight decay that SSFT and confident learning are trained with.
RECIPE_DECAY = 1e-4
#: Published, of the 60 and the 100 samples with the highest curvature, found by eye.
PUBLISHED = (
    "Published, found by eye among the samples with the highest curvature, no weight decay: CIFAR-100 36 of 60, "
    'ImageNet 45 of 100; with weight decay the highest "only catch a few"; for SSFT and confident learning no number.'
)
SETTINGS = ("subset", "size", "net", "epochs", "augment", "paper", "quick", "h", "n", "power", "every")
CELL = ("dataset", "settings", "pairs", "copies", "seed")


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    environment = started(args)
    X, y = data.load(args.dataset, args.data_dir, download=args.download, subset=args.subset, size=args.size)
    records = Records(args.out / "records.jsonl", (*CELL, "training", "weight_decay"))
    settings = {name: getattr(args, name) for name in SETTINGS}
    cells = [
        {"dataset": args.dataset, "settings": settings, "pairs": args.pairs, "copies": args.copies, "seed": seed}
        for seed in args.seeds
    ]
    trainings = [("curvature", decay) for decay in args.weight_decay]
    trainings += [(name, RECIPE_DECAY) for name in ("ssft", "cl") if name not in args.skip]
    wanted = [{**cell, "training": name, "weight_decay": decay} for cell in cells for name, decay in trainings]
    rows = records.measured(wanted, lambda row: measured(planted_in(X, y, row), row, args), environment=environment)
    render(rows, X, y, args)


def planted_in(X: np.ndarray, y: np.ndarray, cell: dict[str, Any]) -> Planted:
    """Return the data of a cell."""
    return plant(X, y, cell["pairs"], cell["copies"], cell["seed"])


def measured(planted: Planted, row: dict[str, Any], args: argparse.Namespace) -> dict[str, Any]:
    """Train, and return the top of each ranking; of the first training with curvature also all pairs that are found."""
    detector = unfitted(row, len(planted.labels), args)
    with quietly():
        detector.fit(planted.X, planted.labels)
    signals = {}
    for name in SIGNALS[row["training"]]:
        scores = detector.scores_ if row["training"] == "cl" else detector.signal_scores_[name]
        signals[name] = {"top": np.argsort(-scores, kind="stable")[:KEPT].tolist()}
        if planted.pairs:
            signals[name] |= {
                "auroc": round(auroc(planted.mask, scores), 6),
                "average_precision": round(average_precision(planted.mask, scores), 6),
            }
    told: dict[str, Any] = {"signals": signals, "train_accuracy": round(getattr(detector, "train_accuracy_", 0), 6)}
    if (row["training"], row["weight_decay"]) == ("curvature", args.weight_decay[0]):
        found = find_conflicting_duplicates(detector, planted.X, tolerance=args.tolerance)
        told["found"] = [
            [int(pair.first), int(pair.second), pair.kind, round(float(pair.distance), 4)]
            for pair in found.itertuples()
        ]
    return told


def unfitted(row: dict[str, Any], n_samples: int, args: argparse.Namespace) -> Any:
    """Return the detector of a training, with its weight decay."""
    common = {"max_epochs": args.epochs, "device": args.device, "random_state": row["seed"], "verbose": args.verbose}
    if row["training"] == "ssft":
        nets = options.nets(args, n_samples)
        return SSFTDetector(nets.second_split, **nets.stages, **common)
    net = options.main_net(args, row["weight_decay"], n_samples)
    if row["training"] == "cl":
        return ConfidentLearningDetector(net, **common)
    return CurvatureNoiseDetector(net, signals=("final_loss",), **options.measuring(args), **common)


def render(rows: list[dict], X: np.ndarray, y: np.ndarray, args: argparse.Namespace) -> None:
    """Print the table and write it and the figure beside the records."""
    found = {row["seed"]: row["found"] for row in rows if "found" in row}
    grades: dict[tuple[str, str, float], list[dict[str, float]]] = {}
    panels = []
    for row in rows:
        planted = planted_in(X, y, row)
        masks = members_in(planted, found[row["seed"]])
        for name in SIGNALS[row["training"]]:
            signal = row["signals"][name]
            top = signal["top"][: args.top]
            grade = {**graded(top, *masks, planted.pairs), **{k: v for k, v in signal.items() if k != "top"}}
            grades.setdefault((row["training"], name, row["weight_decay"]), []).append(grade)
            if row["seed"] == args.seeds[0] and name == SHOWN[row["training"]]:
                share = f"{grade['planted'] + grade['others']} of {len(top)}"
                caption = f"{words(row, name)}: {share}"
                index = top[: args.shown]
                panels.append(pictures.panel(caption, planted.X, index, planted.labels, masks[0] | masks[1]))
    title = f"{args.title or args.dataset}, {len(y)} samples"
    planted_words = f"{args.pairs} planted pairs ({args.copies} copies)" if args.pairs else "no planted pairs"
    lines = [
        f"# The most suspect samples: {title}, {planted_words}, {len(args.seeds)} seed(s)",
        "",
        f"`{command()}`",
        "",
        described(rows, args, len(y)),
        "",
        f"## Members of contradictions among the top {args.top}",
        "",
        table(grades, args),
        "",
        f"{PUBLISHED}",
        "",
        "## Contradictions in the data",
        "",
        contradictions(found, X, y, rows),
        "",
    ]
    shown = f"the {min(args.shown, args.top)} most suspect; red: in a pair, counted among {args.top}"
    pictures.draw(panels, args.out / "figure.png", title=f"{title}: {shown}")
    write(lines, rows, args.out)


def words(row: dict[str, Any], name: str) -> str:
    caption = SIGNALS[row["training"]][name]
    return f"{caption}, weight decay {row['weight_decay']:g}" if row["training"] == "curvature" else caption


def table(grades: dict[tuple[str, str, float], list[dict[str, float]]], args: argparse.Namespace) -> str:
    """Return a row for each ranking, over seeds its mean."""
    lines = []
    for (training, name, decay), some in grades.items():
        mean = {key: float(np.mean([grade[key] for grade in some])) for key in some[0]}
        cells = {"ranking": words({"training": training, "weight_decay": decay}, name)}
        if args.pairs:
            cells |= {"of planted pairs": f"{mean['planted']:.3g}", "both of a pair": f"{mean['whole']:.3g}"}
        cells |= {"of other pairs found": f"{mean['others']:.3g}"}
        if args.pairs:
            cells |= {"AUROC, %": f"{100 * mean['auroc']:.2f}", "AP, %": f"{100 * mean['average_precision']:.2f}"}
        lines.append(cells)
    return markdown(pd.DataFrame(lines), index=False)


def contradictions(found: dict[int, list[Any]], X: np.ndarray, y: np.ndarray, rows: list[dict]) -> str:
    """Say what was found, and how much of it was planted."""
    told = []
    for seed, pairs in found.items():
        row = next(row for row in rows if row["seed"] == seed)
        planted = planted_in(X, y, row)
        hit = sum((first, second) in planted.pairs for first, second, *_ in pairs)
        other = [(kind, distance) for first, second, kind, distance in pairs if (first, second) not in planted.pairs]
        near = [distance for kind, distance in other if kind == "near"]
        nearest = f", the nearest at a distance of {min(near):.3f}" if near else ""
        planted_words = f"{hit} of {len(planted.pairs)} planted pairs, and " if planted.pairs else ""
        told.append(
            f"`find_conflicting_duplicates` reports (seed {seed}) {planted_words}{len(other)} that nobody planted: "
            f"{len(other) - len(near)} exact, {len(near)} near{nearest}."
        )
    return "\n".join(told)


def described(rows: list[dict], args: argparse.Namespace, n_samples: int) -> str:
    """Return in words what was trained."""
    accuracy: dict[float, list[float]] = {}
    for row in rows:
        if row["training"] == "curvature":
            accuracy.setdefault(row["weight_decay"], []).append(row["train_accuracy"])
    told = ", ".join(f"{min(some):.4f} or more at weight decay {decay:g}" for decay, some in accuracy.items())
    net = options.main_net(args, 0.0, n_samples)
    return (
        f"{options.in_words(args)} Training accuracy {told}. "
        f"{options.shrinking(net, args.weight_decay, args.epochs, n_samples)} "
        + NEAR
        * (args.copies == "near" and args.pairs > 0)
    ).strip()


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__, paragraphs=2)
    add_data(parser)
    add = parser.add_argument
    add("--pairs", type=int, default=30, help="number of planted pairs; 0 leaves the data as it is")
    add("--copies", choices=COPIES, default="exact")
    add("--top", type=int, default=60, help=f"length of the rankings that are looked at, up to {KEPT}")
    add("--shown", type=int, default=40, help="how many of them the figure shows")
    add("--weight-decay", type=float, nargs="+", default=[0.0, 1e-4, 1e-2], help="of the trainings with curvature")
    add("--skip", choices=["ssft", "cl"], nargs="+", default=[], help="trainings to leave out")
    add("--tolerance", type=float, default=0.2, help="largest distance of a near copy that is found")
    add("--seeds", type=int, nargs="+", default=[0], help="of the pairs and the training")
    options.add_recipe(parser)
    add("--verbose", type=int, default=0)
    add_run(parser, Path(__file__).parent / "runs" / "top-samples-DATASET")
    args = parser.parse_args(argv)
    if args.top > KEPT:
        parser.error(f"--top {args.top}: {KEPT} of each ranking are kept.")
    return options.settle(parser, args)


if __name__ == "__main__":
    main()

"""One picture under two labels: how well signals see the members of such pairs, and how many pairs are reported.

Pairs are planted among real pictures, as exact or as near copies, and a network memorizes the labels, with or without
augmentation. Without arguments: MNIST, which has to be there.

    python benchmarks/duplicates.py --subset 10000
    python benchmarks/duplicates.py --dataset folder --data-dir data/train --subset 10000 --augmented no yes

Every finished measurement is one line in OUT/records.jsonl; the same command again goes on where it was cut short.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from harness import data
from harness.copies import COPIES, NEAR, Planted, plant
from harness.environment import command
from harness.fits import EXTRAS, caption
from harness.options import add_data, add_run, command_line, started
from harness.quiet import quietly
from harness.records import Records
from harness.written import markdown, write

from curvdetect import CurvatureNoiseDetector, find_conflicting_duplicates, load, memorizing_net, save
from curvdetect.metrics import auroc, average_precision

#: The rows of the tables.
SIGNALS = (
    "curvature",
    "input_gradient",
    *("loss", "late_loss", "final_loss"),
    *("margin", "averaged_margin", "early_margin", "late_margin"),
    *("learning_time", "inconfidence"),
)
#: Other orders of the pairs that are reported, to set the one that is taken beside.
ORDERS = {"score": False, "late_loss": False, "curvature": False, "distance": True}
CELL = ("dataset", "settings", "copies", "augmented", "seed")


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    environment = started(args)
    X, y = data.load(args.dataset, args.data_dir, download=args.download, subset=args.subset, size=args.size)
    settings = {name: getattr(args, name) for name in ("subset", "size", "pairs", "top", "net", "epochs")}
    records = Records(args.out / "records.jsonl", CELL)
    cells = [
        {"dataset": args.dataset, "settings": settings, "copies": copies, "augmented": augmented == "yes", "seed": seed}
        for seed in args.seeds
        for augmented in args.augmented
        for copies in args.copies
    ]

    def measure(cell: dict[str, Any]) -> dict[str, Any]:
        planted = plant(X, y, args.pairs, cell["copies"], cell["seed"])
        return measured(memorized(planted, cell, args), planted, args)

    render(records.measured(cells, measure, environment=environment), args, len(y))


def memorized(planted: Planted, cell: dict[str, Any], args: argparse.Namespace) -> Any:
    """Return a fitted detector, or the one that an earlier call kept."""
    net = memorizing_net(args.net, augment=True) if cell["augmented"] else args.net
    name = (
        f"{args.dataset}-{args.subset}-{args.pairs}-{cell['copies']}-{cell['augmented']}-{args.epochs}-{cell['seed']}"
    )
    kept = args.keep and args.keep / name
    if kept and kept.exists():
        return load(kept, net=net)
    common = {"max_epochs": args.epochs, "device": args.device, "random_state": cell["seed"]}
    with quietly():
        detector = CurvatureNoiseDetector(net, contrast=False, signals=EXTRAS, **common).fit(planted.X, planted.labels)
    if kept:
        save(detector, kept)
    return detector


def measured(detector: Any, planted: Planted, args: argparse.Namespace) -> dict[str, Any]:
    """Return what signals see of the members, and which pairs are reported."""
    signals = {
        name: {
            "auroc": round(auroc(planted.mask, scores), 6),
            "average_precision": round(average_precision(planted.mask, scores), 6),
        }
        for name, scores in detector.signal_scores_.items()
    }
    started = time.perf_counter()
    found = find_conflicting_duplicates(detector, planted.X)
    seconds = time.perf_counter() - started
    orders = {name: found.sort_values(name, ascending=up, kind="stable") for name, up in ORDERS.items()}
    return {
        "n_samples": len(planted.labels),
        "n_pairs": len(planted.pairs),
        "train_accuracy": round(detector.train_accuracy_, 6),
        "signals": signals,
        "reported": len(found),
        "pairs": graded(found, planted, args.top),
        "orders": {name: graded(table, planted, args.top) for name, table in orders.items()},
        "seconds_run": round(sum(detector.seconds_.values()), 1),
        "seconds_pairs": round(seconds, 1),
    }


def graded(found: pd.DataFrame, planted: Planted, top: int) -> dict[str, float]:
    """Return how many planted pairs stand where in a table of pairs."""
    pairs = zip(found["first"].tolist(), found["second"].tolist(), strict=True)
    hit = np.array([pair in planted.pairs for pair in pairs], dtype=bool)
    n_pairs = len(planted.pairs)
    return {
        "recall": float(hit.sum() / n_pairs),
        "recall_top": float(hit[:top].sum() / n_pairs),
        # of the places there are, the empty ones counted as misses
        "precision_100": float(hit[:100].sum() / min(100, n_pairs)),
        "precision": float(hit[:n_pairs].sum() / n_pairs),
    }


def render(rows: list[dict], args: argparse.Namespace, n_samples: int) -> None:
    """Print the tables and write them beside the records."""
    title = f"{args.title or args.dataset}, {args.pairs} pairs among {n_samples} samples, {len(args.seeds)} seed(s)"
    accuracy = min(row["train_accuracy"] for row in rows)
    lines = [
        f"# One picture under two labels: {title}",
        "",
        f"`{command(without='--keep')}`",
        "",
        f"Net {args.net or 'default'}, epochs {args.epochs or 'default'}; training accuracy {accuracy:.4f} or more. "
        + NEAR * ("near" in args.copies),
        "",
    ]
    counts = {
        "Pairs reported": lambda row: f"{row['reported']}",
        f"Pair recall, top {args.top}": lambda row: f"{row['pairs']['recall_top']:.3f}",
        "Pair recall, all reported": lambda row: f"{row['pairs']['recall']:.3f}",
        "Precision, top 100": lambda row: f"{row['pairs']['precision_100']:.3f}",
        f"Precision, top {args.pairs}": lambda row: f"{row['pairs']['precision']:.3f}",
        **{
            f"The same in order of {name.replace('_', ' ')} alone": lambda row, name=name: (
                f"{row['orders'][name]['precision']:.3f}"
            )
            for name in ORDERS
            if name != "score"
        },
    }
    lines += ["## Pairs", "", table(rows, counts), ""]
    for metric, words in (("auroc", "AUROC, %"), ("average_precision", "Average precision, %")):
        numbers = {
            caption(name): lambda row, name=name, metric=metric: 100 * row["signals"][name][metric] for name in SIGNALS
        }
        lines += [f"## Members of pairs, {words}", "", table(rows, numbers), ""]
    write(lines, rows, args.out)


def table(rows: list[dict], cells: dict[str, Callable[[dict], Any]]) -> str:
    """Return one column for each kind of copies, over seeds their mean; the best of numbers is bold."""
    columns: dict[str, list[str]] = {}
    for augmented in (False, True):
        for copies in COPIES:
            some = [row for row in rows if row["copies"] == copies and row["augmented"] is augmented]
            if not some:
                continue
            values = [[cell(row) for row in some] for cell in cells.values()]
            columns[f"{copies} copies{', augmented' if augmented else ''}"] = column(values)
    frame = pd.DataFrame(columns, index=list(cells))
    return markdown(frame)


def column(values: list[list[Any]]) -> list[str]:
    if isinstance(values[0][0], str):
        return [", ".join(dict.fromkeys(some)) for some in values]
    means = [float(np.mean(some)) for some in values]
    texts = [
        f"{m:.2f}" + (f" ± {np.std(some, ddof=1):.2f}" if len(some) > 1 else "")
        for m, some in zip(means, values, strict=True)
    ]
    return [
        f"**{text}**" if round(m, 2) == round(max(means), 2) else text for m, text in zip(means, texts, strict=True)
    ]


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__)
    add_data(parser, "mnist", [name for name in data.NAMES if name != "digits"])
    add = parser.add_argument
    add("--pairs", type=int, default=250, help="number of planted pairs")
    add("--top", type=int, default=300, help="length of the list in which pairs have to be found")
    add("--copies", choices=COPIES, nargs="+", default=list(COPIES))
    add(
        "--augmented", choices=["no", "yes"], nargs="+", default=["no"], help="whether pictures are cropped and flipped"
    )
    add("--seeds", type=int, nargs="+", default=[0], help="of the pairs and the training")
    add("--net", help="a named network; by default one sized from the data")
    add("--epochs", type=int, help="length of the training; by default the net's own")
    add("--keep", type=Path, help="folder that keeps the fitted detectors, to be looked at again")
    add_run(parser, Path(__file__).parent / "runs" / "duplicates-DATASET")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()

"""Whether the default training holds on whatever people bring, or another learning rate would have ranked better.

For each kind of data, noise rate and seed the recommended detector is trained by default, and with five learning rates.
All data is made here or comes with scikit-learn; nothing is downloaded.

    python benchmarks/robustness.py
    python benchmarks/robustness.py --kinds iris "wide 200" "100 pictures" --seeds 0 --rates 0.1

Every finished cell is one line in OUT/records.jsonl; the same command again goes on where it was cut short.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from harness.environment import announce, command
from harness.kinds import KINDS
from harness.options import command_line
from harness.records import Records
from harness.written import markdown, write
from joblib import Parallel, delayed
from tqdm import tqdm

from curvdetect import FusedDetector, LossDetector, corrupt_labels, memorizing_net
from curvdetect.metrics import auroc

RATES = (0.02, 0.05, 0.1, 0.2, 0.5)
#: What the default may lack of the best learning rate, and the recommendation of the loss.
ALLOWED = 0.005
#: What the accuracy may lose from its highest epoch to the end without a word.
FALL = 0.02


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    environment = announce(args.device, threads=1)
    records = Records(args.out / "records.jsonl", ("kind", "rate", "seed", "learning_rates"))
    wanted = [
        {"kind": kind, "rate": rate, "seed": seed, "learning_rates": args.learning_rates}
        for kind in args.kinds
        for seed in args.seeds
        for rate in args.rates
    ]
    missing = [row for row in wanted if row not in records]
    measured = Parallel(n_jobs=args.jobs, return_as="generator")(delayed(measure)(row, args) for row in missing)
    for row, found in tqdm(zip(missing, measured, strict=True), total=len(missing), unit="cell", file=sys.stderr):
        records.add({**row, **found, "environment": environment})
    render([records.matching(**row)[0] for row in wanted], args)


def measure(row: dict, args: argparse.Namespace) -> dict:
    """Return what the default and other learning rates make of one corrupted copy of the labels."""
    torch.set_num_threads(1)
    X, y = KINDS[row["kind"]](row["seed"])
    X = np.asarray(X, dtype=np.float32)
    labels, mask = corrupt_labels(y, row["rate"], random_state=row["seed"])
    common = {"max_epochs": args.epochs, "device": args.device, "random_state": row["seed"]}
    started = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        default = FusedDetector(**common).fit(X, labels)
    seconds = time.perf_counter() - started
    others = {}
    for lr in row["learning_rates"]:
        # everything but the learning rate is as the default has it
        net = memorizing_net(None, lr=lr, batch_size=default.net_.batch_size)
        try:
            with warnings.catch_warnings(action="ignore"):
                others[str(lr)] = round(auroc(mask, LossDetector(net, **common).fit(X, labels).scores_), 6)
        except FloatingPointError:
            others[str(lr)] = None
    course = [record["train_accuracy"] for record in default.history_]
    return {
        "shape": list(X.shape),
        "n_classes": len(default.classes_),
        "loss": round(auroc(mask, default.signal_scores_["loss"]), 6),
        "recommended": round(auroc(mask, default.scores_), 6),
        "regime": default.regime_,
        "end_accuracy": round(course[-1], 4),
        "highest_accuracy": round(max(course), 4),
        "warned": [str(one.message).split(":")[0] for one in caught],
        "by_learning_rate": others,
        "seconds_run": round(seconds, 2),
    }


def render(rows: list[dict], args: argparse.Namespace) -> None:
    """Print the table and write it beside the records."""
    frame = pd.DataFrame(rows)
    for lr in args.learning_rates:
        frame[lr] = [row["by_learning_rate"][str(lr)] for row in rows]
    frame[args.learning_rates] = frame[args.learning_rates].fillna(0.5).astype(float)  # a training that became infinite
    cells = frame.groupby(["kind", "rate"], sort=False)
    mean = cells[["loss", "recommended", "end_accuracy", *args.learning_rates]].mean()
    best = mean[args.learning_rates].max(axis=1)
    lacks, behind = best - mean["loss"], mean["loss"] - mean["recommended"]
    table = pd.DataFrame({"data": [kind for kind, _ in mean.index]})
    table["shape"] = [" x ".join(map(str, shape)) for shape in cells["shape"].first()]
    table["classes"] = cells["n_classes"].first().astype(str).to_numpy()
    table["wrong"] = [f"{100 * rate:g} %" for _, rate in mean.index]
    table["default"] = [f"{100 * value:.2f}" for value in mean["loss"]]
    for lr in args.learning_rates:
        table[f"lr {lr:g}"] = [f"{100 * value:.2f}" for value in mean[lr]]
    table["lacks"] = [f"{100 * max(0, value):.2f}" + " !" * bool(value > ALLOWED) for value in lacks]
    table["accuracy"] = [f"{value:.2f}" for value in mean["end_accuracy"]]
    fallen = frame[frame["highest_accuracy"] - frame["end_accuracy"] > FALL]
    silent = [row for row in fallen["warned"] if not any("fell apart" in text for text in row)]
    lines = [
        "# Whether the default training holds",
        "",
        f"`{command()}`",
        "",
        "## AUROC of the cumulative loss, %",
        "",
        markdown(table, index=False, left=2),
        "",
        f"Means over seeds {', '.join(map(str, args.seeds))}. Lacks: points of the best of the learning rates that the "
        f"default lacks, by the same loss; marked where more than {100 * ALLOWED:g}. Accuracy: of the training, in its "
        "last epoch. Everything but the learning rate is as the default has it.",
        "",
        f"Within {100 * ALLOWED:g} points of the best learning rate: {int((lacks <= ALLOWED).sum())} of {len(lacks)} "
        f"columns; {100 * lacks.mean():.2f} points behind it on average, {100 * lacks.max():.2f} at most.",
        "",
        "Average over all columns: "
        + "; ".join(f"lr {lr:g} {100 * mean[lr].mean():.2f}" for lr in args.learning_rates)
        + f"; default {100 * mean['loss'].mean():.2f}.",
        "",
        f"Trainings whose accuracy ended more than {FALL:g} below its own highest: {len(fallen)} of {len(frame)}, "
        f"{len(silent)} of them without the warning.",
        "",
        f"FusedDetector() against the cumulative loss of the same run: {100 * behind.max():.2f} points behind at most.",
        "",
    ]
    write(lines, rows, args.out)


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__)
    add = parser.add_argument
    add("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS), metavar="KIND", help="names of data")
    add("--rates", type=float, nargs="+", default=[0.1, 0.3], help="shares of wrong labels, uniform noise")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the data, the corruption and the training")
    add("--learning-rates", type=float, nargs="+", default=list(RATES), help="that the default is compared with")
    add("--epochs", type=int, help="length of the trainings; by default the net's own")
    add("--jobs", type=int, default=1, help="cells measured at a time, on one thread each")
    add("--device", default="auto")
    add("--out", type=Path, default=Path(__file__).parent / "runs" / "robustness", help="folder for records and table")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()

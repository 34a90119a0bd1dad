"""How well q="auto" tells how many labels are wrong, and whether its intervals hold what they promise.

For each kind of noise, rate and seed one detector is fitted on labels of which so many are wrong. Without arguments:
scikit-learn's digits, nothing downloaded.

    python benchmarks/noise_rate.py
    python benchmarks/noise_rate.py --dataset mnist --data-dir data --subset 2000 --seeds 0 1 2
    python benchmarks/noise_rate.py --detector LeaveOneOutDetector

Every finished fit is one line in OUT/records.jsonl; the same command again goes on where it was cut short.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from harness import data
from harness.environment import command
from harness.options import add_data, add_run, command_line, started
from harness.quiet import quietly
from harness.records import Records
from harness.written import write

from curvdetect import FusedDetector, LeaveOneOutDetector, LossDetector
from curvdetect.metrics import auroc

#: Rates that the mean absolute error is taken over.
GRADED = (0.02, 0.05, 0.1, 0.2)
SETTINGS = ("subset", "size", "epochs")
#: Parts of a fit that are timed.
PARTS = ("training", "noise_rate")
#: Two with a witness that leaves samples out, and one that trains a second time.
DETECTORS = {one.__name__: one for one in (FusedDetector, LeaveOneOutDetector, LossDetector)}


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    environment = started(args)
    X, y = data.load(args.dataset, args.data_dir, download=args.download, subset=args.subset, size=args.size)
    own = {} if args.detector == "LossDetector" else {"detector": args.detector}  # earlier records have no other
    cell = {"dataset": args.dataset, "settings": {s: getattr(args, s) for s in SETTINGS} | own}
    records = Records(args.out / "records.jsonl", ("dataset", "settings", "kind", "rate", "seed"))
    wanted = [
        {**cell, "kind": kind, "rate": rate, "seed": seed}
        for seed in args.seeds
        for kind, rates in (("uniform", args.rates), ("pair", args.pair_rates))
        for rate in rates
    ]
    rows = records.measured(wanted, lambda row: measure(X, y, row, args), environment=environment)
    render(rows, args, len(y))


def measure(X, y, row: dict, args: argparse.Namespace) -> dict:
    """Return what a detector says of one corrupted copy of the labels."""
    X, labels, mask = data.corrupt(X, y, row["rate"], row["kind"], row["seed"])
    options = {} if args.detector == "LeaveOneOutDetector" else {"max_epochs": args.epochs}
    detector = DETECTORS[args.detector](q="auto", device=args.device, random_state=row["seed"], **options)
    started = time.perf_counter()
    with quietly():
        detector.fit(X, labels)
    low, high = detector.noise_rate_interval_
    return {
        "n_samples": len(mask),
        "n_wrong": int(mask.sum()),
        "estimate": round(detector.noise_rate_, 6),
        "low": round(low, 6),
        "high": round(high, 6),
        "auroc": round(auroc(mask, detector.scores_), 6) if mask.any() else None,
        "train_accuracy": round(detector.train_accuracy_, 6) if hasattr(detector, "train_accuracy_") else None,
        "seconds_run": round(time.perf_counter() - started, 3),
        "seconds": {name: round(getattr(detector, "seconds_", {}).get(name, np.nan), 4) for name in PARTS},
    }


def render(rows: list[dict], args: argparse.Namespace, n_samples: int) -> None:
    """Print the table and write it beside the records."""
    frame = pd.DataFrame(rows)
    frame["train_accuracy"] = frame["train_accuracy"].astype(float)
    frame["truth"] = frame["n_wrong"] / frame["n_samples"]
    frame["error"] = (frame["estimate"] - frame["truth"]).abs()
    # both ends are rounded, and shares of whole numbers of samples
    frame["held"] = (frame["low"] - 1e-6 <= frame["truth"]) & (frame["truth"] <= frame["high"] + 1e-6)
    lines = [
        f"# How many labels are wrong: {args.title or args.dataset}, {n_samples} samples",
        "",
        f"`{command()}`",
        "",
        "## Estimates",
        "",
        "| noise | wrong, % | fits | AUROC, % | estimate, % | mean abs. error, points | mean 95 % interval, % | held |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (kind, rate), part in frame.groupby(["kind", "rate"], sort=False):
        separation = f"{100 * part['auroc'].astype(float).mean():.1f}" if rate else ""
        spread = f" ± {100 * part['estimate'].std():.1f}" if len(part) > 1 else ""
        lines.append(
            f"| {kind if rate else 'none'} | {100 * part['truth'].mean():.1f} | {len(part)} | {separation} "
            f"| {100 * part['estimate'].mean():.1f}{spread} "
            f"| {100 * part['error'].mean():.2f} | {100 * part['low'].mean():.1f} to {100 * part['high'].mean():.1f} "
            f"| {part['held'].sum()} of {len(part)} |"
        )
    lines.append("")
    for kind, part in frame.groupby("kind", sort=False):
        graded = part[part["rate"].isin(GRADED)]
        lines += [
            f"{kind.capitalize()} noise: mean absolute error {graded['error'].mean():.4f} over rates of "
            f"{', '.join(f'{100 * r:g}' for r in sorted(set(graded['rate'])))} %, largest error "
            f"{graded['error'].max():.4f}; the interval held the truth in {part['held'].sum()} of {len(part)} fits "
            f"({100 * part['held'].mean():.0f} %).",
            "",
        ]
    accuracy = frame["train_accuracy"].min()
    trained = "" if np.isnan(accuracy) else f", training accuracy {accuracy:.4f} or more"
    lines += [f"A fit of {args.detector} took {np.median(frame['seconds_run']):.1f} s (median){trained}.", ""]
    times = [row["seconds"] for row in rows if isinstance(row.get("seconds"), dict)]
    shares = [one["noise_rate"] / one["training"] for one in times if one["noise_rate"] and one["training"]]
    if shares and not np.isnan(shares).all():
        lines += [f"The estimate took {np.nanmedian(shares):.2f} of the training of the same fit (median).", ""]
    write(lines, rows, args.out)


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__)
    add_data(parser)
    add = parser.add_argument
    add("--detector", choices=DETECTORS, default="LossDetector", help="what estimates the rate")
    add("--rates", type=float, nargs="*", default=[0, 0.01, *GRADED], help="shares of wrong labels, uniform noise")
    add("--pair-rates", type=float, nargs="*", default=[], help="the same of pair-flip noise")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the corruption and the training")
    add("--epochs", type=int, help="length of the training; by default the net's own")
    add_run(parser, Path(__file__).parent / "runs" / "noise-rate-DATASET")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()

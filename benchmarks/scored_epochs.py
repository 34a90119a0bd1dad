"""Which epochs the curvature is measured after: how few of them rank as well as all, and what they cost.

One training is measured after every epoch, and schedules are read off the same numbers. Another is measured as the
detector does it by default, on mean weights of few epochs. Tables are made here or come with scikit-learn; pictures are
those of data/. One thread.

    python benchmarks/scored_epochs.py
    python benchmarks/scored_epochs.py --kinds digits --pictures mnist:4000 folder:3000 --data-dir data

Every finished training is one line in OUT/records.jsonl; the same command again goes on where it was cut short.
"""

from __future__ import annotations

import argparse
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from harness import data, fits
from harness.each_epoch import AfterEveryEpoch
from harness.environment import announce, command
from harness.kinds import KINDS
from harness.options import command_line
from harness.quiet import quietly
from harness.records import Records
from harness.schedules import dense_early, every
from harness.written import markdown, write

from curvdetect import CurvatureNoiseDetector
from curvdetect.metrics import auroc, average_precision

TABLES = ("digits", "breast cancer", "wide 100", "one-hot", "200 classes", "heavy tails")
#: What is measured, as records and tables call it.
SCORES = {"curvature_contrast": "with contrast, the default", "curvature": "contrast=False"}
METRICS = {"auroc": ("AUROC, %", auroc), "ap": ("average precision, %", average_precision)}
EVERY = "every epoch"
BEFORE = "8, dense early"
DEFAULT = 'every="auto"'
AT_THE_END = "the same epochs, weights at their ends"
#: How far below every epoch a schedule may be.
ALLOWED = 0.003


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    torch.set_num_threads(1)
    environment = announce(args.device, threads=1)
    records = Records(args.out / "records.jsonl", ("data", "noise", "rate", "seed", "epochs"))
    cells = [
        {"data": name, "noise": noise, "rate": rate, "seed": seed, "epochs": args.epochs}
        for seed in args.seeds
        for name in [*args.kinds, *args.pictures]
        for noise, rate in args.noises
    ]
    render(records.measured(cells, lambda cell: measure(cell, args), environment=environment), args)


def measure(cell: dict[str, Any], args: argparse.Namespace) -> dict[str, Any]:
    """Return how every schedule ranks, and what a pass costs, all read off one training."""
    X, y = load(cell["data"], args.folder, args.data_dir)
    X, labels, mask = data.corrupt(X, y, cell["rate"], cell["noise"], cell["seed"])
    values = trained(X, labels, cell, args)
    row: dict[str, Any] = {"shape": list(X.shape), "pass": round(float(np.median(values["pass"])), 4)}
    detector = CurvatureNoiseDetector(max_epochs=cell["epochs"], device=args.device, random_state=cell["seed"])
    with quietly():
        history = detector.fit(X, labels).history_
    chosen = np.array([record["epoch"] for record in history if record["scored"]])
    whole = values["curvature"]
    scored = {EVERY: every(1, whole) + 1, BEFORE: dense_early(8, whole) + 1, AT_THE_END: chosen}
    scores = {name: {score: values[score][epochs - 1].mean(0) for score in SCORES} for name, epochs in scored.items()}
    scored[DEFAULT], scores[DEFAULT] = chosen, detector.signal_scores_
    row["scored"] = {schedule: epochs.tolist() for schedule, epochs in scored.items()}
    for metric, (_, grade) in METRICS.items():
        for score in SCORES:
            row[f"{metric} {score}"] = {
                schedule: round(float(grade(mask, found[score])), 6) for schedule, found in scores.items()
            }
    return row


@cache
def load(name: str, folder: str, data_dir: str) -> tuple[np.ndarray, np.ndarray]:
    """Return samples and labels; pictures are read once."""
    if name in KINDS:
        X, y = KINDS[name](0)
        return np.asarray(X, dtype=np.float32), y
    name, _, subset = name.partition(":")
    return data.load(name, folder if name == "folder" else data_dir, subset=int(subset))


def trained(X: np.ndarray, labels: np.ndarray, cell: dict[str, Any], args: argparse.Namespace) -> dict[str, np.ndarray]:
    """Train once; return the scores after each epoch, and what each pass took beside the epoch before it."""
    kept = args.keep_scores and args.keep_scores / f"{fits.name_of([*cell.values()])}.npz"
    if kept and kept.exists():
        with np.load(kept) as file:
            return dict(file)
    detector = AfterEveryEpoch(every=1, max_epochs=cell["epochs"], device=args.device, random_state=cell["seed"])
    with quietly():
        history = detector.fit(X, labels).history_
    values = {signal.name: np.array(signal.epochs) for signal in detector.kept}
    values["pass"] = np.array([record["seconds_scoring"] / record["seconds_training"] for record in history])
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(kept, **values)
    return values


def render(rows: list[dict[str, Any]], args: argparse.Namespace) -> None:
    """Print the tables and write them beside the records."""
    lines = [
        "# Which epochs are scored",
        "",
        f"`{command(without='--keep-scores')}`",
        "",
        f"The default detector, {args.epochs} epochs, means over seeds {', '.join(map(str, args.seeds))}. Columns of "
        f'schedules: percent, and in brackets what that is above "{EVERY}".',
        "",
    ]
    for score, title in SCORES.items():
        for metric, (caption, _) in METRICS.items():
            frame = pd.DataFrame([{**named(row, args), **row[f"{metric} {score}"]} for row in rows])
            mean = 100 * frame.groupby(["data", "wrong"], sort=False).mean()
            above = mean.sub(mean[EVERY], axis=0)
            cells = pd.DataFrame(
                {
                    name: [
                        f"{m:.2f}" + f" ({d:+.2f})" * (name != EVERY)
                        for m, d in zip(mean[name], above[name], strict=True)
                    ]
                    for name in mean
                },
                index=mean.index,
            )
            lines += [f"## {caption[0].upper()}{caption[1:]}, {title}", ""]
            lines += [markdown(cells.reset_index(), index=False, left=2), ""]
            told = pd.DataFrame(
                {
                    "mean": [f"{d:+.2f}" for d in above.mean()],
                    "lowest": [f"{d:+.2f}" for d in above.min()],
                    f"rows more than {100 * ALLOWED:g} below": [str(n) for n in (above < -100 * ALLOWED).sum()],
                },
                index=pd.Index(mean.columns, name=f"above {EVERY}"),
            )
            lines += [markdown(told), ""]
    costs = pd.DataFrame([{"data": named(row, args)["data"], **costs_of(row, args.epochs)} for row in rows])
    costs = costs.groupby("data", sort=False).median()
    lines += ["## Cost, in trainings", "", markdown(costs.map(lambda value: f"{value:.2f}")), ""]
    lines += [
        "Of a run that is watched, but has no curvature. A pass has a contrast, and is timed beside the epoch that it "
        "follows, median of all. The time that mean weights take is not in it.",
        "",
    ]
    write(lines, rows, args.out)


def costs_of(row: dict[str, Any], n_epochs: int) -> dict[str, float]:
    """Return what the pass of a row cost, and a whole run with it by each schedule."""
    whole = {name: 1 + row["pass"] * len(scored) / n_epochs for name, scored in row["scored"].items()}
    return {"a pass": row["pass"], **whole}


def named(row: dict[str, Any], args: argparse.Namespace) -> dict[str, str]:
    """Return what the tables call the data and the noise of a row."""
    name, _, subset = row["data"].partition(":")
    title = f"{args.title if name == 'folder' else name.upper()}, {subset}" if subset else name
    return {"data": title, "wrong": f"{100 * row['rate']:g} %" + f", {row['noise']}" * (row["noise"] != "uniform")}


def noise(text: str) -> tuple[str, float]:
    kind, _, rate = text.partition(":")
    return kind, float(rate)


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__, 2)
    add = parser.add_argument
    add("--kinds", nargs="*", default=list(TABLES), choices=list(KINDS), metavar="KIND", help="tables")
    add("--pictures", nargs="*", default=[], metavar="NAME:N", help="subsets: mnist:4000, cifar10:3000, folder:3000")
    add("--data-dir", default="data", help="of torchvision's data sets")
    add("--folder", default="data/train", help="folder of classes that the name folder stands for")
    add("--title", default="folder", help="what tables call the pictures of the name folder")
    add(
        "--noises",
        nargs="+",
        type=noise,
        default=[("uniform", 0.01), ("uniform", 0.1), ("uniform", 0.3), ("pair", 0.1)],
        metavar="KIND:RATE",
        help="kinds and shares of wrong labels, as uniform:0.1 or pair:0.1",
    )
    add("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the corruption and the training")
    add("--epochs", type=int, default=30)
    add("--device", default="auto")
    add("--keep-scores", type=Path, help="folder that keeps the scores of every epoch, to be read again")
    add("--out", type=Path, default=Path(__file__).parent / "runs" / "scored-epochs", help="folder for what is written")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()

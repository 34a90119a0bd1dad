"""AUROC of every score on labels corrupted on purpose.

For each noise rate and seed one network is trained to memorization and yields all in-sample scores; confident
learning trains the same network on each fold. Without arguments: scikit-learn's digits, nothing downloaded.

    python benchmarks/corruption.py
    python benchmarks/corruption.py --dataset mnist --data-dir data --download --subset 4000

Every finished measurement is one line in OUT/records.jsonl; the same command again goes on where it was cut short.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from harness import data, tables
from harness.environment import command, describe
from harness.records import Records
from sklearn.exceptions import ConvergenceWarning
from tqdm import tqdm

from curvdetect import ConfidentLearningDetector, CurvatureNoiseDetector, corrupt_labels
from curvdetect.metrics import auroc, average_precision, fnr_at_noise_rate

IN_SAMPLE = {
    "curvature": "Curvature",
    "input_gradient": "Input gradient",
    "loss": "Cumulative loss (CSL)",
    "margin": "Margin (AUM)",
    "averaged_margin": "Margin of averaged probabilities",
    "learning_time": "Learning time (LT)",
    "inconfidence": "Inconfidence",
}
CONFIDENT = {
    "cl_self_confidence": "Confident learning, self-confidence",
    "cl_normalized_margin": "Confident learning, normalized margin",
    "cl_flags": "Confident learning, flags ranked by score",
}
METHODS = {**IN_SAMPLE, **CONFIDENT}
FOLDS = 5
SETTINGS = ("subset", "size", "net", "epochs", "h", "n", "power", "every")


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    out = args.out or Path(__file__).parent / "runs" / args.dataset
    threads = args.threads or (1 if args.dataset == "digits" else None)
    if threads:
        torch.set_num_threads(threads)
    environment = describe(args.device)
    print(f"command: {command()}")
    print("environment: " + ", ".join(f"{k} {v}" for k, v in environment.items()), flush=True)
    X, y = data.load(args.dataset, args.data_dir, download=args.download, subset=args.subset, size=args.size)
    cell = {"dataset": args.dataset, "kind": args.kind, "settings": {s: getattr(args, s) for s in SETTINGS}}
    records = Records(out / "records.jsonl", ("dataset", "kind", "settings", "rate", "seed", "method"))
    runs = [
        (rate, seed, group)
        for seed in args.seeds
        for rate in args.rates
        for group in (IN_SAMPLE, CONFIDENT)
        if any({**cell, "rate": rate, "seed": seed, "method": m} not in records for m in set(group) & set(args.methods))
    ]
    # a cross-validation costs several trainings: the time left is counted in trainings
    with tqdm(total=sum(weight(group) for *_, group in runs), unit="training", file=sys.stderr) as bar:
        for rate, seed, group in runs:
            bar.set_description(f"{args.dataset}, {100 * rate:g} % wrong, seed {seed}")
            for row in measure(X, y, rate, seed, group, args):
                if row["method"] in args.methods:
                    records.add({**cell, "rate": rate, "seed": seed, **row, "environment": environment})
            bar.update(weight(group))
    rows = [
        row
        for row in records.matching(**cell)
        if row["rate"] in args.rates and row["seed"] in args.seeds and row["method"] in args.methods
    ]
    render(with_cost(rows), args, out, len(y))


def weight(group: dict[str, str]) -> float:
    return 2 if group is IN_SAMPLE else 4


def measure(X, y, rate: float, seed: int, group: dict[str, str], args: argparse.Namespace):
    """Yield a record of each method of a group, all from one fit."""
    confusion = None if args.confusion is None else np.loadtxt(args.confusion, delimiter=",")
    labels, mask = corrupt_labels(y, rate, kind=args.kind, confusion=confusion, random_state=seed)
    common = {"max_epochs": args.epochs, "device": args.device, "random_state": seed}
    if group is IN_SAMPLE:
        detector = CurvatureNoiseDetector(
            args.net, h=args.h, n=args.n, power=args.power, every=args.every,
            signals=("input_gradient", "averaged_margin"), **common,
        )  # fmt: skip
    else:
        detector = ConfidentLearningDetector(args.net, cv=FOLDS, **common)
    started = time.perf_counter()
    with warnings.catch_warnings():
        # said by the train_accuracy of the record
        warnings.simplefilter("ignore", ConvergenceWarning)
        detector.fit(X, labels)
    wall = time.perf_counter() - started
    for method in group:
        name = method.removeprefix("cl_")
        scores = detector.signal_scores_[name]
        row = {
            "method": method,
            "auroc": auroc(mask, scores),
            "average_precision": average_precision(mask, scores),
            "fnr": fnr_at_noise_rate(mask, scores),
            "n_samples": len(y),
            "n_wrong": int(mask.sum()),
            "seconds_run": wall,
        }
        if group is IN_SAMPLE:
            training = detector.seconds_["training"]
            row |= {
                "train_accuracy": detector.train_accuracy_,
                "seconds_training": training,
                "seconds_method": detector.seconds_[name],
                "share_of_run": detector.seconds_[name] / wall,
            }
        else:
            row |= {"seconds_method": wall, "share_of_run": 1.0}
        yield {k: round(v, 6) if isinstance(v, float) else v for k, v in row.items()}


def with_cost(rows: list[dict]) -> list[dict]:
    """Add the cost of each record in plain trainings of the net.

    In-sample scores are timed within the run, epoch by epoch beside the training. Cross-validation is counted: timed
    on its own, minutes apart, it would measure what else the machine had to do.
    """
    priced = []
    for row in rows:
        ours = row["method"] in IN_SAMPLE
        priced.append({**row, "cost": 1 + row["seconds_method"] / row["seconds_training"] if ours else FOLDS - 1})
    return priced


def render(rows: list[dict], args: argparse.Namespace, out: Path, n_samples: int) -> None:
    """Print the tables and write them beside the records."""
    net = args.net or "default"
    title = f"{args.dataset}, {n_samples} samples, {args.kind} noise, {len(args.seeds)} seed(s)"
    accuracy = [row["train_accuracy"] for row in rows if "train_accuracy" in row]
    lines = [f"# Planted wrong labels: {title}", ""]
    lines += [f"`{command()}`", ""]
    lines += [
        f"Net {net}, epochs {args.epochs or 'default'}, h = {args.h:g}, n = {args.n}, power = {args.power}, every = "
        f"{args.every}. Mean ± standard deviation over seeds {', '.join(map(str, args.seeds))}."
        + (f" Training accuracy {min(accuracy):.4f} or more." if accuracy else ""),
        "",
    ]
    for metric, caption in tables.METRICS.items():
        lines += [f"## {caption}", "", tables.markdown(rows, metric, METHODS), ""]
        if metric == "auroc":
            lines += [tables.verdict(rows, METHODS), ""]
            lines += [
                "Cost: in plain trainings of the net; timed within the run, and counted for confident learning, which "
                f"trains {FOLDS} times on {FOLDS - 1}/{FOLDS} of the data.",
                "",
            ]
    measured_on = dict.fromkeys(", ".join(f"{k} {v}" for k, v in row["environment"].items()) for row in rows)
    lines += [f"Environment: {text}." for text in measured_on]
    text = "\n".join(lines) + "\n"
    out.mkdir(parents=True, exist_ok=True)
    if "markdown" in args.format:
        (out / "table.md").write_text(text)
        print("\n" + text)
    if "csv" in args.format:
        frame = tables.csv(rows, METHODS)
        frame.to_csv(out / "table.csv", index=False, float_format="%.4f")
        if "markdown" not in args.format:
            print(frame.to_csv(index=False, float_format="%.4f"))
    if "picture" in args.format:
        tables.picture(rows, METHODS, title, out / "table.png")
    print(f"written to {out}/: records.jsonl" + "".join(f", table.{EXTENSION[f]}" for f in args.format))


EXTENSION = {"markdown": "md", "csv": "csv", "picture": "png"}


def every_or_auto(text: str) -> int | str:
    return text if text == "auto" else int(text)


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--dataset", choices=data.NAMES, default="digits")
    add("--data-dir", default="data", help="where torchvision finds the data, or the folder of pictures")
    add("--download", action="store_true", help="let torchvision fetch the data")
    add("--rates", type=float, nargs="+", default=[0.01, 0.04, 0.1], help="shares of labels to corrupt")
    add("--kind", choices=["uniform", "pair", "confusion"], default="uniform", help="kind of noise")
    add("--confusion", help="CSV file with the matrix of --kind confusion")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the corruption and the training")
    add(
        "--methods",
        choices=list(METHODS),
        nargs="+",
        default=list(METHODS),
        metavar="METHOD",
        help=", ".join(METHODS),
    )
    add("--subset", type=int, help="use so many samples, class shares kept")
    add("--size", type=int, default=32, help="side of the pictures of a folder")
    add("--net", help="a named network; by default one sized from the data")
    add("--epochs", type=int, help="length of the training; by default the net's own")
    add("--h", type=float, default=1e-2, help="step of the finite difference")
    add("--n", type=int, default=1, help="number of probes")
    add("--power", type=int, choices=[1, 2], default=1, help="norm or squared norm")
    add("--every", type=every_or_auto, default="auto", help="measure the curvature every so many epochs")
    add("--device", default="auto")
    add("--threads", type=int, help="of torch; by default its own choice, and 1 for digits, too small to share out")
    add("--out", type=Path, help="folder for records and tables; by default benchmarks/runs/DATASET")
    add("--format", choices=list(EXTENSION), nargs="+", default=list(EXTENSION))
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()

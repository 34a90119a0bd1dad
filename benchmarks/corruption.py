"""AUROC of every score on labels corrupted on purpose.

For each noise rate and seed a few trainings yield all scores: one run that memorizes the labels, a second split, a
cross-validation, and the recommended detector with two runs. Without arguments: scikit-learn's digits, nothing
downloaded.

    python benchmarks/corruption.py
    python benchmarks/corruption.py --dataset mnist --data-dir data --download --subset 4000
    python benchmarks/corruption.py --dataset cifar10 --data-dir data --download --paper

Every finished measurement is one line in OUT/records.jsonl; the same command again goes on where it was cut short.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from harness import data, recipes, tables
from harness.environment import announce, command
from harness.fits import FOLDS, Fit, detectors, fitted
from harness.methods import METHODS
from harness.options import add_data
from harness.records import Records
from tqdm import tqdm

from curvdetect.metrics import auroc, average_precision, fnr_at_noise_rate

#: Always part of what a record is of; the others only where they are set, so that older records stay valid.
SETTINGS = ("subset", "size", "net", "epochs", "h", "n", "power", "every")
LATER_SETTINGS = ("augment", "paper", "quick")
#: About what each kind of training costs, in plain trainings, for the time left.
WEIGHTS = {"one run": 3, "two runs": 2, "second split": 4, "cross-validation": 4}


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    out = args.out or Path(__file__).parent / "runs" / args.dataset
    threads = args.threads or (1 if args.dataset == "digits" else None)
    if threads:
        torch.set_num_threads(threads)
    environment = announce(args.device)
    X, y = data.load(args.dataset, args.data_dir, download=args.download, subset=args.subset, size=args.size)
    settings = {s: getattr(args, s) for s in SETTINGS} | {s: v for s in LATER_SETTINGS if (v := getattr(args, s))}
    cell = {"dataset": args.dataset, "kind": args.kind, "settings": settings}
    records = Records(out / "records.jsonl", ("dataset", "kind", "settings", "rate", "seed", "method"))
    missing = {
        (rate, seed): wanted
        for seed in args.seeds
        for rate in args.rates
        if (wanted := [m for m in args.methods if {**cell, "rate": rate, "seed": seed, "method": m} not in records])
    }
    total = sum(WEIGHTS[training] for wanted in missing.values() for training in needed(wanted))
    with tqdm(total=total, unit="training", file=sys.stderr) as bar:
        for (rate, seed), wanted in missing.items():
            bar.set_description(f"{args.dataset}, {100 * rate:g} % wrong, seed {seed}")
            for row in measure(X, y, rate, seed, wanted, args, bar):
                records.add({**cell, "rate": rate, "seed": seed, **row, "environment": environment})
    rows = [
        row
        for row in records.matching(**cell)
        if row["rate"] in args.rates and row["seed"] in args.seeds and row["method"] in args.methods
    ]
    render(rows, args, out, len(y))


def needed(methods: list[str]) -> list[str]:
    """Return the trainings that methods are read off."""
    return [training for training in WEIGHTS if any(training in METHODS[m].needs for m in methods)]


def measure(X, y, rate: float, seed: int, methods: list[str], args: argparse.Namespace, bar: tqdm) -> Iterator[dict]:
    """Yield a record of each method as soon as what it needs is trained."""
    X, labels, mask = data.corrupt(X, y, rate, args.kind, seed, args.confusion)
    nets = recipes.nets(args.net, augment=args.augment, paper=args.paper, quick=args.quick, n_samples=len(y))
    contrast = any(METHODS[m].contrast for m in methods)
    unfitted = detectors(nets, vars(args), seed, contrast=contrast)
    fits: dict[str, Fit] = {}
    waiting = list(methods)
    for training in needed(methods):
        kept = None if args.keep_scores is None else args.keep_scores / kept_name(args, rate, seed, training, contrast)
        fits[training] = fitted(unfitted[training], X, labels, kept)
        bar.update(WEIGHTS[training])
        for name in [m for m in waiting if set(METHODS[m].needs) <= set(fits)]:
            waiting.remove(name)
            yield record(name, fits, mask)


def record(name: str, fits: dict[str, Fit], mask) -> dict[str, Any]:
    """Return the measurements of one method."""
    method = METHODS[name]
    scores = method.score(fits)
    used = [fits[training] for training in method.needs]
    row: dict[str, Any] = {
        "method": name,
        "auroc": auroc(mask, scores),
        "average_precision": average_precision(mask, scores),
        "fnr": fnr_at_noise_rate(mask, scores),
        "n_samples": len(mask),
        "n_wrong": int(mask.sum()),
        "cost": method.cost(fits),
        "seconds_run": sum(fit.wall for fit in used),
    }
    accuracies = [fit.train_accuracy for fit in used if fit.train_accuracy is not None]
    if accuracies:
        row["train_accuracy"] = min(accuracies)
    return {k: round(v, 6) if isinstance(v, float) else v for k, v in row.items()}


def kept_name(args: argparse.Namespace, rate: float, seed: int, training: str, contrast: bool) -> str:
    """Return the name of the file that keeps a fit; it tells all that the fit depends on."""
    depends = [getattr(args, s) for s in ("dataset", "data_dir", "kind", "confusion", *SETTINGS, *LATER_SETTINGS)]
    key = hashlib.sha256(json.dumps([*depends, rate, seed, training, contrast]).encode()).hexdigest()[:12]
    return f"{args.dataset}-{args.kind}-{rate:g}-{seed}-{training.replace(' ', '-')}-{key}.npz"


def render(rows: list[dict], args: argparse.Namespace, out: Path, n_samples: int) -> None:
    """Print the tables and write them beside the records."""
    captions = {name: method.caption for name, method in METHODS.items()}
    short = {name: method.caption for name, method in METHODS.items() if method.main}
    title = f"{args.title or args.dataset}, {n_samples} samples, {args.kind} noise, {len(args.seeds)} seed(s)"
    beside = {
        method: dict(zip(recipes.RATES, values, strict=True))
        for method, values in recipes.PUBLISHED.get(args.paper if args.kind == "uniform" else None, {}).items()
    }
    lines = [
        f"# Planted wrong labels: {title}",
        "",
        f"`{command(without='--keep-scores')}`",
        "",
        described(rows, args),
        "",
    ]
    cost = (
        "Cost: in plain trainings of the net, timed within the run; curvature without contrast is counted as two of "
        f"the three passes of its contrast, and confident learning as its {FOLDS} trainings on {FOLDS - 1}/{FOLDS} of "
        "the data."
    )
    brackets = "In brackets: Table 2 of the paper, on the whole data set." if beside else ""
    told = [f"{line}\n" for line in tables.verdict(rows, captions)]
    for metric, caption in tables.METRICS.items():
        lines += [f"## {caption}", "", tables.markdown(rows, metric, short, beside if metric == "auroc" else None), ""]
        if metric == "auroc":
            lines += [f"{brackets}\n"] * bool(beside) + told + [cost, ""]
            lines += [f"## {caption}, every method", "", tables.markdown(rows, metric, captions), "", cost, ""]
    measured_on = dict.fromkeys(", ".join(f"{k} {v}" for k, v in row["environment"].items()) for row in rows)
    lines += [f"Environment: {text}." for text in measured_on]
    text = "\n".join(lines) + "\n"
    out.mkdir(parents=True, exist_ok=True)
    if "markdown" in args.format:
        (out / "table.md").write_text(text)
        print("\n" + text)
    if "csv" in args.format:
        frame = tables.csv(rows, captions)
        frame.to_csv(out / "table.csv", index=False, float_format="%.4f")
        if "markdown" not in args.format:
            print(frame.to_csv(index=False, float_format="%.4f"))
    if "picture" in args.format:
        tables.picture(rows, captions, title, out / "table.png")
    print(f"written to {out}/: records.jsonl" + "".join(f", table.{EXTENSION[f]}" for f in args.format))


def described(rows: list[dict], args: argparse.Namespace) -> str:
    """Return in words what was trained and how curvature was measured."""
    if args.paper:
        length = "a tenth of the epochs, one-cycle schedule" if args.quick else "the paper's epochs and schedule"
        what = f"The paper's network for {args.paper}, {length}"
    else:
        what = f"Net {args.net or 'default'}, epochs {args.epochs or 'default'}"
    what += ", cropped and flipped" if args.augment else ""
    accuracy = [row["train_accuracy"] for row in rows if "train_accuracy" in row]
    return (
        f"{what}; h = {args.h:g}, n = {args.n}, power = {args.power}, every = {args.every}. Mean ± standard deviation "
        f"over seeds {', '.join(map(str, args.seeds))}."
        + (f" Training accuracy {min(accuracy):.4f} or more." if accuracy else "")
    )


EXTENSION = {"markdown": "md", "csv": "csv", "picture": "png"}


def every_or_auto(text: str) -> int | str:
    return text if text == "auto" else int(text)


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add_data(parser)
    add = parser.add_argument
    add("--rates", type=float, nargs="+", help="shares of labels to corrupt (default: 0.01 0.04 0.1; Table 2's)")
    add("--kind", choices=data.KINDS, default="uniform", help="kind of noise; duplicates: one sample under two labels")
    add("--confusion", help="CSV file with the matrix of --kind confusion")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the corruption and the training")
    add("--methods", choices=list(METHODS), nargs="+", metavar="METHOD", help=", ".join(METHODS))
    add(
        "--skip",
        choices=list(WEIGHTS),
        nargs="+",
        default=[],
        help="trainings to leave out, with all rows that need one",
    )
    add("--net", help="a named network; by default one sized from the data")
    add("--augment", action="store_true", help="crop and flip pictures while training")
    add(
        "--paper",
        nargs="?",
        const=True,
        metavar="NAME",
        help="the paper's Table 2: its networks, recipes, rates and rows; of the dataset, or of NAME for a folder",
    )
    add("--quick", action="store_true", help="with --paper: a tenth of the epochs, one-cycle, default curvature")
    add("--epochs", type=int, help="length of the training; by default the net's own")
    add("--h", type=float, help="step of the finite difference (default: 0.01; the authors' 0.001)")
    add("--n", type=int, help="number of probes (default: 1; the authors' 10)")
    add("--power", type=int, choices=[1, 2], help="norm or squared norm (default: 1)")
    add("--every", type=every_or_auto, help="measure the curvature every so many epochs (default: auto; 1)")
    add("--device", default="auto")
    add("--threads", type=int, help="of torch; by default its own choice, and 1 for digits, too small to share out")
    add("--keep-scores", type=Path, help="folder that keeps the scores of every training, to be read again")
    add("--out", type=Path, help="folder for records and tables; by default benchmarks/runs/DATASET")
    add("--format", choices=list(EXTENSION), nargs="+", default=list(EXTENSION))
    args = parser.parse_args(argv)
    if args.paper is True:
        args.paper = args.dataset
    if args.paper and args.paper not in recipes.PAPER:
        parser.error(f"--paper {args.paper}: the paper has recipes for {', '.join(recipes.PAPER)}. Name one of them.")
    if args.paper and args.net:
        parser.error("--net goes with the default recipe; --paper has a network of its own. Leave one of them out.")
    if args.quick and not args.paper:
        parser.error("--quick shortens the recipes of --paper: pass both.")
    for name, value in (recipes.AUTHORS if args.paper and not args.quick else recipes.DEFAULTS).items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    args.rates = args.rates or (list(recipes.RATES) if args.paper else [0.01, 0.04, 0.1])
    args.methods = args.methods or (list(recipes.TABLE_2) if args.paper else list(METHODS))
    args.methods = [m for m in args.methods if not set(args.skip) & set(METHODS[m].needs)]
    return args


if __name__ == "__main__":
    main()

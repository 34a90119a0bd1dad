"""How well every score ranks labels corrupted on purpose.

For each noise rate and seed a few trainings yield all scores: one run that memorizes the labels, a second split, a
cross-validation, and the recommended detector with two runs. Without arguments: scikit-learn's digits, nothing
downloaded.

    python benchmarks/corruption.py
    python benchmarks/corruption.py --dataset mnist --data-dir data --download --subset 4000
    python benchmarks/corruption.py --dataset cifar10 --data-dir data --download --paper
    python benchmarks/corruption.py --kind instance

Every finished measurement is one line in OUT/records.jsonl; the same command again goes on where it was cut short.
With --checkpoint-dir it goes on within a training too.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from harness import data, options, recipes, tables
from harness.environment import announce, command
from harness.fits import FOLDS, Fit, detectors, fitted, name_of
from harness.measures import MEASURES, TRUE_COUNT, graded
from harness.methods import FUSED, METHODS
from harness.options import command_line
from harness.records import Records
from harness.written import markdown, write
from joblib import Parallel, cpu_count, delayed
from tqdm import tqdm

#: Always part of what a record is of; the others only where they are set, so that older records stay valid.
SETTINGS = ("subset", "size", "net", "epochs", "h", "n", "power", "every")
LATER_SETTINGS = ("augment", "paper", "quick", "precision")
#: About what each kind of training costs, in plain trainings, for the time left.
WEIGHTS = {"one run": 3, "two runs": 2, "second split": 4, "cross-validation": 4, "regression": 1}
#: Most trainings at a time that are not asked for; each holds half a gigabyte.
MOST_JOBS = 4

#: Share of wrong labels, and seed.
Cell = tuple[float, int]


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    out = args.out or Path(__file__).parent / "runs" / args.dataset
    if args.threads:
        torch.set_num_threads(args.threads)
    environment = announce(args.device, jobs=args.jobs)
    X, y = data.load(args.dataset, args.data_dir, download=args.download, subset=args.subset, size=args.size)
    settings = {s: getattr(args, s) for s in SETTINGS} | {s: v for s in LATER_SETTINGS if (v := getattr(args, s))}
    cell = {"dataset": args.dataset, "kind": args.kind, "settings": settings}
    records = Records(out / "records.jsonl", ("dataset", "kind", "settings", "rate", "seed", "method"))
    missing = {
        (rate, seed): wanted
        for rate, seed in cells(args)
        if (wanted := [m for m in args.methods if {**cell, "rate": rate, "seed": seed, "method": m} not in records])
    }
    total = sum(WEIGHTS[training] for wanted in missing.values() for training in needed(wanted))
    with tqdm(total=total, unit="training", desc=args.dataset, file=sys.stderr) as bar:
        for (rate, seed), training, rows in measure(X, y, missing, args):
            bar.set_description(f"{args.dataset}, {100 * rate:g} % wrong, seed {seed}", refresh=False)
            bar.update(WEIGHTS[training])
            for row in rows:
                records.add({**cell, "rate": rate, "seed": seed, **row, "environment": environment})
    rows = [
        row
        for row in records.matching(**cell)
        if (row["rate"], row["seed"]) in cells(args) and row["method"] in args.methods
    ]
    render(rows, args, out, len(y))


def cells(args: argparse.Namespace) -> list[Cell]:
    """Return the cells of the table: each rate with all seeds, or with the first alone."""
    return [
        (rate, seed) for seed in args.seeds for rate in args.rates if seed == args.seeds[0] or rate not in args.once
    ]


def needed(methods: list[str]) -> list[str]:
    """Return the trainings that methods are read off."""
    return [training for training in WEIGHTS if any(training in METHODS[m].needs for m in methods)]


def measure(X, y, missing: dict[Cell, list[str]], args: argparse.Namespace) -> Iterator[tuple[Cell, str, list[dict]]]:
    """Yield each training of each cell as it ends, with the records of the methods that waited for it."""
    parallel = Parallel(n_jobs=args.jobs, return_as="generator", max_nbytes=None)  # a memory map is read otherwise
    trainings = parallel(
        delayed(train)(X, y, *cell, training, methods, args)
        for cell, methods in missing.items()
        for training in needed(methods)
    )
    for cell, methods in missing.items():
        fits: dict[str, Fit] = {}
        for training in needed(methods):
            mask, fits[training] = next(trainings)
            ready = [m for m in methods if training in METHODS[m].needs and set(METHODS[m].needs) <= set(fits)]
            yield cell, training, [record(name, fits, mask) for name in ready]


def train(X, y, rate: float, seed: int, training: str, methods: list[str], args: argparse.Namespace):
    """Return which labels were made wrong, and what a training on them measured for some methods."""
    if args.threads:
        torch.set_num_threads(args.threads)
    X, labels, mask = data.corrupt(X, y, rate, args.kind, seed, args.confusion)
    beside = {name: any(getattr(METHODS[m], name) for m in methods) for name in ("contrast", "witnesses")}
    detector = detectors(options.nets(args, len(y)), vars(args), seed, **beside)[training]
    name = fit_name(args, rate, seed, training, **beside)
    if args.checkpoint_dir is not None:
        detector.set_params(checkpoint_dir=args.checkpoint_dir / name)
    kept = None if args.keep_scores is None else args.keep_scores / f"{name}.npz"
    return mask, fitted(detector, X, labels, kept)


def record(name: str, fits: dict[str, Fit], mask) -> dict[str, Any]:
    """Return the measurements of one method."""
    method = METHODS[name]
    scores = method.score(fits)
    used = [fits[training] for training in method.needs]
    measures = graded(mask, scores)
    row: dict[str, Any] = {
        "method": name,
        "average_precision": measures.pop("ap"),
        **measures,
        "n_samples": len(mask),
        "n_wrong": int(mask.sum()),
        "cost": method.cost(fits),
        "seconds_run": sum(fit.wall for fit in used),
    }
    accuracies = [fit.train_accuracy for fit in used if fit.train_accuracy is not None]
    if accuracies:
        row["train_accuracy"] = min(accuracies)
    return {k: round(v, 6) if isinstance(v, float) else v for k, v in row.items()}


def fit_name(args: argparse.Namespace, rate: float, seed: int, training: str, **beside: bool) -> str:
    """Return the name of what is kept of a fit; it tells all that the fit depends on."""
    depends = [getattr(args, s) for s in ("dataset", "data_dir", "kind", "confusion", *SETTINGS, *LATER_SETTINGS)]
    key = name_of([*depends, rate, seed, training, *beside.values()])
    return f"{args.dataset}-{args.kind}-{rate:g}-{seed}-{training.replace(' ', '-')}-{key}"


def render(rows: list[dict], args: argparse.Namespace, out: Path, n_samples: int) -> None:
    """Print the tables and write them beside the records."""
    captions = {name: method.caption for name, method in METHODS.items()}
    # the parts of what is asked for are shown with it
    parts = FUSED if "fused" in args.methods else ()
    short = {name: method.caption for name, method in METHODS.items() if method.main or name in parts}
    title = f"{args.title or args.dataset}, {n_samples} samples, {args.kind} noise, {len(args.seeds)} seed(s)"
    beside = recipes.published(args.published, later=not args.paper) if args.kind == "uniform" else {}
    lines = [
        f"# Planted wrong labels: {title}",
        "",
        f"`{command(without=('--keep-scores', '--checkpoint-dir'))}`",
        "",
        described(rows, args),
        "",
    ]
    cost = (
        "Cost: in plain trainings of the net, timed within the run; curvature without contrast is counted as two of "
        f"the three passes of its contrast, and confident learning as its {FOLDS} trainings on {FOLDS - 1}/{FOLDS} of "
        "the data."
    )
    brackets = "In brackets: Table 2 of the paper, on the whole data set" if beside else ""
    if beside and not args.paper and args.published in recipes.LATER:
        brackets += f"; after a semicolon, and of the cumulative loss, {recipes.LATER_SOURCE}"
    for name, caption in MEASURES.items():
        values = tables.percent(rows, "average_precision" if name == "ap" else name)
        table = tables.best_of_each(values, short, beside if name == "auroc" else None)
        if name == "auroc":
            costs = pd.DataFrame(rows).groupby("method")["cost"].median().rename(captions).map("{:.2f}".format)
            every = tables.best_of_each(values, captions)
            told = [f"{line}\n" for line in tables.verdict(values, captions)]
            lines += [f"## {caption}", "", markdown(table.assign(cost=costs)), ""]
            lines += [f"{brackets}.\n"] * bool(beside) + told + [cost, ""]
            lines += [f"## {caption}, every method", "", markdown(every.assign(cost=costs)), "", cost, ""]
        else:
            lines += [f"## {caption}", "", markdown(table), ""] + [TRUE_COUNT, ""] * (name == "precision")
        shown = values[[method for method in short if method in values]].rename(columns=short)
        shown = shown.rename(index=lambda rate: f"{100 * rate:g} % wrong", level="rate")
        reference = "fused" if short["fused"] in shown else "fused_auto"
        lines += tables.compared(shown, short[reference], caption, across=True)
    write(lines, rows, out)


def described(rows: list[dict], args: argparse.Namespace) -> str:
    """Return in words what was trained and how curvature was measured."""
    if args.paper:
        length = "a tenth of the epochs, one-cycle schedule" if args.quick else "the paper's epochs and schedule"
        what = f"The paper's network for {args.paper}, {length}"
    else:
        what = f"Net {args.net or 'default'}, epochs {args.epochs or 'default'}"
    what += ", cropped and flipped" if args.augment else ""
    what += f", {args.precision}" if args.precision else ""
    of = tables.over_seeds(args.seeds).rstrip(".")
    if args.once:
        of += f" ({' and '.join(f'{100 * rate:g} %' for rate in args.once)}: seed {args.seeds[0]})"
    accuracy = [row["train_accuracy"] for row in rows if "train_accuracy" in row]
    return (
        f"{what}; h = {args.h:g}, n = {args.n}, power = {args.power}, every = {args.every}. "
        f"{of}{'; differences with 95 % intervals' * (len(args.seeds) > 1)}."
        + (f" Training accuracy {min(accuracy):.4f} or more." if accuracy else "")
    )


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__)
    options.add_data(parser)
    add = parser.add_argument
    add("--rates", type=float, nargs="+", help="shares of labels to corrupt (default: 0.01 0.04 0.1; Table 2's)")
    add("--kind", choices=data.KINDS, default="uniform", help="kind of noise; duplicates: one sample under two labels")
    add("--confusion", help="CSV file with the matrix of --kind confusion; by default that of a weak classifier")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the corruption and the training")
    add("--once", type=float, nargs="+", default=[], metavar="RATE", help="rates that the first seed is enough for")
    asked = f"{', '.join(m for m in METHODS if METHODS[m].asked)} only where they are named"
    add("--methods", choices=list(METHODS), nargs="+", metavar="METHOD", help=f"{', '.join(METHODS)}; {asked}")
    add(
        "--skip",
        choices=list(WEIGHTS),
        nargs="+",
        default=[],
        help="trainings to leave out, with all rows that need one",
    )
    options.add_recipe(parser)
    add("--precision", choices=["float32", "bfloat16"], help="of the training passes (default: float32)")
    add(
        "--published",
        choices=list(recipes.PUBLISHED),
        help="data set whose published numbers stand beside (default: that of --paper)",
    )
    add("--device", default="auto")
    add("--jobs", type=int, help=f"trainings at a time (default: 1; for digits on CPUs one a core, up to {MOST_JOBS})")
    add("--threads", type=int, help="of torch, in each of them (default: 1 for digits, else the cores shared out)")
    add("--keep-scores", type=Path, help="folder that keeps the scores of every training, to be read again")
    add(
        "--checkpoint-dir",
        type=Path,
        help="folder for a checkpoint of every training after each epoch, to go on from; to be deleted in the end",
    )
    add("--out", type=Path, help="folder for records and tables; by default benchmarks/runs/DATASET")
    args = options.settle(parser, parser.parse_args(argv))
    on_cpu = args.device == "cpu" or (args.device == "auto" and not torch.accelerator.is_available())
    if args.jobs is None:
        args.jobs = min(MOST_JOBS, cpu_count()) if args.dataset == "digits" and on_cpu else 1
    if args.jobs < 1:
        parser.error(f"--jobs must be 1 or more, got {args.jobs}.")
    if args.threads is None and (args.dataset == "digits" or args.jobs > 1):
        args.threads = 1 if args.dataset == "digits" else max(1, cpu_count() // args.jobs)
    args.published = args.published or args.paper
    args.rates = args.rates or (list(recipes.RATES) if args.paper else [0.01, 0.04, 0.1])
    by_default = recipes.TABLE_2 if args.paper else [m for m in METHODS if not METHODS[m].asked]
    args.methods = args.methods or list(by_default)
    args.methods = [m for m in args.methods if not set(args.skip) & set(METHODS[m].needs)]
    return args


if __name__ == "__main__":
    main()

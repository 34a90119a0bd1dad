"""What the recommended detector gains by witnesses that train nothing, beside its parts and cleanlab on other models.

The training alone (the cumulative loss), the ridge regression and the forest that leave each sample out, all of them
fused, and cleanlab's label quality on five folds of scikit-learn's models, which take rows of numbers. Tables are made
here or come with scikit-learn; pictures are those of data/.

    python benchmarks/witnesses.py
    python benchmarks/witnesses.py --kinds iris --seeds 0 --rates 0.1
    python benchmarks/witnesses.py --kinds --pictures mnist:4000 folder:3000 --data-dir data
    python benchmarks/witnesses.py --noises uniform pair confusion instance annotator group --rates 0.1

Every finished cell is one line in OUT/records.jsonl; the same command again goes on where it was cut short.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from cleanlab.rank import get_label_quality_scores
from harness import data
from harness.environment import announce, command
from harness.kinds import KINDS
from harness.measures import MEASURES, TRUE_COUNT, by_measure, difference
from harness.options import command_line
from harness.quiet import quietly
from harness.records import Records
from harness.tables import by_cell, compared, means, over_seeds
from harness.written import markdown, write
from joblib import Parallel, delayed
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from curvdetect import FusedDetector, memorizing_net

#: Tables of other shapes: few and many rows, columns and classes, categories, counts, units of their own.
TABLES = ("iris", "wine", "breast cancer", "digits", "wide 100", "wide 500", "genes, 4 classes", "spiral", "one-hot")
TABLES += ("word counts", "units", "imbalanced")
PARTS = {"loss": "training: loss", "leave_one_out": "ridge, left out", "out_of_bag": "forest, left out"}
FOLDS = 5
#: How far below the best of cleanlab's the recommended detector may be.
ALLOWED = 0.003


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    environment = announce(args.device, threads=1)
    records = Records(args.out / "records.jsonl", ("data", "noise", "rate", "seed", "augment"))
    wanted = [
        {"data": name, "noise": noise, "rate": rate, "seed": seed, "augment": args.augment}
        for name in [*args.kinds, *args.pictures]
        for noise in args.noises
        for rate in args.rates
        for seed in args.seeds
    ]
    missing = [row for row in wanted if row not in records]
    measured = Parallel(n_jobs=args.jobs, return_as="generator")(delayed(measure)(row, args) for row in missing)
    for row, found in tqdm(zip(missing, measured, strict=True), total=len(missing), unit="cell", file=sys.stderr):
        records.add({**row, **found, "environment": environment})
    render([records.matching(**row)[0] for row in wanted], args)


def measure(row: dict, args: argparse.Namespace) -> dict:
    """Return what every method makes of one corrupted copy of the labels."""
    torch.set_num_threads(1)
    X, y = load(row, args)
    X, labels, mask = data.corrupt(X, y, row["rate"], row["noise"], row["seed"])
    net = memorizing_net(None, augment=True) if row["augment"] else None
    detector = FusedDetector(net, max_epochs=args.epochs, device=args.device, random_state=row["seed"])
    seconds: dict[str, float] = {}
    with quietly():
        timed("fused", seconds, lambda: detector.fit(X, labels))
        scores = {name: detector.signal_scores_[name] for name in PARTS if name in detector.signal_scores_}
        scores["late_loss"], scores["fused"] = detector.signal_scores_["late_loss"], detector.scores_
        if X.ndim == 2:
            codes = np.unique(labels, return_inverse=True)[1]
            for name, model in models(row["seed"]).items():
                found = timed(
                    name,
                    seconds,
                    lambda model=model: cross_val_predict(model, X, codes, cv=FOLDS, method="predict_proba"),
                )
                scores[name] = 1 - get_label_quality_scores(codes, found)
    flagged = detector.labels_.astype(bool) & mask
    return {
        "shape": list(X.shape),
        **by_measure(mask, scores),
        "fused_signals": detector.fused_signals_,
        "suggested": round(float((detector.suggested_labels_[flagged] == y[flagged]).mean()), 4),
        "seconds": {**seconds, **{name: round(detector.seconds_[name], 2) for name in ("training", "leave_one_out")}},
    }


def load(row: dict, args: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Return the samples of a cell."""
    if row["data"] in KINDS:
        X, y = KINDS[row["data"]](row["seed"])
        return np.asarray(X, dtype=np.float32), y
    name, _, subset = row["data"].partition(":")
    folder = args.folder if name == "folder" else args.data_dir
    return data.load(name, folder, subset=int(subset))


def models(seed: int) -> dict[str, object]:
    """Return what cleanlab's way is taken with."""
    return {
        "cleanlab, forest": RandomForestClassifier(random_state=seed),
        "cleanlab, logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=200)),
        "cleanlab, boosting": HistGradientBoostingClassifier(random_state=seed),
    }


def timed(name: str, seconds: dict[str, float], call: Callable[[], object]) -> object:
    """Return what a call returns, and note its time."""
    started = time.perf_counter()
    result = call()
    seconds[name] = round(time.perf_counter() - started, 2)
    return result


def render(rows: list[dict], args: argparse.Namespace) -> None:
    """Print the tables and write them beside the records."""
    captions = {**PARTS, "fused": "FusedDetector()", **{name: name for name in models(0)}}
    lines = ["# What witnesses that train nothing add", "", f"`{command()}`", ""]
    for measure_name, caption in MEASURES.items():
        if not all(measure_name in row for row in rows):  # older records have two of the measures
            continue
        cells = [{"data": name_of(r, args), "wrong": wrong(r), "seed": r["seed"], **r[measure_name]} for r in rows]
        values = 100 * pd.DataFrame(cells).set_index(["data", "wrong", "seed"])
        values = values[[name for name in captions if name in values]].rename(columns=captions)
        lines += [f"## {caption}", "", markdown(means(values).reset_index(), index=False, left=2), ""]
        lines += [TRUE_COUNT, ""] * (measure_name == "precision")
        lines += beside_cleanlab(values, captions["fused"])
        lines += compared(values, captions["fused"], caption)
    cost = pd.DataFrame([{"data": name_of(r, args), **r["seconds"]} for r in rows]).groupby("data", sort=False).median()
    cost = cost.map(lambda value: "" if np.isnan(value) else f"{value:.1f}").rename(
        columns={"fused": captions["fused"]}
    )
    lines += ["## Seconds, median", "", markdown(cost.reset_index(), index=False, left=1), ""]
    right = [row["suggested"] for row in rows]
    lines += [
        f"Of the wrong labels flagged, the suggestion is right in {100 * np.nanmean(right):.1f} % (mean of all runs). "
        f"{over_seeds(args.seeds)} The default net and all other "
        f"defaults{', with augmentation' * args.augment}.",
        "",
    ]
    write(lines, rows, args.out)


def beside_cleanlab(values: pd.DataFrame, ours: str) -> list[str]:
    """Return in words how the recommended detector stands to the best of cleanlab's in each row."""
    theirs = [name for name in values if name.startswith("cleanlab")]
    if not theirs:
        return []
    gaps = []
    for _, part in by_cell(values.dropna(subset=theirs)):
        best = part[theirs].mean().idxmax()
        gaps.append(difference(part[ours], part[best]))
    mean = np.array([gap.mean for gap in gaps])
    resolved = [gap.mean > 0 for gap in gaps if gap.resolved]
    return [
        f"{ours} is at most {100 * ALLOWED:g} points below the best of cleanlab's in "
        f"{int((mean >= -100 * ALLOWED).sum())} of {len(gaps)} rows, {max(0, -mean.min()):.2f} at most; "
        f"{mean.mean():+.2f} points on average. The difference is resolved in {len(resolved)} rows: ahead in "
        f"{sum(resolved)}, behind in {len(resolved) - sum(resolved)}.",
        "",
    ]


def name_of(row: dict, args: argparse.Namespace) -> str:
    """Return what a table calls the data of a row."""
    name, _, subset = row["data"].partition(":")
    return f"{args.title if name == 'folder' else name.upper()}, {subset}" if subset else name


def wrong(row: dict) -> str:
    """Return the noise of a row in words."""
    return f"{100 * row['rate']:g} %" + f", {row['noise']}" * (row["noise"] != "uniform")


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__, 2)
    add = parser.add_argument
    add("--kinds", nargs="*", default=list(TABLES), choices=list(KINDS), metavar="KIND", help="tables")
    add("--pictures", nargs="*", default=[], metavar="NAME:N", help="subsets: mnist:4000, cifar10:3000, folder:3000")
    add("--data-dir", default="data", help="of torchvision's data sets")
    add("--folder", default="data/train", help="folder of classes that the name folder stands for")
    add("--title", default="folder", help="what tables call the pictures of the name folder")
    add("--noises", nargs="+", default=["uniform"], choices=data.NOISES, help="kinds of noise")
    add("--rates", type=float, nargs="+", default=[0.1, 0.3], help="shares of wrong labels")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the data, the corruption and the training")
    add("--augment", action="store_true", help="crop and flip pictures at random")
    add("--epochs", type=int, help="length of the trainings; by default the net's own")
    add("--jobs", type=int, default=1, help="cells measured at a time, on one thread each")
    add("--device", default="auto")
    add("--out", type=Path, default=Path(__file__).parent / "runs" / "witnesses", help="folder for records and tables")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()

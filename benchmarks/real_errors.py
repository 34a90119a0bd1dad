"""Wrong labels that are real: MNIST's 10,000 test pictures, some of whose labels people checked by hand.

cleanlab's authors had five people judge each label that they doubted (https://github.com/cleanlab/label-errors,
``mturk/mnist_mturk.json``). A label is counted as wrong where fewer than three of five stood by it. Labels that nobody
judged count as right, so what the doubt of others missed counts against who finds it.

    python benchmarks/real_errors.py --errors mnist_mturk.json --data-dir data
    python benchmarks/real_errors.py --errors mnist_mturk.json --theirs mnist_test_set_pyx.npy

``--theirs`` names the probabilities out of fold by which they doubted labels, from the same repository; the table then
has their row. Every finished seed is one line in OUT/records.jsonl; the same command again goes on where it was cut
short.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from cleanlab.rank import get_label_quality_scores
from harness.environment import announce, command
from harness.measures import MEASURES, TRUE_COUNT, graded
from harness.options import command_line
from harness.quiet import quietly
from harness.records import Records
from harness.tables import compared, means
from harness.written import markdown, write
from joblib import Parallel, delayed
from torchvision.datasets import MNIST
from tqdm import tqdm

from curvdetect import FusedDetector, fuse

#: Of five people, so many have to stand by a label.
STAND_BY = 3
#: Among the first so many the wrong ones are counted.
FIRST = 100
CAPTIONS = {
    "fused": "FusedDetector()",
    "loss": "cumulative loss",
    "curvature_contrast": "curvature, label contrast",
    "leave_one_out": "ridge, left out",
    "loss + left out": "Fisher: loss, ridge",
    "loss + contrast + left out": "Fisher: loss, contrast, ridge",
    "theirs": "cleanlab's published probabilities",
}


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    environment = announce(args.device, threads=1)
    records = Records(args.out / "records.jsonl", ("seed", "subset"))
    wanted = [{"seed": seed, "subset": args.subset} for seed in args.seeds]
    missing = [row for row in wanted if row not in records]
    if missing:
        X, y, wrong, theirs = load(args)
        measured = Parallel(n_jobs=args.jobs, return_as="generator")(
            delayed(measure)(X, y, wrong, row["seed"], args.device) for row in missing
        )
        for row, found in tqdm(zip(missing, measured, strict=True), total=len(missing), unit="seed", file=sys.stderr):
            found["measures"] |= theirs
            records.add({**row, "n_wrong": int(wrong.sum()), **found, "environment": environment})
    render([records.matching(**row)[0] for row in wanted], args)


def load(args: argparse.Namespace) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict]:
    """Return pictures, labels, which of these people judged to be wrong, and what the published probabilities find."""
    test = MNIST(args.data_dir, train=False)
    X, y = test.data[:, None].numpy(), test.targets.numpy()
    judged = json.loads(args.errors.read_text())
    wrong = np.zeros(len(y), dtype=bool)
    wrong[[one["id"] for one in judged if one["mturk"]["given"] < STAND_BY]] = True
    keep, theirs = slice(args.subset), {}
    if args.theirs is not None:
        theirs["theirs"] = found_by(1 - get_label_quality_scores(y, np.load(args.theirs))[keep], wrong[keep])
    return X[keep], y[keep], wrong[keep], theirs


def measure(X: np.ndarray, y: np.ndarray, wrong: np.ndarray, seed: int, device: str) -> dict:
    """Return what each ranking makes of the labels as they are."""
    torch.set_num_threads(1)
    detector = FusedDetector(device=device, random_state=seed)
    named = FusedDetector(signals=["loss", "curvature_contrast", "leave_one_out"], device=device, random_state=seed)
    started = time.perf_counter()
    with quietly():
        detector.fit(X, y)
        seconds = time.perf_counter() - started
        signals = named.fit(X, y).signal_scores_
    scores = {name: signals[name] for name in ("loss", "curvature_contrast", "leave_one_out")}
    scores["fused"] = detector.scores_
    scores["loss + left out"] = fuse(signals["loss"], signals["leave_one_out"])
    scores["loss + contrast + left out"] = fuse(
        signals["loss"], signals["curvature_contrast"], signals["leave_one_out"]
    )
    return {
        "measures": {name: found_by(values, wrong) for name, values in scores.items()},
        "fused_signals": detector.fused_signals_,
        "train_accuracy": detector.train_accuracy_,
        "seconds": round(seconds, 1),
    }


def found_by(scores: np.ndarray, wrong: np.ndarray) -> dict[str, float]:
    """Return all measures, and how many wrong ones there are among the first."""
    first = np.argsort(-scores, kind="stable")[:FIRST]
    return {**graded(wrong, scores), "first": int(wrong[first].sum())}


def render(rows: list[dict], args: argparse.Namespace) -> None:
    """Print the table and write it beside the records."""
    first = pd.DataFrame([{name: one["first"] for name, one in row["measures"].items()} for row in rows]).mean()
    table = pd.DataFrame({f"among the first {FIRST}": first[[name for name in CAPTIONS if name in first]]})
    table = table.map("{:.1f}".format).rename(CAPTIONS)
    lines, apart = ["# Wrong labels that are real", "", f"`{command()}`", ""], []
    known = [name for name in MEASURES if all(name in one for row in rows for one in row["measures"].values())]
    for name in known:  # older records have one of the measures
        flat = [{CAPTIONS[method]: 100 * one[name] for method, one in row["measures"].items()} for row in rows]
        index = pd.MultiIndex.from_tuples([("all", row["seed"]) for row in rows], names=["labels", "seed"])
        values = pd.DataFrame(flat, index)
        table[MEASURES[name]] = means(values).loc["all"]
        apart += compared(values, CAPTIONS["fused"], MEASURES[name], across=True)
    seeds = ", ".join(map(str, args.seeds))
    lines += [
        f"{rows[0]['n_wrong']} labels of MNIST's test pictures that people judged to be wrong. "
        f"Mean ± standard deviation over seeds {seeds}.",
        "",
    ]
    lines += ["## Found", "", markdown(table), ""] + [TRUE_COUNT, ""] * ("precision" in known) + apart
    write(lines, rows, args.out)


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__, 2)
    add = parser.add_argument
    add("--errors", type=Path, required=True, help="mnist_mturk.json")
    add("--theirs", type=Path, help="mnist_test_set_pyx.npy")
    add("--data-dir", default="data", help="where torchvision finds MNIST")
    add("--subset", type=int, help="take the first so many pictures")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the trainings")
    add("--jobs", type=int, default=1, help="seeds measured at a time, on one thread each")
    add("--device", default="auto")
    add(
        "--out", type=Path, default=Path(__file__).parent / "runs" / "real-errors", help="folder for records and tables"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()

"""What leaving each sample out in closed form takes, beside cleanlab's way on the same features, one thread each.

`LeaveOneOutDetector` on features as they are, penalty and temperature chosen; five folds of scikit-learn's logistic
regression and cleanlab's label quality, for its default C and for others, in one run. Then time and peak memory of the
detector alone over more and more samples, each in a process of its own, on features that lie in a file. They are made
here, as embeddings of ten classes, or read:

    python benchmarks/leave_one_out.py
    python benchmarks/leave_one_out.py --samples 2000 --columns 128 --growth 1000 4000
    python benchmarks/leave_one_out.py --features embeddings.npy --labels labels.npy --growth

Every finished measurement is one line in OUT/records.jsonl; the same command again goes on where it was cut short.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from cleanlab.rank import get_label_quality_scores
from harness.environment import announce, command
from harness.memory import megabytes
from harness.options import command_line
from harness.quiet import quietly
from harness.records import Records
from harness.written import markdown, write
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_predict
from threadpoolctl import threadpool_limits

from curvdetect import LeaveOneOutDetector, corrupt_labels
from curvdetect.metrics import auroc, average_precision

N_CLASSES, FOLDS, WRONG = 10, 5, 0.1
#: Numbers from which the columns of made features are mixed, and how far the means of classes lie apart in them.
N_LATENT, APART = 200, 0.22
OURS, THEIRS = "LeaveOneOutDetector", "cleanlab, logistic regression, C = {:g}"
#: scikit-learn's default.
DEFAULT_C = 1.0
ROWS_AT_ONCE = 5000


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    torch.set_num_threads(1)
    with threadpool_limits(1):
        if args.alone:
            print(json.dumps(alone(Path(args.alone))))
            return
        environment = announce("cpu")
        data = {"features": str(args.features or "made"), "columns": args.columns, "samples": args.samples}
        records = Records(args.out / "records.jsonl", ("features", "columns", "samples", "job"))
        jobs = [OURS, *(THEIRS.format(c) for c in args.regularizations)]
        with tempfile.TemporaryDirectory(dir=args.scratch) as folder:
            X, y = features(args.samples, args, Path(folder))
            side = records.measured(
                [{**data, "job": job} for job in jobs], lambda cell: timed(cell, X, y), environment=environment
            )
            grown = records.measured(
                [{**data, "samples": n, "job": "alone"} for n in args.growth],
                lambda cell: in_a_process(cell["samples"], args, Path(folder)),
                environment=environment,
            )
    render(side, grown, args)


def features(n: int, args: argparse.Namespace, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return features, in a file, and labels: those that were passed, or made ones."""
    if args.features:
        return np.load(args.features, mmap_mode="r"), np.load(args.labels)
    path, rng = folder / f"{n}.npy", np.random.default_rng(0)
    y = rng.integers(0, N_CLASSES, n)
    means = APART * rng.standard_normal((N_CLASSES, N_LATENT))
    # a few directions carry most of what varies
    mixed = rng.standard_normal((N_LATENT, args.columns)) * np.arange(1, N_LATENT + 1)[:, None] ** -0.5
    rows = np.lib.format.open_memmap(path, "w+", np.float32, (n, args.columns))
    for start in range(0, n, ROWS_AT_ONCE):
        some = slice(start, min(n, start + ROWS_AT_ONCE))
        latent = means[y[some]] + rng.standard_normal((some.stop - start, N_LATENT))
        noise = rng.standard_normal((some.stop - start, args.columns), dtype=np.float32)
        rows[some] = np.maximum(latent @ mixed + noise, 0)
    rows.flush()
    return np.load(path, mmap_mode="r"), y


def timed(cell: dict[str, Any], X: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """Return what a method takes, and how well it ranks."""
    labels, mask = corrupt_labels(y, WRONG, random_state=0)
    if cell["job"] == OURS:
        detector = LeaveOneOutDetector(features="linear", device="cpu", random_state=0)
        found, spent = clocked(lambda: detector.fit(X, labels).scores_)
        more = {"penalty": detector.penalty_, "likelihood": round(detector.likelihood_, 5)}
    else:
        model = LogisticRegression(C=float(cell["job"].rsplit(" ", 1)[1]), max_iter=100)
        held = np.array(X)  # in memory, where it is fastest

        def theirs() -> tuple[np.ndarray, np.ndarray]:
            probabilities = cross_val_predict(model, held, labels, cv=FOLDS, method="predict_proba")
            return probabilities, 1 - get_label_quality_scores(labels, probabilities)

        (probabilities, found), spent = clocked(theirs)
        more = {"likelihood": round(-log_loss(labels, probabilities), 5)}
    ranked = {"auroc": round(auroc(mask, found), 6), "ap": round(average_precision(mask, found), 6)}
    return {**spent, **more, **ranked}


def clocked(call: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """Return what a call returns, and its time: of the clock, and of the processor."""
    started, used = time.perf_counter(), time.process_time()
    with quietly():
        found = call()
    spent = {"seconds": time.perf_counter() - started, "processor_seconds": time.process_time() - used}
    return found, {name: round(value, 2) for name, value in spent.items()}


def in_a_process(n: int, args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return what a process takes that fits the detector alone."""
    X, y = features(n, args, folder)
    np.savez(folder / "alone.npz", path=str(X.filename), labels=corrupt_labels(y, WRONG, random_state=0)[0])
    done = subprocess.run(
        [sys.executable, __file__, "--alone", str(folder / "alone.npz")], capture_output=True, text=True, check=True
    )
    if not args.features:
        Path(X.filename).unlink()
    return json.loads(done.stdout.splitlines()[-1])


def alone(told: Path) -> dict[str, Any]:
    """Fit the detector, after a first fit that loads what fits load; return its time and how much memory it took."""
    given = np.load(told)
    X, labels = np.load(str(given["path"]), mmap_mode="r"), given["labels"]
    detector = LeaveOneOutDetector(features="linear", device="cpu", random_state=0)
    with quietly():
        detector.fit(np.array(X[:100, :5]), labels[:100])
    before = megabytes("VmRSS")
    _, spent = clocked(lambda: detector.fit(X, labels))
    mib = X.nbytes / 2**20
    return {**spent, "features_mib": round(mib, 1), "peak_mib": round(megabytes("VmHWM") - before, 1)}


def render(side: list[dict[str, Any]], grown: list[dict[str, Any]], args: argparse.Namespace) -> None:
    """Print the tables and write them beside the records."""
    ours, *theirs = side
    lines = ["# Leaving each sample out, beside cleanlab's way", "", f"`{command(without='--scratch')}`", ""]
    chosen = max(theirs, key=lambda row: row["likelihood"])
    all_ = {
        **chosen,
        "job": f"cleanlab, the likeliest of {len(theirs)} C",
        **{name: sum(row[name] for row in theirs) for name in ("seconds", "processor_seconds")},
    }
    table = pd.DataFrame(
        [
            {
                "": row["job"],
                "seconds": f"{row['seconds']:.1f}",
                "processor seconds": f"{row['processor_seconds']:.1f}",
                "times ours": f"{row['processor_seconds'] / max(0.01, ours['processor_seconds']):.1f}",
                "AUROC, %": f"{100 * row['auroc']:.2f}",
                "average precision, %": f"{100 * row['ap']:.2f}",
            }
            for row in [*side, all_]
        ]
    )
    lines += ["## Time", "", markdown(table, index=False), ""]
    lines += [
        f"{args.samples:,} samples, {args.columns:,} columns in float32, a tenth of the labels wrong. cleanlab's way: "
        f"{FOLDS} folds of scikit-learn's LogisticRegression(max_iter=100) by cross_val_predict, then "
        f"get_label_quality_scores. Ours chooses penalty and temperature. One thread each; ratios of the processor's "
        "time, which other processes of a machine change less than the clock's.",
        "",
    ]
    if grown:
        table = pd.DataFrame(
            [
                {
                    "samples": f"{row['samples']:,}",
                    "processor seconds": f"{row['processor_seconds']:.1f}",
                    "microseconds a sample": f"{1e6 * row['processor_seconds'] / row['samples']:.0f}",
                    "features, MiB": f"{row['features_mib']:,.0f}",
                    "peak memory, MiB": f"{row['peak_mib']:,.0f}",
                    "peak memory over features": f"{row['peak_mib'] / max(0.1, row['features_mib']):.2f}",
                }
                for row in grown
            ]
        )
        lines += ["## More samples", "", markdown(table, index=False), ""]
        lines += [
            "Each in a process of its own. Features lie in a file that is read through a memory map. Memory is the "
            "peak of the whole process, with what it holds of the file, less what it had before the fit.",
            "",
        ]
    write(lines, [*side, *grown], args.out)


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__, 2)
    add = parser.add_argument
    add("--samples", type=int, default=50_000, help="of the comparison")
    add("--columns", type=int, default=1280, help="of the features")
    add("--features", type=Path, help="a .npy file of features, in place of made ones")
    add("--labels", type=Path, help="a .npy file of their right labels")
    add(
        "--regularizations", type=float, nargs="+", default=[1e-3, 1e-2, 1e-1, DEFAULT_C, 10.0], help="C to choose from"
    )
    add("--growth", type=int, nargs="*", default=[12_500, 25_000, 50_000, 100_000, 200_000], help="numbers of samples")
    add("--scratch", type=Path, help="folder for made features; by default that of the system")
    add(
        "--out",
        type=Path,
        default=Path(__file__).parent / "runs" / "leave-one-out",
        help="folder for records and tables",
    )
    add("--alone", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.features:
        if not args.labels:
            parser.error("--features takes --labels: the right labels, of which a tenth are made wrong here.")
        args.samples, args.columns = np.load(args.features, mmap_mode="r").shape
        args.growth = args.growth and [args.samples]
    return args


if __name__ == "__main__":
    main()

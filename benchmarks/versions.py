"""Whole rankings by this version and by an earlier one, in turn: seconds, and how well wrong labels rank.

The earlier version is a checkout beside this one. Every fit is a process of its own, on the same samples and labels.

    git worktree add ../before COMMIT
    python benchmarks/versions.py --before ../before --pictures mnist:5000 folder:5000 --rows 2000 20000 --data-dir data

Every finished pair of fits is one line in OUT/records.jsonl; the same command again goes on where it was cut short.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from harness import data
from harness.checkouts import HERE, check_found, run_at
from harness.environment import announce, command
from harness.options import command_line
from harness.records import Records
from harness.written import markdown, write
from sklearn.datasets import make_classification

from curvdetect import corrupt_labels
from curvdetect.metrics import auroc, average_precision

#: What each process runs: the version is the one that is found on its path.
FIT = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import numpy as np, torch
import curvdetect
torch.set_num_threads(1)
held, detector, out = np.load(sys.argv[1]), sys.argv[2], sys.argv[3]
detector = getattr(curvdetect, detector)(device=sys.argv[4], random_state=int(sys.argv[5]))
started, spent = time.perf_counter(), time.process_time()
detector.fit(held["X"], held["labels"])
seconds, processor = time.perf_counter() - started, time.process_time() - spent
np.save(out, detector.scores_)
print(json.dumps({"seconds": round(seconds, 3), "processor": round(processor, 3), "file": curvdetect.__file__}))
"""


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    environment = announce(args.device, threads=1)
    records = Records(args.out / "records.jsonl", ("data", "noise", "rate", "seed", "detector"))
    wanted = [
        {"data": name, "noise": noise, "rate": rate, "seed": seed, "detector": args.detector}
        for name in [*args.pictures, *(f"rows:{n}" for n in args.rows)]
        for noise in args.noises
        for rate in args.rates
        for seed in args.seeds
    ]
    rows = records.measured(wanted, lambda row: measure(row, args), environment=environment)
    render(rows, args)


def measure(row: dict, args: argparse.Namespace) -> dict:
    """Return what both versions make of one corrupted copy of the labels, the one that goes first in turn."""
    X, y = load(row, args)
    labels, mask = corrupt_labels(y, row["rate"], kind=row["noise"], random_state=row["seed"])
    versions = {"before": args.before.resolve(), "now": HERE}
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        held = Path(folder, "samples.npz")
        np.savez(held, X=X, labels=labels)
        for name in sorted(versions, reverse=bool(row["seed"] % 2)):
            scores = Path(folder, f"{name}.npy")
            words = ["-c", FIT, held, args.detector, scores, args.device, row["seed"]]
            done = run_at(versions[name], words, folder)
            if done.returncode:
                raise RuntimeError(f"{name}: {done.stderr.strip().splitlines()[-1]}")
            told = json.loads(done.stdout.splitlines()[-1])
            check_found(versions[name], told.pop("file"))
            ranked = np.load(scores)
            told |= {"auroc": round(auroc(mask, ranked), 6), "ap": round(average_precision(mask, ranked), 6)}
            found[name] = told
    return found


def load(row: dict, args: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Return the samples of a cell."""
    name, _, size = row["data"].partition(":")
    if name == "rows":
        X, y = make_classification(int(size), 20, n_informative=10, n_classes=4, random_state=row["seed"])
        return X.astype(np.float32), y
    return data.load(name, args.folder if name == "folder" else args.data_dir, subset=int(size))


def render(rows: list[dict], args: argparse.Namespace) -> None:
    """Print the table and write it beside the records."""
    frame = pd.DataFrame(
        {
            "data": name_of(row["data"], args),
            "wrong": f"{100 * row['rate']:g} %" + f", {row['noise']}" * (row["noise"] != "uniform"),
            **{f"{name}, {part}": row[name][part] for name in ("before", "now") for part in row[name]},
            "ratio": row["now"]["seconds"] / row["before"]["seconds"],
            "processor": row["now"]["processor"] / row["before"]["processor"],
        }
        for row in rows
    )
    groups = frame.groupby(["data", "wrong"], sort=False)
    mean, median = groups.mean(numeric_only=True), groups.median(numeric_only=True)
    table = pd.DataFrame({"fits": groups.size()})
    for name in ("before", "now"):
        table[f"{name}, s"] = median[f"{name}, seconds"].map("{:.1f}".format)
    table["of the time"] = median["ratio"].map("{:.2f}".format)
    table["of the processor's"] = median["processor"].map("{:.2f}".format)
    for part, caption in (("auroc", "AUROC"), ("ap", "AP")):
        for name in ("before", "now"):
            table[f"{caption} {name}"] = (100 * mean[f"{name}, {part}"]).map("{:.2f}".format)
    lines = [
        f"# {args.detector}() before and now",
        "",
        f"`{command()}`",
        "",
        "## Time and ranking",
        "",
        markdown(table.reset_index(), index=False, left=2),
        "",
        f"Before: {args.version}. Medians of the times and of their ratios, means of AUROC and average precision (AP) "
        f"in percent, over seeds {', '.join(map(str, args.seeds))}. Each fit is a process of its own, on one thread; "
        "loading the libraries is not counted.",
        "",
    ]
    write(lines, rows, args.out)


def name_of(name: str, args: argparse.Namespace) -> str:
    """Return what the table calls the data."""
    kind, _, size = name.partition(":")
    return f"{ {'rows': 'rows', 'folder': args.title}.get(kind, kind.upper()) }, {size}"


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__, 2)
    add = parser.add_argument
    add("--before", type=Path, required=True, help="checkout of the earlier version")
    add("--version", default="the checkout passed", help="what the table calls it")
    add("--detector", default="FusedDetector", help="class with all defaults")
    add("--pictures", nargs="*", default=[], metavar="NAME:N", help="subsets: mnist:5000, cifar10:5000, folder:5000")
    add("--rows", type=int, nargs="*", default=[], metavar="N", help="sizes of made tables of 20 columns")
    add("--data-dir", default="data", help="of torchvision's data sets")
    add("--folder", default="data/train", help="folder of classes that the name folder stands for")
    add("--title", default="folder", help="what the table calls the pictures of the name folder")
    add("--noises", nargs="+", default=["uniform"], choices=["uniform", "pair"], help="kinds of noise")
    add("--rates", type=float, nargs="+", default=[0.1], help="shares of wrong labels")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="of the data, the corruption and the fit")
    add("--device", default="auto")
    add("--out", type=Path, default=Path(__file__).parent / "runs" / "versions", help="folder for records and table")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()

"""Wrong labels that are real: MNIST's 10,000 test pictures, some of whose labels people checked by hand.

With ``--with-train`` the 60,000 training pictures are fitted too; what is found is counted among the test pictures.

cleanlab's authors had five people judge each label that they doubted (https://github.com/cleanlab/label-errors,
``mturk/mnist_mturk.json``). A label is counted as wrong where fewer than three of five stood by it. Labels that nobody
judged count as right, so what the doubt of others missed counts against who finds it.

    python benchmarks/real_errors.py --errors mnist_mturk.json --data-dir data
    python benchmarks/real_errors.py --errors mnist_mturk.json --theirs mnist_test_set_pyx.npy --with-train

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
from harness.tables import compared, means, over_seeds
from harness.written import markdown, write
from joblib import Parallel, delayed
from torchvision.datasets import MNIST
from tqdm import tqdm

from curvdetect import CurvatureNoiseDetector, FusedDetector, SuspectsDisplay

#: Of five people, so many have to stand by a label.
STAND_BY = 3
#: Among the first so many the wrong ones are counted.
FIRST = (50, 100, 500)
#: Suspects in the picture.
SHOWN = 40
#: What the training that memorizes the labels says.
SIGNALS = ("loss", "margin", "late_loss", "curvature_contrast")
CAPTIONS = {
    "fused": "FusedDetector()",
    "leave_one_out": "ridge, left out",
    "loss": "cumulative loss",
    "margin": "margin",
    "late_loss": "loss, second half of the epochs",
    "curvature_contrast": "curvature, label contrast",
    "theirs": "cleanlab's published probabilities",
}


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    environment = announce(args.device, threads=1)
    records = Records(args.out / "records.jsonl", ("seed", "subset", "with_train"))
    wanted = [{"seed": seed, "subset": args.subset, "with_train": args.with_train} for seed in args.seeds]
    missing = [row for row in wanted if row not in records]
    if missing:
        X, y, wrong, theirs = load(args)
        measured = Parallel(n_jobs=args.jobs, return_as="generator")(
            delayed(measure)(X, y, wrong, row["seed"], args) for row in missing
        )
        for row, found in tqdm(zip(missing, measured, strict=True), total=len(missing), unit="seed", file=sys.stderr):
            found["measures"] |= theirs
            records.add({**row, "n_wrong": int(wrong.sum()), **found, "environment": environment})
    render([records.matching(**row)[0] for row in wanted], args)
    if args.keep_scores is not None:
        draw(load(args)[0], args)


def load(args: argparse.Namespace) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict]:
    """Return pictures, labels, which of the first people judged to be wrong, and what published probabilities find."""
    test = MNIST(args.data_dir, train=False)
    X, y = test.data[:, None].numpy(), test.targets.numpy()
    judged = json.loads(args.errors.read_text())
    wrong = np.zeros(len(y), dtype=bool)
    wrong[[one["id"] for one in judged if one["mturk"]["given"] < STAND_BY]] = True
    keep, theirs = slice(args.subset), {}
    if args.theirs is not None:
        theirs["theirs"] = found_by(1 - get_label_quality_scores(y, np.load(args.theirs))[keep], wrong[keep])
    X, y = X[keep], y[keep]
    if args.with_train:
        train = MNIST(args.data_dir, train=True)
        X, y = np.concatenate([X, train.data[:, None].numpy()]), np.concatenate([y, train.targets.numpy()])
    return X, y, wrong[keep], theirs


def measure(X: np.ndarray, y: np.ndarray, wrong: np.ndarray, seed: int, args: argparse.Namespace) -> dict:
    """Return what each ranking makes of the labels as they are."""
    torch.set_num_threads(1)
    recommended = FusedDetector(device=args.device, random_state=seed)
    memorizing = CurvatureNoiseDetector(signals=["late_loss"], device=args.device, random_state=seed)
    started = time.perf_counter()
    with quietly():
        recommended.fit(X, y)
        seconds = time.perf_counter() - started
        memorizing.fit(X, y)
    scores = {"fused": recommended.scores_, "leave_one_out": recommended.signal_scores_["leave_one_out"]}
    scores |= {name: memorizing.signal_scores_[name] for name in SIGNALS}
    if args.keep_scores is not None:
        args.keep_scores.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(kept(args, seed, len(y)), y=y, suggested=recommended.suggested_labels_, **scores)
    return {
        "measures": {name: found_by(values[: len(wrong)], wrong) for name, values in scores.items()},
        "n_samples": len(y),
        "fused_signals": recommended.fused_signals_,
        "train_accuracy": recommended.train_accuracy_,
        "seconds": round(seconds, 1),
    }


def kept(args: argparse.Namespace, seed: int, n: int) -> Path:
    """Return the file that keeps the scores of a seed and so many pictures."""
    path: Path = args.keep_scores / f"{n}-{seed}.npz"
    return path


def draw(X: np.ndarray, args: argparse.Namespace) -> None:
    """Draw the most suspect of all pictures by the recommended detector of the first seed, as they stand."""
    path = kept(args, args.seeds[0], len(X))
    if not path.exists():
        print(f"no suspects.png: {path} was not kept as this seed was measured", file=sys.stderr)
        return
    with np.load(path) as found:
        display = SuspectsDisplay.from_predictions(
            X, found["y"], found["suggested"], found["fused"], k=SHOWN, n_columns=SHOWN // 4
        )
    display.figure_.savefig(args.out / "suspects.png", dpi=70)


def found_by(scores: np.ndarray, wrong: np.ndarray) -> dict[str, float]:
    """Return all measures, and how many wrong ones there are among the first."""
    found = np.cumsum(wrong[np.argsort(-scores, kind="stable")])
    return {**graded(wrong, scores), "first": {str(n): int(found[: min(n, len(found))][-1]) for n in FIRST}}


def render(rows: list[dict], args: argparse.Namespace) -> None:
    """Print the table and write it beside the records."""
    shown = [name for name in CAPTIONS if all(name in row["measures"] for row in rows)]
    table, apart = pd.DataFrame(index=[CAPTIONS[name] for name in shown]), []
    lines = ["# Wrong labels that are real", "", f"`{command(without=('--keep-scores',))}`", ""]
    for n in map(str, FIRST):
        counts = [np.mean([row["measures"][name]["first"][n] for row in rows]) for name in shown]
        table[f"among the first {n}"] = [f"{count:.1f}" for count in counts]
    for measure, caption in MEASURES.items():
        flat = [{CAPTIONS[name]: 100 * row["measures"][name][measure] for name in shown} for row in rows]
        index = pd.MultiIndex.from_tuples([("all", row["seed"]) for row in rows], names=["labels", "seed"])
        values = pd.DataFrame(flat, index)
        table[caption] = means(values).loc["all"]
        apart += compared(values, CAPTIONS["fused"], caption, across=True)
    lines += [
        f"{rows[0]['n_wrong']} labels of MNIST's test pictures that people judged to be wrong; "
        f"{rows[0]['n_samples']:,} pictures were fitted. {over_seeds(args.seeds)}",
        "",
        "The first two rows are of one fit, the next four of a training that memorizes the labels.",
        "",
    ]
    lines += ["## Found", "", markdown(table), "", TRUE_COUNT, "", *apart]
    write(lines, rows, args.out)


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__, 2)
    add = parser.add_argument
    add("--errors", type=Path, required=True, help="mnist_mturk.json")
    add("--theirs", type=Path, help="mnist_test_set_pyx.npy")
    add("--data-dir", default="data", help="where torchvision finds MNIST")
    add("--subset", type=int, help="take the first so many test pictures")
    add("--with-train", action="store_true", help="fit the training pictures too")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the trainings")
    add("--jobs", type=int, default=1, help="seeds measured at a time, on one thread each")
    add("--device", default="auto")
    add("--keep-scores", type=Path, help="folder that keeps all scores, one file a seed; the suspects are drawn too")
    add(
        "--out", type=Path, default=Path(__file__).parent / "runs" / "real-errors", help="folder for records and tables"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()

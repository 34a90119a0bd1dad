"""What the default curvature, contrast included, costs beside the training alone and beside a plain PyTorch loop.

Whole runs in turn, in processor seconds, on random samples of the shapes of `speed.py`: speed does not depend on what
they show. Medians of ratios within a turn. One thread.

    python benchmarks/contrast_cost.py
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
from harness import loops
from harness.environment import announce, command
from harness.options import command_line
from harness.quiet import quietly
from harness.records import Records
from harness.written import markdown, write
from speed import LAYOUTS, samples_of

from curvdetect import CurvatureNoiseDetector, LossDetector, memorizing_net

COLUMNS = {
    "watched": "`LossDetector()`",
    "contrast": "`CurvatureNoiseDetector()`",
    "plain curvature": "`CurvatureNoiseDetector(contrast=False)`",
}


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    torch.set_num_threads(1)
    environment = announce("cpu", threads=1)
    records = Records(args.out / "records.jsonl", ("layout", "samples", "epochs", "turn"))
    cells = [
        {"layout": layout, "samples": args.samples, "epochs": args.epochs, "turn": turn}
        for layout in args.layouts
        for turn in range(args.repeats)
    ]
    rows = records.measured(cells, measure, environment=environment)
    ratios = pd.DataFrame(
        [{"layout": row["layout"], **{name: row[job] / row["loop"] for job, name in COLUMNS.items()}} for row in rows]
    )
    beside = [row["contrast"] / row["watched"] for row in rows]
    ratios["contrast over `LossDetector()`"] = beside
    table = ratios.groupby("layout", sort=False).median().map(lambda ratio: f"{ratio:.2f}")
    lines = ["# The curvature by default, beside a training", "", f"`{command()}`", ""]
    lines += ["## In trainings of a plain PyTorch loop", "", markdown(table), ""]
    lines += [f"{args.samples} samples, {args.epochs} epochs; medians of {args.repeats} turns.", ""]
    write(lines, rows, args.out)


def measure(cell: dict) -> dict[str, float]:
    """Return the processor seconds of one run of each kind, after a short one that warms up."""
    X, y = samples_of(cell["layout"], cell["samples"])
    common = {"device": "cpu", "random_state": 0, "max_epochs": cell["epochs"]}
    net = memorizing_net(None, batch_size=LAYOUTS[cell["layout"]][2])
    with quietly():
        module = LossDetector(net, **common | {"max_epochs": 1}).fit(X, y).net_.module_
    epoch = loops.training(copy.deepcopy(module), torch.as_tensor(X), torch.as_tensor(y), net.batch_size)
    jobs: dict[str, Callable[[], object]] = {
        "loop": lambda: [epoch() for _ in range(cell["epochs"])],
        "watched": lambda: LossDetector(net, **common).fit(X, y),
        "contrast": lambda: CurvatureNoiseDetector(net, **common).fit(X, y),
        "plain curvature": lambda: CurvatureNoiseDetector(net, contrast=False, **common).fit(X, y),
    }
    seconds = {}
    for name, job in jobs.items():
        started = time.process_time()
        with quietly():
            job()
        seconds[name] = round(time.process_time() - started, 3)
    return seconds


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__, 2)
    add = parser.add_argument
    add("--layouts", choices=["table", "mnist", "cifar"], nargs="+", default=["table", "mnist", "cifar"])
    add("--samples", type=int, default=512)
    add("--epochs", type=int, default=30)
    add("--repeats", type=int, default=5)
    add("--out", type=Path, default=Path(__file__).parent / "runs" / "contrast-cost", help="folder for what is written")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()

"""How far the scores of several processes are from those of one, with and without BatchNorm.

The same detector on scikit-learn's digits, started by torchrun as one and as several processes; beside it one process
with another seed, which is what any difference has to be compared with. Nothing is downloaded.

    python benchmarks/processes.py
    python benchmarks/processes.py --processes 2 4 --epochs 30
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from harness.environment import announce, command
from harness.options import command_line
from harness.quiet import quietly
from harness.records import Records
from harness.written import markdown, write
from scipy.stats import spearmanr
from sklearn.datasets import load_digits
from torch import nn

from curvdetect import CurvatureNoiseDetector, corrupt_labels, memorizing_net
from curvdetect.metrics import auroc

NETWORKS = {"double": "convolutions in float64", "plain": "convolutions", "batchnorm": "convolutions with BatchNorm"}
SIGNALS = {"curvature": "curvature", "loss": "loss"}


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    torch.set_num_threads(1)
    if args.scores_of:
        write_scores(args, *args.scores_of)
        return
    out = args.out or Path(__file__).parent / "runs" / "processes"
    environment = announce("cpu")
    settings = {"samples": args.samples, "epochs": args.epochs, "batch_size": args.batch_size}
    records = Records(out / "records.jsonl", ("settings", "network", "against"))
    rows = []
    for network in NETWORKS:
        against = [f"{k} processes" for k in args.processes] + ["one, another seed"]
        cells = [{"settings": settings, "network": network, "against": what} for what in against]
        if not all(cell in records for cell in cells):
            one = scores(network, 1, 0, settings)
            others = [scores(network, k, 0, settings) for k in args.processes] + [scores(network, 1, 1, settings)]
            for cell, other in zip(cells, others, strict=True):
                if cell not in records:
                    records.add({**cell, **compared(one, other, args.samples), "environment": environment})
        rows += [records.matching(**cell)[0] for cell in cells]
    render(rows, out, args)


def task(samples: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return pictures, labels of which a tenth is wrong, and where."""
    X, y = load_digits(return_X_y=True)
    labels, mask = corrupt_labels(y[:samples], rate=0.1, random_state=0)
    return (X[:samples] / 16).astype(np.float32).reshape(-1, 1, 8, 8), labels, mask


def scores(network: str, processes: int, seed: int, settings: dict[str, int]) -> dict[str, np.ndarray]:
    """Return the signals of a detector that so many processes fit together."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scores.npz"
        start = [sys.executable]
        if processes > 1:
            start += ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
        words = [__file__, "--scores-of", network, str(seed), str(path)]
        words += [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
        subprocess.run([*start, *words], check=True, capture_output=True)
        return dict(np.load(path))


class InDouble(nn.Module):
    """Turns inputs into float64."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.double()


def write_scores(args: argparse.Namespace, network: str, seed: str, path: str) -> None:
    """Be one of the processes."""
    X, labels, _ = task(args.samples)
    norm = (lambda n: [nn.BatchNorm2d(n)]) if network == "batchnorm" else (lambda n: [])
    torch.manual_seed(0)
    module = nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), *norm(16), nn.ReLU()),
        *(nn.Conv2d(16, 32, 3, 2, 1), *norm(32), nn.ReLU(), nn.Flatten(), nn.Linear(512, 10)),
    )
    if network == "double":
        module = nn.Sequential(InDouble(), module.double())
    net = memorizing_net(module, max_epochs=args.epochs, batch_size=args.batch_size)
    with quietly():
        detector = CurvatureNoiseDetector(net, contrast=False, device="cpu", random_state=int(seed)).fit(X, labels)
    if os.environ.get("RANK", "0") == "0":
        np.savez(path, **{name: detector.signal_scores_[name] for name in SIGNALS})


def compared(one: dict[str, np.ndarray], other: dict[str, np.ndarray], samples: int) -> dict[str, Any]:
    """Return how alike two rankings are, and how well both find wrong labels."""
    mask = task(samples)[2]
    return {
        name: {
            "spearman": round(float(spearmanr(one[name], other[name])[0]), 6),
            "relative": float(f"{np.median(np.abs(one[name] - other[name]) / np.abs(one[name])):.3g}"),
            "auroc": [round(float(auroc(mask, scores[name])), 6) for scores in (one, other)],
        }
        for name in SIGNALS
    }


def render(rows: list[dict[str, Any]], out: Path, args: argparse.Namespace) -> None:
    """Print the table and write it beside the records."""
    cells = []
    for row in rows:
        cell = {"network": NETWORKS[row["network"]], "one process against": row["against"]}
        for name, words in SIGNALS.items():
            told = row[name]
            cell |= {
                f"{words}: Spearman": f"{told['spearman']:.4f}",
                f"{words}: median rel. difference": f"{100 * told['relative']:.2g} %",
                f"{words}: AUROC, %": " / ".join(f"{100 * value:.2f}" for value in told["auroc"]),
            }
        cells.append(cell)
    lines = [
        "# Scores of several processes",
        "",
        f"`{command()}`",
        "",
        "## Against one process",
        "",
        markdown(pd.DataFrame(cells), index=False, left=2),
        "",
        f"scikit-learn's digits, {args.samples} samples, a tenth of the labels wrong, {args.epochs} epochs, batches of "
        f"{args.batch_size} among all processes.",
        "",
    ]
    write(lines, rows, out)


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__)
    add = parser.add_argument
    add("--samples", type=int, default=1200)
    add("--epochs", type=int, default=15)
    add("--batch-size", type=int, default=64)
    add("--processes", type=int, nargs="+", default=[2, 3])
    add("--out", type=Path, help="folder for records and table; by default benchmarks/runs/processes")
    add("--scores-of", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()

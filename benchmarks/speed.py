"""What everything costs, side by side in one process: training, curvature, the authors' loop, cross-validation.

Random pictures or rows, since speed does not depend on what they show: nothing is downloaded. All jobs take turns for
several repeats, and medians are reported, as ratios to an epoch of a plain PyTorch training loop of the same network.

    python benchmarks/speed.py
    python benchmarks/speed.py --layouts mnist cifar cifar-resnet18 --device cuda

Or whole rankings of real data with planted wrong labels, beside those of other packages, in seconds and by how well
they rank:

    pip install ".[peers]" && pip install --no-deps "pydvl>=0.10"
    python benchmarks/speed.py --peers digits mnist --samples 2000 --threads 1

Written to OUT: records.jsonl, table.md and speed.png; the same command again measures what is not yet there.
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness import costs, data, loops, peers
from harness.memory import megabytes
from harness.options import add_run, command_line, started
from harness.quiet import quietly
from harness.records import Records
from harness.schedules import scored_by_default
from tqdm import tqdm

from curvdetect import (
    ConfidentLearningDetector,
    CurvatureNoiseDetector,
    LossDetector,
    memorizing_net,
)

#: Shape of a sample, named network, batch size of the training, number of samples at most.
LAYOUTS: dict[str, tuple[tuple[int, ...], str | None, int, int]] = {
    "table": ((64,), None, 128, 8192),
    "mnist": ((1, 28, 28), None, 128, 2048),
    "cifar": ((3, 32, 32), None, 128, 2048),
    "mnist-resnet20": ((1, 28, 28), "resnet-mnist", 128, 1024),
    "cifar-resnet18": ((3, 32, 32), "resnet18-cifar", 128, 256),
}

#: Epochs of which the median is taken, where one is over in milliseconds.
SHORT = {"table": 9}

#: Probes of the trainings whose memory is measured; 0 is one without a curvature.
REMEMBERED = (0, 1, 10, 200)


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    if args.memory_of is not None:
        print(json.dumps(memory_of(args.layouts[0], args.memory_of, args)))
        return
    environment = started(args)
    if args.peers:
        peers.compare(args, environment)
        return
    records = Records(args.out / "records.jsonl", ("layout", "job"))
    parts: dict[tuple[str, str], Callable[[], list[dict[str, Any]]]] = {}
    for layout in args.layouts:
        parts[layout, "raw epoch"] = partial(side_by_side, layout, args)
        parts[layout, "memory n=0"] = partial(memory, layout, args)
    for (layout, first), measure in parts.items():
        if {"layout": layout, "job": first} not in records:
            for row in measure():
                records.add({"layout": layout, **row, "environment": environment})
    rows = [row for row in records.rows.values() if row["layout"] in {layout for layout, _ in parts}]
    scored = {layout: len(scored_by_default(costs.EPOCHS, *LAYOUTS[layout][:2])) for layout in args.layouts}
    costs.write(rows, scored, args.repeats, args.out)


def samples_of(layout: str, limit: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return random samples and labels."""
    shape, _, _, n = LAYOUTS[layout]
    rng = np.random.default_rng(0)
    n = min(n, limit or n)
    return rng.random((n, *shape), dtype=np.float32), np.arange(n) % 10


def side_by_side(layout: str, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Let all jobs of a layout take turns; return the seconds of each."""
    X, y = samples_of(layout, args.samples)
    _, name, batch_size, _ = LAYOUTS[layout]
    common = {"device": args.device, "random_state": 0, "max_epochs": 2}
    net = memorizing_net(name, batch_size=batch_size)
    half = memorizing_net(name, batch_size=batch_size, precision="bfloat16")
    with quietly():
        module = LossDetector(net, **common).fit(X, y).net_.module_
    device = next(module.parameters()).device
    inputs, labels = torch.as_tensor(X, device=device), torch.as_tensor(y, device=device)
    contiguous = copy.deepcopy(module).to(memory_format=torch.contiguous_format)

    n_epochs = SHORT.get(layout, 1)
    trained = {**common, "max_epochs": 1 + n_epochs}

    def of_later_epochs(detector: Any, key: str, without: str | None = None) -> Callable[[], float]:
        def run() -> float:
            # scoring took 0 s in an epoch that was not scored
            records = [record for record in detector.fit(X, y).history_[1:] if record[key]]
            return statistics.median(record[key] - (record[without] if without else 0) for record in records)

        return run

    def timed(job: Callable[[], Any], times: int = 1) -> Callable[[], float]:
        def once() -> float:
            loops.wait(device)
            started = time.perf_counter()
            job()
            loops.wait(device)
            return time.perf_counter() - started

        return lambda: statistics.median(once() for _ in range(times))

    def looped(module: torch.nn.Module, **options: Any) -> Callable[[], float]:
        return timed(loops.training(module, inputs, labels, batch_size, **options), n_epochs)

    curvature = {n: CurvatureNoiseDetector(net, n=n, contrast=False, every=1, **common) for n in costs.PROBES}
    rows = args.rows or (128 if device.type == "cpu" else 1024)
    jobs: dict[str, Callable[[], float]] = {
        "raw epoch": looped(module),
        "raw epoch, contiguous": looped(contiguous),
        "raw epoch, bfloat16": looped(module, half=True),
        **({"raw epoch, bounded": looped(module, bound=1.0)} if layout == "table" else {}),
        "epoch": of_later_epochs(LossDetector(net, **trained), "seconds_training"),
        "epoch, unwatched": of_later_epochs(LossDetector(net, **trained), "seconds_training", "seconds_watching"),
        "epoch, bfloat16": of_later_epochs(LossDetector(half, **trained), "seconds_training"),
        **{f"pass n={n}": of_later_epochs(curvature[n], "seconds_scoring") for n in costs.PROBES},
        "default pass": of_later_epochs(CurvatureNoiseDetector(net, **common), "seconds_scoring"),
        "authors' pass n=1": timed(loops.authors_pass(contiguous, inputs, labels, n=1, batch_size=rows)),
        "authors' pass n=10": timed(loops.authors_pass(contiguous, inputs, labels, n=10, batch_size=rows)),
        "cross-validation": timed(lambda: ConfidentLearningDetector(net, cv=costs.FOLDS, **common).fit(X, y)),
    }
    seconds: dict[str, list[float]] = {job: [] for job in jobs}
    with quietly(), tqdm(total=len(jobs) * (args.repeats + 1), desc=layout, file=sys.stderr) as bar:
        for repeat in range(args.repeats + 1):
            for job, run in jobs.items():
                spent = run() / (common["max_epochs"] if job == "cross-validation" else 1)
                bar.update()
                if repeat:  # the first warms up
                    seconds[job].append(spent)
    # ratios within a repeat, whose jobs had the same neighbours on the machine
    return [
        {
            "job": job,
            "n_samples": len(y),
            "seconds": [round(s, 5) for s in spent],
            "ratio": round(statistics.median(s / r for s, r in zip(spent, seconds["raw epoch"], strict=True)), 4),
            "speedup": round(
                statistics.median(a / s for s, a in zip(spent, seconds["authors' pass n=10"], strict=True)), 4
            ),
        }
        for job, spent in seconds.items()
    ]


def memory(layout: str, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the peak memory of a training, and of ones with n probes: each in a process of its own."""
    rows = []
    for n in REMEMBERED:
        words = [sys.executable, __file__, "--memory-of", str(n), "--layouts", layout, "--device", args.device]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        rows.append({"job": f"memory n={n}", "peak_mib": json.loads(done.stdout.splitlines()[-1])})
    return rows


def memory_of(layout: str, n: int, args: argparse.Namespace) -> float:
    """Return the peak memory, in MiB, of a training with a curvature of n probes, or of one without."""
    X, y = samples_of(layout, 256)
    _, name, batch_size, _ = LAYOUTS[layout]
    common = {"device": args.device, "random_state": 0, "max_epochs": 1}
    net = memorizing_net(name, batch_size=batch_size)
    detector = CurvatureNoiseDetector(net, n=n, contrast=False, **common) if n else LossDetector(net, **common)
    with quietly():
        detector.fit(X, y)
    if detector.device_.startswith("cuda"):
        return round(torch.cuda.max_memory_allocated() / 1024**2, 1)
    return round(megabytes("VmHWM"), 1)  # ``getrusage`` would count what its parent had when it forked


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__)
    add = parser.add_argument
    add("--layouts", choices=list(LAYOUTS), nargs="+", default=["table", "mnist", "cifar"])
    add("--samples", type=int, help="samples at most")
    add("--rows", type=int, help="batch size of the authors' loop (default: 128 on a CPU, else 1024)")
    add("--repeats", type=int, default=7)
    add("--peers", choices=["digits", *data.TORCHVISION], nargs="+", help="compare with other packages, on these data")
    add("--data-dir", default="data", help="where torchvision finds the data of --peers")
    add("--epochs", type=int, help="length of the trainings of --peers; by default the detectors' own")
    add_run(parser, Path(__file__).parent / "runs" / "speed")
    add("--memory-of", type=int, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()

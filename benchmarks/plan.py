"""Hours, dollars and memory for ImageNet and for a billion pictures, from a few minutes of measurements on this device.

Measured are a training epoch and curvature passes of torchvision's ResNet18 under the package, the decoding of JPEGs,
and the memory that one more sample takes. Everything else follows by formulas: work is shared evenly among devices; a
process reads ahead while it computes, so that the longer of the two counts; gradients and sums are exchanged in a ring
while nothing else happens. Nothing is downloaded.

    python benchmarks/plan.py
    python benchmarks/plan.py --device cuda --samples 4096 --batch-size 256 --workers 16 --price 2.5

--rate makes the plan for a device that trains on as many pictures a second, and scores faster in proportion.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
import torchvision
from harness.environment import command
from harness.memory import megabytes
from harness.options import add_run, command_line, started
from harness.quiet import quietly
from harness.records import Records
from harness.written import markdown, write
from PIL import Image
from torch import nn
from torch.utils.data import Dataset
from torchvision.transforms import v2

from curvdetect import CurvatureNoiseDetector, memorizing_net


class Run(NamedTuple):
    """A planned run: pictures, epochs, scored every so many epochs, probes."""

    samples: int
    epochs: int
    every: int
    n: int


PLANNED = {
    "ImageNet, n = 1": Run(1_281_167, 200, 4, 1),
    "ImageNet, n = 10": Run(1_281_167, 200, 4, 10),
    "a billion pictures, n = 1": Run(1_000_000_000, 20, 4, 1),
}
#: Bytes a sample that processes exchange after an epoch: sums (8) and counts (4) of loss and margin, sums of the
#: learning time (4), votes for another label (16); after a scored epoch the curvature's sum and count.
EXCHANGED_TRAINING, EXCHANGED_SCORING = 44, 12
TERMS = {
    "training": "training",
    "scoring": "curvature",
    "waiting": "waiting for pictures",
    "exchange": "exchange of gradients and sums",
}
WAYS = {"plain": "a fit", "kept": "a fit that keeps checkpoints"}
SETTINGS = ("side", "samples", "batch_size", "precision", "pictures", "memory_samples", "repeats")
#: Size in pixels of the pictures that are written to be read: the mean of ImageNet's.
PHOTOGRAPH = (500, 375)
#: The C library returns freed memory at once, so that no part of a batch counts as held.
AT_ONCE = {"MALLOC_MMAP_THRESHOLD_": "100000", "MALLOC_TRIM_THRESHOLD_": "100000"}


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    if args.memory_of:
        print(json.dumps(peak_of(args.memory_of[0], *map(int, args.memory_of[1:]))))
        return
    environment = started(args)
    settings = {name: getattr(args, name) for name in SETTINGS}
    records = Records(args.out / "records.jsonl", ("settings", "what"))
    for measure in (compute, reading, memory):
        cell = {"settings": settings, "what": measure.__name__}
        if cell not in records:
            records.add({**cell, **measure(args), "environment": environment})
    render({row["what"]: row for row in records.matching(settings=settings)}, args)


def network() -> nn.Module:
    torch.manual_seed(0)
    return torchvision.models.resnet18()


def compute(args: argparse.Namespace) -> dict[str, Any]:
    """Return seconds a sample of a training epoch and of scoring passes, by probes, and the bytes of all gradients."""
    X = np.random.default_rng(0).integers(0, 256, (args.samples, 3, args.side, args.side), dtype=np.uint8)
    y = np.arange(args.samples) % 1000
    net = memorizing_net(network(), batch_size=args.batch_size, precision=args.precision)
    # the first epoch finds out how many samples fit
    common = {"every": 1, "max_epochs": args.repeats + 1, "device": args.device, "random_state": 0}
    train, passes = [], {}
    for n in sorted({run.n for run in PLANNED.values()}):
        with quietly():
            history = CurvatureNoiseDetector(net, n=n, contrast=False, **common).fit(X, y).history_[1:]
        train += [record["seconds_training"] / args.samples for record in history]
        passes[str(n)] = statistics.median(record["seconds_scoring"] / args.samples for record in history)
    gradient = 4 * sum(p.numel() for p in network().parameters())
    return {"train": statistics.median(train), "passes": passes, "gradient": gradient}


def reading(args: argparse.Namespace) -> dict[str, Any]:
    """Return seconds a picture of one process that decodes JPEGs and crops them at random, and the bytes of a file."""
    crop = v2.Compose([v2.RandomResizedCrop(args.side), v2.RandomHorizontalFlip(), v2.PILToTensor()])
    with tempfile.TemporaryDirectory() as written:
        if args.data_dir is None:
            write_photographs(Path(written) / "a class", args.pictures)
        dataset = torchvision.datasets.ImageFolder(args.data_dir or written, crop)
        index = np.linspace(0, len(dataset) - 1, min(args.pictures, len(dataset))).astype(int)
        size = statistics.mean(Path(dataset.samples[i][0]).stat().st_size for i in index)
        spent = []
        for _ in range(args.repeats + 1):
            started = time.perf_counter()
            for i in index:
                dataset[i]
            spent.append((time.perf_counter() - started) / len(index))
    return {"read": statistics.median(spent[1:]), "bytes": size}


def write_photographs(folder: Path, pictures: int) -> None:
    """Write JPEGs of some 110 KB, the mean of ImageNet's."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(pictures):
        coarse = Image.fromarray(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)).resize(PHOTOGRAPH)
        noisy = np.asarray(coarse) + rng.normal(0, 14, (*PHOTOGRAPH[::-1], 3))
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.jpeg", quality=90)


def memory(args: argparse.Namespace) -> dict[str, Any]:
    """Return the bytes that one more sample adds to the peak of a fit: the difference of a small and a large one."""
    sizes = args.memory_samples // 4, args.memory_samples
    # both are larger than what is read into memory
    side = math.isqrt(2_250_000_000 // 8 // max(sizes[0], 250_000)) + 1
    found = {}
    for way in WAYS:
        peaks = []
        for n in sizes:
            words = [sys.executable, __file__, "--memory-of", way, str(n), str(side)]
            done = subprocess.run(words, capture_output=True, text=True, check=True, env={**os.environ, **AT_ONCE})
            peaks.append(json.loads(done.stdout.splitlines()[-1]))
        found[way] = round((peaks[1] - peaks[0]) / (sizes[1] - sizes[0]), 1)
    return found


class Lazy(Dataset):
    """Grey pictures that are made when they are read."""

    def __init__(self, n: int, side: int) -> None:
        self.targets = (np.arange(n) % 10).tolist()
        # in double precision, so that few pixels are many bytes
        self.looks = [torch.full((1, side, side), i / 10, dtype=torch.float64) for i in range(10)]

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        return self.looks[i % 10], self.targets[i]


def peak_of(way: str, n: int, side: int) -> int:
    """Return the largest number of bytes that this process takes for a fit."""
    torch.set_num_threads(1)
    net = memorizing_net(nn.Sequential(nn.AvgPool2d(side), nn.Flatten(), nn.Linear(1, 10)), batch_size=1000)
    with tempfile.TemporaryDirectory() as folder, quietly():
        kept = folder if way == "kept" else None
        common = {"max_epochs": 1, "device": "cpu", "random_state": 0, "checkpoint_dir": kept}
        CurvatureNoiseDetector(net, contrast=False, **common).fit(Lazy(n, side))
    return int(megabytes("VmHWM") * 2**20)


def seconds(run: Run, rates: dict[str, Any], devices: int, args: argparse.Namespace) -> dict[str, float]:
    """Return the seconds of a run by term."""
    scored = math.ceil(run.epochs / run.every)  # counted back from the last
    share = run.samples / devices
    steps = math.ceil(share / args.batch_size_planned)
    train, score = rates["train"], rates["passes"][str(run.n)]
    read = rates["read"] / args.workers
    sums = run.samples * (run.epochs * EXCHANGED_TRAINING + scored * EXCHANGED_SCORING)
    # of a ring's bytes 2 (k - 1) / k pass each connection
    exchanged = 2 * (devices - 1) / devices * (run.epochs * steps * rates["gradient"] + sums)
    return {
        "training": run.epochs * share * train,
        "scoring": scored * share * score,
        "waiting": share * (run.epochs * max(0.0, read - train) + scored * max(0.0, read - score)),
        "exchange": exchanged / (args.bandwidth * 1e9),
    }


def at_rate(found: dict[str, Any], per_second: float | None) -> dict[str, Any]:
    """Return measured rates, or those of a device that trains on as many samples a second."""
    rates = {**found["compute"], "read": found["reading"]["read"]}
    if per_second:
        faster = rates["train"] * per_second
        rates |= {"train": 1 / per_second, "passes": {n: spent / faster for n, spent in rates["passes"].items()}}
    return rates


def hours(rates: dict[str, Any], args: argparse.Namespace) -> str:
    """Return the table of hours and dollars, and of the share that each term has in them."""
    rows = []
    for name, run in PLANNED.items():
        for devices in args.devices:
            spent = seconds(run, rates, devices, args)
            whole = sum(spent.values())
            row = {"run": f"{name}, on {devices}", "hours": number(whole / 3600)}
            row["dollars"] = number(whole / 3600 * devices * args.price)
            rows.append(row | {words: f"{100 * spent[term] / whole:.1f} %" for term, words in TERMS.items()})
    return markdown(pd.DataFrame(rows), index=False)


def held(bytes_of: dict[str, Any]) -> str:
    """Return the table of the memory that each process takes for all samples."""
    rows = [
        {
            "for each sample, in every process": words,
            "bytes": f"{bytes_of[way]:.0f}",
            "ImageNet, GB": number(bytes_of[way] * 1_281_167 / 1e9),
            "a billion, GB": number(bytes_of[way]),
            "samples in 64 GiB": f"{64 * 2**30 / bytes_of[way] / 1e6:,.0f} million",
        }
        for way, words in WAYS.items()
    ]
    return markdown(pd.DataFrame(rows), index=False)


def number(value: float) -> str:
    """Return a number to three digits, never in powers of ten."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def render(found: dict[str, Any], args: argparse.Namespace) -> None:
    """Print the tables and write them beside the records."""
    measured, read = at_rate(found, None), found["reading"]
    rows = {"training, samples a second on one device": number(1 / measured["train"])}
    for n, spent in measured["passes"].items():
        rows[f"a curvature pass, n = {n}, in training epochs"] = f"{spent / measured['train']:.2f}"
    rows["reading, pictures a second and process"] = number(1 / read["read"])
    rows["a picture, KB"] = number(read["bytes"] / 1e3)
    rows["gradients, MB"] = number(measured["gradient"] / 1e6)
    device = f"a device that trains on {args.rate:,.0f} pictures a second" if args.rate else "the measured device"
    lines = [
        "# A plan for larger data",
        "",
        f"`{command()}`",
        "",
        "## Measured",
        "",
        markdown(pd.DataFrame({"measured": rows.keys(), "": rows.values()}), index=False),
        "",
        f"ResNet18 at {args.side} pixels, batches of {args.batch_size}, training in {args.precision}.",
        "",
        "## Hours and dollars",
        "",
        hours(at_rate(found, args.rate), args),
        "",
        f"For {device}, at {args.price:g} dollars an hour, with {args.workers} reading processes, "
        f"{args.batch_size_planned} samples a step and {args.bandwidth:g} GB a second to the others. "
        "Epochs, of which every fourth is scored: "
        + "; ".join(f"{name}: {run.epochs}" for name, run in PLANNED.items())
        + ".",
        "",
        "## What grows with the samples",
        "",
        held(found["memory"]),
        "",
        f"Bytes that one more sample adds to the peak, between fits of {args.memory_samples // 4:,} and of "
        f"{args.memory_samples:,} samples that are generated when they are read.",
        "",
    ]
    write(lines, found.values(), args.out)


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__)
    add = parser.add_argument
    add("--side", type=int, default=224, help="of the pictures that the network is shown")
    add("--samples", type=int, default=32, help="shown for the measurement; 2,048 or more keep a GPU busy")
    add("--batch-size", type=int, default=32, help="of the measurement")
    add("--precision", choices=["float32", "bfloat16"], default="float32", help="of the training")
    add("--pictures", type=int, default=64, help="files that are decoded")
    add("--data-dir", type=Path, help="folder of pictures to decode, DIR/CLASS/*.jpeg; by default some are made")
    add("--memory-samples", type=int, default=1_000_000, help="of the larger of two fits that are compared")
    add("--repeats", type=int, default=3)
    add("--devices", type=int, nargs="+", default=[1, 8, 64])
    add("--batch-size-planned", type=int, default=256, help="samples a step and device, in the plan")
    add("--workers", type=int, default=8, help="reading processes a device, in the plan")
    add("--rate", type=float, help="pictures a second in training, in place of the measured rate")
    add("--bandwidth", type=float, default=10, help="GB a second between processes")
    add("--price", type=float, default=2.5, help="dollars for a device and hour")
    add_run(parser, Path(__file__).parent / "runs" / "plan")
    add("--memory-of", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()

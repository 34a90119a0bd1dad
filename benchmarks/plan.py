"""Hours and dollars for ImageNet and for a billion pictures, from what this device does in a minute or two.

Measured are a training epoch and a curvature pass of torchvision's ResNet18 under the package, the decoding of JPEGs,
an all-reduce of its gradients among processes of this host, and the memory of a million samples that are generated
as they are read. What a run takes follows by the formulas of harness/planning.py. Nothing is downloaded.

    python benchmarks/plan.py
    python benchmarks/plan.py --device cuda --workers 16 --price 2.5    # on the machine that is meant

On a CPU the hours are a CPU's. --assume makes the plan of a device with so many pictures a second in training, where
scoring is faster in proportion, and a connection with so many GB a second.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness import plans, throughput
from harness.environment import announce
from harness.memory import megabytes
from harness.planning import Rates, Run
from harness.quiet import quietly
from harness.records import Records
from skorch.callbacks import Callback
from torch import nn
from torch.utils.data import DataLoader, Dataset

from curvdetect import CurvatureNoiseDetector, memorizing_net

#: Name, pictures, epochs, scored every so many, probes.
PLANNED = (
    ("ImageNet, n = 1", 1_281_167, 200, 4, 1),
    ("ImageNet, n = 10", 1_281_167, 200, 4, 10),
    ("a billion pictures, n = 1", 1_000_000_000, 20, 4, 1),
)
SETTINGS = ("side", "samples", "batch_size", "precision", "pictures", "processes", "memory_samples", "repeats")


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    if args.memory_of:
        print(json.dumps(memory_of(args.memory_of, kept=args.kept)))
        return
    if args.threads:
        torch.set_num_threads(args.threads)
    out = args.out or Path(__file__).parent / "runs" / "plan"
    environment = announce(args.device)
    settings = {name: getattr(args, name) for name in SETTINGS}
    records = Records(out / "records.jsonl", ("settings", "what"))
    measure = {
        "compute": lambda: throughput.training_and_passes(
            args.side, args.samples, (1, 10), args.batch_size, args.device, args.precision, args.repeats
        ),
        "reading": lambda: throughput.reading(args.side, args.pictures, args.data_dir, args.repeats),
        "exchange": lambda: throughput.bandwidth(throughput.gradient_bytes(), args.processes, args.repeats),
        "memory": lambda: elsewhere(args.memory_samples),
    }
    for what, job in measure.items():
        if {"settings": settings, "what": what} not in records:
            records.add({"settings": settings, "what": what, **job(), "environment": environment})
    found = {what: records.matching(settings=settings, what=what)[0] for what in measure}
    passes = {int(n): spent for n, spent in found["compute"]["passes"].items()}
    rates = Rates(
        found["compute"]["train"],
        passes,
        found["reading"]["read"],
        args.bandwidth * 1e9 if args.bandwidth else found["exchange"]["bandwidth"],
        throughput.gradient_bytes(),
    )
    runs = {
        name: Run(samples, epochs, every, n, args.batch_size_planned, args.workers)
        for name, samples, epochs, every, n in PLANNED
    }
    plans.write(runs, rates, found, args, out, environment)


class Lazy(Dataset):
    """Grey pictures that are made as they are read, too large together to be kept."""

    def __init__(self, n: int) -> None:
        self.targets = (np.arange(n) % 10).tolist()
        # of a million, 2.2 GB together
        self.shape = (1, *[max(2, math.isqrt(2_250_000_000 // max(n, 1_000_000)) + 1)] * 2)

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        return torch.full(self.shape, i % 10 * 25, dtype=torch.uint8), self.targets[i]


class Peak(Callback):
    """Takes note of the most memory until the training is over."""

    mib = 0.0

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        Peak.mib = megabytes("VmHWM")


def memory_of(n: int, *, kept: bool = False) -> dict[str, float]:
    """Return bytes a sample of a fit that reads its data as it goes: until training is over, and in all.

    Where checkpoints are kept: of that in all, and of a checkpoint.
    """
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder, quietly():
        data = Lazy(n)
        detector = detector_for(data.shape)
        detector.fit(Lazy(100))  # what torch loads when it is first asked
        before = megabytes("VmRSS")
        detector.set_params(checkpoint_dir=folder if kept else None).fit(data)
        peak = (megabytes("VmHWM") - before) * 2**20 / n
        sizes = [path.stat().st_size / n for path in Path(folder).rglob("*") if path.is_file()]
    if kept:
        return {"fit_kept": round(peak, 1), "checkpoint": round(max(sizes), 1)}
    return {"tracking": round((Peak.mib - before) * 2**20 / n, 1), "fit": round(peak, 1)}


def detector_for(shape: tuple[int, ...]) -> CurvatureNoiseDetector:
    net = memorizing_net(
        nn.Sequential(nn.AvgPool2d(shape[-1]), nn.Flatten(), nn.Linear(1, 10)),
        batch_size=5000,
        iterator_train=DataLoader,
        iterator_train__shuffle=True,
        callbacks=[("peak", Peak())],
    )
    return CurvatureNoiseDetector(net, max_epochs=1, device="cpu", random_state=0)


def elsewhere(n: int) -> dict[str, Any]:
    """Return the memory of a fit with and of one without checkpoints, each in a process of its own."""
    found: dict[str, Any] = {}
    for more in ([], ["--kept"]):
        words = [sys.executable, __file__, "--memory-of", str(n), *more]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        found |= json.loads(done.stdout.splitlines()[-1])
    return found


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--side", type=int, default=224, help="of the pictures that the network is shown")
    add("--samples", type=int, default=32, help="shown for the measurement; 2,048 or more keep a GPU busy")
    add("--batch-size", type=int, default=32, help="of the measurement")
    add("--precision", choices=["float32", "bfloat16"], default="float32", help="of the training")
    add("--pictures", type=int, default=64, help="files that are decoded")
    add("--data-dir", type=Path, help="folder of pictures to decode, DIR/CLASS/*.jpeg; by default some are made")
    add("--processes", type=int, default=2, help="of the all-reduce on this host")
    add("--memory-samples", type=int, default=1_000_000)
    add("--repeats", type=int, default=3)
    add("--devices", type=int, nargs="+", default=[1, 8, 64])
    add("--batch-size-planned", type=int, default=256, help="samples a step and device, in the plan")
    add("--workers", type=int, default=8, help="reading processes a device, in the plan")
    add("--bandwidth", type=float, help="GB a second between processes, in place of the measured")
    add("--assume", type=float, nargs=2, metavar=("RATE", "GB"), default=[1000, 10], help="see above")
    add("--price", type=float, default=2.5, help="dollars for a device and hour")
    add("--host", type=float, default=64, help="GiB of memory that a process may have")
    add("--device", default="auto")
    add("--threads", type=int)
    add("--out", type=Path, help="folder for records and tables; by default benchmarks/runs/plan")
    add("--memory-of", type=int, help=argparse.SUPPRESS)
    add("--kept", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()

"""Hours and dollars for ImageNet and for a billion pictures, from what this device does in some minutes.

Measured are a training epoch and a curvature pass of torchvision's ResNet18 under the package, the decoding of JPEGs,
an all-reduce of its gradients among processes of this host, and the memory that a sample more takes, of a million that
are generated as they are read. What a run takes follows by the formulas of harness/planning.py. Nothing is downloaded.

    python benchmarks/plan.py
    python benchmarks/plan.py --device cuda --workers 16 --price 2.5    # on the machine that is meant

On a CPU the hours are a CPU's. --assume makes the plan of a device with so many pictures a second in training, where
scoring is faster in proportion, and a connection with so many GB a second.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from harness import footprint, plans, throughput
from harness.environment import announce
from harness.options import command_line
from harness.planning import Rates, Run
from harness.records import Records

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
        way, n, side = args.memory_of
        print(json.dumps(footprint.bytes_of(way, int(n), int(side))))
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
        "memory": lambda: footprint.per_sample(args.memory_samples, __file__),
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


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__)
    add = parser.add_argument
    add("--side", type=int, default=224, help="of the pictures that the network is shown")
    add("--samples", type=int, default=32, help="shown for the measurement; 2,048 or more keep a GPU busy")
    add("--batch-size", type=int, default=32, help="of the measurement")
    add("--precision", choices=["float32", "bfloat16"], default="float32", help="of the training")
    add("--pictures", type=int, default=64, help="files that are decoded")
    add("--data-dir", type=Path, help="folder of pictures to decode, DIR/CLASS/*.jpeg; by default some are made")
    add("--processes", type=int, default=2, help="of the all-reduce on this host")
    add("--memory-samples", type=int, default=1_000_000, help="of the larger of two fits that are compared")
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
    add("--memory-of", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()

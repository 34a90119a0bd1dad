"""Memory and time of reading, and of scanning, pictures that a CSV file names.

JPEGs of 320 by 240 pixels are made first and removed at the end. Each measurement is in a process of its own, which
reads a few of the pictures before it counts: what it has then are the libraries.

    python benchmarks/picture_table.py
"""

from __future__ import annotations

import argparse
import json
import resource
import runpy
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from harness.environment import command
from harness.memory import megabytes
from harness.options import add_run, command_line, started
from harness.quiet import quietly
from harness.records import Records
from harness.written import markdown, write
from PIL import Image

from curvdetect import read_data

#: Width and height of the pictures.
SIDES = 320, 240
WAYS = {"read": "`read_data(table)`", "scan": "`curvdetect scan table --detector leave-one-out`"}


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    if args.alone:
        print(json.dumps(alone(*args.alone)))
        return
    environment = started(args)
    settings = {"pictures": args.pictures, "classes": args.classes}
    records = Records(args.out / "records.jsonl", ("settings", "way"))
    cells = [{"settings": settings, "way": way} for way in WAYS]
    if any(cell not in records for cell in cells):
        with tempfile.TemporaryDirectory() as folder:
            size = write_table(Path(folder), args.pictures, args.classes)
            records.measured(cells, lambda cell: measured(cell["way"], folder), size=size, environment=environment)
    render([records.matching(**cell)[0] for cell in cells], args)


def write_table(folder: Path, pictures: int, classes: int) -> float:
    """Write JPEGs and the table that names them; return the bytes of a picture."""
    rng = np.random.default_rng(0)
    (folder / "images").mkdir()
    textures = [rng.integers(-12, 12, (SIDES[1], SIDES[0], 3), dtype=np.int16) for _ in range(20)]
    looks = rng.integers(0, 256, (classes, 12, 16, 3))
    labels = np.arange(pictures) % classes
    for number, label in enumerate(labels):
        coarse = (0.6 * looks[label] + 0.4 * rng.integers(0, 256, (12, 16, 3))).astype(np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize(SIDES))
        pixels = (smooth + textures[number % len(textures)]).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{number}.jpg", quality=85)
    names = [f"images/{number}.jpg" for number in range(pictures)]
    pd.DataFrame({"picture": names, "label": labels}).to_csv(folder / "table.csv", index=False)
    return sum((folder / name).stat().st_size for name in names) / pictures


def measured(way: str, folder: str) -> dict[str, float]:
    """Return what `alone` does in a process of its own."""
    words = [sys.executable, __file__, "--alone", way, folder]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def alone(way: str, folder: str) -> dict[str, float]:
    """Return MiB and seconds of this process, before and while the pictures are read, and then ranked."""
    table = Path(folder) / "table.csv"
    with quietly():
        read_data(table, limit=100)
    libraries, begun, before = megabytes("VmRSS"), time.perf_counter(), processor_seconds()
    if way == "read":
        read_data(table)
    else:
        sys.argv = ["curvdetect", "scan", str(table), "--out", str(Path(folder) / "found"), "--quiet"]
        sys.argv += ["--detector", "leave-one-out", "--device", "cpu", "--overwrite"]
        try:
            runpy.run_module("curvdetect", run_name="__main__")
        except SystemExit as end:
            if end.code:
                raise
    seconds = time.perf_counter() - begun
    used = processor_seconds() - before
    return {"libraries": libraries, "peak": megabytes("VmHWM"), "seconds": seconds, "used": used}


def processor_seconds() -> float:
    """Return the seconds that this process has spent on all processors."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return spent.ru_utime + spent.ru_stime


def render(rows: list[dict[str, Any]], args: argparse.Namespace) -> None:
    """Print the table and write it beside the records."""
    frame = pd.DataFrame(
        {
            "": [WAYS[row["way"]] for row in rows],
            "MiB of the libraries": [f"{row['libraries']:,.0f}" for row in rows],
            "MiB above them, at most": [f"{row['peak'] - row['libraries']:,.0f}" for row in rows],
            "seconds": [f"{row['seconds']:.0f}" for row in rows],
            "seconds of processors": [f"{row['used']:.0f}" for row in rows],
        }
    )
    lines = [
        f"# {args.pictures:,} pictures named by a CSV file",
        "",
        f"`{command()}`",
        "",
        "## Memory and time",
        "",
        markdown(frame, index=False),
        "",
        f"JPEGs of {SIDES[0]} by {SIDES[1]} pixels and {rows[0]['size'] / 1e3:.0f} KB each, of {args.classes} classes, "
        "read as squares of 32 pixels.",
        "",
    ]
    write(lines, rows, args.out)


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__)
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--classes", type=int, default=10)
    add_run(parser, Path(__file__).parent / "runs" / "picture-table")
    parser.add_argument("--alone", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()

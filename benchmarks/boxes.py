"""How to cut a box out of its picture, so that wrong classes of boxes are found, and which boxes are too small.

Samples are pasted onto pictures of others, in random sizes: digits without their ground and in the box that they fill,
other samples whole and stretched. Their surroundings tell nothing of the class. Without arguments: scikit-learn's
digits, nothing downloaded.

    python benchmarks/boxes.py
    python benchmarks/boxes.py --dataset mnist --data-dir data --subset 1500

Every finished fit is one line in OUT/records.jsonl; the same command again goes on where it was cut short.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from harness import data
from harness.environment import command
from harness.options import add_data, add_run, command_line, started
from harness.quiet import quietly
from harness.records import Records
from harness.written import markdown, write
from PIL import Image

from curvdetect import LeaveOneOutDetector
from curvdetect.metrics import auroc

#: Side of a picture, and of what a detector is shown of a box.
WHOLE, SIDE = 160, 32
#: How a box is cut out: the way, and the margin on each side as a share of its width or height.
CUTS = {
    "squeezed, no margin": ("squeezed", 0),
    "squeezed, margin 10 %": ("squeezed", 0.1),
    "squeezed, margin 25 %": ("squeezed", 0.25),
    "squeezed, margin 50 %": ("squeezed", 0.5),
    "a square from its middle, margin 10 %": ("middle", 0.1),
    "a square with surroundings, margin 10 %": ("around", 0.1),
    "grey bars, margin 10 %": ("bars", 0.1),
}
#: Pixels of the longest side of a box that is otherwise as large as its picture.
SMALL = (2, 3, 4, 6, 8, 16)


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    environment = started(args)
    X, y = data.load(args.dataset, args.data_dir, download=args.download, subset=args.subset, size=args.size)
    samples = [as_picture(x) for x in X]
    cell = {"dataset": args.dataset, "settings": {"subset": args.subset, "rate": args.rate}}
    records = Records(args.out / "records.jsonl", ("dataset", "settings", "cut", "seed"))
    wanted = [{**cell, "cut": cut, "seed": seed} for seed in args.seeds for cut in args.cuts]
    rows = records.measured(wanted, lambda row: measure(samples, y, row, args), environment=environment)
    means = pd.DataFrame(rows).groupby("cut", sort=False)["auroc"].agg(["mean", "std"]) * 100
    cells = [f"{mean:.2f}" if np.isnan(std) else f"{mean:.2f} ± {std:.2f}" for mean, std in means.to_numpy()]
    lines = [
        f"# Boxes as pictures: {args.title or args.dataset}, {len(y)} boxes",
        "",
        f"`{command()}`",
        "",
        "## AUROC, %",
        "",
        markdown(pd.DataFrame({"AUROC, %": cells}, index=means.index.rename(""))),
        "",
        f"LeaveOneOutDetector, {100 * args.rate:g} % of the labels wrong, seeds {', '.join(map(str, args.seeds))}. "
        "Boxes of few pixels are not on larger pictures.",
        "",
    ]
    write(lines, rows, args.out)


def measure(samples: list[Image.Image], y, row: dict, args: argparse.Namespace) -> dict:
    """Return how well wrong labels of boxes are found that are cut in one way, or have few pixels."""
    rng = np.random.default_rng(row["seed"])
    if row["cut"] in CUTS:
        cut = [cut_out(*pasted(sample, samples, rng), *CUTS[row["cut"]]) for sample in samples]
    else:
        side = int(row["cut"].split()[0])
        cut = [sample.convert("RGB").resize((side, side)).resize((SIDE, SIDE)) for sample in samples]
    X, labels, mask = data.corrupt(np.stack(cut).transpose(0, 3, 1, 2), y, args.rate, "uniform", row["seed"])
    with quietly():
        detector = LeaveOneOutDetector().fit(X, labels)
    return {"auroc": round(auroc(mask, detector.scores_), 6)}


def as_picture(x: np.ndarray) -> Image.Image:
    """Return a sample as a picture; a grey one is cut to the box that it fills."""
    if x.ndim == 1:
        x = (255 * x).astype(np.uint8).reshape(1, 8, 8)
    if len(x) == 3:
        return Image.fromarray(np.ascontiguousarray(x.transpose(1, 2, 0)))
    return Image.fromarray(x[0]).crop(Image.fromarray(np.uint8(255 * (x[0] > 60))).getbbox())


def pasted(sample: Image.Image, others: list[Image.Image], rng) -> tuple[Image.Image, tuple[int, int, int, int]]:
    """Return a larger picture with a sample on it, and the box of that."""
    whole = Image.new("RGB", (WHOLE, WHOLE))
    for x in (0, WHOLE // 2):
        for y in (0, WHOLE // 2):
            whole.paste(others[rng.integers(len(others))].resize((WHOLE // 2, WHOLE // 2)), (x, y))
    grey, side = sample.mode == "L", rng.integers(20, 60)
    stretch = 1 if grey else np.exp(rng.normal(0, 0.4))
    shape = np.array(sample.size) / max(sample.size) * side * np.array([stretch**0.5, stretch**-0.5])
    size = tuple(shape.round().astype(int).clip(3, WHOLE - 40).tolist())
    left, upper = (int(rng.integers(0, WHOLE - side + 1)) for side in size)
    small = sample.resize(size)
    colour = Image.new("RGB", size, tuple(rng.integers(0, 256, 3).tolist())) if grey else small
    whole.paste(colour, (left, upper), small if grey else None)
    return whole, (left, upper, left + size[0], upper + size[1])


def cut_out(whole: Image.Image, box: tuple[int, int, int, int], way: str, margin: float) -> Image.Image:
    """Return a box as a square."""
    ends = np.array(box).reshape(2, 2)
    size = ends[1] - ends[0]
    ends = ends + np.outer([-margin, margin], size)
    if way == "around":
        half = min(WHOLE, np.ptp(ends, axis=0).max()) / 2
        centre = ends.mean(0).clip(half, WHOLE - half)
        ends = np.stack([centre - half, centre + half])
    elif way == "middle":
        half = np.ptp(ends, axis=0).min() / 2
        ends = np.stack([ends.mean(0) - half, ends.mean(0) + half])
    cut = whole.crop(ends.round().astype(int).clip(0, WHOLE).ravel().tolist())
    if way == "bars":
        square = Image.new("RGB", (max(cut.size),) * 2, (128,) * 3)
        square.paste(cut, tuple((max(cut.size) - side) // 2 for side in cut.size))
        cut = square
    return cut.resize((SIDE, SIDE))


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__, 2)
    add_data(parser)
    parser.add_argument("--rate", type=float, default=0.1, help="share of wrong labels")
    cuts = [*CUTS, *(f"{side} pixels" for side in SMALL)]
    parser.add_argument("--cuts", nargs="+", choices=cuts, default=cuts, help="how boxes become pictures")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the pictures and the wrong labels")
    add_run(parser, Path(__file__).parent / "runs" / "boxes-DATASET")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()

"""ImageNet, or any folder laid out like it: trained on augmented, scored without, never read into memory as a whole.

The paper trains torchvision's ResNet18 for 200 epochs, learning rate 0.1 times 0.1 at epochs 120 and 160, on random
crops and flips, and measures the curvature after every fourth epoch (App. C): --paper. Without arguments:
scikit-learn's digits, written as files of the same layout, at a tenth of the length; nothing downloaded, some minutes.

    python reproduction/imagenet.py
    python reproduction/imagenet.py --data-dir photos --subset 2000 --workers 4
    python reproduction/imagenet.py --data-dir imagenet --paper --workers 16 --precision bfloat16   # full size, days

The data is DATA_DIR/train/CLASS/*.JPEG, or DATA_DIR/CLASS/*.JPEG. A run that was cut short goes on from its last epoch.
"""

from __future__ import annotations

import argparse
import shutil
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torchvision
from harness import data, fits, pictures
from harness.environment import command
from harness.options import add_run, command_line, every_or_auto, measuring, started
from harness.quiet import quietly
from harness.records import Records
from harness.written import markdown, write
from torch import nn
from torch.utils.data import DataLoader, Subset
from torchvision.transforms import v2

from curvdetect import (
    CurvatureNoiseDetector,
    TwoViews,
    corrupt_labels,
    find_conflicting_duplicates,
    memorizing_net,
    step_decay,
)
from curvdetect.metrics import auroc, average_precision

#: Mean and standard deviation of ImageNet's pixels, with which torchvision's networks are trained.
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
#: Shares of the epochs at which the learning rate falls: 120 and 160 of 200.
MILESTONES = (0.6, 0.8)
#: By default, and with --paper. The rate is that of labels made wrong on purpose, for an AUROC.
#: Batch size and probes are those of the authors' code.
SIZES: dict[str, tuple[Any, Any]] = {
    "epochs": (20, 200),
    "crop": (32, 224),
    "resize": (36, 256),
    "batch_size": (64, 256),
    "every": (4, 4),
    "h": (1e-2, 1e-3),
    "n": (1, 10),
    "power": (1, 1),
    "rate": (0.05, 0.0),
}
SIGNALS = {name: fits.caption(name) for name in ("curvature", "loss", "margin")}
SETTINGS = (*SIZES, "net", "smallest_crop", "weight_decay", "lr", "subset", "precision", "duplicates")
PUBLISHED = "Published: 45 of the 100 samples of ImageNet with the highest curvature, no weight decay, found by eye."
KEPT = 100


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    environment = started(args)
    root = folder_of(args.data_dir or data.digits_as_files(args.out / "pictures"))
    views, labels, paths = two_views(root, args)
    settings = {name: getattr(args, name) for name in SETTINGS}
    cell = {"data": args.title or (root.parent.name if args.data_dir else "digits"), "settings": settings}
    records = Records(args.out / "records.jsonl", ("data", "settings", "seed"))
    cells = [{**cell, "seed": seed} for seed in args.seeds]
    rows = records.measured(cells, lambda one: run(views, labels, paths, one["seed"], args), environment=environment)
    for seed in args.seeds:
        shutil.rmtree(args.out / f"checkpoints-{seed}", ignore_errors=True)  # they hold the net several times over
    render(rows, views, labels, args)


def folder_of(path: Path) -> Path:
    """Return the folder with one subfolder a class."""
    return path / "train" if (path / "train").is_dir() else path


def two_views(root: Path, args: argparse.Namespace) -> tuple[TwoViews, np.ndarray, list[str]]:
    """Return the pictures as they are scored and trained on, the names of their classes, and their files."""
    to_bytes = [v2.PILToTensor()]
    scored = v2.Compose([v2.Resize(args.resize), v2.CenterCrop(args.crop), *to_bytes])
    area = (args.smallest_crop, 1)
    trained = v2.Compose([v2.RandomResizedCrop(args.crop, scale=area), v2.RandomHorizontalFlip(), *to_bytes])
    folders = [torchvision.datasets.ImageFolder(root, transform) for transform in (scored, trained)]
    first = folders[0]
    index = np.arange(len(first))
    if args.subset and args.subset < len(index):
        index = np.sort(np.random.default_rng(0).permutation(index)[: args.subset])
    labels = np.array(first.classes)[np.array(first.targets)[index]]
    paths = [str(Path(first.samples[i][0]).relative_to(root)) for i in index]
    return TwoViews(*(Subset(view, index.tolist()) for view in folders)), labels, paths


def network(n_classes: int, args: argparse.Namespace) -> Any:
    """Return one of torchvision's networks, untrained, behind the paper's recipe."""
    torch.manual_seed(0)
    module = nn.Sequential(v2.Normalize(MEAN, DEVIATION), getattr(torchvision.models, args.net)(num_classes=n_classes))
    reading = {"num_workers": args.workers, "persistent_workers": args.workers > 0}
    return memorizing_net(
        module,
        lr=args.lr,
        batch_size=args.batch_size,
        weight_decay=args.weight_decay,
        schedule=partial(step_decay, milestones=MILESTONES),
        max_epochs=args.epochs,
        precision=args.precision,
        iterator_train=DataLoader,
        iterator_train__shuffle=True,
        iterator_valid__num_workers=args.workers,
        **{f"iterator_train__{name}": value for name, value in reading.items()},
    )


def run(views: TwoViews, labels: np.ndarray, paths: list[str], seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """Train and score; write all scores, and return what there is to say of them."""
    given, mask = corrupt_labels(labels, args.rate, random_state=seed) if args.rate else (labels, None)
    detector = CurvatureNoiseDetector(
        network(len(np.unique(labels)), args),
        **measuring(args),
        checkpoint_dir=args.out / f"checkpoints-{seed}",
        device=args.device,
        random_state=seed,
        verbose=args.verbose,
    )
    started = time.perf_counter()
    with quietly():
        detector.fit(views, given)
    seconds = time.perf_counter() - started
    write_scores(detector, given, paths, args.out / f"scores-{seed}")
    history = detector.history_
    told: dict[str, Any] = {
        "n_samples": len(labels),
        "train_accuracy": round(detector.train_accuracy_, 6),
        "scored_epochs": [record["epoch"] for record in history if record["scored"]],
        "seconds": {
            "all": round(seconds, 1),
            "a training epoch": round(float(np.median([record["seconds_training"] for record in history])), 2),
            "a scoring pass": round(float(np.median([r["seconds_scoring"] for r in history if r["scored"]])), 2),
        },
        "signals": {},
    }
    for name in SIGNALS:
        scores = detector.signal_scores_[name]
        told["signals"][name] = {"top": np.argsort(-scores, kind="stable")[:KEPT].tolist()}
        if mask is not None:
            told["signals"][name] |= {
                "auroc": round(auroc(mask, scores), 6),
                "average_precision": round(average_precision(mask, scores), 6),
            }
    if args.duplicates:
        found = find_conflicting_duplicates(detector, views)
        told["found"] = found[["first", "second", "kind"]].astype(object).to_numpy().tolist()
    return told


def write_scores(detector: Any, given: np.ndarray, paths: list[str], stem: Path) -> None:
    """Write all scores, as arrays and as a table of files."""
    scores = detector.signal_scores_
    np.savez_compressed(f"{stem}.npz", path=np.array(paths), label=given, **scores)
    frame = pd.DataFrame({"path": paths, "label": given, "suggested": detector.suggested_labels_, **scores})
    frame.iloc[detector.ranking_].to_csv(f"{stem}.csv", index=False, float_format="%.6g")


def render(rows: list[dict], views: TwoViews, labels: np.ndarray, args: argparse.Namespace) -> None:
    """Print the table and write it and the figure beside the records."""
    title = f"{rows[0]['data']}, {rows[0]['n_samples']} files, {len(np.unique(labels))} classes"
    cells = []
    for name, caption in SIGNALS.items():
        row: dict[str, str] = {"ranking": caption}
        for metric, words in (("auroc", "AUROC, %"), ("average_precision", "AP, %")):
            if args.rate:
                row[words] = f"{100 * np.mean([one['signals'][name][metric] for one in rows]):.2f}"
        if args.duplicates:
            counts = [len(members(one) & set(one["signals"][name]["top"])) for one in rows]
            row[f"in conflicting pairs, of the top {KEPT}"] = f"{np.mean(counts):g}"
        cells.append(row)
    frame = pd.DataFrame(cells)
    one = rows[0]
    view = (
        f"Trained on random crops of {args.smallest_crop:.0%} to 100 % of the picture at {args.crop} pixels, flipped; "
    )
    view += (
        f"scored on the centre {args.crop} of {args.resize}, after epochs {', '.join(map(str, one['scored_epochs']))}"
    )
    lines = [
        f"# ImageNet's recipe: {title}, {len(rows)} seed(s)",
        "",
        f"`{command()}`",
        "",
        f"torchvision's {args.net}, {args.epochs} epochs, batches of {args.batch_size}, learning rate {args.lr:g} "
        f"times 0.1 at epochs {', '.join(f'{share * args.epochs:.0f}' for share in MILESTONES)}, weight decay "
        f"{args.weight_decay:g}. {view}; h = {args.h:g}, n = {args.n}, power = {args.power}. Training accuracy in the "
        f"end {min(row['train_accuracy'] for row in rows):.4f}.",
        "",
        "## What is found",
        "",
        (f"{100 * args.rate:g} % of the labels are wrong on purpose.\n\n" if args.rate else "")
        + markdown(frame, index=False),
        "",
        PUBLISHED,
        "",
        "## Seconds",
        "",
        "; ".join(f"{name}: {seconds:g}" for name, seconds in one["seconds"].items())
        + f"; {args.workers} worker(s) read.",
        "",
    ]
    draw(one, views, labels, args, args.out / "figure.png", title)
    write(lines, rows, args.out)


def members(row: dict[str, Any]) -> set[int]:
    """Return the members of conflicting pairs that were found."""
    return {i for first, second, _ in row.get("found", []) for i in (first, second)}


def draw(row: dict[str, Any], views: TwoViews, labels: np.ndarray, args: argparse.Namespace, path: Path, title: str):
    """Draw the most suspect pictures as they are scored."""
    marked, dots = np.zeros(len(labels), dtype=bool), ""
    given = labels
    if args.rate:
        given, marked = corrupt_labels(labels, args.rate, random_state=row["seed"])
        dots = "; red: label planted"
    elif args.duplicates:
        marked[list(members(row))] = True
        dots = "; red: in a conflicting pair"
    panels = []
    for name in ("curvature", "loss"):
        top = row["signals"][name]["top"][: args.shown]
        images = np.stack([views[i][0].numpy().transpose(1, 2, 0) for i in top]) / 255
        panels.append(pictures.Panel(SIGNALS[name], images, [str(given[i]) for i in top], marked[top]))
    pictures.draw(panels, path, title=f"{title}: the most suspect{dots}")


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__, paragraphs=2)
    add = parser.add_argument
    add("--data-dir", type=Path, help="folder of train/CLASS/*.JPEG or CLASS/*.JPEG; by default digits are written")
    add("--title", help="what the table calls the data; by default the folder's name")
    add("--paper", action="store_true", help="full size: " + ", ".join(f"{k} {big}" for k, (_, big) in SIZES.items()))
    for name, (small, _) in SIZES.items():
        kind = every_or_auto if name == "every" else type(small)
        add(f"--{name.replace('_', '-')}", type=kind, help=f"(default: {small}; with --paper see there)")
    add("--net", default="resnet18", help="any classifier of torchvision.models")
    add("--smallest-crop", type=float, default=0.08, help="smallest share of a picture that is trained on")
    add("--weight-decay", type=float, default=0.0, help="the paper: none to find duplicates, 1e-4 elsewhere")
    add("--lr", type=float, default=0.1)
    add("--subset", type=int, help="use so many files, chosen at random")
    add("--duplicates", action="store_true", help="look for conflicting pairs; reads all pictures once more")
    add("--precision", choices=["float32", "bfloat16"], default="float32", help="of the training passes")
    add("--workers", type=int, default=0, help="processes that read pictures, for training and for scoring")
    add("--seeds", type=int, nargs="+", default=[0])
    add("--shown", type=int, default=40, help=f"pictures of each ranking in the figure, up to {KEPT}")
    add("--verbose", type=int, default=1)
    add_run(parser, Path(__file__).parent / "runs" / "imagenet")
    args = parser.parse_args(argv)
    for name, sizes in SIZES.items():
        if getattr(args, name) is None:
            setattr(args, name, sizes[args.paper])
    if not hasattr(torchvision.models, args.net):
        parser.error(f"--net {args.net}: torchvision.models has no such network.")
    return args


if __name__ == "__main__":
    main()

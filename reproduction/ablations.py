r"""What the curvature owes to its parts: Table 4 of the paper, and three choices that it doesn't vary.

Every variant is measured after every epoch of the same trainings: along random directions or the adversarial one of
Garg and Roy (2023), with the norm or its square, with the step in pixels or in normalised inputs; and each is averaged
over the epochs, or taken at the end of training alone. All are compared with memorization as Feldman and Zhang measure
it, and asked for planted wrong labels in a training of their own. Without arguments: scikit-learn's digits, whose
memorization stands beside the results.

    python reproduction/ablations.py
    python reproduction/ablations.py --dataset cifar100 --data-dir data --download --net resnet18-cifar --augment \
        --epochs 300 --step-decay --reference cifar100_infl_matrix.npz

The last is the paper's own setting, for a GPU. Memorization of other data is measured by reproduction/memorization.py.
Every finished training is one line in OUT/records.jsonl; the same command again goes on.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from harness import data, memorization, similarity
from harness.environment import command
from harness.options import add_data, add_run, add_training, command_line, started, training_net
from harness.quiet import quietly
from harness.records import Records
from harness.shared import Shared
from harness.variants import ADVERSARIAL, NORMALISED, POWERS, RANDOM, Variants, scores, variant
from harness.written import write

from curvdetect import LossDetector
from curvdetect.metrics import auroc

KINDS = {
    RANDOM: "Random directions",
    NORMALISED: "The same, step in normalised inputs",
    ADVERSARIAL: "Adversarial direction",
}
NORMS = {1: "norm", 2: "squared"}
TIMES = {True: "averaged", False: "end of training"}
CAPTIONS = {
    variant(kind, power, averaged=averaged): f"{KINDS[kind]}, {NORMS[power]}, {TIMES[averaged]}"
    for averaged, kind, power in product(TIMES, KINDS, POWERS)
}
#: Table 4 of the paper, CIFAR-100: by weight decay, top-K of 5,000 and all.
PUBLISHED = {
    (row, decay, measure): value
    for row, values in {
        variant(ADVERSARIAL, 2, averaged=False): (0.24, 0.17, 0.07, 0.10),
        variant(RANDOM, 1, averaged=False): (0.28, 0.18, 0.06, 0.12),
        variant(RANDOM, 1, averaged=True): (0.90, 0.82, 0.82, 0.73),
    }.items()
    for (decay, measure), value in zip(product((1e-4, 0.0), ("top_k", "cosine")), values, strict=True)
}
MEASURES = {**similarity.MEASURES, "auroc": "AUROC, %"}
SETTINGS = ("subset", "size", "net", "epochs", "augment", "step_decay", "h", "n", "rate", "top")


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    environment = started(args)
    X, y = data.load(args.dataset, args.data_dir, download=args.download, subset=args.subset, size=args.size)
    reference = memorization.read(args.reference, n_samples=len(y))
    cell = {
        "dataset": args.dataset,
        "reference": reference.digest(),
        "settings": {name: getattr(args, name) for name in SETTINGS},
    }
    records = Records(args.out / "records.jsonl", ("dataset", "reference", "settings", "weight_decay", "seed"))
    cells = [{**cell, "weight_decay": decay, "seed": seed} for seed in args.seeds for decay in args.weight_decays]

    def measured(one: dict[str, Any]) -> dict[str, Any]:
        return measure(X, y, reference.values, one["weight_decay"], one["seed"], args)

    render(records.measured(cells, measured, environment=environment), reference, args, len(y))


def measure(
    X: np.ndarray, y: np.ndarray, reference: np.ndarray, weight_decay: float, seed: int, args: argparse.Namespace
) -> dict[str, Any]:
    """Return the grades of all variants, from a training on the labels as they are and one on corrupted ones."""
    variants, accuracy = trained(X, y, weight_decay, seed, args)
    grades = {name: similarity.graded(values, reference, args.top) for name, values in variants.items()}
    X, labels, mask = data.corrupt(X, y, args.rate, "uniform", seed)
    variants, noisy = trained(X, labels, weight_decay, seed, args)
    for name, values in variants.items():
        grades[name]["auroc"] = round(auroc(mask, values), 4)
    return {"grades": grades, "train_accuracy": [round(accuracy, 6), round(noisy, 6)]}


def trained(
    X: np.ndarray, y: np.ndarray, weight_decay: float, seed: int, args: argparse.Namespace
) -> tuple[dict[str, np.ndarray], float]:
    """Train once; return the scores of every variant, and the training accuracy."""
    store = Shared(X=torch.from_numpy(data.as_inputs(X)), y=torch.from_numpy(np.unique(y, return_inverse=True)[1]))
    net = training_net(args, args.net, weight_decay, callbacks=[Variants(store, h=args.h, n=args.n, seed=seed)])
    detector = LossDetector(net, max_epochs=args.epochs, device=args.device, random_state=seed)
    with quietly():
        detector.fit(X, y)
    return scores(store), detector.train_accuracy_


def render(
    rows: list[dict[str, Any]], reference: memorization.Memorization, args: argparse.Namespace, n_samples: int
) -> None:
    """Print the table and write it beside the records."""
    frame = pd.DataFrame(
        [
            {"name": name, "weight_decay": row["weight_decay"], **grades, "auroc": 100 * grades["auroc"]}
            for row in rows
            for name, grades in row["grades"].items()
        ]
        + [
            {"name": name, "weight_decay": None, **grades}
            for name, grades in similarity.baselines(reference, args.top).items()
        ]
    )
    title = f"{args.title or args.dataset}, {n_samples} samples, {len(args.seeds)} seed(s)"
    clean, noisy = (min(row["train_accuracy"][i] for row in rows) for i in (0, 1))
    captions = {**CAPTIONS, **similarity.BASELINES}
    lines = [
        f"# Ablations: {title}",
        "",
        f"`{command()}`",
        "",
        f"Net {args.net or 'default'}, epochs {args.epochs or 'default'}{', cropped and flipped' * args.augment}; h = "
        f"{args.h:g}, random directions: n = {args.n}; after every epoch. Training accuracy {clean:.4f} or more, with "
        f"corrupted labels {noisy:.4f} or more. Mean ± standard deviation over seeds "
        f"{', '.join(map(str, args.seeds))}. {reference.described}",
        "",
        "## Table 4",
        "",
        similarity.table(frame, captions, PUBLISHED, MEASURES),
        "",
        "In brackets: the paper, CIFAR-100 and the memorization that Feldman and Zhang released, top 5,000; its row of "
        "Garg and Roy (2023) is the adversarial direction, squared, at the end of training. AUROC: of "
        f"{100 * args.rate:g} % wrong labels, planted in another training. "
        + similarity.explained(reference, args.top),
        "",
    ]
    write(lines, rows, args.out)


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__)
    add_data(parser)
    add_training(parser)
    add = parser.add_argument
    add("--reference", type=Path, help="memorization: a CSV file of reproduction/memorization.py, or a released .npz")
    add("--net", help="a named network; by default one sized from the data. Full size: resnet18-cifar")
    add("--weight-decays", type=float, nargs="+", default=[1e-4, 0.0])
    add("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the trainings and of the corruption")
    add("--h", type=float, default=1e-3, help="step")
    add("--n", type=int, default=10, help="number of random directions")
    add("--rate", type=float, default=0.1, help="share of labels to corrupt, for the AUROC")
    add_run(parser, Path(__file__).parent / "runs" / "ablations-DATASET")
    args = parser.parse_args(argv)
    args.reference = memorization.reference_of(parser, args)
    return args


if __name__ == "__main__":
    main()

r"""How much every score is like memorization as Feldman and Zhang measure it: Tables 1 and 3 of the paper.

A few hundred networks, each trained on a random 70 % of the data, say how much each sample is memorized; or a file does
that holds it already. Then single trainings, with and without weight decay, are asked for their scores, the curvature's
for many steps and numbers of probes at once; and a ridge regression for its own memorization, in closed form. The
samples that either ranks highest are drawn, as in App. F, and the pictures under two labels among them counted; --pairs
plants some. Without arguments: scikit-learn's digits, nothing downloaded.

    python reproduction/memorization.py
    python reproduction/memorization.py --pairs 30 --weight-decays 0.0001 0 0.03
    python reproduction/memorization.py --dataset folder --data-dir data/train --subset 1000 --nets 100
    python reproduction/memorization.py --dataset cifar100 --data-dir data --download --net resnet18-cifar --augment \
        --epochs 300 --step-decay --n 5 10 20 --reference cifar100_infl_matrix.npz

The last is the paper's own setting, for a GPU; the file is the one that Feldman and Zhang released. Every finished
network is kept, and every finished training a line in OUT/records.jsonl: the same command again goes on.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from harness import data, fits, memorization, most_memorized, options, similarity
from harness.copies import Planted, found_in, members_in, plant
from harness.environment import command
from harness.options import add_run, command_line, started
from harness.quiet import quietly
from harness.records import Records
from harness.similarity import CONSTANT, MEASURES
from harness.written import markdown, write
from tqdm import tqdm

from curvdetect import CurvatureNoiseDetector, LeaveOneOutDetector

#: Table 1 of the paper, CIFAR-100: by weight decay.
TABLE_1 = {1e-4: {"cosine": 0.82, "top_k": 0.90}, 0.0: {"cosine": 0.73, "top_k": 0.82}}
#: Table 3, CIFAR-100 with weight decay: by h, the same for n of 5, 10 and 20.
TABLE_3 = {
    1e-2: {"cosine": 0.80, "top_k": 0.89},
    1e-3: {"cosine": 0.82, "top_k": 0.90},
    1e-4: {"cosine": 0.82, "top_k": 0.90},
}
#: What the table of the authors' setting and of ours calls them, by (h, n, power).
AUTHORS, PAPER = (1e-3, 10, 1), (1e-3, 10, 2)
#: The rows of the table of every signal.
SIGNALS = (
    *("curvature", "curvature_contrast", "input_gradient", "gradient_contrast"),
    *("loss", "late_loss", "final_loss"),
    *("margin", "averaged_margin", "early_margin", "late_margin"),
    *("learning_time", "inconfidence"),
)
#: What trains nothing: how far a ridge regression's probability of the label falls without the sample, and how far it
#: is from 1 then, where networks that memorize begin.
CLOSED_FORM, LEFT_OUT = "closed form", "left out"
#: Beside the curvature, what is asked for its samples at the top.
RANKED = ("loss", "late_loss", "final_loss")
SETTINGS = ("subset", "size", "net", "epochs", "augment", "step_decay", "every", "top")


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    environment = started(args)
    args.keep = args.keep or args.out
    X, y = data.load(args.dataset, args.data_dir, download=args.download, subset=args.subset, size=args.size)
    # the same pairs for all seeds: memorization is measured once
    planted = plant(X, y, args.pairs, "exact", seed=0)
    X, y = planted.X, planted.labels
    reference = compared_with(X, y, args)
    cell = {
        "dataset": args.dataset,
        "pairs": args.pairs,
        "reference": reference.digest(),
        "settings": {name: getattr(args, name) for name in SETTINGS},
        "grid": {"h": args.h, "n": args.n},
    }
    records = Records(args.out / "records.jsonl", (*cell, "weight_decay", "seed"))
    cells = [{**cell, "weight_decay": decay, "seed": seed} for seed in args.seeds for decay in args.weight_decays]
    scores: dict[float, list[dict[str, np.ndarray]]] = {}
    for one in tqdm(cells, unit="training", desc="similarity", file=sys.stderr):
        fit = trained(X, y, one["weight_decay"], one["seed"], args)
        scores.setdefault(one["weight_decay"], []).append(fit.signals)
        if one not in records:
            grades = {
                name: similarity.graded(values, reference.values, args.top) for name, values in fit.signals.items()
            }
            accuracy = round(fit.train_accuracy, 6)
            records.add({**one, "train_accuracy": accuracy, "grades": grades, "environment": environment})
    closed = records.measured(
        [{**cell, "weight_decay": None, "seed": seed} for seed in args.seeds],
        lambda one: in_closed_form(X, y, reference, one["seed"], args),
        environment=environment,
    )
    rows = [row for one in cells for row in records.matching(**one)]
    render(rows, closed, reference, scores, planted, args)


def compared_with(X: np.ndarray, y: np.ndarray, args: argparse.Namespace) -> memorization.Memorization:
    """Return memorization, read from a file or measured, and then written beside the records."""
    if args.reference:
        return memorization.read(args.reference, n_samples=len(y))
    recipe = memorization.Recipe(args.net, args.epochs, augment=args.augment, device=args.device)
    outcomes = memorization.networks(X, y, recipe, args.nets, args.keep / "nets", args.jobs)
    measured = memorization.estimate(outcomes)
    measured.save(args.out / "memorization.csv")
    return measured


def trained(X: np.ndarray, y: np.ndarray, weight_decay: float, seed: int, args: argparse.Namespace) -> fits.Fit:
    """Return every score of a training, or what an earlier call kept of it.

    The contrast has a training of its own, the same one: with it, all settings of the grid would have to be measured
    under two labels.
    """
    settings = [getattr(args, name) for name in ("dataset", "data_dir", *SETTINGS[:-1], "h", "n", "pairs")]
    kept = args.keep / "scores" / f"{fits.name_of([*settings, weight_decay, seed])}.npz"
    if kept.exists():
        return fits.read(kept)
    common = {"every": args.every, "max_epochs": args.epochs, "device": args.device, "random_state": seed}
    grid = {"h": args.h, "n": args.n, "power": [1, 2]}
    net = options.training_net(args, args.net, weight_decay)
    with quietly():
        plain = CurvatureNoiseDetector(net, contrast=False, grid=grid, signals=fits.EXTRAS, **common).fit(X, y)
        contrast = CurvatureNoiseDetector(net, signals=["gradient_contrast"], **common).fit(X, y)
    signals = {
        **plain.signal_scores_,
        **{name: contrast.signal_scores_[name] for name in ("curvature_contrast", "gradient_contrast")},
        **{setting(*key): scores for key, scores in plain.grid_scores_.items()},
    }
    fit = fits.Fit(signals, plain.seconds_, sum(plain.seconds_.values()), plain.train_accuracy_, 1)
    fits.write(fit, kept)
    return fit


def in_closed_form(
    X: np.ndarray, y: np.ndarray, reference: memorization.Memorization, seed: int, args: argparse.Namespace
) -> dict[str, Any]:
    """Return how much the memorization of a ridge regression, on features that it chooses, is like the networks'."""
    started = time.process_time()
    detector = LeaveOneOutDetector(device=args.device, random_state=seed).fit(X, y)
    seconds = round(time.process_time() - started, 2)
    scores = {CLOSED_FORM: detector.memorization_, LEFT_OUT: 1 - np.exp(-detector.scores_)}
    grades = {name: similarity.graded(values, reference.values, args.top) for name, values in scores.items()}
    return {"features": detector.features_, "processor_seconds": seconds, "grades": grades}


def setting(h: float, n: int, power: int) -> str:
    return f"h={h:g}, n={n}, power={power}"


def render(
    rows: list[dict[str, Any]],
    closed: list[dict[str, Any]],
    reference: memorization.Memorization,
    scores: dict[float, list[dict[str, np.ndarray]]],
    planted: Planted,
    args: argparse.Namespace,
) -> None:
    """Print the tables and write them, and the picture, beside the records."""
    frame = pd.DataFrame(
        [
            {"name": name, "weight_decay": row["weight_decay"], **grades}
            for row in [*rows, *closed]
            for name, grades in row["grades"].items()
        ]
        + [
            {"name": name, "weight_decay": None, **grades}
            for name, grades in similarity.baselines(reference, args.top).items()
        ]
    )
    pairs = f", {len(planted.pairs)} planted pairs" if planted.pairs else ""
    title = f"{args.title or args.dataset}, {len(planted.labels)} samples{pairs}, {len(args.seeds)} seed(s)"
    captions = {
        setting(*AUTHORS): "Curvature, authors' code: h = 0.001, n = 10, norm",
        setting(*PAPER): "Curvature, eq. (6): the same, norm squared",
        **{name: fits.caption(name) for name in SIGNALS},
        "curvature": "Curvature, the default's: h = 0.01, n = 1, norm",
        CLOSED_FORM: "Memorization of a ridge regression, in closed form",
        LEFT_OUT: "Improbability of the label without its sample, in closed form",
        **similarity.BASELINES,
    }
    first = [
        setting(*AUTHORS),
        setting(*PAPER),
        "curvature",
        "curvature_contrast",
        CLOSED_FORM,
        LEFT_OUT,
        *similarity.BASELINES,
    ]
    published = {
        (setting(*AUTHORS), decay, measure): value
        for decay, values in TABLE_1.items()
        for measure, value in values.items()
    }
    tops = most_memorized.rankings(reference.values, scores, (*first[:3], *RANKED))
    mask, others = members_in(planted, found_in(planted.X, planted.labels, args.device))
    explained = similarity.explained(reference, args.top)
    brackets = "In brackets: the paper, CIFAR-100 and the memorization that Feldman and Zhang released, top 5,000."
    accuracy = [row["train_accuracy"] for row in rows]
    lines = [
        f"# Similarity to memorization: {title}",
        "",
        f"`{command(without=('--keep', '--jobs'))}`",
        "",
        f"Net {args.net or 'default'}, epochs {args.epochs or 'default'}{', cropped and flipped' * args.augment}; "
        f"curvature after every {args.every} epoch(s). Training accuracy {min(accuracy):.4f} or more. Mean ± standard "
        f"deviation over seeds {', '.join(map(str, args.seeds))}.",
        "",
        "## Memorization",
        "",
        reference.described,
        "",
        "## Table 1",
        "",
        similarity.table(frame, {name: captions[name] for name in first}, published),
        "",
        f"{brackets} {explained} What is in closed form trains nothing and knows no weight decay. It took "
        f"{np.mean([row['processor_seconds'] for row in closed]):.1f} seconds of the processor, on features that it "
        f"chose: {', '.join(dict.fromkeys(row['features'] for row in closed))}.",
        "",
        "## Every signal",
        "",
        similarity.table(frame, captions, published),
        "",
        explained,
        "",
        "## Table 3",
        "",
        over_steps(frame, args),
        "",
        f"{brackets} Weight decay {args.weight_decays[0]:g}. {explained}",
        "",
        *most_memorized.section(tops, captions, reference.values, planted, others),
        options.shrinking(
            options.training_net(args, args.net, 0.0), args.weight_decays, args.epochs, len(planted.labels)
        ),
        "",
    ]
    most_memorized.draw(tops, captions, planted, mask | others, title, args.out / "most-memorized.png")
    write(lines, [*rows, *closed], args.out)


def over_steps(frame: pd.DataFrame, args: argparse.Namespace) -> str:
    """Return the table over h and n, with the first of the weight decays."""
    known = frame[frame["weight_decay"] == args.weight_decays[0]].groupby("name")
    rows = []
    for n in args.n:
        for h in args.h:
            row = {"step, probes": f"h = {h:g}, n = {n}"}
            for power, norm in ((1, "norm"), (2, "squared")):
                some = known.get_group(setting(h, n, power))
                for measure, words in MEASURES.items():
                    value = TABLE_3.get(h, {}).get(measure) if power == 1 and n in (5, 10, 20) else None
                    row[f"{words}, {norm}"] = similarity.cell(some[measure]) + (f" ({value:.2f})" if value else "")
            rows.append(row)
    base = frame[frame["name"] == CONSTANT]
    rows.append(
        {"step, probes": "constant"}
        | {
            f"{words}, {norm}": similarity.cell(base[m])
            for norm in ("norm", "squared")
            for m, words in MEASURES.items()
        }
    )
    return markdown(pd.DataFrame(rows), index=False)


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__)
    options.add_data(parser)
    options.add_training(parser)
    add = parser.add_argument
    add("--pairs", type=int, default=0, help="plant so many pairs of one picture under two labels")
    add("--reference", type=Path, help="memorization that is known: a CSV file of this script, or a released .npz")
    add("--nets", type=int, default=200, help="networks to measure memorization with; the released file took 4,000")
    add("--jobs", type=int, help="processes that train them; by default one for each core, and one on a GPU")
    add("--net", help="a named network; by default one sized from the data. Full size: resnet18-cifar")
    add("--weight-decays", type=float, nargs="+", default=[1e-4, 0.0])
    add("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the trainings that are scored")
    add("--h", type=float, nargs="+", default=[1e-2, 1e-3, 1e-4], help="steps")
    add("--n", type=int, nargs="+", default=[1, 5, 10], help="numbers of probes; the paper: 5 10 20")
    add("--every", type=int, default=1, help="measure the curvature every so many epochs")
    add("--keep", type=Path, help="folder that keeps networks and scores; by default that of --out")
    add_run(parser, Path(__file__).parent / "runs" / "memorization-DATASET")
    args = parser.parse_args(argv)
    if args.pairs and args.reference and args.reference.suffix == ".npz":
        parser.error("--pairs changes the data, and a released file is of the data as it was. Leave one of them out.")
    if args.jobs is None:
        on_cpu = args.device == "cpu" or (args.device == "auto" and not torch.accelerator.is_available())
        args.jobs = (os.cpu_count() or 1) if on_cpu else 1
    return args


if __name__ == "__main__":
    main()

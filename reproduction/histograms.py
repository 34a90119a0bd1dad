"""How curvature is spread, where wrong labels lie in it, and the extremes of each class.

Figs. 2 and 5 of the paper, and 19 of its appendix: histograms of the scores, labels as published and with a share of
each class made wrong on purpose; beside them the scores of the last epoch alone, and Slo-curves (Garg and Roy, 2023),
with the samples that either ranks highest. Figs. 3, 9, 10 and 12: the samples with the lowest and the highest score of
each class. Without arguments: scikit-learn's digits, nothing downloaded.

    python reproduction/histograms.py
    python reproduction/histograms.py --dataset mnist --data-dir data --download --subset 4000
    python reproduction/histograms.py --dataset mnist --data-dir data --download --paper   # full size

The scores are in OUT/scores-SEED.npz; the same command again draws from them.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from harness import data, options, pictures
from harness.environment import command
from harness.options import add_data, add_run, command_line, started
from harness.quiet import quietly
from harness.records import Records
from harness.variants import adversarial_curvatures
from harness.written import markdown, write

from curvdetect import CurvatureNoiseDetector, ExtremesDisplay, ScoreHistogramDisplay, corrupt_labels, input_curvature
from curvdetect.metrics import auroc, average_precision

SETTINGS = ("subset", "size", "net", "epochs", "augment", "paper", "quick", "h", "n", "power", "every", "rate")
MEANS = {
    "published": "Mean over epochs, labels as published",
    "corrupted": "Mean over epochs, wrong labels planted",
    "last epoch": "The last epoch alone, wrong labels planted",
    "slo-curves": "Slo-curves, wrong labels planted",
}
#: Rankings of one training that are shown beside each other, and how many samples of each.
SHOWN = {"corrupted": "Mean over epochs", "slo-curves": "Slo-curves"}
HIGHEST = 40
PUBLISHED = (
    'Published: the wrong labels of MNIST are "among the highest" (Fig. 5, 1 % of each class, no number there); Table '
    "2 has an AUROC of 100.0 % for MNIST and 97.4 % for CIFAR-10 at 1 %. Of Slo-curves, pictures alone (Fig. 19)."
)
SLO_CURVES = (
    "Slo-curves are the score of Garg and Roy (2023): the weights at the end of training alone, the direction of the "
    "gradient's sign, the norm squared."
)


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    environment = started(args)
    X, y = data.load(args.dataset, args.data_dir, download=args.download, subset=args.subset, size=args.size)
    given, mask = corrupt_labels(y, args.rate, random_state=args.seed)
    cell = {"dataset": args.dataset, "settings": {name: getattr(args, name) for name in SETTINGS}, "seed": args.seed}
    records = Records(args.out / "records.jsonl", ("dataset", "settings", "seed"))
    kept = args.out / f"scores-{args.seed}.npz"
    if not kept.exists():
        scores, accuracy = measured(X, y, given, args)
        args.out.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(kept, **{name: values.astype(np.float32) for name, values in scores.items()})
        if cell not in records:
            records.add({**cell, "train_accuracy": accuracy, **graded(scores, mask), "environment": environment})
    with np.load(kept) as file:
        scores = dict(file)
    render(records.matching(**cell)[0], scores, X, y, given, mask, args)


def measured(
    X: np.ndarray, y: np.ndarray, given: np.ndarray, args: argparse.Namespace
) -> tuple[dict[str, np.ndarray], float]:
    """Return the scores of two trainings, with the labels as they are and with wrong ones, and the lower accuracy."""
    common = {"max_epochs": args.epochs, "device": args.device, "random_state": args.seed, "verbose": args.verbose}
    net = options.main_net(args, 0.0, len(y))
    with quietly():
        published = CurvatureNoiseDetector(net, **options.measuring(args), **common).fit(X, y)
        corrupted = CurvatureNoiseDetector(net, **options.measuring(args), **common).fit(X, given)
    module = corrupted.net_.module_
    inputs = torch.from_numpy(data.as_inputs(X)).to(next(module.parameters()).device)
    codes = torch.from_numpy(np.searchsorted(corrupted.classes_, given)).to(inputs.device)
    curvature = {"h": args.h, "n": args.n, "power": args.power}
    last = input_curvature(module, inputs, codes, **curvature, epoch=corrupted.n_iter_)
    scores = {
        "published": published.scores_,
        "corrupted": corrupted.scores_,
        "last epoch": last.cpu().numpy(),
        "slo-curves": adversarial_curvatures(module, inputs, codes, args.h)[2].numpy(),
    }
    return scores, round(min(published.train_accuracy_, corrupted.train_accuracy_), 6)


def graded(scores: dict[str, np.ndarray], mask: np.ndarray) -> dict[str, Any]:
    """Return how long the tail of each is, and what it says of the wrong labels."""
    told = {}
    for name, values in scores.items():
        top = np.sort(values)[::-1][: max(1, len(values) // 100)]
        told[name] = {"share_of_top_1": round(float(top.sum() / values.sum()), 4)}
        if name != "published":
            highest = np.argsort(-values, kind="stable")[: mask.sum()]
            told[name] |= {
                "auroc": round(auroc(mask, values), 6),
                "average_precision": round(average_precision(mask, values), 6),
                "among_highest": int(mask[highest].sum()),
            }
    return {"scores": told, "n_wrong": int(mask.sum())}


def render(
    row: dict[str, Any],
    scores: dict[str, np.ndarray],
    X: np.ndarray,
    y: np.ndarray,
    given: np.ndarray,
    mask: np.ndarray,
    args: argparse.Namespace,
) -> None:
    """Print the table and write it and the figures beside the records."""
    cells = []
    for name, caption in MEANS.items():
        grade = row["scores"][name]
        cells.append(
            {
                "curvature": caption,
                "AUROC, %": f"{100 * grade['auroc']:.2f}" if "auroc" in grade else "",
                "AP, %": f"{100 * grade['average_precision']:.2f}" if "auroc" in grade else "",
                f"wrong among the {row['n_wrong']} highest": f"{grade.get('among_highest', '')}",
                "share of the sum in the highest 1 %, %": f"{100 * grade['share_of_top_1']:.1f}",
            }
        )
    title = f"{args.title or args.dataset}, {len(y)} samples"
    lines = [
        f"# How curvature is spread: {title}, {100 * args.rate:g} % of the labels wrong",
        "",
        f"`{command()}`",
        "",
        f"{options.in_words(args)} No weight decay; training accuracy {row['train_accuracy']:.4f} or more. "
        f"{SLO_CURVES}",
        "",
        "## Spread",
        "",
        markdown(pd.DataFrame(cells), index=False),
        "",
        PUBLISHED,
        "",
    ]
    pictures.save(histograms(scores, mask, title), args.out / "histograms.png")
    pictures.save(extremes(scores["published"], X, y), args.out / "extremes.png")
    pictures.draw(
        highest(scores, X, given, mask), args.out / "highest.png", title=f"{title}; red: a planted wrong label"
    )
    write(lines, [row], args.out)


def histograms(scores: dict[str, np.ndarray], mask: np.ndarray, title: str) -> Any:
    """Draw the scores beside each other, wrong labels marked."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 7), layout="constrained")
    for ax, (name, caption) in zip(figure.subplots(2, 2).flat, MEANS.items(), strict=True):
        wrong = None if name == "published" else mask
        ScoreHistogramDisplay.from_predictions(np.abs(scores[name]), noise_mask=wrong, ax=ax)
        ax.set_title(caption, fontsize=10, pad=None if wrong is None else 26)
        ax.set_xlabel("Curvature (higher is more suspect)")
    figure.suptitle(title)
    return figure


def highest(scores: dict[str, np.ndarray], X: np.ndarray, given: np.ndarray, mask: np.ndarray) -> list[pictures.Panel]:
    """Return the samples that each ranking has at its top, under the labels that were trained on."""
    panels = []
    for name, words in SHOWN.items():
        top = np.argsort(-scores[name], kind="stable")[:HIGHEST].tolist()
        caption = f"{words}: {mask[top].sum()} of the {mask.sum()} wrong labels among the {len(top)} highest"
        panels.append(pictures.panel(caption, X, top, given, mask))
    return panels


def extremes(scores: np.ndarray, X: np.ndarray, y: np.ndarray) -> Any:
    """Draw the lowest and the highest of each class."""
    from matplotlib.figure import Figure

    shown = pictures.as_pictures(X)
    shown = shown.transpose(0, 3, 1, 2) if shown.ndim == 4 else shown
    classes = np.unique(y)[:10]
    figure = Figure(figsize=(9.4, 0.42 * len(classes) + 0.7), layout="constrained")
    ExtremesDisplay.from_predictions(shown, y, scores, k=10, classes=classes, ax=figure.subplots())
    return figure


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__, paragraphs=2)
    add_data(parser)
    add = parser.add_argument
    add("--rate", type=float, default=0.01, help="share of each class's labels made wrong; 60 of 6,000 in Fig. 5")
    add("--seed", type=int, default=0, help="of the wrong labels and the training")
    options.add_recipe(parser)
    add("--verbose", type=int, default=0)
    add_run(parser, Path(__file__).parent / "runs" / "histograms-DATASET")
    return options.settle(parser, parser.parse_args(argv))


if __name__ == "__main__":
    main()

"""Draw the figures of the documentation.

python docs/figures.py score                      # docs/images/score.png, from scikit-learn's digits
python docs/figures.py plots                      # docs/images/plot-*.png, the displays on digits

The picture of the page, docs/images/report.png, is of a scan: benchmarks/scan.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from curvdetect import (
    CurvatureNoiseDetector,
    DetectionCurveDisplay,
    ExtremesDisplay,
    LabelConfusionDisplay,
    ScoreHistogramDisplay,
    SimilarityCurveDisplay,
    TrainingCurveDisplay,
    corrupt_labels,
    input_curvature,
)

IMAGES = Path(__file__).parent / "images"
EPOCHS = 40


def classifier(activation: type[nn.Module]) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 256), activation(), nn.Linear(256, 256), activation(), nn.Linear(256, 10))


def memorize(module: nn.Module, X: torch.Tensor, y: torch.Tensor, after_epoch=lambda epoch: None) -> nn.Module:
    """Train as a user with a loop of their own would."""
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=EPOCHS * 29)
    for epoch in range(EPOCHS):
        for batch in torch.randperm(len(X)).tensor_split(29):
            optimizer.zero_grad()
            F.cross_entropy(module(X[batch]), y[batch]).backward()
            optimizer.step()
            schedule.step()
        after_epoch(epoch)
    return module


def score() -> Figure:
    """Draw, left, the curvature of right and wrong labels by epoch and, right, what a smaller step does to it."""
    X, y = load_digits(return_X_y=True)
    labels, wrong = corrupt_labels(y, 0.1, random_state=0)
    X, y = torch.tensor(X / 16, dtype=torch.float32), torch.tensor(labels)
    curves = []
    relu = classifier(nn.ReLU)
    memorize(relu, X, y, lambda epoch: curves.append(input_curvature(relu, X, y, h=1e-2, n=1, epoch=epoch).numpy()))
    smooth = memorize(classifier(nn.Tanh), X, y)

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for mask, name, color in ((wrong, "wrong label", "tab:red"), (~wrong, "right label", "tab:blue")):
        low, middle, high = np.quantile(np.array(curves)[:, mask], (0.25, 0.5, 0.75), axis=1)
        left.plot(range(1, EPOCHS + 1), middle, color=color, label=f"{name}, median and quartiles")
        left.fill_between(range(1, EPOCHS + 1), low, high, color=color, alpha=0.2)
    left.set(
        yscale="log",
        xlabel="epoch",
        ylabel="curvature, $h = 0.01$, $n = 1$",
        title="Digits, 10 % wrong labels",
    )
    left.legend(fontsize=8)

    steps = np.logspace(-4, -0.5, 15)
    X64 = X[:300].double()
    for module, name, style in ((relu, "ReLU", "o-"), (smooth, "tanh", "s-")):
        module.double()
        values = [input_curvature(module, X64, y[:300], h=h, n=20, power=2).mean() / h**2 for h in steps]
        right.plot(steps, np.array(values) / values[5], style, ms=4, label=f"{name} network")
    right.set(xscale="log", yscale="log", xlabel="step $h$", ylabel="$C_2 / h^2$, relative to $h = 0.0018$")
    right.set_title("A limit for smooth networks, none for ReLU", fontsize=11)
    right.legend(fontsize=8)
    return figure


def plots() -> dict[str, Figure]:
    """Draw the displays of docs/plots.md."""
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype("float32")
    labels, mask = corrupt_labels(y, rate=0.05, random_state=0)
    detector = CurvatureNoiseDetector(q=0.05, every=1, max_epochs=20, device="cpu", random_state=0).fit(X, labels)

    def axes(width: float = 6, height: float = 3.6):
        return Figure(figsize=(width, height), layout="constrained").subplots()

    precision, roc = axes(), axes()
    for signal in (None, "loss", "learning_time"):
        DetectionCurveDisplay.from_estimator(detector, mask, signal=signal, kind="precision", ax=precision)
    for signal in (None, "loss"):
        DetectionCurveDisplay.from_estimator(detector, mask, signal=signal, xscale="log", ax=roc)
    drawn = {
        "histogram": ScoreHistogramDisplay.from_estimator(detector, noise_mask=mask, ax=axes()),
        "extremes": ExtremesDisplay.from_estimator(detector, X.reshape(-1, 8, 8), k=8, ax=axes(6.6, 4.2)),
        "training": TrainingCurveDisplay.from_estimator(detector, ax=axes()),
        "confusion": LabelConfusionDisplay.from_estimator(detector, ax=axes(4.2, 4.2)),
    }
    kept = CurvatureNoiseDetector(every=1, keep_snapshots=20, max_epochs=20, device="cpu", random_state=0)
    kept.fit(X[:1500], labels[:1500])
    held_out, by_label = axes(), axes()
    TrainingCurveDisplay.from_estimator(kept, name="training", ax=held_out)
    TrainingCurveDisplay.from_estimator(kept, X[1500:], y[1500:], name="held out", ax=held_out)
    for name, part in {"wrong labels": mask[:1500], "right labels": ~mask[:1500]}.items():
        TrainingCurveDisplay.from_estimator(kept, X[:1500][part], labels[:1500][part], name=name, ax=by_label)
    reference = mask[:1500].astype(float)
    drawn["similarity"] = SimilarityCurveDisplay.from_estimator(
        kept, reference, X[:1500], labels[:1500], name="curvature", ax=axes()
    )
    figures = {name: display.figure_ for name, display in drawn.items()}
    figures |= {"held-out": held_out.figure, "by-label": by_label.figure}
    return {
        f"plot-{name}": figure for name, figure in {**figures, "precision": precision.figure, "roc": roc.figure}.items()
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figure", choices=["score", "plots"])
    arguments = parser.parse_args()
    IMAGES.mkdir(exist_ok=True)
    drawn = plots() if arguments.figure == "plots" else {"score": score()}
    for name, figure in drawn.items():
        figure.savefig(IMAGES / f"{name}.png", dpi=110)

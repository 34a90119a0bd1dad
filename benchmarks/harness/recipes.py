"""What is trained: the defaults, or the paper's networks at its length or a tenth of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

from curvdetect import memorizing_net, one_cycle, step_decay

#: Table 2 of the paper (Garg, Ravikumar, Roy, ICML 2024): AUROC in percent at these shares of wrong labels.
RATES = (0.01, 0.02, 0.04, 0.06, 0.08, 0.1)
PUBLISHED: dict[str, dict[str, tuple[float, ...]]] = {
    "mnist": {
        "inconfidence": (99.4, 99.0, 98.4, 97.7, 97.1, 96.1),
        "cl_self_confidence": (99.7, 99.3, 99.1, 98.9, 98.9, 98.9),
        "ssft_time": (99.9, 99.9, 99.8, 99.7, 99.7, 99.5),
        "learning_time": (98.7, 99.5, 98.4, 98.5, 97.7, 97.3),
        "curvature": (100.0, 100.0, 99.9, 99.9, 99.9, 99.9),
    },
    "cifar10": {
        "inconfidence": (84.2, 82.5, 81.8, 81.6, 81.5, 81.5),
        "cl_self_confidence": (92.4, 93.1, 93.4, 93.4, 91.7, 93.4),
        "ssft_time": (94.5, 94.1, 93.2, 92.5, 91.6, 90.0),
        "learning_time": (87.3, 82.5, 84.0, 83.4, 82.2, 83.0),
        "curvature": (97.4, 96.6, 95.5, 94.4, 94.1, 92.9),
        "curv_ssft": (97.5, 96.8, 96.2, 96.1, 95.2, 94.8),
    },
    "cifar100": {
        "inconfidence": (85.0, 84.0, 83.5, 83.6, 83.6, 83.4),
        "cl_self_confidence": (83.1, 84.2, 85.3, 86.3, 84.3, 84.6),
        "ssft_time": (94.8, 93.7, 93.2, 91.7, 91.9, 91.0),
        "learning_time": (85.2, 85.2, 81.8, 80.8, 79.8, 78.5),
        "curvature": (90.9, 89.6, 88.3, 86.8, 85.7, 84.3),
        "curv_ssft": (96.0, 94.5, 94.2, 93.1, 92.9, 91.9),
    },
}
#: AUROC in percent at 10 %, by the same authors, in `LATER_SOURCE`.
LATER = {"cifar10": {"loss": 98.7, "curvature": 98.2}, "cifar100": {"loss": 99.0, "curvature": 98.9}}
LATER_SOURCE = (
    'Ravikumar et al., "Towards Memorization Estimation: Fast, Formal and Free", ICML 2025 (ResNet18, 300 epochs)'
)
#: Rows of Table 2, with the cheap scores that are newer than it.
TABLE_2 = (
    *("inconfidence", "cl_self_confidence", "ssft_time", "ssft_loss", "learning_time"),
    *("curvature", "curv_ssft", "loss", "margin", "fused_auto"),
)
#: Networks and schedules of the paper's appendix C.
_GRAY = {"net": "resnet-mnist", "epochs": 200, "milestones": (0.4, 0.8), "augment": False}
_COLOR = {"net": "resnet18-cifar", "epochs": 300, "milestones": (0.5, 5 / 6), "augment": True}
PAPER: dict[str, dict[str, Any]] = {"mnist": _GRAY, "fashion_mnist": _GRAY, "cifar10": _COLOR, "cifar100": _COLOR}
#: The curvature as the authors' code has it; the paper's eq. (6) squares the norm.
AUTHORS = {"h": 1e-3, "n": 10, "power": 1, "every": 1}
DEFAULTS = {"h": 1e-2, "n": 1, "power": 1, "every": "auto"}
SHORTER = 10
#: Batches of the paper's family of code; the paper itself names no size.
BATCH = 128


@dataclass
class Nets:
    """What each kind of training starts from."""

    main: Any
    second_split: Any
    stages: dict[str, Any] = field(default_factory=dict)


def published(name: str | None, *, later: bool) -> dict[str, dict[float, str]]:
    """Return what is published of a data set's methods, by the share of wrong labels; ``later`` numbers beside."""
    known = {
        method: {rate: f"{value:.1f}" for rate, value in zip(RATES, values, strict=True)}
        for method, values in PUBLISHED.get(name, {}).items()
    }
    for method, value in LATER.get(name, {}).items() if later else ():
        values = known.setdefault(method, {})
        values[0.1] = f"{values[0.1]}; {value:.1f}" if values else f"{value:.1f}"
    return known


def nets(
    net: str | None, *, augment: bool, precision: str | None = None, paper: str | None, quick: bool, n_samples: int
) -> Nets:
    """Return the nets of a table: of the default recipe, or of ``paper``, a key of `PAPER`."""
    options = {"precision": precision} if precision else {}
    if paper is None:
        one = net
        if augment or precision:
            one = memorizing_net(net, augment=augment, batch_size=batch_size(BATCH, n_samples), **options)
        return Nets(one, one)
    recipe = PAPER[paper]
    epochs = recipe["epochs"] // SHORTER if quick else recipe["epochs"]
    main = memorizing_net(
        recipe["net"],
        max_epochs=epochs,
        schedule=one_cycle if quick else partial(step_decay, milestones=recipe["milestones"]),
        augment=recipe["augment"],
        batch_size=batch_size(BATCH, n_samples),
        **options,
    )
    # Maini et al., NeurIPS 2022: their schedule and stopping rule, with this table's network
    second_split = memorizing_net(
        recipe["net"],
        max_epochs=100 // SHORTER if quick else 100,
        schedule=partial(one_cycle, peak=0.1),
        weight_decay=5e-4,
        batch_size=batch_size(512, n_samples // 2),
        **options,
    )
    return Nets(main, second_split, {"stop_at": 1.0, "patience": 5})


def batch_size(largest: int, n_samples: int) -> int:
    """Return a recipe's batch size, or a smaller one that leaves 32 steps in an epoch."""
    return min(largest, max(16, n_samples // 32))

"""``curvdetect compare``: how well each score finds wrong labels that are planted in the user's own data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import click
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from curvdetect.cli.console import say, tell
from curvdetect.cli.options import READING, TRAINING, chosen
from curvdetect.cli.source import embedded, features_for, read, say_skipped
from curvdetect.data.noise import corrupt_labels
from curvdetect.data.types import Array, Record
from curvdetect.detectors.fused import FusedDetector
from curvdetect.detectors.measured import derived_seed
from curvdetect.detectors.registry import DETECTORS
from curvdetect.files.labelled import LabelledData
from curvdetect.files.safe_csv import write_csv
from curvdetect.metrics import auroc
from curvdetect.signals.registry import SIGNALS, recorded

#: AUROC by score, rate and seed.
Grades = dict[tuple[str, float, int], float]


def compare(
    path: Path,
    rates: tuple[float, ...],
    kind: Literal["uniform", "pair"],
    seeds: int,
    seed: int,
    also: tuple[str, ...],
    features: str | None,
    target: Path | None,
    quiet: bool,
    **options: object,
) -> None:
    """Print how well each score finds wrong labels planted in data."""
    reading, training = chosen(READING, options), {**chosen(TRAINING, options), "verbose": 0 if quiet else 1}
    features = features_for(path, reading, features, training["net"])
    data = read(path, reading, features, quiet)
    say_skipped(data)
    data = embedded(data, features, training["device"], quiet)
    grades: Grades = {}
    planted: dict[float, int] = {}
    runs = [(rate, seed + repeat) for rate in dict.fromkeys(rates) for repeat in range(seeds)]
    interrupt = None
    try:
        for number, (rate, own_seed) in enumerate(runs, 1):
            labels, mask = corrupt_labels(data.y, rate, kind=kind, random_state=own_seed)
            planted[rate] = int(mask.sum())
            if not planted[rate]:
                raise click.BadParameter(
                    f"no class of PATH is large enough to plant {rate:.1%} of it.", param_hint="--rate"
                )
            if not quiet:
                say(f"training {number} of {len(runs)}: {planted[rate]} wrong labels, seed {own_seed}")
            own = {**training, "random_state": derived_seed(own_seed, 1)}
            for name, scores in _scores(data, labels, own, also):
                grades[name, rate, own_seed] = auroc(mask, scores)
    except KeyboardInterrupt as error:
        if not grades:
            raise
        interrupt = error
    tell(_as_table(grades))
    counts = ", ".join(f"{n} at {100 * rate:.3g} %" for rate, n in planted.items())
    trained = sorted({own_seed for _, _, own_seed in grades})
    span = f"seeds {trained[0]} to {trained[-1]}" if len(trained) > 1 else f"seed {trained[0]}"
    tell(f"AUROC in percent, {kind} noise in {len(data.y)} samples ({counts}), {span}.")
    tell("Planted labels are random. Real mistakes are often harder to see; read this as a comparison.")
    if len(trained) == 1:
        tell("One seed shows no spread: --seeds 3 tells which differences are any.")
    if target is not None:
        write_csv(target, ["score", "rate", "seed", "auroc"], [(*key, grade) for key, grade in grades.items()])
    if interrupt is not None:
        raise KeyboardInterrupt("The table is of the trainings that were complete.") from interrupt


def _scores(
    data: LabelledData, labels: Array, training: Record, also: tuple[str, ...]
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Yield each score by name: those of one training and beside it, and those that need trainings of their own.

    Curvature takes a whole training. Where a scan by fused ends early, fused is graded on a training that does too.
    """
    detector = FusedDetector(beside=[*recorded("asked"), *recorded("probed")], **training).fit(data.X, labels)
    yield from detector.signal_scores_.items()
    if training["net"] is None and training["max_epochs"] is None:
        detector = FusedDetector(**training).fit(data.X, labels)
    yield "fused", detector.scores_
    for name in also:
        yield name, DETECTORS[name].scanning(**training).fit(data.X, labels).scores_


def _as_table(grades: Grades) -> str:
    """Return a table: mean and standard deviation over seeds in percent, the best of the first rate on top."""
    captions = {name: signal.caption for name, signal in SIGNALS.items()}
    captions |= {name: entry.caption for name, entry in DETECTORS.items() if entry.caption}
    rates = list(dict.fromkeys(rate for _, rate, _ in grades))
    by_score = (100 * pd.Series(grades)).groupby(level=[0, 1])
    means, spreads = by_score.mean().unstack()[rates], by_score.std().unstack()[rates]
    best_first = means[rates[0]].sort_values(ascending=False, kind="stable").index
    cells = means.map("{:.2f}".format) + spreads.map(" ± {:.2f}".format).where(spreads.notna(), "")
    cells = cells.where(means.notna(), "-").loc[best_first].rename(index=captions)
    return cells.rename(columns=lambda rate: f"{100 * rate:.3g} % wrong").to_string(col_space=15)

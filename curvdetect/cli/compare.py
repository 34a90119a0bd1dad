"""``curvdetect compare``: how well each score finds wrong labels that are planted in the user's own data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import click
import numpy as np
from numpy.typing import NDArray

from curvdetect.cli.console import say, short, tell
from curvdetect.cli.detectors import CAPTIONS, COSTS, DETECTORS
from curvdetect.cli.options import PRINTING, READING, TRAINING, chosen, existing, share
from curvdetect.cli.output import write_csv
from curvdetect.cli.source import Data, read_data
from curvdetect.data.noise import corrupt_labels
from curvdetect.detectors.checks import derived_seed
from curvdetect.detectors.fused import has_fallen, recommended_signals
from curvdetect.detectors.one_signal import CurvatureNoiseDetector
from curvdetect.detectors.ranking import fuse
from curvdetect.metrics import auroc
from curvdetect.signals.registry import recorded

#: AUROC by score, rate and seed.
Grades = dict[tuple[str, float, int], float]


def rate_of(text: str) -> float:
    """Return 0.05 for ``0.05`` and ``5%``."""
    rate = share(text)
    if not isinstance(rate, float) or not 0 < rate < 1:
        raise click.BadParameter(f"'{short(text)}' is no share between 0 and 1, such as 0.05 or 5%.")
    return rate


@click.command(
    params=[
        click.Argument(["path"], type=existing()),
        click.Option(
            ["--rate", "rates"],
            type=rate_of,
            metavar="SHARE",
            multiple=True,
            default=("0.05",),
            show_default=True,
            help="Share of the labels of each class to replace; may be repeated, one column each.",
        ),
        click.Option(
            ["--kind"],
            type=click.Choice(["uniform", "pair"]),
            default="uniform",
            show_default=True,
            help="Replace by any other class, or always by the next one, which is harder to see.",
        ),
        click.Option(
            ["--seeds"],
            type=click.IntRange(min=1),
            default=1,
            show_default=True,
            help="Number of repeats, each with a training.",
        ),
        click.Option(["--seed"], type=int, default=0, show_default=True, help="Seed of the first repeat."),
        click.Option(
            ["--also"],
            type=click.Choice(list(COSTS)),
            multiple=True,
            help="Score that needs trainings of its own. In plain trainings, "
            f"{', '.join(f'{name} costs {cost:.2g}' for name, cost in COSTS.items())}.",
        ),
        *TRAINING,
        *READING,
        click.Option(
            ["--csv", "target"], type=click.Path(path_type=Path, dir_okay=False), help="Write each number to a file."
        ),
        *PRINTING,
    ]
)
def compare(
    path: Path,
    rates: tuple[float, ...],
    kind: Literal["uniform", "pair"],
    seeds: int,
    seed: int,
    also: tuple[str, ...],
    target: Path | None,
    quiet: bool,
    **options: Any,
) -> None:
    """Print how well each score finds wrong labels planted in PATH.

    Some labels are replaced in memory, a network is trained on them, and every score is graded by AUROC: how often a
    planted label is ranked above another one, in percent; 50 is chance. One training for each rate and seed.

    The table compares scores and settings on your data. It does not estimate how many of the wrong labels in it are
    found. Planted labels are random, and real mistakes seldom are: those between classes that look alike are harder to
    see. Labels that were wrong before count as right here, and pull every number down a little.
    """
    data = read_data(path, **chosen(READING, options))
    data.say_skipped()
    training = {**chosen(TRAINING, options), "verbose": 0 if quiet else 1}
    grades: Grades = {}
    planted: dict[float, int] = {}
    rates = tuple(dict.fromkeys(rates))
    runs = [(rate, seed + repeat) for rate in rates for repeat in range(seeds)]
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
    for line in as_table(grades, rates):
        tell(line)
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
    data: Data, labels: NDArray[Any], training: dict[str, Any], also: tuple[str, ...]
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Yield each score by name: those of one training, and those that need their own."""
    detector = CurvatureNoiseDetector(signals=tuple(recorded("asked")), **training).fit(data.X, labels)
    signals = detector.signal_scores_
    weights = recommended_signals(detector.train_accuracy_, fallen=has_fallen(detector.history_))
    yield "fused", fuse(*(signals[name] for name in weights), weights=list(weights.values()))
    yield from signals.items()
    for name in also:
        yield name, DETECTORS[name](**training).fit(data.X, labels).scores_


def as_table(grades: Grades, rates: tuple[float, ...]) -> Iterator[str]:
    """Yield the lines of a table: mean and standard deviation over seeds, the best of the first rate on top."""
    cells: dict[str, dict[float, list[float]]] = {}
    for (name, rate, _), grade in grades.items():
        cells.setdefault(name, {}).setdefault(rate, []).append(100 * grade)
    shown = [rate for rate in rates if any(rate in row for row in cells.values())]
    order = sorted(cells, key=lambda name: -float(np.mean(cells[name].get(shown[0], [0.0]))))
    width = max(len(CAPTIONS[name]) for name in cells)
    yield "  ".join(["".ljust(width), *(f"{f'{100 * rate:.3g} % wrong':>14}" for rate in shown)])
    for name in order:
        yield "  ".join([CAPTIONS[name].ljust(width), *(_cell(cells[name].get(rate, [])) for rate in shown)])


def _cell(values: list[float]) -> str:
    if not values:
        return f"{'-':>14}"
    spread = f" ± {np.std(values, ddof=1):.2f}" if len(values) > 1 else ""
    return f"{f'{np.mean(values):.2f}{spread}':>14}"

"""Tables of what happens by epoch: when curvature is highest, and what single epochs are worth beside their mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd

from .written import markdown

#: A curvature rises and falls where its highest mean is this many times the first epoch's, and the last epoch's.
RISES, FALLS = 1.1, 2.0
#: Tables 1 and 4 of the paper, CIFAR-100, without and with weight decay: mean over all epochs, and the last alone.
PUBLISHED = {
    ("cosine", False): (0.73, 0.12),
    ("cosine", True): (0.82, 0.18),
    ("top-k cosine", False): (0.82, 0.06),
    ("top-k cosine", True): (0.90, 0.28),
}
MEASURES = {"cosine": "cosine", "top-k cosine": "top-K cosine", "spearman": "Spearman"}


def tables(rows: list[dict[str, Any]]) -> list[str]:
    """Return the tables as lines of Markdown."""
    rule = f"Rises and falls: the highest is {RISES:g} times the first epoch's or more, and {FALLS:g} times the last's."
    lines = ["## Rise and fall", "", markdown(turning_points(rows)), "", f"{rule} Ranges are over seeds.", ""]
    planted = [row for row in rows if "auroc" in row]
    if planted:
        lines += ["## One epoch against all, wrong labels", "", markdown(wrong_labels(planted)), ""]
    compared = [row for row in rows if "similarity" in row]
    if compared:
        lines += ["## One epoch against all, memorization", "", markdown(memorization(compared)), ""]
        lines += ["In brackets: Tables 1 and 4 of the paper, CIFAR-100.", ""]
    return lines


def onset(row: dict[str, Any]) -> int:
    """Return the position of the epoch with the lowest held-out loss before the learning rate drops."""
    epochs = np.array(row["epochs"])
    return int(np.argmin(np.where(epochs <= row["first_phase"], row["held_out loss"], np.inf)))


def condition(row: dict[str, Any]) -> str:
    """Return what tells a training from the others but for its seed."""
    decay = f"weight decay {row['weight_decay']:g}" if row["weight_decay"] else "no weight decay"
    return f"{100 * row['rate']:g} % wrong, {decay}"


def grouped(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the trainings of each condition."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: (row["rate"], row["weight_decay"])):
        groups.setdefault(condition(row), []).append(row)
    return groups


def turning_points(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return when losses are lowest and curvatures highest, a column for each condition."""
    whens: dict[str, Callable[[dict[str, Any]], int]] = {
        "Held-out loss lowest after epoch, before the rate drops": onset,
        "The same, of all epochs": lambda row: int(np.argmin(row["held_out loss"])),
        "Mean curvature highest after epoch": lambda row: int(np.argmax(row["training curvature"])),
        "The same at held-out samples": lambda row: int(np.argmax(row["held_out curvature"])),
    }
    table: dict[str, dict[str, str]] = {}
    for name, some in grouped(rows).items():
        column = {
            "Training accuracy, last epoch": number(row["training correct"][-1] for row in some),
            "Held-out accuracy, last epoch": number(row["held_out correct"][-1] for row in some),
            "Trainings whose mean curvature rises and falls": f"{sum(map(rises_and_falls, some))} of {len(some)}",
        }
        column |= {words: whole(row["epochs"][when(row)] for row in some) for words, when in whens.items()}
        for part, said in (("training", "Mean curvature"), ("held_out", "At held-out samples")):
            values = [row[f"{part} curvature"] for row in some]
            column |= {
                f"{said}, first epoch": number(v[0] for v in values),
                f"{said}, highest": number(max(v) for v in values),
                f"{said}, last epoch": number(v[-1] for v in values),
            }
        table[name] = column
    return pd.DataFrame(table)


def rises_and_falls(row: dict[str, Any]) -> bool:
    """Say whether the mean curvature of training samples rises and falls."""
    first, *_, last = curvature = row["training curvature"]
    return max(curvature) >= RISES * first and max(curvature) >= FALLS * last


def wrong_labels(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return the AUROC of averaged scores and of single epochs', a row for each condition."""
    table = {}
    for name, some in grouped(rows).items():
        table[name] = {
            "mean of all epochs": number(row["auroc"]["cumulative"][-1] for row in some),
            "last epoch alone": number(row["auroc"]["epoch"][-1] for row in some),
            "last 5 epochs": number(row["auroc"]["end"] for row in some),
            "best epoch alone": number(max(row["auroc"]["epoch"]) for row in some),
            "after epoch": whole(row["epochs"][int(np.argmax(row["auroc"]["epoch"]))] for row in some),
        }
    return pd.DataFrame.from_dict(table, orient="index").rename_axis("AUROC")


def memorization(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return the similarity of averaged scores and of single epochs' to a reference."""
    table = {}
    for name, some in grouped(rows).items():
        for measure, words in MEASURES.items():
            parts = [row["similarity"][measure] for row in some]
            published = PUBLISHED.get((measure, some[0]["weight_decay"] > 0), (None, None))
            beside = ["" if value is None else f" ({value:.2f})" for value in published]
            table[f"{words}, {name.split(', ')[1]}"] = {
                "mean of all epochs": number(part["cumulative"][-1] for part in parts) + beside[0],
                "last epoch alone": number(part["epoch"][-1] for part in parts) + beside[1],
                "last 5 epochs": number(part["end"] for part in parts),
                "best epoch alone": number(max(part["epoch"]) for part in parts),
                "after epoch": whole(
                    row["epochs"][int(np.argmax(p["epoch"]))] for row, p in zip(some, parts, strict=True)
                ),
                "a constant": number(part["constant"] for part in parts),
            }
    return pd.DataFrame.from_dict(table, orient="index").rename_axis("Similarity to memorization")


def number(values: Iterable[float]) -> str:
    """Return mean ± standard deviation, to three significant digits."""
    array = np.array(list(values), dtype=float)
    mean = array.mean()
    digits = 3 if mean == 0 else max(0, 2 - int(np.floor(np.log10(abs(mean)))))
    text = f"{mean:.{digits}f}"
    return text if len(array) == 1 else f"{text} ± {array.std(ddof=1):.{digits}f}"


def whole(values: Iterable[int]) -> str:
    """Return a whole number, or the range that several lie in."""
    numbers = sorted(values)
    return str(numbers[0]) if numbers[0] == numbers[-1] else f"{numbers[0]}-{numbers[-1]}"


def times(values: Iterable[float]) -> str:
    """Return a mean to two significant digits."""
    mean = np.mean(list(values))
    return f"{mean:.0f}" if mean >= 100 else f"{float(f'{mean:.2g}'):g}"

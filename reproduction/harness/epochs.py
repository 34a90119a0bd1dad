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
    """Return the tables, and what they say in words, as lines of Markdown."""
    lines = ["## Rise and fall", "", markdown(turning_points(rows)), "", *paragraphs(rise_and_fall(rows))]
    planted = [row for row in rows if "auroc" in row]
    if planted:
        lines += ["## One epoch against all, wrong labels", "", markdown(wrong_labels(planted)), ""]
        lines += paragraphs(end_of_training(planted))
    compared = [row for row in rows if "similarity" in row]
    if compared:
        lines += ["## One epoch against all, memorization", "", markdown(memorization(compared)), ""]
        lines += paragraphs(["In brackets: Tables 1 and 4 of the paper, CIFAR-100.", *match(compared)])
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


def rise_and_fall(rows: list[dict[str, Any]]) -> list[str]:
    """Return, in words, whether curvature rises and falls, and where its highest lies."""
    told = []
    for name, some in grouped(rows).items():
        curvatures = [np.array(row["training curvature"]) for row in some]
        seen = sum(c.max() >= RISES * c[0] and c.max() >= FALLS * c[-1] for c in curvatures)
        lowest = whole(row["epochs"][onset(row)] for row in some)
        highest = whole(row["epochs"][int(c.argmax())] for row, c in zip(some, curvatures, strict=True))
        held = [np.array(row["held_out curvature"]) for row in some]
        told.append(
            f"{name[0].upper()}{name[1:]}: rises and falls in {seen} of {len(some)} training(s). The highest, after "
            f"epoch {highest}, is {times(c.max() / c[0] for c in curvatures)} times the first epoch's, and the last "
            f"epoch's {times(c[-1] / c[0] for c in curvatures)} times; the held-out loss is lowest after epoch "
            f"{lowest}. At held-out samples the last epoch's is {times(c[-1] / c[0] for c in held)} times the first's, "
            f"and {times(c[-1] / c.max() for c in held)} of the highest."
        )
    rule = (
        f"Mean curvature of training samples is said to rise and fall where its highest is at least {RISES:g} times "
        f"that after the first epoch and {FALLS:g} times that after the last. Ranges are over seeds."
    )
    return [rule, *told]


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


def end_of_training(rows: list[dict[str, Any]]) -> list[str]:
    """Return, in words, how much worse the last epoch's scores are."""
    told = []
    for name, some in grouped(rows).items():
        gap = np.mean([row["auroc"]["cumulative"][-1] - row["auroc"]["epoch"][-1] for row in some])
        told.append(
            f"{name[0].upper()}{name[1:]}: the last epoch alone is {100 * abs(gap):.1f} points of AUROC "
            f"{'behind' if gap >= 0 else 'ahead of'} the mean of all epochs."
        )
    return told


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


def match(rows: list[dict[str, Any]]) -> list[str]:
    """Return, in words, how epochs compare with their mean before and after over-fitting begins."""
    told = []
    for name, some in grouped(rows).items():
        parts = [(row["similarity"]["cosine"], onset(row)) for row in some]
        before = np.mean([part["epoch"][at] - part["cumulative"][at] for part, at in parts])
        after = np.mean([part["epoch"][-1] - part["cumulative"][-1] for part, at in parts])
        told.append(
            f"{name[0].upper()}{name[1:]}: cosine of the epoch alone less that of the mean so far {before:+.2f} where "
            f"the held-out loss is lowest, {after:+.2f} after the last epoch."
        )
    return told


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


def paragraphs(sentences: list[str]) -> list[str]:
    return [line for sentence in sentences for line in (sentence, "")]

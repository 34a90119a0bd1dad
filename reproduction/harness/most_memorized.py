"""The samples that are memorized most, by each measure of it, and the contradictions among them: App. F of the paper.

The paper shows the 100 most memorized as Feldman and Zhang measure it, and the 100 of highest curvature with weight
decay; that pictures under two labels are missed by both is told in words there. Here they are counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from . import pictures
from .copies import Planted, graded
from .similarity import named
from .written import markdown

TOP = 100
#: The ranking by Feldman and Zhang's memorization, and what it is called.
REFERENCE, REFERENCE_WORDS = "memorization", "Memorization (FZ)"
PUBLISHED = (
    'Published, of CIFAR-100: memorization as released "fail[s] to catch duplicate samples with different labels", and '
    'with weight decay the highest curvature "only catch[es] a few"; pictures, and no number.'
)

#: By the name of a score and the weight decay that it was trained with, none of memorization: samples, highest first.
Rankings = dict[tuple[str, float | None], list[int]]


def rankings(
    reference: np.ndarray, trained: dict[float, list[dict[str, np.ndarray]]], names: Iterable[str]
) -> Rankings:
    """Return the top of memorization and, by weight decay, of the mean of each score over its trainings."""
    names = list(names)
    found: Rankings = {(REFERENCE, None): top_of(reference)}
    for decay in sorted(trained, reverse=True):
        some = trained[decay]
        found |= {(name, decay): top_of(np.mean([s[name] for s in some], 0)) for name in names if name in some[0]}
    return found


def top_of(scores: np.ndarray) -> list[int]:
    return np.argsort(-scores, kind="stable")[:TOP].tolist()


def section(
    tops: Rankings, captions: dict[str, str], reference: np.ndarray, planted: Planted, others: np.ndarray
) -> list[str]:
    """Return lines of Markdown: what each ranking shares with memorization, and the contradictions in it.

    ``others`` is true for the members of pairs that were found and not planted.
    """
    lines, most = [], set(tops[REFERENCE, None])
    least = reference[tops[REFERENCE, None][-1]]
    tied = int((reference >= least).sum())
    for key, top in tops.items():
        count = graded(top, planted.mask, others, planted.pairs)
        cells = {"ranking": words(key, captions), f"among FZ's {len(top)}": len(most & set(top))}
        if planted.pairs:
            cells |= {"of planted pairs": count["planted"], "both of a pair": count["whole"]}
        lines.append(cells | {"of other pairs found" if planted.pairs else "in pairs found": count["others"]})
    return [
        f"## The {TOP} most memorized",
        "",
        markdown(pd.DataFrame(lines).astype(str), index=False),
        "",
        f"Ranked by the mean score of all trainings. Memorization is {least:.2f} or more for {tied} samples. "
        f"{of_pairs(reference, planted)}{PUBLISHED}",
        "",
    ]


def words(key: tuple[str, float | None], captions: dict[str, str]) -> str:
    name, decay = key
    return REFERENCE_WORDS if decay is None else f"{captions[name]}, {named(decay)}"


def of_pairs(reference: np.ndarray, planted: Planted) -> str:
    """Return in words how much members of planted pairs are memorized."""
    if not planted.pairs:
        return ""
    parts = {
        "of the copies, whose labels are wrong": planted.copied,
        "of what they are copies of": planted.mask & ~planted.copied,
        "of the other samples": ~planted.mask,
    }
    means = ", ".join(f"{reference[part].mean():.2f} {of}" for of, part in parts.items())
    return f"Mean memorization {means}. "


def draw(
    tops: Rankings, captions: dict[str, str], planted: Planted, marked: np.ndarray, title: str, path: Path
) -> None:
    """Draw the most memorized beside the highest of the first score at the strongest weight decay."""
    panels = []
    for key, top in list(tops.items())[:2]:
        caption = f"{words(key, captions)}: {marked[top].sum()} of {len(top)} in a pair"
        panels.append(pictures.panel(caption, planted.X, top, planted.labels, marked))
    pictures.draw(panels, path, title=f"{title}; red: one picture under two labels")

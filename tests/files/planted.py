"""Pictures that are easy to tell apart, some of them under a wrong label, and whether a ranking finds these."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from curvdetect import LeaveOneOutDetector

NAMES = ["cat", "dog", "owl"]


def planted(n: int = 60, n_wrong: int = 4) -> tuple[list[Image.Image], list[int], list[int]]:
    """Return pictures, the numbers of their labels in `NAMES`, and the places of wrong ones."""
    rng = np.random.default_rng(0)
    true = np.arange(n) % len(NAMES)
    pixels = rng.integers(0, 60, (n, 8, 8, 3))
    pixels[np.arange(n), :, :, true] += 150
    labels, wrong = true.copy(), np.sort(rng.choice(n, n_wrong, replace=False))
    labels[wrong] = (labels[wrong] + 1) % len(NAMES)
    return [Image.fromarray(one.astype(np.uint8)) for one in pixels], labels.tolist(), wrong.tolist()


def encoded(picture: Image.Image, kind: str = "png") -> bytes:
    """Return a picture as the bytes of a file."""
    content = io.BytesIO()
    picture.save(content, kind)
    return content.getvalue()


def found(data, n_wrong: int = 4) -> list[int]:
    """Return the most suspect samples of what `read_data` returned, in their order."""
    ranking = LeaveOneOutDetector().fit(data.X, data.y).ranking(n_wrong)
    return sorted(ranking["index"].tolist())


def corrected(data, wrong: list[int]):
    """Return the labels without the planted mistakes."""
    labels = data.y.copy()
    labels[wrong] = [NAMES[NAMES.index(label) - 1] for label in labels[wrong]]
    return labels

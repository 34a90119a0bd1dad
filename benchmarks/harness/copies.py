"""Pairs of one picture under two labels, planted among real ones, as exact copies or as copies that were worked on."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from curvdetect import LossDetector, conflicting_duplicates, find_conflicting_duplicates

from .quiet import quietly

COPIES = ("exact", "near")
#: What a near copy went through, in the words of the tables.
NEAR = (
    "A near copy is moved by one pixel in one of eight directions (the edge repeated), made up to 10 % brighter or "
    "darker, and stored as a JPEG of quality 75."
)
_DIRECTIONS = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if down or right]


@dataclass
class Planted:
    """Data with pairs in it."""

    X: np.ndarray
    labels: np.ndarray
    mask: np.ndarray
    """True for both members of a pair."""
    pairs: set[tuple[int, int]]
    """Positions of both members, the smaller first."""
    copied: np.ndarray
    """True for the member of each pair that took the place of another picture, under a wrong label."""


def plant(X: np.ndarray, y: np.ndarray, n_pairs: int, copies: str, seed: int) -> Planted:
    """Return data in which so many pictures stand twice, under two labels, in the place of others."""
    source, labels, mask = conflicting_duplicates(y, 2 * n_pairs / len(y), random_state=seed)
    X, places = X[source], np.flatnonzero(source != np.arange(len(y)))
    if copies == "near":
        rng = np.random.default_rng(seed)
        for i in places:
            X[i] = near_copy(X[i], rng)
    pairs = {(min(i, j), max(i, j)) for i, j in zip(places.tolist(), source[places].tolist(), strict=True)}
    return Planted(X, labels, mask, pairs, source != np.arange(len(y)))


def found_in(X: np.ndarray, labels: np.ndarray, device: str = "auto") -> list[tuple[int, int]]:
    """Return pairs of one picture under two labels, whoever put them there.

    An epoch of training is enough: what decides in the end is how far the pictures are from each other.
    """
    with quietly():
        detector = LossDetector(max_epochs=1, device=device, random_state=0).fit(X, labels)
    found = find_conflicting_duplicates(detector, X)
    return [(int(pair.first), int(pair.second)) for pair in found.itertuples()]


def members_in(planted: Planted, found: list[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return masks of the members of planted pairs, and of members of other pairs that were found."""
    others = np.zeros(len(planted.labels), dtype=bool)
    others[[i for first, second, *_ in found if (first, second) not in planted.pairs for i in (first, second)]] = True
    return planted.mask, others & ~planted.mask


def graded(top: list[int], planted: np.ndarray, others: np.ndarray, pairs: set[tuple[int, int]]) -> dict[str, int]:
    """Return how many samples at the top are members of planted pairs, and of others, and how many pairs are whole."""
    index, there = np.asarray(top, dtype=int), set(top)
    return {
        "planted": int(planted[index].sum()),
        "whole": sum(first in there and second in there for first, second in pairs),
        "others": int(others[index].sum()),
    }


def near_copy(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a uint8 picture (channels, height, width) as it looks after what `NEAR` says."""
    down, right = _DIRECTIONS[rng.integers(len(_DIRECTIONS))]
    _, height, width = picture.shape
    padded = np.pad(picture, ((0, 0), (1, 1), (1, 1)), mode="edge")
    moved = padded[:, 1 + down : 1 + down + height, 1 + right : 1 + right + width]
    pixels = np.clip(moved * rng.uniform(0.9, 1.1), 0, 255).round().astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)).save(file, "JPEG", quality=75)
    stored = np.asarray(Image.open(file))
    return stored[None] if stored.ndim == 2 else stored.transpose(2, 0, 1)

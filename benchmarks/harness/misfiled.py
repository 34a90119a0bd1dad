"""Pictures in class folders, some of them in the wrong one; their names keep the class that they are of."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from curvdetect import corrupt_labels

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def coloured_digits(root: Path, per_class: int, *, size: int = 32, seed: int = 0) -> Path:
    """Write scikit-learn's digits as pictures of two random colours, one folder a class; return ``root``."""
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    for digit, name in enumerate(NAMES):
        (root / name).mkdir(parents=True)
        own = X[y == digit].reshape(-1, 8, 8, 1) / 16
        for i in range(per_class):
            ink, paper = rng.integers(120, 256, 3), rng.integers(0, 100, 3)
            pixels = own[i % len(own)] * ink + (1 - own[i % len(own)]) * paper
            picture = Image.fromarray(pixels.astype(np.uint8)).resize((size, size), Image.Resampling.BICUBIC)
            picture.save(root / name / f"{i:04}.png")
    return root


def misfile(source: Path, to: Path, *, per_class: int, rate: float, seed: int = 0) -> Path:
    """Copy some pictures of each class of a folder, an exact share of them into a wrong class; return the new folder.

    In it ``dog/cat-0012.jpg`` is a cat among the dogs.
    """
    rng = np.random.default_rng(seed)
    classes = sorted(path.name for path in source.iterdir() if path.is_dir())
    files = {name: sorted(path for path in (source / name).iterdir() if path.is_file()) for name in classes}
    chosen = [
        (name, files[name][i]) for name in classes for i in np.sort(rng.permutation(len(files[name]))[:per_class])
    ]
    labels, _ = corrupt_labels(np.array([name for name, _ in chosen]), rate, random_state=seed)
    for (name, path), label in zip(chosen, labels.tolist(), strict=True):
        (to / label).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, to / label / f"{name}-{path.name}")
    return to


def class_of(path: str) -> str:
    """Return the class that a picture of `misfile` is of, wherever it lies."""
    return Path(path).name.split("-", 1)[0]


def is_misfiled(path: str) -> bool:
    """Say whether a picture of `misfile` lies in a wrong class."""
    return class_of(path) != Path(path).parent.name

"""Labelled data by name, through the loaders of scikit-learn and torchvision; nothing is downloaded unasked."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from curvdetect import conflicting_duplicates, corrupt_labels, load_image_folder

TORCHVISION = {
    "mnist": "MNIST",
    "fashion_mnist": "FashionMNIST",
    "cifar10": "CIFAR10",
    "cifar100": "CIFAR100",
}
NAMES = ["digits", *TORCHVISION, "folder"]
NOISES = ["uniform", "pair", "confusion", "instance", "annotator", "group"]
KINDS = [*NOISES, "duplicates"]
#: Sources that samples are shared out to where a noise makes all of one source wrong.
_SOURCES = 50


def load(name: str, data_dir: str, *, download: bool = False, subset: int | None = None, size: int = 32):
    """Return training samples and labels.

    `digits` comes as (n, 64) float32 in [0, 1], everything else as (n, channels, height, width) uint8. A subset keeps
    the shares of the classes and is the same for every seed.
    """
    if name == "digits":
        X, y = load_digits(return_X_y=True)
        X = (X / 16).astype(np.float32)
    elif name == "folder":
        X, y = _folder(data_dir, size, "--data-dir")
    else:
        X, y = _torchvision(TORCHVISION[name], data_dir, download)
    return _part(X, y, subset)


def load_both(
    name: str, data_dir: str, held_out_dir: str, *, download: bool = False, subset: int | None = None, size: int = 32
):
    """Return training samples and labels, and those of the set that was held out by who published them.

    `digits` knows none: it is cut in two. A subset is one of each.
    """
    if name == "digits":
        X, y = load(name, data_dir)
        X, held_out, y, held_out_y = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
    elif name == "folder":
        X, y = _folder(data_dir, size, "--data-dir")
        held_out, held_out_y = _folder(held_out_dir, size, "--held-out-dir")
    else:
        X, y = _torchvision(TORCHVISION[name], data_dir, download)
        held_out, held_out_y = _torchvision(TORCHVISION[name], data_dir, download, train=False)
    return *_part(X, y, subset), *_part(held_out, held_out_y, subset)


def _part(X, y, subset: int | None):
    if subset is not None and subset < len(y):
        X, _, y, _ = train_test_split(X, y, train_size=subset, stratify=y, random_state=0)
    return X, y


def _folder(path: str, size: int, option: str):
    try:
        X, y, _ = load_image_folder(path, size=size)
    except FileNotFoundError as error:
        sys.exit(f"--dataset folder: {error} Pass its path as {option}.")
    return X, y


def _torchvision(name: str, data_dir: str, download: bool, train: bool = True):
    import torchvision

    try:
        dataset = getattr(torchvision.datasets, name)(data_dir, train=train, download=download)
    except RuntimeError as error:
        sys.exit(f"{name} is not in {Path(data_dir).resolve()} ({error}) Pass --data-dir, or --download to fetch it.")
    X, y = np.asarray(dataset.data), np.asarray(dataset.targets)
    return X[:, None] if X.ndim == 3 else X.transpose(0, 3, 1, 2), y


def as_inputs(X: np.ndarray) -> np.ndarray:
    """Return samples as a network receives them: pictures of bytes in [0, 1]."""
    return X.astype(np.float32) / 255 if X.dtype == np.uint8 else X.astype(np.float32)


def digits_as_files(folder: Path) -> Path:
    """Write scikit-learn's digits as ImageNet is laid out, once."""
    X, y = load_digits(return_X_y=True)
    for i, (row, label) in enumerate(zip(X, y, strict=True)):
        path = folder / "train" / f"digit-{label}" / f"{i:04}.JPEG"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            grey = Image.fromarray((row.reshape(8, 8) * (255 / 16)).astype(np.uint8))
            grey.resize((40, 40), Image.Resampling.NEAREST).convert("RGB").save(path, quality=90)
    return folder


def corrupt(X, y, rate: float, kind: str, seed: int, confusion: str | None = None):
    """Return samples, labels with a share of wrong ones, and the mask of what is to be found.

    With `duplicates` the share is that of samples in a pair: one picture under two labels, both to be found. The
    matrix of `confusion` is that of a file, or of a weak classifier. The groups of `group` are `sources`.
    """
    if kind == "duplicates":
        source, labels, mask = conflicting_duplicates(y, rate, random_state=seed)
        return X[source], labels, mask
    more: dict[str, np.ndarray] = {}
    if kind == "confusion" and confusion is not None:
        more["confusion"] = np.loadtxt(confusion, delimiter=",")
    elif kind in ("confusion", "instance"):
        more["X"] = X
    elif kind == "group":
        more["groups"] = sources(X)
    return X, *corrupt_labels(y, rate, kind=kind, **more, random_state=seed)


def sources(X: np.ndarray) -> np.ndarray:
    """Return where each sample may have come from, as nothing is known of it: clusters of samples that look alike."""
    rows = as_inputs(X).reshape(len(X), -1)
    return KMeans(min(_SOURCES, len(X) // 4), random_state=0).fit_predict(rows)

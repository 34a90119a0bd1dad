"""Tiny files in the formats that torchvision's loaders read, and a process that is killed while it writes files."""

from __future__ import annotations

import hashlib
import os
import pickle
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def write_mnist(root: Path, n: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Write a training set in the IDX format; return its pictures (n, 28, 28) and labels."""
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8), np.arange(n, dtype=np.uint8) % 4
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train", "t10k"):
        (raw / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 2051, n, 28, 28) + X.tobytes())
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 2049, n) + y.tobytes())
    return X, y


def write_cifar(root: Path, monkeypatch, n_classes: int, n: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Write a CIFAR training set of one batch; return its pictures (n, 3, 32, 32) and labels."""
    from torchvision.datasets import CIFAR10, CIFAR100

    cifar, label = (CIFAR10, "labels") if n_classes == 10 else (CIFAR100, "fine_labels")
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 256, (n, 3, 32, 32), dtype=np.uint8), np.arange(n) % 4
    folder = root / cifar.base_folder
    folder.mkdir(parents=True)
    batch = pickle.dumps({"data": X.reshape(n, -1), label: y.tolist()})
    meta = pickle.dumps({cifar.meta["key"]: [f"class {i}" for i in range(n_classes)]})
    (folder / "only").write_bytes(batch)
    (folder / cifar.meta["filename"]).write_bytes(meta)
    listed = [["only", hashlib.md5(batch).hexdigest()]]
    monkeypatch.setattr(cifar, "train_list", listed)
    monkeypatch.setattr(cifar, "test_list", listed)
    monkeypatch.setattr(cifar, "meta", {**cifar.meta, "md5": hashlib.md5(meta).hexdigest()})
    return X, y


def write_pictures(root: Path, n: int = 8) -> None:
    """Write ``n`` pictures of each of two classes, of different sizes: bright cats and dark dogs."""
    rng = np.random.default_rng(0)
    for name, low in (("cat", 128), ("dog", 0)):
        (root / name).mkdir(parents=True)
        for i in range(n):
            pixels = rng.integers(low, low + 128, (10 + i, 14, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i}.png")


def _png(width: int, height: int, bits: int, colours: int, rows: bytes) -> bytes:
    """Return a PNG file that claims to be of this size."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def write_deep_png(path: Path, values: np.ndarray) -> None:
    """Write 16 bits a colour, (height, width, 3), which Pillow does not."""
    height, width, _ = values.shape
    path.write_bytes(_png(width, height, 16, 2, b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)))


def huge_png(side: int) -> bytes:
    """Return a file of a few hundred bytes that claims to be a picture of ``side`` by ``side`` pixels."""
    return _png(side, side, 8, 0, bytes(1000))


class Killed(BaseException):
    """Stands for the end of a process, after which nothing of it is cleaned up."""


def killed_at(number: int, run: Callable[[], object]) -> bool:
    """Run until the given step in the file system, counted from 1, as if killed there; say whether there was one."""
    steps = 0

    def counted(step):
        def counting(*args, **options):
            nonlocal steps
            steps += 1
            if steps >= number:
                raise Killed
            return step(*args, **options)

        return counting

    with pytest.MonkeyPatch.context() as patch, suppress(Killed):
        for name in ("fsync", "replace", "rename", "unlink", "remove", "rmdir"):
            patch.setattr(os, name, counted(getattr(os, name)))
        run()
    return steps >= number

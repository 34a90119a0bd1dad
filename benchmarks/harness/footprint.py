"""Bytes that a fit holds of every sample, told by a small and a large one: what they have in common cancels.

Each is a process of its own, in which a fit of a few batches went before, so that what torch loads is there. The C
library gives back at once what it is given back; otherwise a part of every batch would be counted. Where the system
can't forget a peak (it is Linux that can), every part is told that of those before it.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from skorch.callbacks import Callback
from torch import nn
from torch.utils.data import DataLoader, Dataset

from curvdetect import CurvatureNoiseDetector, memorizing_net

from .memory import forget_peak, megabytes
from .quiet import quietly

#: How a fit is measured: as it is, with the loader that ImageNet needs, and with checkpoints.
WAYS = ("plain", "loader", "kept")
#: The small one is a part of the large one.
PART = 4
BATCH = 1000
#: Samples of the fit that went before: as many as are ever read at once.
FEW = 5000
#: Once so many were read, labels have been; a batch has not.
_WITH_LABELS = 100
_AT_ONCE = {"MALLOC_MMAP_THRESHOLD_": "100000", "MALLOC_TRIM_THRESHOLD_": "100000"}


def per_sample(n: int, script: str) -> dict[str, float]:
    """Return bytes a sample of ``n``: in each part of a fit at its peak, in a loader, and in a checkpoint.

    Parameters
    ----------
    n : int
        Samples of the large one.
    script : str
        What prints `bytes_of` where it is started with ``--memory-of WAY SAMPLES SIDE``.
    """
    sizes = max(1, n // PART), n
    # both are too large to be kept, and so are read as they go
    side = math.isqrt(2_250_000_000 // 8 // max(sizes[0], 250_000)) + 1
    found = {way: grown(*(_elsewhere(script, way, size, side) for size in sizes), sizes) for way in WAYS}
    plain, loader, kept = (found[way] for way in WAYS)
    return {
        "labels": plain["labels"],
        "training": plain["training"],
        "after": plain["after"],
        "loader": round(loader["training"] - plain["training"], 1),
        "training_kept": kept["training"],
        "checkpoint": kept["checkpoint"],
    }


def grown(small: dict[str, int], large: dict[str, int], sizes: tuple[int, int]) -> dict[str, float]:
    """Return what a sample more adds to each number of bytes."""
    return {what: round((large[what] - small[what]) / (sizes[1] - sizes[0]), 1) for what in large}


def _elsewhere(script: str, way: str, n: int, side: int) -> dict[str, int]:
    words = [sys.executable, script, "--memory-of", way, str(n), str(side)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env={**os.environ, **_AT_ONCE})
    found: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return found


class Lazy(Dataset):
    """Grey pictures that are made as they are read; it is noted when labels have been."""

    def __init__(self, n: int, side: int) -> None:
        self.targets, self.n_read = (np.arange(n) % 10).tolist(), 0
        # in double precision, so that few pixels are many bytes
        self.looks = [torch.full((1, side, side), i / 10, dtype=torch.float64) for i in range(10)]

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        self.n_read += 1
        if self.n_read == _WITH_LABELS:
            Peaks.note("labels")
        return self.looks[i % 10], self.targets[i]


class Peaks(Callback):
    """Takes note of the most memory up to the end of the training, from where sums are given room."""

    mib: ClassVar[dict[str, float]] = {}

    def initialize(self) -> Peaks:
        forget_peak()
        return self

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        Peaks.note("training")

    @staticmethod
    def note(what: str) -> None:
        Peaks.mib[what] = megabytes("VmHWM")
        forget_peak()


def bytes_of(way: str, n: int, side: int) -> dict[str, int]:
    """Return the most bytes that this process takes in each part of a fit, and those of a checkpoint."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder, quietly():
        data, detector = Lazy(n, side), detector_for(side, way)
        for name, samples in {"few": Lazy(FEW, side), "all": data}.items():
            kept = Path(folder) / name if way == "kept" else None
            Peaks.mib.clear()
            forget_peak()
            before = megabytes("VmRSS")
            detector.set_params(checkpoint_dir=kept).fit(samples)
        Peaks.note("after")
        sizes = [path.stat().st_size for path in Path(folder, "all").rglob("*") if path.is_file()]
    return {what: int((mib - before) * 2**20) for what, mib in Peaks.mib.items()} | {
        "checkpoint": max(sizes, default=0)
    }


def detector_for(side: int, way: str) -> CurvatureNoiseDetector:
    loader = {"iterator_train": DataLoader, "iterator_train__shuffle": True} if way == "loader" else {}
    net = memorizing_net(
        nn.Sequential(nn.AvgPool2d(side), nn.Flatten(), nn.Linear(1, 10)),
        batch_size=BATCH,
        callbacks=[("peaks", Peaks())],
        **loader,
    )
    return CurvatureNoiseDetector(net, contrast=False, max_epochs=1, device="cpu", random_state=0)

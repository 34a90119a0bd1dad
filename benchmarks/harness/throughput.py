"""What a plan is made from: seconds a sample of training, scoring and reading, bytes a second between processes."""

from __future__ import annotations

import os
import socket
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
import torchvision
from PIL import Image
from torch import multiprocessing
from torchvision.transforms import v2

from curvdetect import CurvatureNoiseDetector, memorizing_net

from .quiet import quietly

#: Size in pixels of the pictures that are written to be read: that of ImageNet's, on average.
PHOTOGRAPH = (500, 375)


def network(n_classes: int = 1000) -> torch.nn.Module:
    torch.manual_seed(0)
    return torchvision.models.resnet18(num_classes=n_classes)


def gradient_bytes() -> int:
    """Return the size of all gradients of the network, in float32."""
    return 4 * sum(p.numel() for p in network().parameters())


def training_and_passes(
    side: int, samples: int, probes: tuple[int, ...], batch: int, device: str, precision: str, repeats: int
) -> dict[str, Any]:
    """Return seconds a sample of a training epoch under the package, and of scoring passes with n probes."""
    X = np.random.default_rng(0).integers(0, 256, (samples, 3, side, side), dtype=np.uint8)
    y = np.arange(samples) % 1000
    net = memorizing_net(network(), batch_size=batch, precision=precision)
    train: list[float] = []
    passes: dict[int, float] = {}
    for n in probes:
        with quietly():
            # the first epoch finds out how much fits
            detector = CurvatureNoiseDetector(
                net, n=n, contrast=False, every=1, max_epochs=repeats + 1, device=device, random_state=0
            ).fit(X, y)
        later = detector.history_[1:]
        train += [record["seconds_training"] / samples for record in later]
        passes[n] = statistics.median(record["seconds_scoring"] / samples for record in later)
    return {"train": statistics.median(train), "passes": passes}


def reading(side: int, pictures: int, folder: Path | None, repeats: int) -> dict[str, float]:
    """Return seconds a picture of one process that decodes JPEGs and crops them at random.

    Without a ``folder`` of pictures in one subfolder a class, some of ImageNet's size are written for it.
    """
    crop = v2.Compose([v2.RandomResizedCrop(side), v2.RandomHorizontalFlip(), v2.PILToTensor()])
    with tempfile.TemporaryDirectory() as written:
        if folder is None:
            folder = Path(written)
            write_photographs(folder / "a class", pictures)
        dataset = torchvision.datasets.ImageFolder(folder, crop)
        index = np.linspace(0, len(dataset) - 1, min(pictures, len(dataset))).astype(int)
        size = statistics.mean(Path(dataset.samples[i][0]).stat().st_size for i in index)
        spent = []
        for _ in range(repeats + 1):
            started = time.perf_counter()
            for i in index:
                dataset[i]
            spent.append((time.perf_counter() - started) / len(index))
    return {"read": statistics.median(spent[1:]), "bytes": size}


def write_photographs(folder: Path, pictures: int) -> None:
    """Write JPEGs with as much detail as makes some 110 KB, the mean of ImageNet's."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(pictures):
        coarse = Image.fromarray(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)).resize(PHOTOGRAPH)
        noise = rng.normal(0, 14, (PHOTOGRAPH[1], PHOTOGRAPH[0], 3))
        picture = (np.asarray(coarse, dtype=float) + noise).clip(0, 255).astype(np.uint8)
        Image.fromarray(picture).save(folder / f"{number}.jpeg", quality=90)


def bandwidth(size: int, processes: int, repeats: int) -> dict[str, Any]:
    """Return bytes a second through each connection of an all-reduce among processes of this host."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        multiprocessing.spawn(_reduce, (processes, port, size, repeats, folder), nprocs=processes)
        spent = float((Path(folder) / "seconds").read_text())
    return {"bandwidth": 2 * (processes - 1) / processes * size / spent, "reduce": spent}


def _reduce(rank: int, processes: int, port: int, size: int, repeats: int, folder: str) -> None:
    """Be one of the processes, on a GPU of its own where there are as many."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    gpus = torch.cuda.is_available() and torch.cuda.device_count() >= processes
    device = torch.device("cuda", rank) if gpus else torch.device("cpu")
    dist.init_process_group("nccl" if gpus else "gloo", rank=rank, world_size=processes)
    tensor, spent = torch.ones(size // 4, device=device), []
    for _ in range(repeats + 1):
        dist.barrier()
        started = time.perf_counter()
        dist.all_reduce(tensor)
        if gpus:
            torch.cuda.synchronize(device)
        spent.append(time.perf_counter() - started)
        tensor.fill_(1)
    if rank == 0:
        (Path(folder) / "seconds").write_text(str(statistics.median(spent[1:])))
    dist.destroy_process_group()

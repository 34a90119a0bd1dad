"""Data larger than the memory, in a file or read as it is trained on, takes little of it."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

CHILD = """
import ctypes, gc, sys, warnings
from pathlib import Path
import numpy as np, torch
from torch.utils.data import DataLoader, Dataset
from curvdetect import CurvatureNoiseDetector, LossDetector, memorizing_net
from curvdetect.data import inputs, samples
from curvdetect.detectors import measured
warnings.simplefilter("ignore")
torch.set_num_threads(1)

def megabytes(which):
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(which))
    return int(line.split()[1]) * 1024 / 1e6

def peak_above_now(call, *args, **kwargs):
    gc.collect()
    getattr(ctypes.CDLL(None), "malloc_trim", int)(0)  # what was given back is not there already
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = megabytes("VmRSS")
    result = call(*args, **kwargs)
    print(megabytes("VmHWM") - before)
    return result

def of_kind(kind, n_features, **options):
    net = memorizing_net(torch.nn.Linear(n_features, 2), max_epochs=1, **options)
    return kind(net, device="cpu", random_state=0)

class Rows(Dataset):
    def __init__(self, n):
        self.targets = (np.arange(n) % 2).tolist()
        self.looks = [torch.full((16,), i / 10) for i in range(10)]
    def __len__(self):
        return len(self.targets)
    def __getitem__(self, i):
        return self.looks[i % 10], self.targets[i]

def fit_file(name, n, d):
    X = np.memmap(name, "float32", mode="r", shape=(n, d))
    fitted = peak_above_now(of_kind(LossDetector, d, batch_size=max(8, n // 128)).fit, X, np.arange(n) % 2)
    assert np.isfinite(fitted.scores_).all()

def fit_dataset(n):
    samples.RESIDENT_BYTES = 0  # as if these were photographs
    # in the order of the data, which is nothing that the loader has to keep
    way = of_kind(CurvatureNoiseDetector, 16, batch_size=5000, iterator_train=DataLoader)
    memorize = measured.memorize
    measured.memorize = lambda *args, **kwargs: peak_above_now(memorize, *args, **kwargs)
    assert np.isfinite(way.fit(Rows(n)).scores_).all()

name, (rows, columns, n, inputs.HELD_BYTES) = sys.argv[1], map(int, sys.argv[2:])
few = np.random.default_rng(0).standard_normal((40, 3)), np.arange(40) % 2
of_kind(CurvatureNoiseDetector, 3).fit(*few)  # what torch loads late
fit_file(name, rows, columns)
fit_dataset(n)
"""


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="the peak can't be told apart here")
@pytest.mark.parametrize(
    ("rows", "columns", "samples", "held", "limits"),
    [
        pytest.param(40_000, 640, 40_000, 2**22, (85, 20), id="smaller"),
        pytest.param(2048, 2**18, 1_000_000, 2**26, (1000, 200), id="promised", marks=pytest.mark.full),
    ],
)
def test_data_larger_than_the_memory_takes_little_of_it(tmp_path, rows, columns, samples, held, limits):
    path = tmp_path / "X"
    with path.open("wb") as file:
        file.truncate(rows * columns * 4)
    written = np.memmap(path, "float32", mode="r+", shape=(rows, columns))
    written[:, 0] = np.random.default_rng(0).standard_normal(rows)
    written.flush()
    # as the page on large data advises: how long the C library keeps what was freed says nothing about the code
    lent = {"MALLOC_MMAP_THRESHOLD_": "100000", "MALLOC_TRIM_THRESHOLD_": "100000"}
    command = [sys.executable, "-c", CHILD, str(path), *map(str, (rows, columns, samples, held))]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **lent})
    assert ran.returncode == 0, ran.stderr
    of_file, of_dataset = map(float, ran.stdout.split())
    assert of_file < limits[0], ran.stdout
    assert of_dataset < limits[1], ran.stdout

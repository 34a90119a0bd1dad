"""Fits in processes that are killed, again and again; run by the tests in a process without threads, which may fork.

Prints a record of what happened to each as JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from tqdm.std import tqdm

from curvdetect import CurvatureNoiseDetector, CurvSSFT
from tests.cases import digits_net, noisy_digits

X, LABELS, *_ = noisy_digits(150)
NEW = slice(0, 50)


def _one_run(directory):
    net = digits_net(max_epochs=10)
    return CurvatureNoiseDetector(net, keep_snapshots=3, checkpoint_dir=directory, device="cpu", random_state=0)


def _five_runs(directory):
    return CurvSSFT(digits_net(max_epochs=4), checkpoint_dir=directory, device="cpu", random_state=0)


FITS = {"one_run": _one_run, "five_runs": _five_runs}


def _fit_and_save(make, directory, file):
    detector = make(directory).fit(X, LABELS)
    unseen = detector.score_samples(X[NEW], LABELS[NEW]) if make is _one_run else []
    np.savez(file, scores=detector.scores_, other=detector.suggested_labels_, unseen=unseen, **detector.signal_scores_)


def _in_a_child(make, directory, file):
    """Start a fit in a process of its own; return the number of the process."""
    child = os.fork()
    if child == 0:
        status = 1
        tqdm.set_lock(threading.RLock())  # that of the parent may be held by its thread that watches progress bars
        try:
            _fit_and_save(make, directory, file)
            status = 0
        finally:
            os._exit(status)
    return child


def _same(file, expected):
    with np.load(file) as one, np.load(expected) as other:
        return one.files == other.files and all(np.array_equal(one[name], other[name]) for name in one.files)


def _checkpoints(directory):
    return len(list(directory.glob("**/checkpoint")))


def kill(name: str, n_kills: int, seed: int, home: Path) -> dict[str, object]:
    """Kill a fit until that was done so many times, let what is left of it end; and all again where it ended before."""
    # tqdm's own lock is one for all processes, and a child that is killed as it makes a bar would hold it for good
    tqdm.set_lock(threading.RLock())
    make, rng = FITS[name], np.random.default_rng(seed)
    expected, file, directory = home / "expected.npz", home / "scores.npz", home / "checkpoints"
    _fit_and_save(make, None, expected)
    started = time.perf_counter()
    _fit_and_save(make, home / "elsewhere", file)
    duration = time.perf_counter() - started
    kills, statuses, equal, epochs = 0, [], [_same(file, expected)], []
    limit = duration / 4
    while kills < n_kills or not statuses:
        file.unlink(missing_ok=True)
        child = _in_a_child(make, directory, file)
        time.sleep(rng.uniform(0, limit) if kills < n_kills else 0)
        # after a kill that left nothing the next one waits for a checkpoint, or for the end
        while kills < n_kills and epochs and not epochs[-1] and not (file.exists() or _checkpoints(directory)):
            time.sleep(0.01)
        if kills < n_kills:
            os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        if os.WIFSIGNALED(status):
            kills += 1
            epochs.append(_checkpoints(directory))
        else:
            statuses.append(os.WEXITSTATUS(status))
            equal.append(_same(file, expected))
            shutil.rmtree(directory)
    return {"kills": kills, "ended": statuses, "equal": equal, "with_checkpoint": sum(n > 0 for n in epochs)}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    n_kills, home = int(sys.argv[1]), Path(sys.argv[2])
    for name in FITS:
        (home / name).mkdir()
    sys.stdout.write(json.dumps({name: kill(name, n_kills, 0, home / name) for name in FITS}))

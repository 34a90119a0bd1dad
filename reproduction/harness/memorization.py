"""Memorization as Feldman and Zhang measure it: what seeing a sample does to the chance of getting its label.

Many networks are trained, each on a random part of the data. A sample's memorization is the share of the networks
that saw it and give its label, less that share among the networks that did not see it. Finished networks are kept,
so that a run can be cut short or lengthened, and none depends on which process trained it.

Feldman, Zhang, "What Neural Networks Memorize and Why", NeurIPS 2020.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import joblib
import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from curvdetect import LossDetector, memorizing_net

from .data import as_inputs
from .quiet import quietly
from .recipes import BATCH

DIGITS = Path(__file__).parents[1] / "results" / "memorization-digits" / "memorization.csv"
#: Of a network: which samples it saw, and whose label it gives; boolean, of shape (n_samples,).
Outcome = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Recipe:
    """How each of the networks is trained."""

    net: str | None = None
    epochs: int | None = None
    weight_decay: float = 1e-4
    augment: bool = False
    share: float = 0.7
    """Of the samples that a network sees."""
    seed: int = 0
    device: str = "auto"


class Memorization(NamedTuple):
    """What networks say of each sample; arrays of shape (n_samples,)."""

    values: np.ndarray
    described: str
    """In words, where it comes from."""
    halves: tuple[np.ndarray, np.ndarray] | None = None
    """The values by every second network and by the others, where both halves know all samples."""

    def digest(self) -> str:
        """Return what tells these values from others."""
        return hashlib.sha256(self.values.round(4).tobytes()).hexdigest()[:12]

    def save(self, path: Path) -> None:
        """Write what `read` reads."""
        columns = {"memorization": self.values}
        if self.halves is not None:
            columns |= {"even_nets": self.halves[0], "odd_nets": self.halves[1]}
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(columns).rename_axis("index").to_csv(path, float_format="%.4f")


def networks(X: np.ndarray, y: np.ndarray, recipe: Recipe, n_nets: int, folder: Path, n_jobs: int) -> Iterator[Outcome]:
    """Train the networks whose outcome is not kept in the folder; yield all outcomes, in the order of their numbers."""
    digest = hashlib.sha256(json.dumps(asdict(recipe) | {"device": None}).encode())
    for array in (X, y):
        digest.update(np.ascontiguousarray(array).tobytes())
    paths = [folder / digest.hexdigest()[:12] / f"{number:05d}.npz" for number in range(n_nets)]
    work = [joblib.delayed(train)(X, y, recipe, n, path) for n, path in enumerate(paths) if not path.exists()]
    done = joblib.Parallel(n_jobs, return_as="generator_unordered")(work)
    for _ in tqdm(done, total=len(work), unit="net", desc="memorization", file=sys.stderr, disable=not work):
        pass
    for path in paths:
        with np.load(path) as file:
            seen, correct = (np.unpackbits(file[name], count=len(y)).astype(bool) for name in ("seen", "correct"))
        yield seen, correct


def train(X: np.ndarray, y: np.ndarray, recipe: Recipe, number: int, path: Path) -> None:
    """Train a network on its part of the data, and keep what it saw and got right, whole or not at all."""
    rng = np.random.default_rng(np.random.SeedSequence(recipe.seed, spawn_key=(number,)))
    part = np.sort(rng.permutation(len(y))[: round(recipe.share * len(y))])
    options = {"weight_decay": recipe.weight_decay, "augment": recipe.augment, "batch_size": BATCH}
    net = memorizing_net(recipe.net, **options, for_tables=False)
    seed = int(rng.integers(2**31))
    detector = LossDetector(net, max_epochs=recipe.epochs, device=recipe.device, random_state=seed)
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # threads of many processes would wait for each other, and add up in another order
    try:
        with quietly():
            detector.fit(X[part], y[part])
        given = np.concatenate([detector.net_.predict(as_inputs(rows)) for rows in in_chunks(X)])
    finally:
        torch.set_num_threads(before)
    seen = np.isin(np.arange(len(y)), part)
    path.parent.mkdir(parents=True, exist_ok=True)
    torn = path.with_suffix(".part.npz")
    np.savez(torn, seen=np.packbits(seen), correct=np.packbits(detector.classes_[given] == y))
    torn.replace(path)


def in_chunks(X: np.ndarray, rows: int = 1024) -> Iterator[np.ndarray]:
    return (X[start : start + rows] for start in range(0, len(X), rows))


def estimate(outcomes: Iterable[Outcome]) -> Memorization:
    """Return what networks say of each sample; higher is more memorized."""
    counts = None
    for number, (seen, correct) in enumerate(outcomes):
        if counts is None:
            # by half of the networks; by not seen, seen; how many networks, how many right
            counts = np.zeros((2, 2, 2, len(seen)), dtype=np.int64)
        for i, group in enumerate((~seen, seen)):
            counts[number % 2, i, 0] += group
            counts[number % 2, i, 1] += group & correct
    if counts is None:
        raise ValueError("outcomes holds no network.")
    whole = counts.sum(0)
    unknown = int((whole[:, 0] == 0).any(0).sum())
    if unknown:
        raise ValueError(
            f"Of {unknown} sample(s) every network was either trained on it or not, so that there is nothing to "
            f"compare: {number + 1} networks are too few. Train more."
        )
    share = whole[:, 1] / whole[:, 0]
    memorized = share[1] - share[0]
    halves, agreement = None, ""
    if (counts[:, :, 0] > 0).all():
        parts = counts[:, :, 1] / counts[:, :, 0]
        halves = (parts[0, 1] - parts[0, 0], parts[1, 1] - parts[1, 0])
        agreement = " " + agreement_of(*halves)
    unseen, seen = whole[:, 1].sum(1) / whole[:, 0].sum(1)
    n_nets = int(number + 1)
    return Memorization(
        memorized,
        f"{n_nets} networks, each trained on {100 * whole[1, 0].mean() / n_nets:.0f} % of the samples: right on "
        f"{100 * seen:.1f} % of those seen, and on {100 * unseen:.1f} % of the others. Mean memorization "
        f"{memorized.mean():.3f}; above 0.5 for {100 * (memorized > 0.5).mean():.1f} % of the samples, above 0.25 for "
        f"{100 * (memorized > 0.25).mean():.1f} %.{agreement}",
        halves,
    )


def agreement_of(one: np.ndarray, other: np.ndarray) -> str:
    """Return in words how much two halves of the networks agree, and what follows for the whole."""
    r = reliability(one, other)
    return f"Halves of the networks correlate by {r:.2f}; so two sets of all would by {2 * r / (1 + r):.2f}."


def reliability(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one, other)[0, 1])


def read(path: str | Path, n_samples: int | None = None) -> Memorization:
    """Return memorization from a file that `Memorization.save` wrote, or that Feldman and Zhang released.

    Theirs, such as ``cifar100_infl_matrix.npz``, has it as ``tr_mem``, in the official order of the training data.
    """
    path, described, halves = Path(path), f"Read from {Path(path).name}.", None
    if path.suffix == ".npz":
        with np.load(path) as file:
            if "tr_mem" not in file.files:
                raise ValueError(f"{path} holds {', '.join(file.files)}, and no tr_mem.")
            values = np.asarray(file["tr_mem"], dtype=np.float64)
    else:
        frame = pd.read_csv(path, index_col="index")
        values = frame["memorization"].to_numpy()
        if "even_nets" in frame:
            halves = (frame["even_nets"].to_numpy(), frame["odd_nets"].to_numpy())
            described += " " + agreement_of(*halves)
    if n_samples is not None and len(values) != n_samples:
        raise ValueError(
            f"{path} is of {len(values)} samples, and the data has {n_samples}: pass the --dataset, --subset and "
            "--size that it was measured on."
        )
    return Memorization(values, described, halves)


def reference_of(parser: argparse.ArgumentParser, args: argparse.Namespace) -> Path:
    """Return the file of memorization that is asked for, or that of all digits."""
    if args.reference is None and (args.dataset != "digits" or args.subset):
        parser.error("--reference: only all digits have one here; reproduction/memorization.py makes others.")
    return args.reference or DIGITS

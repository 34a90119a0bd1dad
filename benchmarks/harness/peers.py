"""What else ranks wrong labels, by the packages that are known for it, beside the detectors: time and ranking."""

from __future__ import annotations

import argparse
import copy
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from cleanlab.rank import get_label_quality_scores
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

from curvdetect import (
    ConfidentLearningDetector,
    CurvatureNoiseDetector,
    FusedDetector,
    LeaveOneOutDetector,
    LossDetector,
    MarginDetector,
    corrupt_labels,
)

from . import data, loops
from .environment import command
from .fits import FOLDS
from .measures import MEASURES, TRUE_COUNT, graded
from .quiet import quietly
from .records import Records
from .tables import compared, means
from .written import markdown, write

#: pyDVL asks for numpy below 2, and what is used of it runs with 2.
INSTALL = """    pip install ".[peers]"
    pip install --no-deps "pydvl>=0.10"
"""
#: What is loaded of the packages.
MODULES = ("aum", "pydvl.valuation", "pyod.models.iforest", "pyod.models.knn")
#: What all others are measured in, and which network the loops train.
PLAIN = "LossDetector()"
#: What the others' rankings are compared with.
OURS = "FusedDetector()"
#: Share of wrong labels, and steps of the authors' loop.
WRONG, PROBES = 0.1, 10

#: From samples, labels, a seed and a network to scores, higher for the more suspect.
Job = Callable[[np.ndarray, np.ndarray, int, "Network"], np.ndarray]


class Network:
    """The network that a detector trains by default, and how long and in what batches it does."""

    def __init__(self, X: np.ndarray, y: np.ndarray, device: str, epochs: int | None) -> None:
        # by a whole training, after which nothing is left to be loaded
        detector = CurvatureNoiseDetector(device=device, random_state=0, max_epochs=epochs).fit(X, y)
        self.device, self.epochs = detector.device_, epochs
        self.n_epochs, self.batch_size = detector.net_.max_epochs, detector.net_.batch_size
        self._module = detector.net_.module_

    def untrained(self, seed: int, layout: torch.memory_format = torch.channels_last) -> nn.Module:
        """Return it with new weights, whose layout changes how fast it is."""
        torch.manual_seed(seed)
        module = copy.deepcopy(self._module)
        for part in module.modules():
            if hasattr(part, "reset_parameters"):
                part.reset_parameters()
        return module.to(memory_format=layout)

    def train(self, module: nn.Module, X: np.ndarray, y: np.ndarray, **watching: Any) -> None:
        """Train a network in a plain loop."""
        loops.trained(module, *self.on_device(X, y), self.batch_size, self.n_epochs, **watching)

    def on_device(self, X: np.ndarray, y: np.ndarray) -> tuple[Tensor, Tensor]:
        """Return samples and labels where the network is."""
        return torch.as_tensor(X, device=self.device), torch.as_tensor(y, device=self.device)


def ours(detector: type, **params: Any) -> Job:
    """Return the job of a detector."""

    def run(X: np.ndarray, y: np.ndarray, seed: int, network: Network) -> np.ndarray:
        one = detector(device=network.device, random_state=seed, **params)
        if network.epochs and "max_epochs" in one.get_params():
            one.set_params(max_epochs=network.epochs)
        return one.fit(X, y).scores_

    return run


def aum(X: np.ndarray, y: np.ndarray, seed: int, network: Network) -> np.ndarray:
    """Return minus the AUM of a training in plain PyTorch, by the calculator of those who named it."""
    from aum import AUMCalculator

    with tempfile.TemporaryDirectory() as folder:
        calculator = AUMCalculator(folder, compressed=True)

        def update(logits: Tensor, labels: Tensor, index: Tensor) -> None:
            calculator.update(logits, labels, index.tolist())

        network.train(network.untrained(seed), X, y, on_batch=update)
        calculator.finalize()
        found = pd.read_csv(Path(folder) / "aum_values.csv").set_index("sample_id")["aum"]
    return -found.loc[np.arange(len(y))].to_numpy()


def logistic(X: np.ndarray, y: np.ndarray, seed: int, network: Network) -> np.ndarray:
    """Return cleanlab's quality of labels by the folds of a logistic regression on pixels or columns."""
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    model = LogisticRegression(max_iter=1000)
    probabilities = cross_val_predict(model, X.reshape(len(X), -1), y, cv=folds, method="predict_proba")
    return 1 - get_label_quality_scores(y, probabilities)


def authors(X: np.ndarray, y: np.ndarray, seed: int, network: Network) -> np.ndarray:
    """Return the mean curvature over the epochs of a training, measured as the paper's authors do."""
    module, each = network.untrained(seed, torch.contiguous_format), []
    curvature = loops.authors_pass(module, *network.on_device(X, y), n=PROBES, batch_size=128)
    network.train(module, X, y, on_epoch=lambda: each.append(curvature().numpy()))
    return np.mean(each, axis=0)


def shapley(X: np.ndarray, y: np.ndarray, seed: int, network: Network) -> np.ndarray:
    """Return minus the Shapley values of samples for k nearest neighbours: each half is valued by the other."""
    from pydvl.valuation import Dataset, KNNShapleyValuation

    rows, scores = X.reshape(len(X), -1), np.empty(len(y))
    for half, other in StratifiedKFold(2, shuffle=True, random_state=seed).split(rows, y):
        valuation = KNNShapleyValuation(KNeighborsClassifier(), Dataset(rows[other], y[other]), progress=False)
        result = valuation.fit(Dataset(rows[half], y[half])).result
        scores[half[result.indices]] = -result.values
    return scores


def outliers(name: str, *, by_class: bool) -> Job:
    """Return the job of an outlier detector of PyOD's on pixels or columns, of all samples or of each given class."""

    def run(X: np.ndarray, y: np.ndarray, seed: int, network: Network) -> np.ndarray:
        from pyod.models.iforest import IForest
        from pyod.models.knn import KNN

        rows, scores = X.reshape(len(X), -1), np.empty(len(y))
        of = y if by_class else np.zeros(len(y))
        for code in np.unique(of):
            model = KNN() if name == "KNN" else IForest(random_state=seed)
            scores[of == code] = model.fit(rows[of == code]).decision_scores_
        return scores

    return run


JOBS: dict[str, Job] = {
    PLAIN: ours(LossDetector),
    "MarginDetector()": ours(MarginDetector),
    "CurvatureNoiseDetector()": ours(CurvatureNoiseDetector),
    "LeaveOneOutDetector()": ours(LeaveOneOutDetector),
    OURS: ours(FusedDetector),
    "aum: AUMCalculator in a plain loop": aum,
    f"cleanlab: {FOLDS} folds of the same network": ours(ConfidentLearningDetector, cv=FOLDS),
    f"cleanlab: {FOLDS} folds of a logistic regression": logistic,
    f"the authors' curvature: n = {PROBES}, every epoch": authors,
    "pyDVL: k-nearest-neighbour Shapley values": shapley,
    "PyOD: k nearest neighbours": outliers("KNN", by_class=False),
    "PyOD: k nearest neighbours within each given class": outliers("KNN", by_class=True),
    "PyOD: isolation forest within each given class": outliers("IForest", by_class=True),
}


def compare(args: argparse.Namespace, environment: dict[str, str]) -> None:
    """Let all take turns on each data set, seed by seed, and write the table."""
    records, rows = Records(args.out / "records.jsonl", ("data", "samples", "method", "seed")), []
    with threadpool_limits(args.threads), quietly():
        for name in args.peers:
            X, y = data.load(name, args.data_dir, subset=args.samples)
            X, seeds = data.as_inputs(X), range(args.repeats)
            cells = [
                {"data": name, "samples": len(y), "method": method, "seed": seed} for seed in seeds for method in JOBS
            ]
            if any(cell not in records for cell in cells):
                environment |= loaded()
                measure = partial(measured, X=X, y=y, network=Network(X, y, args.device, args.epochs))
                records.measured(cells, measure, environment=environment)
            rows += [row for cell in cells for row in records.matching(**cell)]
    render(rows, args)


def loaded() -> dict[str, str]:
    """Load the packages, so that no method's time has that in it; return their versions, or say what is missing."""
    for name in MODULES:
        try:
            import_module(name)
        except ImportError as error:
            sys.exit(f"--peers needs {name} ({error}):\n\n{INSTALL}")
    return {name: version(name) for name in dict.fromkeys(module.split(".")[0] for module in MODULES)}


def measured(cell: dict[str, Any], *, X: np.ndarray, y: np.ndarray, network: Network) -> dict[str, Any]:
    """Return how long a method takes, from samples and labels to scores, and how well it ranks."""
    labels, mask = corrupt_labels(y, WRONG, random_state=cell["seed"])
    started, used = time.perf_counter(), time.process_time()
    scores = JOBS[cell["method"]](X, labels, cell["seed"], network)
    seconds = {"seconds": time.perf_counter() - started, "processor_seconds": time.process_time() - used}
    ranked = graded(mask, scores)
    ranked["average_precision"] = ranked.pop("ap")
    return {**{name: round(value, 3) for name, value in seconds.items()}, **ranked}


def render(rows: list[dict[str, Any]], args: argparse.Namespace) -> None:
    """Print the tables and write them beside the records."""
    lines = ["# What ranks wrong labels, side by side", "", f"`{command()}`", ""]
    sizes = " and ".join(
        f"{n:,} samples of {name}" for name, n in {row["data"]: row["samples"] for row in rows}.items()
    )
    for name in args.peers:
        frame = pd.DataFrame([row for row in rows if row["data"] == name])
        plain = frame[frame["method"] == PLAIN].set_index("seed")["processor_seconds"]
        frame["times"] = frame["processor_seconds"] / frame["seed"].map(plain).clip(lower=0.01)
        each = frame.groupby("method", sort=False)
        table = pd.DataFrame(
            {
                "seconds": each["seconds"].median().map("{:,.1f}".format),
                "processor seconds": each["processor_seconds"].median().map("{:,.1f}".format),
                f"times {PLAIN}": each["times"].median().map("{:,.2f}".format),
            }
        )
        known = {"average_precision" if key == "ap" else key: caption for key, caption in MEASURES.items()}
        known = {key: caption for key, caption in known.items() if key in frame and frame[key].notna().all()}
        apart = []
        for key, caption in known.items():  # older records have two of the measures
            values = 100 * frame.pivot(index=["data", "seed"], columns="method", values=key)[list(table.index)]
            shown = caption if key == "auroc" else caption[0].lower() + caption[1:]
            table[shown] = means(values).loc[name]
            apart += compared(values, OURS, f"{name}, {shown}", across=True)
        lines += [f"## {name}", "", markdown(table.rename_axis(None)), ""]
        lines += [TRUE_COUNT, ""] * ("precision" in known) + apart
    lines += [
        f"{sizes}, {WRONG:.0%} of the labels wrong at random. Medians of the time, and mean ± standard deviation of "
        f"the rest, over {args.repeats} seed(s), of wrong labels and of the methods. Time is from samples and labels "
        "in memory to scores.",
        "",
        "The plain loops train the network of CurvatureNoiseDetector() for as many epochs, by SGD with one cycle. The "
        "logistic regression, the neighbours and the outliers see pixels or columns. pyDVL values each half of the "
        "samples by the other half, with its wrong labels. PyOD sees no labels, save where it is fitted to each given "
        "class.",
        "",
    ]
    write(lines, rows, args.out)

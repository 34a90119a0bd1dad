"""Fits that several processes do together, and one process alone: the script that `test_ranks` starts."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
import torch.distributed as dist
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback
from torch import nn
from torch.utils.data import DataLoader

from curvdetect import (
    ConfidentLearningDetector,
    CurvatureNoiseDetector,
    CurvSSFT,
    FusedDetector,
    InSample,
    LeaveOneOutDetector,
    LossDetector,
    PatchFeatures,
    PlantedNoise,
    load,
    memorizing_net,
    noise_scorer,
    save,
    write_report,
)
from curvdetect.training.ranks import ranks_here
from tests.cases import noisy_digits, quick_net

COMMON = {"device": "cpu", "random_state": 0}


class StopIn(Callback):
    """Ends the training after an epoch, in one of the processes only."""

    def __init__(self, rank, epoch):
        self.rank, self.epoch = rank, epoch

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.epoch and int(os.environ.get("RANK", self.rank)) == self.rank:
            raise KeyboardInterrupt


class DieIn(Callback):
    """Ends the process that the environment names in the middle of an epoch, as a machine that fails does."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_grad_computed(self, net, **kwargs):
        if len(net.history) == self.epoch and os.environ.get("DIES") == str(dist.get_rank()):
            os.kill(os.getpid(), signal.SIGKILL)


class OneByOne(DataLoader):
    """A loader that makes no batches."""

    def __init__(self, dataset, batch_size, **options):
        super().__init__(dataset, batch_size=None, **options)


class Accelerated(NeuralNetClassifier):
    """Stands for a net with skorch's AccelerateMixin."""

    accelerator = None


def pictures():
    """Return 40 small pictures, smooth enough to be told apart."""
    X, y, *_ = noisy_digits(40)
    return X.reshape(-1, 1, 8, 8), y


def plain_conv():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10)
    return memorizing_net(nn.Sequential(*layers), augment=True, batch_size=16)


def still_net():
    """Return a net whose weights stay where they are."""
    return quick_net(lr=0.0)


def skorch_net(**options):
    """Return a user's own net, on a loader of torch's."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
    return NeuralNetClassifier(
        module, criterion=nn.CrossEntropyLoss, lr=0.1, batch_size=16, iterator_train__shuffle=True, **options
    )


def table(n):
    """Return n rows and their labels, of more than one class."""
    X, y, *_ = noisy_digits(n)
    return X, y


def how_many():
    """Return a fit that finds the number of flags, by few chains: how well is not the point here."""
    with patch.multiple("curvdetect.detectors.noise_rate", N_CHAINS=8, N_AT_ONCE=8):
        return LossDetector(quick_net(), q="auto", max_epochs=2, **COMMON).fit(*table(90))


#: name -> fit; each is done by one process and by three.
CASES = {
    "default": lambda: LossDetector(max_epochs=3, **COMMON).fit(*table(101)),
    "how many": how_many,
    "still": lambda: CurvatureNoiseDetector(still_net(), n=2, every=1, max_epochs=2, **COMMON).fit(*table(101)),
    "augmented pictures": lambda: LossDetector(plain_conv(), max_epochs=2, **COMMON).fit(*pictures()),
    "loader with workers": lambda: LossDetector(
        skorch_net(iterator_train__num_workers=1).set_params(batch_size=20), max_epochs=2, **COMMON
    ).fit(*table(40)),
    "last batch of one": lambda: LossDetector(skorch_net(), max_epochs=2, **COMMON).fit(*table(33)),
    "weights of classes": lambda: FusedDetector(
        # shares of one sample, whose mean no weight changes, and one class that counts nothing
        skorch_net(criterion__weight=torch.linspace(0.0, 3.0, 10)).set_params(batch_size=3),
        signals=("input_gradient", "loss"),
        max_epochs=2,
        **COMMON,
    ).fit(*table(34)),
    "more signals": lambda: FusedDetector(
        signals=("averaged_margin", "input_gradient", "late_loss", "gradient_contrast"), max_epochs=4, **COMMON
    ).fit(*table(70)),
    "second split": lambda: CurvSSFT(quick_net(), max_epochs=2, **COMMON).fit(*table(97)),
    "aim reached": lambda: LossDetector(stop_at=0.4, max_epochs=20, **COMMON).fit(*table(60)),
    "stopped by one": lambda: LossDetector(quick_net(callbacks=[("stop", StopIn(1, 2))]), max_epochs=5, **COMMON).fit(
        *table(60)
    ),
    "stopped by one in the last epoch": lambda: CurvatureNoiseDetector(
        quick_net(callbacks=[("stop", StopIn(0, 3))]), max_epochs=3, **COMMON
    ).fit(*table(60)),
    "some scored": lambda: CurvatureNoiseDetector(
        # of several processes the first one's choice counts
        still_net(),
        score_on=range(int(os.environ.get("RANK", "0")), 100, 2),
        max_epochs=2,
        **COMMON,
    ).fit(*table(101)),
    "left out": lambda: LeaveOneOutDetector(features="linear", **COMMON).fit(*table(101)),
    "groups left out": lambda: LeaveOneOutDetector(
        features=PatchFeatures(n_filters=5, random_state=0), groups=np.arange(40) // 3, **COMMON
    ).fit(*pictures()),
}


def summary(detector):
    """Return what a fit left behind, as arrays."""
    return {
        **{f"signal {name}": scores for name, scores in detector.signal_scores_.items()},
        "scores": detector.scores_,
        "flags": detector.labels_,
        "suggested": detector.suggested_labels_,
        "epochs": np.array(getattr(detector, "n_iter_", 0)),
        "accuracy": np.array(getattr(detector, "train_accuracy_", 0.0)),
        "loss": np.array([record["train_loss"] for record in getattr(detector, "history_", [{"train_loss": 0.0}])]),
        "rate": np.array(getattr(detector, "noise_rate_", 0.0)),
        "memorized": getattr(detector, "memorization_", np.zeros(1)),
    }


def error_of(fit):
    """Return what a fit that can't be done says."""
    try:
        fit()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


def refused():
    """Return what is said of fits that several processes can't do."""
    rank = int(os.environ["RANK"])
    X, y = table(30)
    cases = {
        "other labels": lambda: LossDetector(**COMMON).fit(X, np.roll(y, rank)),
        "other inputs": lambda: LossDetector(**COMMON).fit(X + rank, y),
        "other length": lambda: LossDetector(**COMMON).fit(X[rank:], y[rank:]),
        "no batches": lambda: LossDetector(skorch_net(iterator_train=OneByOne), **COMMON).fit(X, y),
        "accelerated": lambda: LossDetector(Accelerated(skorch_net().module), **COMMON).fit(X, y),
        "diverging": lambda: LossDetector(quick_net(lr=1e30), **COMMON).fit(X, y),
    }
    return {name: np.array(error_of(fit)) for name, fit in cases.items()}


def unseeded():
    """Return scores of a fit in which nothing was seeded by the caller, and of samples that were not fitted."""
    dropping = nn.Sequential(nn.Linear(64, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 10))
    detector = CurvatureNoiseDetector(dropping, max_epochs=2, keep_snapshots=2, device="cpu").fit(*table(51))
    return {"dropout": detector.scores_, "unseen": detector.score_samples(*table(20))}


def kept(directory):
    """Return scores of a fit with checkpoints, during which a process may die."""
    detector = CurvatureNoiseDetector(
        quick_net(callbacks=[("die", DieIn(3))]), every=1, max_epochs=5, checkpoint_dir=directory, **COMMON
    )
    return summary(detector.fit(*table(70)))


def written(directory):
    """Return what `save` and `write_report` left, called alike by all processes."""
    X, y = table(30)
    detector = LossDetector(quick_net(), max_epochs=1, **COMMON).fit(X, y)
    save(detector, directory / "saved")
    write_report(detector, X, directory / "report.html")
    ranks_here().any(False)  # until the first one is there
    return {"scores": detector.scores_, "saved": load(directory / "saved").scores_}


def searched():
    """Return grades of searches that every process runs as a whole, and what the last one says of workers."""
    X, y, mask, *_ = noisy_digits(40)
    detector = CurvatureNoiseDetector(quick_net(), max_epochs=1, device="cpu")
    planted = PlantedNoise(detector).fit(X, y)
    folds = ConfidentLearningDetector(quick_net(), cv=2, max_epochs=1, device="cpu").fit(X, y)

    def grid(rates, n_jobs=None):
        options = {"cv": InSample(), "refit": False, "scoring": noise_scorer(mask), "error_score": "raise"}
        grid = {"net__lr": rates}
        seeded = clone(detector).set_params(random_state=0)
        return GridSearchCV(seeded, grid, n_jobs=n_jobs, **options).fit(X, y).cv_results_["mean_test_score"]

    found = {"planted": np.array(planted.score()), "folds": folds.scores_, "grid": grid([0.01, 0.1])}
    if dist.get_rank() == dist.get_world_size() - 1:  # each worker of each process would import everything
        found["workers"] = np.array(error_of(lambda: grid([0.1], n_jobs=2)))
    return found


def main(what, out):
    """Write what this process found in all ``cases``, one of which takes up the training in which a process dies."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    place = Path(out).parent
    if what == "dies":
        kept(place / "cut")
    found = {f"kept/{key}": scores for key, scores in kept(place / "whole").items()}
    if what == "cases":
        found |= {f"taken up/{key}": scores for key, scores in kept(place / "cut").items()}
        found |= {f"{name}/{key}": array for name, fit in CASES.items() for key, array in summary(fit()).items()}
        found |= {f"refused/{name}": said for name, said in refused().items()}
        found |= unseeded() | searched()
        found |= {f"written/{key}": scores for key, scores in written(place).items()}
    np.savez(f"{out}-{dist.get_rank()}.npz", **found)


if __name__ == "__main__":
    main(*sys.argv[1:])

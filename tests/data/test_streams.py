"""Datasets that don't fit in memory: read while trained on, by workers too, and never as a whole before."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, Subset

from curvdetect import CurvatureNoiseDetector, LossDetector, load, memorizing_net, save
from curvdetect.data import sources
from curvdetect.data.sources import LazySamples, ResidentSamples, as_samples
from curvdetect.data.streams import labels_of
from tests.cases import digits, quick_net

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
N = 60
X, Y = digits(N)


class Listed(Dataset):
    """A dataset with a list of its labels, as torchvision's have, that counts how often it is read."""

    def __init__(self, x=X, y=Y, targets=None):
        self.x, self.y, self.reads = torch.as_tensor(x), [int(label) for label in y], 0
        self.targets = list(self.y) if targets is None else targets

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        self.reads += 1
        return self.x[i], self.y[i]


@pytest.fixture
def nothing_fits(monkeypatch):
    monkeypatch.setattr(sources, "RESIDENT_BYTES", 0)


def columns():
    from datasets import ClassLabel, Dataset, Features, Sequence, Value

    classes = ClassLabel(names=[f"digit {i}" for i in range(10)])
    features = Features({"x": Sequence(Value("float32")), "label": classes})
    return Dataset.from_dict({"x": X.tolist(), "label": Y.tolist()}, features=features).with_format("torch")


LISTS = {
    "list": (lambda: Listed(), Y.tolist()),
    "tensor": (lambda: Listed(targets=torch.as_tensor(Y)), Y.tolist()),
    "subset": (lambda: Subset(Listed(), [5, 3, 8]), Y[[5, 3, 8]].tolist()),
    "subset of a subset": (lambda: Subset(Subset(Listed(), [5, 3, 8]), [2, 0]), Y[[8, 5]].tolist()),
    "other labels than it says": (lambda: Listed(targets=np.roll(Y, 1).tolist()), None),
    "other length": (lambda: Listed(targets=Y[:-1].tolist()), None),
    "no list": (lambda: Listed(targets=5), None),
    "hugging face": (columns, [f"digit {label}" for label in Y]),
}


@pytest.mark.parametrize(("make", "expected"), LISTS.values(), ids=LISTS)
def test_labels_are_known_without_reading_where_the_list_is_right(make, expected):
    if make is columns:
        pytest.importorskip("datasets")
    assert labels_of(make()) == expected


@pytest.mark.usefixtures("nothing_fits")
def test_what_does_not_fit_is_not_read_before_it_is_trained_on():
    dataset = Listed()
    samples = as_samples(dataset)
    assert isinstance(samples, LazySamples)
    assert samples.unread
    assert dataset.reads < N
    assert np.array_equal(samples.classes[samples.labels.numpy()], Y)


@pytest.mark.parametrize("y", [None, Y[::-1].copy()], ids=["its labels", "others"])
@pytest.mark.parametrize("workers", [0, 2])
def test_scores_are_those_of_the_same_data_in_memory(monkeypatch, y, workers):
    net = memorizing_net(
        quick_net().module,
        batch_size=16,
        iterator_train=DataLoader,
        iterator_train__shuffle=True,
        iterator_train__num_workers=workers,
        iterator_valid__num_workers=workers,
    )
    detector = CurvatureNoiseDetector(net, every=1, max_epochs=2, device="cpu", random_state=0)
    in_memory = detector.fit(Listed(), y).scores_.copy()
    monkeypatch.setattr(sources, "RESIDENT_BYTES", 0)
    np.testing.assert_array_equal(detector.fit(Listed(), y).scores_, in_memory)


@pytest.mark.usefixtures("nothing_fits")
def test_each_sample_is_read_once_for_each_pass():
    dataset = Listed()
    CurvatureNoiseDetector(quick_net(), every=1, max_epochs=3, device="cpu", random_state=0).fit(dataset)
    # for the deviations of the columns, in three epochs, three times scored, and once in the end; beforehand the first
    # few, and those of the first pass
    assert 8 * N <= dataset.reads <= 8 * N + 200


def blank(items):
    """Collate inputs as if nothing were to be seen in them."""
    return torch.zeros(len(items), 64), torch.tensor([y for _, y in items])


@pytest.mark.usefixtures("nothing_fits")
def test_what_a_collate_function_draws_is_trained_on_and_not_scored():
    def fit(**options):
        net = quick_net(lr=0.0, iterator_train=DataLoader, **options)
        return CurvatureNoiseDetector(net, every=1, max_epochs=2, device="cpu", random_state=0).fit(Listed())

    plain, blanked = fit(), fit(iterator_train__collate_fn=blank)
    np.testing.assert_array_equal(blanked.scores_, plain.scores_)
    assert blanked.history_[0]["train_loss"] != plain.history_[0]["train_loss"]


SPOILED = {
    "shape": (lambda x: [*x[:40], torch.zeros(63), *x[41:]], r"X\[40\] has shape \(63,\) and X\[0\] has \(64,\)"),
    "kind": (lambda x: [*x[:40], x[40].double(), *x[41:]], r"X\[40\] has dtype torch.float64"),
    "number": (lambda x: [*x[:40], x[40] / 0, *x[41:]], r"X\[40\] contains NaN or infinity"),
}


@pytest.mark.usefixtures("nothing_fits")
@pytest.mark.parametrize(("spoil", "message"), SPOILED.values(), ids=SPOILED)
def test_a_sample_that_is_not_like_the_others_is_named_when_it_is_read(spoil, message):
    dataset = Listed()
    dataset.x = spoil(list(dataset.x))
    with pytest.raises(ValueError, match=message):
        LossDetector(quick_net(), max_epochs=1, device="cpu").fit(dataset)


@pytest.mark.usefixtures("nothing_fits")
def test_rows_are_found_again_without_reading_the_dataset_or_by_reading_it_once():
    dataset = Listed()
    detector = LossDetector(quick_net(), max_epochs=2, device="cpu", random_state=0).fit(dataset)
    read = dataset.reads
    np.testing.assert_array_equal(detector.score_samples(dataset), detector.scores_)
    np.testing.assert_array_equal(detector.score_samples(Subset(dataset, [7, 3])), detector.scores_[[7, 3]])
    assert dataset.reads == read
    np.testing.assert_array_equal(detector.score_samples(torch.from_numpy(X[::-1].copy())), detector.scores_[::-1])
    assert read + N <= dataset.reads <= read + N + 5


@pytest.mark.usefixtures("nothing_fits")
def test_a_detector_leaves_the_dataset_behind_and_says_so(tmp_path):
    detector = LossDetector(quick_net(), max_epochs=2, device="cpu", random_state=0).fit(Listed())
    save(detector, tmp_path / "kept")
    for other in (pickle.loads(pickle.dumps(detector)), load(tmp_path / "kept")):
        np.testing.assert_array_equal(other.score_samples(), detector.scores_)
        with pytest.raises(ValueError, match=r"too large to be read as a whole"):
            other.score_samples(torch.from_numpy(X))


@pytest.mark.usefixtures("nothing_fits")
def test_checkpoints_are_taken_up_and_refused_by_what_is_known_of_the_data(tmp_path):
    def fit(dataset):
        detector = LossDetector(quick_net(), max_epochs=2, device="cpu", random_state=0, checkpoint_dir=tmp_path)
        return detector.fit(dataset).scores_

    np.testing.assert_array_equal(fit(Listed()), fit(Listed()))
    with pytest.raises(ValueError, match=r"other data \(X changed\)"):
        fit(Listed(X + 1))


def test_what_fits_is_read_into_memory_whatever_it_lists():
    assert isinstance(as_samples(Listed()), ResidentSamples)


MANY = """
import ctypes, gc, sys, warnings
from pathlib import Path
import numpy as np, torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from curvdetect import CurvatureNoiseDetector, memorizing_net
from curvdetect.data import sources
from curvdetect.detectors import measured
warnings.simplefilter("ignore")
torch.set_num_threads(1)
sources.RESIDENT_BYTES = 0  # as if these were photographs

class Pictures(Dataset):
    def __init__(self, n):
        self.targets = (np.arange(n) % 10).tolist()
        self.looks = [torch.full((1, 4, 4), i / 10) for i in range(10)]
    def __len__(self):
        return len(self.targets)
    def __getitem__(self, i):
        return self.looks[i % 10], self.targets[i]

def megabytes(which):
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(which))
    return int(line.split()[1]) * 1024 / 1e6

def tracked(*args, **kwargs):
    gc.collect()
    getattr(ctypes.CDLL(None), "malloc_trim", int)(0)  # what was given back is not there already
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = megabytes("VmRSS")
    run = memorize(*args, **kwargs)
    print(megabytes("VmHWM") - before)
    return run

net = memorizing_net(
    nn.Sequential(nn.Flatten(), nn.Linear(16, 10)), batch_size=5000,
    iterator_train=DataLoader,  # in the order of the data, which is nothing that the loader has to keep
)
detector = CurvatureNoiseDetector(net, max_epochs=1, device="cpu", random_state=0)
detector.fit(Pictures(2000))  # what torch loads when it is first asked
memorize, measured.memorize = measured.memorize, tracked
n = int(sys.argv[1])
detector.fit(Pictures(n))
assert detector.scores_.shape == (n,) and np.isfinite(detector.scores_).all()
"""


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="the peak can't be told apart here")
@pytest.mark.parametrize(("n", "megabytes"), [(200_000, 45), pytest.param(1_000_000, 200, marks=pytest.mark.full)])
def test_many_samples_are_tracked_in_little_memory(n, megabytes):
    lent = {"MALLOC_MMAP_THRESHOLD_": "100000", "MALLOC_TRIM_THRESHOLD_": "100000"}  # as the page on large data advises
    run = subprocess.run(
        [sys.executable, "-c", MANY, str(n)], capture_output=True, text=True, check=True, env={**os.environ, **lent}
    )
    assert float(run.stdout) < megabytes, run.stdout

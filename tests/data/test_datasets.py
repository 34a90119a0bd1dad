"""Datasets are read once where they fit; larger ones while they are trained on, and never as a whole before."""

from __future__ import annotations

import os
import pickle
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Subset

from curvdetect import CurvatureNoiseDetector, LossDetector, TwoViews, load, save
from curvdetect.data import samples as room
from curvdetect.data.datasets import labels_of, read_dataset
from curvdetect.data.samples import as_samples
from tests.cases import Items, RandomItems, digits, quick_net, untouched_rng

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
N = 60
X, Y = digits(N)


class Listed:
    """A dataset of no class of torch's, with a list of its labels as torchvision's have, that counts its reads."""

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
    monkeypatch.setattr(room, "RESIDENT_BYTES", 0)


def hugging_face(named=True):
    from datasets import ClassLabel, Dataset, Features, Value

    label = ClassLabel(names=[f"digit {i}" for i in range(10)]) if named else Value("int64")
    features = Features({"x": [Value("float32")], "label": label})
    return Dataset.from_dict({"x": X.tolist(), "label": Y.tolist()}, features=features).with_format("torch")


LISTS = {
    "list": (lambda: Listed(), Y.tolist()),
    "tensor": (lambda: Listed(targets=torch.as_tensor(Y)), Y.tolist()),
    "subset of a subset": (lambda: Subset(Subset(Listed(), [5, 3, 8]), [2, 0]), Y[[8, 5]].tolist()),
    "two views": (lambda: TwoViews(Listed(), Listed()), Y.tolist()),
    "other labels than it says": (lambda: Listed(targets=np.roll(Y, 1).tolist()), None),
    "other length": (lambda: Listed(targets=Y[:-1].tolist()), None),
    "no list": (lambda: Listed(targets=5), None),
    "hugging face": (hugging_face, [f"digit {label}" for label in Y]),
    "hugging face without labels": (lambda: hugging_face().remove_columns("label"), None),
}


@pytest.mark.parametrize(("make", "expected"), LISTS.values(), ids=LISTS)
def test_labels_are_known_without_reading_where_the_list_is_right(make, expected):
    assert labels_of(make()) == expected


@pytest.mark.usefixtures("nothing_fits")
def test_what_does_not_fit_is_not_read_before_it_is_trained_on():
    dataset = Listed()
    samples = as_samples(dataset)
    assert samples.unread
    assert dataset.reads < N
    assert np.array_equal(samples.classes[samples.labels.numpy()], Y)


class Counted(Listed):
    """Digits that write down which process reads them."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def __getitem__(self, i):
        with self.path.open("a") as file:
            file.write(f"{os.getpid()}\n")
        return super().__getitem__(i)


def test_samples_of_which_only_inputs_matter_name_the_one_of_another_shape():
    x = [torch.zeros(3), torch.zeros(3), torch.zeros(4)]
    with pytest.raises(ValueError, match=r"X\[2\] has shape \(4,\) and X\[0\] has \(3,\)"):
        room.as_unlabelled(Items(x)).batch(torch.arange(3))


def test_scores_are_those_of_the_same_data_in_memory_and_each_sample_is_read_once_a_pass(tmp_path, monkeypatch):
    scores = []
    for name, n_bytes, workers in (("in memory", 2**30, 0), ("read", 0, 0), ("read ahead", 0, 1)):
        monkeypatch.setattr(room, "RESIDENT_BYTES", n_bytes)
        reading = {f"iterator_{when}__num_workers": workers for when in ("train", "valid")}
        net = quick_net(batch_size=16, iterator_train=DataLoader, iterator_train__shuffle=True, **reading)
        detector = CurvatureNoiseDetector(net, every=1, max_epochs=2, device="cpu", random_state=0)
        # labels beside it take the place of its own
        scores.append(detector.fit(Counted(tmp_path / name), Y[::-1].copy()).scores_)
        readers = (tmp_path / name).read_text().split()
        mine = readers.count(str(os.getpid()))
        if n_bytes == 0:
            # for the rows, the deviations of the columns, two epochs, twice scored, once in the end; beforehand a few,
            # and those of the first pass
            assert 6 * N <= len(readers) <= 7 * N + 200
            # with workers itself those of the columns, and the few
            assert (mine < 4 * N) is (workers == 1)
    for other in scores[1:]:
        np.testing.assert_array_equal(other, scores[0])


@pytest.mark.usefixtures("nothing_fits")
def test_rows_are_found_again_without_reading_the_dataset_or_by_reading_it_once(tmp_path):
    dataset = Listed()
    detector = LossDetector(quick_net(), max_epochs=1, device="cpu", random_state=0, keep_snapshots=1).fit(dataset)
    read = dataset.reads
    np.testing.assert_array_equal(detector.score_samples(dataset), detector.scores_)
    np.testing.assert_array_equal(detector.score_samples(Subset(dataset, [7, 3])), detector.scores_[[7, 3]])
    assert dataset.reads == read
    np.testing.assert_array_equal(detector.score_samples(dataset, Y), detector.scores_)
    read = dataset.reads
    assert np.isfinite(detector.score_samples(Listed(X + 1), Y)).all()
    np.testing.assert_array_equal(detector.score_samples(torch.from_numpy(X[::-1].copy())), detector.scores_[::-1])
    assert read + N <= dataset.reads <= read + N + 5
    again = LossDetector(quick_net(), max_epochs=1, device="cpu", random_state=0).fit(Listed())
    save(again, tmp_path / "kept")
    for other in (pickle.loads(pickle.dumps(again)), load(tmp_path / "kept", net=again.net)):
        np.testing.assert_array_equal(other.score_samples(), again.scores_)
        with pytest.raises(ValueError, match=r"too large to be read as a whole"):
            other.score_samples(torch.from_numpy(X))


@pytest.mark.usefixtures("nothing_fits")
def test_checkpoints_are_taken_up_and_refused_by_what_is_known_of_the_data(tmp_path):
    def fit(dataset):
        detector = LossDetector(quick_net(), max_epochs=1, device="cpu", random_state=0, checkpoint_dir=tmp_path)
        return detector.fit(dataset).scores_

    np.testing.assert_array_equal(fit(Listed()), fit(Listed()))
    with pytest.raises(ValueError, match=r"other data \(X changed\)"):
        fit(Listed(X + 1))


KINDS = {
    "numpy strings": list(np.array(["b", "a", "b", "a"])),
    "numpy dates": list(np.array(["2020-01-02", "2020-01-01"] * 2, dtype="datetime64[D]")),
    "tensors": [torch.tensor(1), torch.tensor(0), torch.tensor(1), torch.tensor(0)],
}


@pytest.mark.parametrize("labels", KINDS.values(), ids=KINDS)
def test_workers_read_the_same_as_this_process(labels):
    dataset = Items(zip(torch.arange(8.0).reshape(4, 2), labels, strict=True))
    with untouched_rng():
        (x, y, first), (again, their, other) = (read_dataset(dataset, None, 1000, workers) for workers in (0, 2))
    assert torch.equal(x.tensor, again.tensor)
    assert y.dtype == their.dtype
    assert y.tolist() == their.tolist()
    assert first.tolist() == other.tolist() == [0, 1]


SIX = torch.arange(24.0).reshape(6, 4)
NAMES = np.array(["b", "a", "c", "c", "a", "b"])
SCORED = Items(zip(SIX, NAMES.tolist(), strict=True))
#: The same samples, a hundred higher; its labels are of no interest.
TRAINED = Items((x + 100, None) for x in SIX)
ALL = torch.arange(6)


class Noisy(RandomItems):
    """Random, and as long and as wide as the rest here."""

    def __len__(self):
        return 6

    def __getitem__(self, index):
        return SIX[index] + 100 + torch.rand(4), None


VARIANTS = {
    "whole": (lambda s: s, range(6)),
    "whole on a device": (lambda s: s.to(torch.device("cpu")), range(6)),
    "part": (lambda s: s.only(torch.tensor([5, 2, 3])), [5, 2, 3]),
    "part of a part": (lambda s: s.only(torch.tensor([0, 5, 2, 3])).only(torch.tensor([1, 2, 3])), [5, 2, 3]),
    "part on a device": (lambda s: s.only(torch.tensor([5, 2, 3])).to(torch.device("cpu")), [5, 2, 3]),
    "subset of a subset": (
        lambda _: as_samples(Subset(Subset(TwoViews(SCORED, TRAINED), [4, 1, 2, 0]), [3, 1, 2])),
        [0, 1, 2],
    ),
}


@pytest.mark.parametrize(("make", "index"), VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("n_bytes", [2**30, 0], ids=["in memory", "read as asked for"])
def test_one_view_is_scored_and_the_other_trained_on_under_the_same_labels(monkeypatch, make, index, n_bytes):
    monkeypatch.setattr(room, "RESIDENT_BYTES", n_bytes)
    samples = make(as_samples(TwoViews(SCORED, TRAINED)))
    trained, index = samples.trained, list(index)
    every = torch.arange(len(index))
    assert torch.equal(samples.batch(every), SIX[index])
    assert torch.equal(trained.batch(every), SIX[index] + 100)
    assert torch.equal(trained[1][0], SIX[index[1]] + 100)
    assert torch.equal(trained.labels, samples.labels)
    assert trained.classes[trained.labels].tolist() == NAMES[index].tolist()
    assert trained.shape == samples.shape
    twin = replace(samples, labels=torch.zeros(len(index), dtype=torch.int64))
    assert twin.trained.labels.tolist() == [0] * len(index) != samples.trained.labels.tolist()


def test_only_the_scored_view_must_be_the_same_every_time():
    with warnings.catch_warnings(), untouched_rng():
        warnings.simplefilter("error")
        samples = as_samples(TwoViews(SCORED, Noisy()))
    assert not torch.equal(samples.trained.batch(ALL), samples.trained.batch(ALL))
    with pytest.warns(UserWarning, match=r"random transform.*TwoViews\(clean, with_transform\)"):
        as_samples(TwoViews(Noisy(), SCORED), NAMES)
    for other in (SIX.numpy(), SCORED, Subset(SCORED, range(6))):
        samples = as_samples(other, NAMES)
        assert samples.trained is samples

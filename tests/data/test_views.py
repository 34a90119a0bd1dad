"""A dataset in two views: scored as one, trained on as the other."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest
import torch
from torch.utils.data import Subset, TensorDataset

from curvdetect import TwoViews
from curvdetect.data import sources
from curvdetect.data.items import read_item
from curvdetect.data.sources import LazySamples, Part, ResidentSamples, as_samples
from tests.cases import Items, RandomItems, untouched_rng

X = torch.arange(24.0).reshape(6, 4)
LABELS = np.array(["b", "a", "c", "c", "a", "b"])
SCORED = Items(zip(X, LABELS.tolist(), strict=True))
#: The same samples, a hundred higher; its labels are of no interest.
TRAINED = Items((x + 100, None) for x in X)
ALL = torch.arange(6)


class Noisy(RandomItems):
    """Random, and as long and as wide as the rest here."""

    def __len__(self):
        return 6

    def __getitem__(self, index):
        return X[index] + 100 + torch.rand(4), None


@pytest.fixture(params=["in memory", "read as asked for"])
def samples(request, monkeypatch):
    if request.param != "in memory":
        monkeypatch.setattr(sources, "RESIDENT_BYTES", 0)
    made = as_samples(TwoViews(SCORED, TRAINED))
    assert isinstance(made, ResidentSamples if request.param == "in memory" else LazySamples)
    return made


def test_by_index_it_is_the_scored_view():
    both = TwoViews(SCORED, TRAINED)
    assert len(both) == 6
    assert torch.equal(both[3][0], X[3])
    assert both[3][1] == "c"


def test_one_view_is_scored_and_the_other_trained_on_under_the_same_labels(samples):
    assert torch.equal(samples.batch(ALL), X)
    trained = samples.trained
    assert torch.equal(trained.batch(ALL), X + 100)
    assert torch.equal(trained.labels, samples.labels)
    assert trained.classes.tolist() == ["a", "b", "c"]
    assert len(trained) == 6
    assert trained.shape == samples.shape
    assert torch.equal(trained[2][0], X[2] + 100)


def test_labels_that_are_changed_later_are_trained_on(samples):
    twin = copy.copy(samples)
    twin.labels = torch.zeros(6, dtype=torch.int64)
    assert twin.trained.labels.tolist() == [0] * 6
    assert twin.trained.classes.tolist() == ["a", "b", "c"]
    assert samples.trained.labels.tolist() == [1, 0, 2, 2, 0, 1]


PARTS = {
    "part": lambda s: Part(s, torch.tensor([5, 2, 3])),
    "part of a part": lambda s: Part(Part(s, torch.tensor([0, 5, 2, 3])), torch.tensor([1, 2, 3])),
    "part on a device": lambda s: Part(s, torch.tensor([5, 2, 3])).to(torch.device("cpu")),
    "whole on a device": lambda s: s.to(torch.device("cpu")),
}


@pytest.mark.parametrize("make", PARTS.values(), ids=PARTS)
def test_parts_keep_both_views(samples, make):
    part = make(samples)
    index = [5, 2, 3] if len(part) == 3 else list(range(6))
    every = torch.arange(len(index))
    assert torch.equal(part.batch(every), X[index])
    assert torch.equal(part.trained.batch(every), X[index] + 100)
    assert torch.equal(part.trained.labels, samples.labels[index])


def test_a_copy_of_some_keeps_both_views():
    part = as_samples(TwoViews(SCORED, TRAINED)).only(torch.tensor([5, 2, 3]))
    assert torch.equal(part.batch(torch.arange(3)), X[[5, 2, 3]])
    assert torch.equal(part.trained.batch(torch.arange(3)), X[[5, 2, 3]] + 100)


def test_a_subset_of_two_views_has_two():
    samples = as_samples(Subset(Subset(TwoViews(SCORED, TRAINED), [4, 1, 2, 0]), [3, 1, 2]))
    assert torch.equal(samples.batch(torch.arange(3)), X[[0, 1, 2]])
    assert torch.equal(samples.trained.batch(torch.arange(3)), X[[0, 1, 2]] + 100)
    assert samples.classes[samples.labels].tolist() == ["b", "a", "c"]


@pytest.mark.parametrize("data", [X.numpy(), SCORED, Subset(SCORED, range(6))], ids=["array", "dataset", "subset"])
def test_anything_else_is_trained_on_as_it_is_scored(data):
    samples = as_samples(data, LABELS)
    assert samples.trained is samples
    part = Part(samples, torch.tensor([1]))
    assert part.trained is part


def test_only_the_scored_view_must_be_the_same_every_time():
    with warnings.catch_warnings(), untouched_rng():
        warnings.simplefilter("error")
        samples = as_samples(TwoViews(SCORED, Noisy()))
    assert not torch.equal(samples.trained.batch(ALL), samples.trained.batch(ALL))
    with pytest.warns(UserWarning, match=r"random transform.*TwoViews\(clean, with_transform\)"):
        as_samples(TwoViews(Noisy(), SCORED), LABELS)


def test_views_of_different_length_or_shape_are_refused():
    with pytest.raises(ValueError, match="scored has 6 samples and trained 5"):
        TwoViews(SCORED, Subset(TRAINED, range(5)))
    with pytest.raises(ValueError, match=r"trained on in shape \(3,\) and scored in \(4,\)"):
        as_samples(TwoViews(SCORED, TensorDataset(X[:, :3])))


def test_a_file_that_cannot_be_read_is_named_through_both_wrappers():
    class Folder(Items):
        samples = [("first.png", 0), ("second.png", 0)]  # noqa: RUF012 - as torchvision has it

        def __getitem__(self, index):
            raise OSError("torn")

    folder = Folder([0, 1])
    with pytest.raises(ValueError, match=r"X\[0\], second.png, can't be read"):
        read_item(Subset(TwoViews(folder, folder), [1]), 0)

"""Arrays and datasets become indexed samples, which never change and are read in chunks."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import torch
from torch.utils.data import Subset, TensorDataset

from curvdetect.data import samples as room
from curvdetect.data.samples import DatasetInputs, HeldInputs, Samples, as_samples
from tests.cases import Items, RandomItems, untouched_rng

RNG = np.random.default_rng(0)
FLAT = RNG.standard_normal((6, 4))
BYTES = RNG.integers(0, 256, (6, 3, 5, 4), dtype=np.uint8)
LABELS = np.array([2, 0, 1, 1, 0, 2])
ALL = torch.arange(6)
X_TENSOR = torch.from_numpy(FLAT)
TENSORS = TensorDataset(X_TENSOR, torch.from_numpy(LABELS))
WHOLE = (FLAT * 100).astype(np.int64)
#: What is passed, and the inputs, the labels and whether these are whole numbers other than pixels that are read.
DATA = {
    "float32": ((FLAT.astype(np.float32), LABELS), FLAT, LABELS, False),
    "int64": ((WHOLE, LABELS), WHOLE, LABELS, True),
    "uint8 table": ((BYTES[:, 0, 0], LABELS), BYTES[:, 0, 0], LABELS, True),
    "uint8 grey pictures": ((BYTES[:, 0], LABELS), BYTES[:, 0] / 255, LABELS, False),
    "uint8 pictures": ((BYTES, LABELS), BYTES / 255, LABELS, False),
    "float pictures": ((BYTES / 7, LABELS), BYTES / 7, LABELS, False),
    "TensorDataset": ((TENSORS,), FLAT, LABELS, False),
    "Subset": ((Subset(TENSORS, [4, 1, 2]),), FLAT[[4, 1, 2]], LABELS[[4, 1, 2]], False),
    "labels beside": ((TENSORS, LABELS[::-1]), FLAT, LABELS[::-1], False),
    "no labels of its own": ((Items(X_TENSOR), LABELS), FLAT, LABELS, False),
    "strings": ((Items(zip(FLAT, "cabbac", strict=True)),), FLAT, np.array(list("cabbac")), False),
    "lists": ((Items([x, int(y)] for x, y in zip(X_TENSOR, LABELS, strict=True)),), FLAT, LABELS, False),
    "x in a tuple": ((Items(((x,), y) for x, y in zip(X_TENSOR, LABELS, strict=True)),), FLAT, LABELS, False),
    "more than x and y": ((Items((x, y, 0) for x, y in zip(X_TENSOR, LABELS, strict=True)),), FLAT, LABELS, False),
    "bytes of pictures": ((Items(zip(BYTES, LABELS, strict=True)),), BYTES / 255, LABELS, False),
}


@pytest.mark.parametrize(("data", "x", "y", "integral"), DATA.values(), ids=DATA)
@pytest.mark.parametrize("fits", [True, False], ids=["fits", "too large"])
def test_data_is_read_as_float32_and_only_pictures_of_bytes_are_scaled(monkeypatch, data, x, y, integral, fits):
    monkeypatch.setattr(room, "RESIDENT_BYTES", 2**30 if fits else 0)
    samples, every = as_samples(*data), torch.arange(len(y))
    read = samples.batch(every)
    held = fits or isinstance(data[0], np.ndarray)
    assert isinstance(samples.inputs, HeldInputs if held else DatasetInputs)
    assert (read.dtype, samples.shape, len(samples)) == (torch.float32, x.shape[1:], len(y))
    np.testing.assert_allclose(read.numpy(), x, rtol=1e-6)
    np.testing.assert_array_equal(samples.classes[samples.labels], y)
    assert samples.integral is integral


def test_a_random_transform_warns_and_is_left_to_be_read_anew_each_time():
    with pytest.warns(UserWarning, match=r"random transform.*augment=True") as caught, untouched_rng():
        samples = as_samples(RandomItems())
    assert caught[0].filename == __file__
    assert isinstance(samples.inputs, DatasetInputs)
    assert samples.labels.tolist() == [0, 1] * 10
    first = samples.batch(torch.tensor([4, 9]))
    assert first.shape == (2, 3)
    assert not torch.equal(first, samples.batch(torch.tensor([4, 9])))


@pytest.mark.parametrize("kind", ["float32", "float64", "uint8", "TensorDataset"])
def test_later_changes_of_the_callers_data_do_not_reach_the_samples(kind):
    X = (BYTES if kind == "uint8" else FLAT).astype("float32" if kind == "TensorDataset" else kind)
    tensors = torch.from_numpy(X), torch.from_numpy(LABELS.copy())
    samples = as_samples(TensorDataset(*tensors)) if kind == "TensorDataset" else as_samples(X, LABELS)
    before = samples.batch(ALL)
    X[:] = 0
    tensors[1][:] = 0
    assert torch.equal(samples.batch(ALL), before)
    assert before.abs().sum() > 0
    assert samples.labels.tolist() == LABELS.tolist()
    with pytest.raises(FrozenInstanceError):
        samples.labels = samples.labels[:3]


def test_a_part_is_numbered_anew_and_keeps_classes_it_holds_no_sample_of():
    whole = as_samples(FLAT, np.array(["b", "a", "c", "c", "a", "b"]))
    part = whole.only(torch.tensor([5, 2, 3]))
    assert len(part) == len(part.inputs) == 3
    assert part.shape == whole.shape
    assert part.classes.tolist() == ["a", "b", "c"]
    assert part.labels.tolist() == [1, 2, 2]
    assert torch.equal(part.batch(torch.tensor([1, 0])), whole.batch(torch.tensor([2, 5])))
    assert part[2][1] == 2
    inner = part.only(torch.tensor([2]))
    assert torch.equal(inner.batch(torch.tensor([0])), whole.batch(torch.tensor([3])))


@pytest.mark.parametrize("make", [lambda s: s, lambda s: s.only(torch.tensor([3, 1]))], ids=["whole", "part"])
def test_samples_are_moved_to_a_device_as_another_object(make, device):
    samples = make(as_samples(BYTES, LABELS))
    moved = samples.to(device)
    index = torch.tensor([1, 0])
    assert moved.batch(index).device.type == moved.device.type == device.type
    assert samples.batch(index).device.type == "cpu"
    assert moved.labels.device.type == "cpu"
    torch.testing.assert_close(moved.batch(index).cpu(), samples.batch(index))


def test_samples_too_large_for_a_device_stay_where_they_are(monkeypatch):
    samples = as_samples(FLAT, LABELS)
    monkeypatch.setattr("curvdetect.data.inputs.RESIDENT_BYTES", samples.inputs.tensor.nbytes - 1)
    assert samples.to(torch.device("cpu")).inputs is samples.inputs


NINE = np.arange(9.0)[:, None] + np.array([0.0, 0.25])


@pytest.mark.parametrize(("n_bytes", "sizes"), [(1, [1] * 9), (16, [2, 2, 2, 2, 1]), (10**6, [9])])
def test_chunks_hold_so_many_bytes_and_one_sample_at_least(n_bytes, sizes, monkeypatch):
    lazily = Samples.of(DatasetInputs(Items(torch.from_numpy(NINE).float())), np.arange(9) % 3)
    assert [len(x) for x in lazily.in_chunks(n_bytes)] == sizes
    monkeypatch.setattr(room, "by_workers", lambda *args: pytest.fail("what is in memory needs no worker"))
    in_memory = as_samples(NINE, np.arange(9) % 3, n_workers=2)
    assert torch.equal(torch.cat(list(in_memory.in_chunks(n_bytes))), torch.from_numpy(NINE).float())

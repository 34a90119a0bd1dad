"""Arrays and datasets become indexed samples, or are refused with a way out."""

from __future__ import annotations

import struct
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader, IterableDataset, Subset, TensorDataset
from torchvision.datasets import MNIST, FakeData
from torchvision.transforms import ToTensor

from curvdetect.data import sources
from curvdetect.data.items import is_dataset
from curvdetect.data.sources import LazySamples, Part, ResidentSamples, as_samples
from tests.cases import Items, RandomItems, untouched_rng

RNG = np.random.default_rng(0)
FLAT = RNG.standard_normal((6, 4))
BYTES = RNG.integers(0, 256, (6, 3, 5, 4), dtype=np.uint8)
LABELS = np.array([2, 0, 1, 1, 0, 2])
ALL = torch.arange(6)

ARRAYS = {
    "float32": (FLAT.astype(np.float32), FLAT),
    "float64": (FLAT, FLAT),
    "int64": ((FLAT * 100).astype(np.int64), (FLAT * 100).astype(np.int64)),
    "uint8 table": (BYTES[:, 0, 0], BYTES[:, 0, 0]),
    "uint8 grey pictures": (BYTES[:, 0], BYTES[:, 0] / 255),
    "uint8 pictures": (BYTES, BYTES / 255),
    "float pictures": (BYTES / 7, BYTES / 7),
}

X_TENSOR = torch.from_numpy(FLAT)
DATASETS = {
    "TensorDataset": (TensorDataset(X_TENSOR, torch.from_numpy(LABELS)), FLAT, LABELS),
    "Subset": (
        Subset(TensorDataset(X_TENSOR, torch.from_numpy(LABELS)), [4, 1, 2]),
        FLAT[[4, 1, 2]],
        LABELS[[4, 1, 2]],
    ),
    "numpy items": (Items(zip(FLAT, LABELS, strict=True)), FLAT, LABELS),
    "lists": (Items([x, int(y)] for x, y in zip(X_TENSOR, LABELS, strict=True)), FLAT, LABELS),
    "x in a tuple": (Items(((x,), y) for x, y in zip(X_TENSOR, LABELS, strict=True)), FLAT, LABELS),
    "more than x and y": (Items((x, y, "extra") for x, y in zip(X_TENSOR, LABELS, strict=True)), FLAT, LABELS),
    "bytes of pictures": (Items(zip(BYTES, LABELS, strict=True)), BYTES / 255, LABELS),
    "bytes of a table": (Items(zip(BYTES[:, 0, 0], LABELS, strict=True)), BYTES[:, 0, 0], LABELS),
}


@pytest.mark.parametrize(("X", "expected"), list(ARRAYS.values()), ids=list(ARRAYS))
def test_arrays_are_read_as_float32_and_only_pictures_of_bytes_are_scaled(X, expected):
    samples = as_samples(X, LABELS)
    read = samples.batch(ALL)
    assert isinstance(samples, ResidentSamples)
    assert read.dtype == torch.float32
    assert samples.shape == X.shape[1:]
    np.testing.assert_allclose(read.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize(("dataset", "X", "y"), list(DATASETS.values()), ids=list(DATASETS))
def test_datasets_are_read_into_memory_with_the_labels_they_carry(dataset, X, y):
    samples = as_samples(dataset)
    assert isinstance(samples, ResidentSamples)
    assert len(samples) == len(y)
    np.testing.assert_allclose(samples.batch(torch.arange(len(y))).numpy(), X, rtol=1e-6)
    np.testing.assert_array_equal(samples.classes[samples.labels], y)


def write_mnist(root, pictures, labels):
    """Write the four raw files of MNIST in the IDX format."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train", "t10k"):
        for name, array in (("images-idx3", pictures), ("labels-idx1", labels)):
            header = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
            (raw / f"{part}-{name}-ubyte").write_bytes(header + array.tobytes())


def test_torchvisions_mnist_is_read_from_its_raw_files(tmp_path):
    pictures = RNG.integers(0, 256, (5, 28, 28), dtype=np.uint8)
    labels = np.array([7, 3, 9, 3, 0], dtype=np.uint8)
    write_mnist(tmp_path, pictures, labels)
    samples = as_samples(MNIST(tmp_path, train=True, transform=ToTensor(), download=False))
    assert samples.shape == (1, 28, 28)
    assert samples.classes.tolist() == [0, 3, 7, 9]
    assert samples.labels.tolist() == [2, 1, 3, 1, 0]
    np.testing.assert_allclose(samples.batch(torch.arange(5)).numpy()[:, 0], pictures / 255, rtol=1e-6)


def test_torchvisions_fake_data_is_read_as_it_yields():
    dataset = FakeData(size=6, image_size=(3, 8, 8), num_classes=4, transform=ToTensor())
    samples = as_samples(dataset)
    for i in range(6):
        x, y = samples[i]
        assert torch.equal(x, dataset[i][0])
        assert samples.classes[y] == int(dataset[i][1])


@pytest.mark.parametrize(
    ("given", "classes", "codes"),
    [
        (["dog", "cat", "emu", "emu", "cat", "dog"], ["cat", "dog", "emu"], [1, 0, 2, 2, 0, 1]),
        ([-100, 7, 7, 7, 7, 7], [-100, 7], [0, 1, 1, 1, 1, 1]),
        ([True, False, True, True, True, True], [False, True], [1, 0, 1, 1, 1, 1]),
        ([2.5, 0.5, 0.5, 0.5, 0.5, 0.5], [0.5, 2.5], [1, 0, 0, 0, 0, 0]),
    ],
    ids=["strings", "negative", "bool", "float"],
)
@pytest.mark.parametrize("X", [FLAT, DATASETS["TensorDataset"][0]], ids=["array", "dataset"])
def test_labels_of_any_kind_are_encoded_and_go_before_those_of_a_dataset(X, given, classes, codes):
    samples = as_samples(X, given)
    assert samples.classes.tolist() == classes
    assert samples.labels.dtype == torch.int64
    assert samples.labels.tolist() == codes


def test_string_labels_of_a_dataset_are_kept():
    samples = as_samples(Items(zip(FLAT, "cabbac", strict=True)))
    assert samples.classes.tolist() == ["a", "b", "c"]
    assert samples.labels.tolist() == [2, 0, 1, 1, 0, 2]


def test_a_dataset_without_labels_takes_them_beside_it():
    assert as_samples(Items(X_TENSOR), LABELS).labels.tolist() == LABELS.tolist()


def _with(position, value, n=40, dtype=None):
    X = torch.zeros(n, 3, dtype=dtype)
    X[position, 1] = value
    return TensorDataset(X, torch.arange(n) % 2)


REFUSED = {
    "rows of other lengths": (Items([(torch.ones(2 + i % 2), i) for i in range(4)]), None, r"\(3,\).*add a padding to"),
    "words": (Items([("cat", 1)] * 4), None, r"X\[0\] yields a builtins.str.*Give the dataset a transform"),
    "unequal shapes": (Items([(torch.zeros(n, 8), n) for n in (8, 9)]), None, r"X\[1\] has shape \(9, 8\).*Resize"),
    "unequal channels": (
        Items([(torch.zeros(1, 8, 8), 0), (torch.zeros(3, 8, 8), 1)]),
        None,
        r"X\[1\] has shape \(3, 8, 8\) and X\[0\] has \(1, 8, 8\).*Grayscale",
    ),
    "unequal kinds": (
        Items([(torch.zeros(3, dtype=torch.int64), 0), (torch.ones(3), 1)]),
        None,
        r"X\[1\] has dtype torch.float32 and X\[0\] has torch.int64",
    ),
    "no number": (Items([(torch.zeros(3, 0), 0)] * 2), None, r"X has samples of shape \(3, 0\)"),
    "too large": (_with(5, 1e39, dtype=torch.float64), None, r"X\[5\] contains .*too large"),
    "NaN early": (_with(3, torch.nan), None, r"X\[3\] contains NaN"),
    "NaN late": (_with(37, torch.nan), None, r"X\[37\] contains NaN"),
    "infinity": (_with(20, -torch.inf), None, r"X\[20\] contains NaN or infinity"),
    "complex": (Items([(torch.zeros(3, dtype=torch.complex64), 0)] * 2), None, r"X\[0\] is complex"),
    "empty": (Items([]), None, "X is an empty dataset"),
    "no labels": (Items(X_TENSOR), None, "requires y to be passed.*yields no labels"),
    "fewer labels than items": (TensorDataset(X_TENSOR, torch.from_numpy(LABELS)), LABELS[:4], r"y .*\b4\b"),
    "more labels than items": (TensorDataset(X_TENSOR, torch.from_numpy(LABELS)), [*LABELS, 1], r"y .*\b7\b"),
}


@pytest.mark.parametrize(("X", "y", "message"), list(REFUSED.values()), ids=list(REFUSED))
def test_datasets_that_cannot_be_learned_from_are_refused_with_a_reason(X, y, message):
    with pytest.raises(ValueError, match=message):
        as_samples(X, y)


class Stream(IterableDataset):
    def __iter__(self):
        yield from zip(FLAT, LABELS, strict=True)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (Stream(), "IterableDataset.*map-style Dataset"),
        (DataLoader(DATASETS["TensorDataset"][0]), r"Pass its dataset \(`loader.dataset`\)"),
    ],
    ids=["IterableDataset", "DataLoader"],
)
@pytest.mark.parametrize("function", [as_samples, is_dataset])
def test_what_has_no_index_is_a_type_error_that_says_what_to_pass(X, message, function):
    with pytest.raises(TypeError, match=message):
        function(X)


def test_a_random_transform_warns_and_is_left_to_be_read_anew_each_time():
    with pytest.warns(UserWarning, match=r"random transform.*augment=True"):
        samples = as_samples(RandomItems())
    assert isinstance(samples, LazySamples)
    assert samples.shape == (3,)
    assert samples.labels.tolist() == [0, 1] * 10
    first = samples.batch(torch.tensor([4, 9]))
    assert first.shape == (2, 3)
    assert not torch.equal(first, samples.batch(torch.tensor([4, 9])))


def test_a_dataset_too_large_for_memory_is_read_lazily_with_the_same_values(monkeypatch):
    dataset, X, y = DATASETS["bytes of pictures"]
    monkeypatch.setattr(sources, "RESIDENT_BYTES", 5 * X[0].size)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        samples = as_samples(dataset)
    assert isinstance(samples, LazySamples)
    assert samples.to(torch.device("cpu")) is samples
    np.testing.assert_allclose(samples.batch(torch.tensor([5, 0])).numpy(), X[[5, 0]], rtol=1e-6)
    assert samples.labels.tolist() == y.tolist()


@pytest.mark.parametrize(
    "X", [FLAT, DATASETS["TensorDataset"][0], RandomItems()], ids=["array", "dataset", "random transform"]
)
@pytest.mark.filterwarnings("ignore:X yields another input")
def test_reading_leaves_the_global_generators_alone(X):
    y = LABELS if X is FLAT else None
    with untouched_rng():
        as_samples(X, y)


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


@given(index=st.lists(st.integers(0, 5), min_size=1, max_size=12))
def test_samples_are_read_alike_one_by_one_as_a_list_and_as_a_batch(index):
    samples = as_samples(FLAT, LABELS)
    batch = samples.batch(torch.tensor(index))
    listed = samples.__getitems__(index)
    assert torch.equal(batch, torch.from_numpy(FLAT[index]).float())
    for i, row, (x, y) in zip(index, batch, listed, strict=True):
        assert torch.equal(x, row)
        assert torch.equal(samples[i][0], row)
        assert y == samples[i][1] == LABELS[i]


def test_a_part_is_numbered_anew_and_keeps_classes_it_holds_no_sample_of():
    whole = as_samples(FLAT, np.array(["b", "a", "c", "c", "a", "b"]))
    part = Part(whole, torch.tensor([5, 2, 3]))
    assert len(part) == 3
    assert part.shape == whole.shape
    assert part.classes.tolist() == ["a", "b", "c"]
    assert part.labels.tolist() == [1, 2, 2]
    assert torch.equal(part.batch(torch.tensor([1, 0])), whole.batch(torch.tensor([2, 5])))
    assert part[2][1] == 2
    inner = Part(part, torch.tensor([2]))
    assert torch.equal(inner.batch(torch.tensor([0])), whole.batch(torch.tensor([3])))


@pytest.mark.parametrize("make", [lambda s: s, lambda s: Part(s, torch.tensor([3, 1]))], ids=["whole", "part"])
def test_samples_are_moved_to_a_device_as_another_object(make, device):
    samples = make(as_samples(BYTES, LABELS))
    moved = samples.to(device)
    index = torch.tensor([1, 0])
    assert moved.batch(index).device.type == device.type
    assert samples.batch(index).device.type == "cpu"
    assert moved.labels.device.type == "cpu"
    torch.testing.assert_close(moved.batch(index).cpu(), samples.batch(index))


def test_samples_too_large_for_a_device_stay_where_they_are(monkeypatch):
    samples = as_samples(FLAT, LABELS)
    monkeypatch.setattr(sources, "RESIDENT_BYTES", samples.inputs.nbytes - 1)
    assert samples.to(torch.device("cpu")) is samples

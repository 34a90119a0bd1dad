"""Arrays in a file are read through their map: the same numbers, in little memory, and never copied whole."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from curvdetect import ConfidentLearningDetector, CurvatureNoiseDetector, LossDetector, SSFTDetector
from curvdetect.data import inputs
from curvdetect.data import samples as room
from curvdetect.data.inputs import HeldInputs, MappedInputs, is_mapped
from curvdetect.data.samples import as_samples
from tests.cases import digits, quick_net

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("error:The given NumPy array is not writable"),
]
N = 60
X, Y = digits(N)
BYTES = (X * 255).astype(np.uint8)


@pytest.fixture
def on_file(tmp_path):
    def write(array, mode="r"):
        np.save(tmp_path / "X.npy", array)
        return np.load(tmp_path / "X.npy", mmap_mode=mode)

    return write


VIEWS = {
    "float32": (X, lambda m: m),
    "float64": (X.astype(np.float64), lambda m: m),
    "booleans": (np.random.default_rng(0).random((N, 64)) > 0.5, lambda m: m),
    "bytes": (BYTES, lambda m: m),
    "big_endian": (X.astype(">f4"), lambda m: m),
    "slice": (np.concatenate([X, X]), lambda m: m[:N]),
    "backwards": (X[::-1], lambda m: m[::-1]),
    "columns": (np.concatenate([X, X], axis=1), lambda m: m[:, :64]),
    "pictures": (BYTES, lambda m: m.reshape(N, 1, 8, 8)),
    "channels_moved": (BYTES.reshape(N, 8, 8, 1), lambda m: np.moveaxis(m, 3, 1)),
    "transposed": (X.T, lambda m: m.T),
}


@pytest.mark.parametrize(("array", "view"), VIEWS.values(), ids=VIEWS)
@pytest.mark.parametrize("mode", ["r", "c"])
def test_every_view_is_read_through_the_map_and_by_another_process(on_file, monkeypatch, array, view, mode):
    monkeypatch.setattr(inputs, "HELD_BYTES", 1000)  # so little that pages are given back all the time
    data, order = view(on_file(array, mode)), torch.arange(N).flip(0)
    samples = as_samples(data, Y)
    assert np.shares_memory(samples.inputs.array, data)
    assert torch.equal(samples.batch(order), as_samples(np.array(data), Y).batch(order))
    if mode == "r":
        sent = pickle.dumps(samples.inputs)
        again = pickle.loads(sent)
        assert len(sent) < 1000
        assert is_mapped(again.array)
        assert torch.equal(again.read(order), samples.inputs.read(order))


FITTED = {
    "curvature": (CurvatureNoiseDetector(quick_net(), max_epochs=1), "float64"),
    "pictures": (LossDetector(max_epochs=1), "pictures"),
    "transposed": (LossDetector(quick_net(), max_epochs=1), "transposed"),
    "halves": (SSFTDetector(quick_net(n_classes=2), max_epochs=1), "float32"),
    "folds": (ConfidentLearningDetector(quick_net(n_classes=2), cv=2, max_epochs=1), "float32"),
}


@pytest.mark.parametrize(("detector", "name"), FITTED.values(), ids=FITTED)
def test_a_file_is_fitted_as_it_is_in_memory(on_file, device, detector, name):
    array, view = VIEWS[name]
    data, labels = view(on_file(array, "r+")), Y % 2 if "net" in str(detector) else Y
    detector.set_params(device=str(device), random_state=0)
    in_memory = detector.fit(np.array(data), labels).scores_.copy()
    np.testing.assert_allclose(detector.fit(data, labels).scores_, in_memory, rtol=0 if device.type == "cpu" else 1e-5)
    assert np.array_equal(detector.score_samples(data[::-1]), detector.scores_[::-1])
    assert np.array_equal(detector.score_samples(np.array(data)[::-1]), detector.scores_[::-1])


@pytest.mark.parametrize("small", [True, False], ids=["small", "large"])
def test_rows_that_lie_all_over_the_file_are_gathered(tmp_path, monkeypatch, small):
    # 70 kB between the two values of a row
    array = np.random.default_rng(0).standard_normal((9000, 2))
    np.save(tmp_path / "X.npy", np.asfortranarray(array))
    data = np.load(tmp_path / "X.npy", mmap_mode="r")
    if not small:
        monkeypatch.setattr(room, "GATHERED_BYTES", 0)
    samples = as_samples(data, np.arange(9000) % 2)
    assert isinstance(samples.inputs, HeldInputs) is small
    index = torch.tensor([8999, 0, 17])
    assert np.array_equal(samples.batch(index).numpy(), array.astype(np.float32)[index])


def test_what_was_written_to_a_private_map_is_kept_when_its_pages_could_be_given_back(on_file):
    data = on_file(X, "c")
    data[3] = 7
    rows = MappedInputs(data)
    rows.give_back()
    assert (rows.read(torch.tensor([3])) == 7).all()
    assert (pickle.loads(pickle.dumps(rows)).read(torch.tensor([3])) == 7).all()

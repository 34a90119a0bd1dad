"""A dataset is read once before anything is trained, by processes of their own where there are any."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from curvdetect import CurvatureNoiseDetector
from curvdetect.data import sources
from curvdetect.data.reading import read_dataset
from tests.cases import Items, digits, quick_net, untouched_rng

LABELS = {
    "integers": [2, 0, 1, 1],
    "strings": ["b", "a", "b", "a"],
    "numpy strings": list(np.array(["b", "a", "b", "a"])),
    "numpy dates": list(np.array(["2020-01-02", "2020-01-01"] * 2, dtype="datetime64[D]")),
    "tensors": [torch.tensor(1), torch.tensor(0), torch.tensor(1), torch.tensor(0)],
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_workers_read_the_same_as_this_process(labels):
    dataset = Items(zip(torch.arange(8.0).reshape(4, 2), labels, strict=True))
    with untouched_rng():
        (x, y, first, _), (again, their, other, _) = (read_dataset(dataset, None, 1000, workers) for workers in (0, 2))
    assert torch.equal(x, again)
    assert y.dtype == their.dtype
    assert y.tolist() == their.tolist()
    assert first.tolist() == other.tolist() == [0, 1]


@pytest.mark.parametrize("workers", [0, 1])
def test_what_a_worker_could_not_read_is_named(workers):
    with pytest.raises(ValueError, match=r"X\[2\] has shape \(3,\) and X\[0\] has \(2,\)"):
        read_dataset(Items([(torch.ones(2), 0), (torch.ones(2), 1), (torch.ones(3), 0)]), None, 0, workers)

    class Torn(Items):
        def __getitem__(self, index):
            if index == 1:
                raise OSError("torn")
            return super().__getitem__(index)

    items = Torn((torch.ones(2), i % 2) for i in range(30))
    with pytest.raises(ValueError, match=r"X\[1\] can't be read"):
        read_dataset(items, None, 0, workers)


class Counted(Dataset):
    """Digits that write down which process reads which of them."""

    def __init__(self, path):
        self.path = path
        self.X, self.y = digits(200)

    def __len__(self):
        return 200

    def __getitem__(self, index):
        with self.path.open("a") as file:
            file.write(f"{os.getpid()} {index}\n")
        return torch.from_numpy(self.X[index]), int(self.y[index])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_fit_with_workers_reads_next_to_nothing_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "RESIDENT_BYTES", 0)
    scores = []
    for workers in (0, 1):
        path = tmp_path / str(workers)
        net = quick_net(
            max_epochs=2,
            iterator_train=torch.utils.data.DataLoader,
            iterator_train__num_workers=workers,
            iterator_valid__num_workers=workers,
        )
        detector = CurvatureNoiseDetector(
            net, every=1, device="cpu", random_state=0, checkpoint_dir=tmp_path / f"kept-{workers}"
        )
        scores.append(detector.fit(Counted(path)).scores_)
        read = [line.split() for line in path.read_text().splitlines()]
        mine = sum(pid == str(os.getpid()) for pid, _ in read)
        # at the door, for the rows, the digest, the columns, two epochs, two scored epochs and the end
        assert len(read) >= 9 * 200
        # itself the columns, 256 at most, and those of the first pass
        assert (mine < 600) is (workers == 1)
    np.testing.assert_array_equal(scores[0], scores[1])

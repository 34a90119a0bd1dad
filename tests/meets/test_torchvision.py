"""Datasets with transforms of torchvision's second version, and its folders."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import Dataset
from torchvision import tv_tensors
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from curvdetect import LeaveOneOutDetector, LossDetector, TwoViews, load_image_folder, memorizing_net
from tests.cases import noisy_digits
from tests.files.planted import NAMES, planted

pytestmark = [
    pytest.mark.meets("torchvision"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]
X, LABELS, MASK, _ = noisy_digits(300)
PIXELS = np.round(X * 255).astype(np.uint8).reshape(-1, 1, 8, 8)
FLOATS = v2.ToDtype(torch.float32, scale=True)


class Pictures(Dataset):
    """Digits as `tv_tensors.Image` behind a transform."""

    def __init__(self, transform):
        self.transform = transform

    def __len__(self):
        return len(LABELS)

    def __getitem__(self, i):
        return self.transform(tv_tensors.Image(torch.from_numpy(PIXELS[i])), int(LABELS[i]))


def fitted(*data, epochs=12):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    net = memorizing_net(module, batch_size=32, max_epochs=epochs)
    return LossDetector(net, q=30, device="cpu", random_state=0).fit(*data)


def test_scores_behind_v2_transforms_are_those_of_the_array():
    """`tv_tensors.Image` items behind a v2 transform get the scores of the same pictures as an array."""
    expected = fitted(PIXELS, LABELS)
    assert MASK[expected.labels_ == 1].mean() > 0.7
    for transform in (v2.Identity(), v2.Compose([v2.Resize((8, 8)), v2.ToImage(), FLOATS])):
        np.testing.assert_allclose(fitted(Pictures(transform)).scores_, expected.scores_, rtol=0.02, atol=0.02)


def test_a_random_transform_is_warned_of_and_taken_as_a_second_view():
    """A random v2 transform in the dataset is warned of; as the second of `TwoViews` it is trained on only."""
    random = v2.Compose([v2.RandomHorizontalFlip(), FLOATS])
    with pytest.warns(UserWarning, match=r"another input each time it is read.*TwoViews"):
        fitted(Pictures(random), epochs=1)
    found = fitted(TwoViews(Pictures(FLOATS), Pictures(random)), epochs=8)
    assert MASK[found.labels_ == 1].mean() > 0.3


def test_a_folder_of_classes_gets_the_ranking_of_its_files(tmp_path):
    """`ImageFolder` with a v2 transform ranks the files that `load_image_folder` ranks, under the same names."""
    pictures, labels, wrong = planted()
    for i, (picture, code) in enumerate(zip(pictures, labels, strict=True)):
        (tmp_path / NAMES[code]).mkdir(exist_ok=True)
        picture.save(tmp_path / NAMES[code] / f"{i:02}.png")
    dataset = ImageFolder(tmp_path, transform=v2.Compose([v2.ToImage(), FLOATS]))
    found = LeaveOneOutDetector(device="cpu").fit(dataset).ranking(len(wrong))
    assert sorted(int(dataset.samples[i][0][-6:-4]) for i in found["index"]) == wrong
    X, y, paths = load_image_folder(tmp_path, size=8)
    again = LeaveOneOutDetector(device="cpu").fit(X, y).ranking(len(wrong))
    assert sorted(int(str(paths[i])[-6:-4]) for i in again["index"]) == wrong
    assert sorted(dataset.classes[code] for code in found["given"]) == sorted(again["given"])

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skorch import NeuralNetClassifier
from torch import nn

from curvdetect import LossDetector
from curvdetect.data.sources import as_unlabelled
from curvdetect.review.features import features_of, nearest
from curvdetect.training.nets import MLP, ResNet
from tests.cases import Items, digits, quick_net, untouched_rng


def initialized(module, **options):
    return NeuralNetClassifier(module, criterion=nn.CrossEntropyLoss, **options).initialize()


def test_features_are_what_the_layers_before_the_last_put_out():
    X, y = digits(100)
    net = LossDetector(quick_net(max_epochs=2), stop_at=0.01, device="cpu", random_state=0).fit(X, y).net_
    found = features_of(net, as_unlabelled(X))
    with torch.no_grad():
        expected = nn.Sequential(*list(net.module_.eval())[:-1])(torch.from_numpy(X)).numpy()
    assert found.dtype == np.float32
    assert found.shape == (100, 32)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rows", [1, 7, 64], ids=lambda rows: f"{rows} rows at a time")
def test_batches_change_nothing(rows, monkeypatch):
    X = np.random.default_rng(0).random((30, 1, 8, 8)).astype(np.float32)
    net = initialized(ResNet(3, 1, (4, 8)))
    with torch.no_grad():
        expected = net.module_.eval().features(torch.from_numpy(X)).mean((2, 3)).numpy()
    monkeypatch.setattr("curvdetect.review.features.rows_within", lambda forward, x: rows)
    np.testing.assert_allclose(features_of(net, as_unlabelled(X)), expected, rtol=1e-4, atol=1e-6)


def test_bytes_and_datasets_are_read_as_the_network_reads_them():
    X = np.random.default_rng(0).integers(0, 256, (12, 1, 8, 8), dtype=np.uint8)
    net = initialized(ResNet(3, 1, (4, 8)))
    expected = features_of(net, as_unlabelled((X / 255).astype(np.float32)))
    np.testing.assert_allclose(features_of(net, as_unlabelled(X)), expected, rtol=1e-4, atol=1e-6)
    items = Items(zip(torch.from_numpy(X), range(12), strict=True))
    np.testing.assert_allclose(features_of(net, as_unlabelled(items)), expected, rtol=1e-4, atol=1e-6)


class HeadMadeFirst(nn.Module):
    """The layer passed through last was made first, and gets more than one axis by keyword."""

    def __init__(self):
        super().__init__()
        self.head, self.body, self.unused = nn.Linear(4, 2), nn.Linear(4, 4), nn.Linear(9, 9)

    def forward(self, x):
        return self.head(input=self.body(x).reshape(-1, 3, 4)).mean(1)


def test_the_last_layer_is_the_one_passed_through_last():
    X = np.random.default_rng(0).random((5, 3, 4)).astype(np.float32)
    net = initialized(HeadMadeFirst())
    with torch.no_grad():
        expected = net.module_.body(torch.from_numpy(X)).flatten(1).numpy()
    np.testing.assert_allclose(features_of(net, as_unlabelled(X)), expected, rtol=1e-5, atol=1e-6)


def test_the_net_is_left_as_it_was():
    net = initialized(MLP(64, 10, 8))
    net.module_.train()
    with untouched_rng():
        features_of(net, as_unlabelled(digits(20)[0]))
    assert net.module_.training
    assert all(p.requires_grad for p in net.module_.parameters())
    assert not any(part._forward_pre_hooks for part in net.module_.modules())


def test_a_compiled_net_shows_its_features_too():
    X, net = digits(20)[0], initialized(MLP(64, 10, 8))
    expected = features_of(net, as_unlabelled(X))
    net.module_ = torch.compile(net.module_, backend="eager")
    net.infer(torch.from_numpy(X[:2]))  # compiled before anybody looks
    np.testing.assert_allclose(features_of(net, as_unlabelled(X)), expected, rtol=1e-5, atol=1e-6)


class Mixing(nn.Linear):
    """Hands its layer one row for all samples."""

    def __init__(self):
        super().__init__(4, 2)
        self.inner = nn.Linear(4, 2)

    def forward(self, x):
        return self.inner(x.mean(0, keepdim=True)).expand(len(x), -1)


NO_FEATURES = {
    "no linear layer": (nn.Sequential(nn.Unflatten(1, (1, 2, 2)), nn.Conv2d(1, 2, 2), nn.Flatten()), "no torch.nn.L"),
    "samples mixed": (Mixing(), "last Linear layer a tensor of shape"),
}


@pytest.mark.parametrize(("module", "message"), NO_FEATURES.values(), ids=NO_FEATURES)
def test_a_net_without_features_is_refused(module, message):
    net = initialized(module)
    with pytest.raises(ValueError, match=message):
        features_of(net, as_unlabelled(np.ones((6, 4), dtype=np.float32)))
    assert not any(part._forward_pre_hooks for part in net.module_.modules())


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(2, 25), st.integers(1, 4), st.integers(1, 8), st.booleans(), st.booleans())
def test_neighbours_are_those_of_the_whole_matrix(seed, n, d, k, copies, masked):
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 3, (n, d)) if copies else rng.random((n, d))
    points = points.astype(np.float32)
    queries = rng.permutation(n)[: rng.integers(0, n + 1)]
    among = rng.random(n) < 0.7
    distances, index = nearest(points, queries, k, among=among if masked else np.flatnonzero(among))
    matrix = np.linalg.norm(points[queries, None].astype(float) - points[None, among].astype(float), axis=2)
    own = np.flatnonzero(among)[None] == queries[:, None]
    matrix[own] = np.inf
    wanted = np.sort(matrix, axis=1)[:, : distances.shape[1]]
    assert distances.shape[1] == max(0, min(k, among.sum() - own.any()))
    np.testing.assert_allclose(distances, wanted, atol=1e-5)
    assert among[index].all()
    assert not (index == queries[:, None]).any()
    assert all(len(set(row)) == len(row) for row in index)
    found = np.linalg.norm(points[queries, None].astype(float) - points[index].astype(float), axis=2)
    np.testing.assert_allclose(found, distances, atol=1e-5)

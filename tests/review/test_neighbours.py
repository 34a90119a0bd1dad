"""Neighbours in the features of a net, and distances of pictures and rows, against brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skorch import NeuralNetClassifier
from torch import nn

from curvdetect.data.samples import as_unlabelled
from curvdetect.review import neighbours
from curvdetect.review.neighbours import Fingerprints, features_of, nearest
from curvdetect.training.nets import MLP, ResNet
from tests.cases import Items, digits, untouched_rng


def initialized(module, **options):
    return NeuralNetClassifier(module, criterion=nn.CrossEntropyLoss, **options).initialize()


def test_features_are_what_the_layers_before_the_last_put_out(monkeypatch):
    X = np.random.default_rng(0).integers(0, 256, (30, 1, 8, 8), dtype=np.uint8)
    net = initialized(ResNet(3, 1, (4, 8)))
    net.module_.train()
    with untouched_rng():
        found = features_of(net, as_unlabelled(X))
    assert net.module_.training
    assert all(p.requires_grad for p in net.module_.parameters())
    assert not any(part._forward_pre_hooks for part in net.module_.modules())
    with torch.no_grad():
        expected = net.module_.eval().features(torch.from_numpy((X / 255).astype(np.float32))).mean((2, 3)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    items = Items(zip(torch.from_numpy(X), range(30), strict=True))
    monkeypatch.setattr(neighbours, "rows_within", lambda forward, x: 7)
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


def test_a_compiled_net_shows_its_features_too():
    X, net = digits(20)[0], initialized(MLP(64, 10, 8))
    expected = features_of(net, as_unlabelled(X))
    net.module_ = torch.compile(net.module_, backend="eager")
    net.infer(torch.from_numpy(X[:2]))  # compiled before features are read
    np.testing.assert_allclose(features_of(net, as_unlabelled(X)), expected, rtol=1e-5, atol=1e-6)


NO_FEATURES = {
    "no linear layer": (nn.Sequential(nn.Unflatten(1, (1, 2, 2)), nn.Conv2d(1, 2, 2), nn.Flatten()), "no torch.nn.L"),
    "rows that are no samples": (
        nn.Sequential(nn.Unflatten(1, (2, 2)), nn.Flatten(0, 1), nn.Linear(2, 2)),
        "last Linear layer a tensor of shape",
    ),
}


@pytest.mark.parametrize(("module", "message"), NO_FEATURES.values(), ids=NO_FEATURES)
def test_a_net_without_features_is_refused(module, message):
    net = initialized(module)
    with pytest.raises(ValueError, match=message):
        features_of(net, as_unlabelled(np.ones((6, 4), dtype=np.float32)))
    assert not any(part._forward_pre_hooks for part in net.module_.modules())


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(2, 25), st.integers(1, 4), st.integers(1, 8), st.booleans())
def test_neighbours_are_those_of_the_whole_matrix(seed, n, d, k, copies):
    rng = np.random.default_rng(seed)
    points = (rng.integers(0, 3, (n, d)) if copies else rng.random((n, d))).astype(np.float32)
    queries = rng.permutation(n)[: rng.integers(0, n + 1)]
    among = rng.random(n) < 0.7
    index = nearest(points, queries, k, among=among)
    matrix = np.linalg.norm(points[queries, None] - points[None].astype(float), axis=2)
    found = np.take_along_axis(matrix, index, axis=1)
    matrix[:, ~among] = matrix[np.arange(len(queries)), queries] = np.inf
    assert index.shape[1] == max(0, min(k, among.sum() - among[queries].any()))
    np.testing.assert_allclose(found, np.sort(matrix, axis=1)[:, : index.shape[1]], atol=1e-5)
    assert not (index == queries[:, None]).any()
    assert all(len(set(row)) == len(row) for row in index)


def relative(a, b):
    total = (a**2).sum() + (b**2).sum()
    return np.sqrt(((a - b) ** 2).sum() / total) if total > 0 else 0.0


def by_hand(a, b, most_down, most_right):
    """The smallest distance of the middle of ``a`` from any window of its size in ``b``."""
    height, width = a.shape[1] - 2 * most_down, a.shape[2] - 2 * most_right
    middle = a[:, most_down : most_down + height, most_right : most_right + width]
    shifts = [(down, right) for down in range(2 * most_down + 1) for right in range(2 * most_right + 1)]
    windows = [b[:, down : down + height, right : right + width] for down, right in shifts]
    return min(relative(middle - middle.mean(), window - window.mean()) for window in windows)


SHAPES = {"8 by 8": ((8, 8), 1, 1), "12 by 16": ((1, 12, 16), 1, 2), "colour": ((3, 20, 16), 2, 2)}


@pytest.mark.parametrize(("shape", "down", "right"), SHAPES.values(), ids=SHAPES)
def test_pictures_are_compared_over_all_small_shifts(shape, down, right):
    X = np.random.default_rng(0).random((7, *shape)).astype(np.float32)
    X[1] = 1.1 * np.roll(X[0], (1, -1), (-2, -1)) + 0.1
    X[2:4] = 0.5  # of one brightness: nothing is left without the mean
    pairs = np.stack(np.triu_indices(7, 1), axis=1)
    channels = X.reshape(7, -1, *shape[-2:]).astype(float)
    expected = [by_hand(channels[i], channels[j], down, right) for i, j in pairs]
    prints = Fingerprints(as_unlabelled(X))
    found = prints.distances(pairs)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert found[0] < 0.1
    assert found[(pairs == [2, 3]).all(1)] == 0
    assert prints.distances(pairs[:0]).shape == prints.distances_at_least(pairs[:0]).shape == (0,)


def test_large_pictures_are_compared_small(monkeypatch):
    X = np.random.default_rng(0).random((3, 1, 64, 96)).astype(np.float32)
    small = X.reshape(3, 1, 32, 2, 32, 3).mean((3, 5))
    pairs = np.array([[0, 1], [0, 2], [1, 2]])
    expected = Fingerprints(as_unlabelled(small)).distances(pairs)
    monkeypatch.setattr(neighbours, "_CHUNK_BYTES", 1)  # a picture, and a pair, at a time
    np.testing.assert_allclose(Fingerprints(as_unlabelled(X)).distances(pairs), expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(9, 300), (300, 9)])
def test_series_are_compared_as_rows(shape):
    rng = np.random.default_rng(0)
    channels = 50 * np.arange(9).reshape(np.where(np.array(shape) == 9, 9, 1))  # which are alike in all series
    X = (rng.normal(size=(6, *shape)) + channels).astype(np.float32)
    X[1] = X[0] + 0.01
    pairs = np.stack(np.triu_indices(6, 1), axis=1)
    found = Fingerprints(as_unlabelled(X)).distances(pairs)
    np.testing.assert_allclose(found, Fingerprints(as_unlabelled(X.reshape(6, -1))).distances(pairs), atol=1e-5)
    assert found[0] < 0.1 < 0.5 < found[1:].min()


def test_rows_are_compared_in_standard_deviations():
    X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32) * [1, 100, 1] + [0, 5, 0]
    X[:, 2] = 4  # says nothing
    Z = (X - X.mean(0)) / np.where(X.std(0) > 0, X.std(0), 1)
    pairs = np.stack(np.triu_indices(20, 1), axis=1)
    found = Fingerprints(as_unlabelled(X))
    np.testing.assert_allclose(found.distances(pairs), [relative(Z[i], Z[j]) for i, j in pairs], atol=1e-5)
    np.testing.assert_allclose(found.views["columns"], Z, atol=1e-5)
    assert (found.distances_at_least(pairs) == 0).all()


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(-2, 2), st.integers(-2, 2), st.floats(0.5, 2))
def test_amplitudes_tell_at_least_how_far_pictures_are(seed, down, right, bright):
    rng = np.random.default_rng(seed)
    X = np.zeros((3, 1, 20, 20), dtype=np.float32)  # nothing at the edges, so that nothing enters over them
    X[0, 0, 4:16, 4:16] = rng.random((12, 12))
    X[1] = np.roll(X[0], (down, right), (1, 2))
    X[2] = bright * X[1]
    X[2, 0, 6:14, 6:14] += rng.normal(scale=0.1, size=(8, 8))
    like, pairs = Fingerprints(as_unlabelled(X)), np.array([[0, 1], [0, 2]])
    moved, changed = like.distances_at_least(pairs)
    assert moved < 1e-5
    assert changed <= like.distances(pairs)[1] * 1.2 + 1e-6


def test_digests_are_equal_where_the_network_receives_the_same():
    X = np.random.default_rng(0).integers(0, 256, (6, 1, 8, 8), dtype=np.uint8)
    X[4] = X[1]
    digests = Fingerprints(as_unlabelled(X)).digests
    assert len(set(digests.tolist())) == 5
    assert digests[4] == digests[1]
    for other in ((X / 255).astype(np.float32), Items(zip(torch.from_numpy(X), range(6), strict=True))):
        assert (Fingerprints(as_unlabelled(other)).digests == digests).all()
    zeros = Fingerprints(as_unlabelled(np.array([[0.0, 1.0], [-0.0, 1.0], [0.0, 1.001]])))
    assert (zeros.digests[0] == zeros.digests).tolist() == [True, True, False]

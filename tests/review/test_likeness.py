import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from curvdetect.data.sources import as_unlabelled
from curvdetect.review import likeness
from curvdetect.review.likeness import Likeness
from tests.cases import Items


def relative(a, b):
    total = (a**2).sum() + (b**2).sum()
    return np.sqrt(((a - b) ** 2).sum() / total) if total > 0 else 0.0


def by_hand(a, b, most_down, most_right):
    """The smallest distance of the middle of ``a`` from any window of its size in ``b``."""
    height, width = a.shape[1] - 2 * most_down, a.shape[2] - 2 * most_right
    middle = a[:, most_down : most_down + height, most_right : most_right + width]
    windows = [
        b[:, down : down + height, right : right + width]
        for down in range(2 * most_down + 1)
        for right in range(2 * most_right + 1)
    ]
    return min(relative(middle - middle.mean(), window - window.mean()) for window in windows)


SHAPES = {"8 by 8": ((8, 8), 1, 1), "12 by 16": ((1, 12, 16), 1, 2), "colour": ((3, 20, 16), 2, 2)}


@pytest.mark.parametrize(("shape", "down", "right"), SHAPES.values(), ids=SHAPES)
def test_pictures_are_compared_over_all_small_shifts(shape, down, right):
    X = np.random.default_rng(0).random((7, *shape)).astype(np.float32)
    X[1] = 1.1 * np.roll(X[0], (1, -1), (-2, -1)) + 0.1
    X[2:4] = 0.5  # of one brightness: nothing is left without the mean
    first, second = np.triu_indices(7, 1)
    channels = X.reshape(7, -1, *shape[-2:]).astype(float)
    expected = [by_hand(channels[i], channels[j], down, right) for i, j in zip(first, second, strict=True)]
    found = Likeness(as_unlabelled(X)).distances(first, second)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert found[0] < 0.1
    assert found[(first == 2) & (second == 3)] == 0


@pytest.mark.parametrize("shape", [(16, 16), (5,)], ids=["pictures", "rows"])
def test_no_pairs_have_no_distances(shape):
    like, none = Likeness(as_unlabelled(np.ones((3, *shape)))), np.empty(0, dtype=np.int64)
    assert like.distances(none, none).shape == like.distances_at_least(none, none).shape == (0,)


def test_large_pictures_are_compared_small(monkeypatch):
    X = np.random.default_rng(0).random((3, 1, 64, 96)).astype(np.float32)
    small = X.reshape(3, 1, 32, 2, 32, 3).mean((3, 5))
    first, second = np.array([0, 0, 1]), np.array([1, 2, 2])
    expected = Likeness(as_unlabelled(small)).distances(first, second)
    np.testing.assert_allclose(Likeness(as_unlabelled(X)).distances(first, second), expected, atol=1e-5)
    monkeypatch.setattr(likeness, "_CHUNK_BYTES", 1)  # a picture, and a pair, at a time
    np.testing.assert_allclose(Likeness(as_unlabelled(X)).distances(first, second), expected, atol=1e-5)


def test_rows_are_compared_in_standard_deviations():
    X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32) * [1, 100, 1] + [0, 5, 0]
    X[:, 2] = 4  # says nothing
    Z = (X - X.mean(0)) / np.where(X.std(0) > 0, X.std(0), 1)
    first, second = np.triu_indices(20, 1)
    found = Likeness(as_unlabelled(X))
    expected = [relative(Z[i], Z[j]) for i, j in zip(first, second, strict=True)]
    np.testing.assert_allclose(found.distances(first, second), expected, atol=1e-5)
    np.testing.assert_allclose(found.views["columns"], Z, atol=1e-5)
    assert (found.distances_at_least(first, second) == 0).all()


@given(st.integers(0, 10**6), st.integers(-2, 2), st.integers(-2, 2), st.floats(0.5, 2))
def test_amplitudes_tell_at_least_how_far_pictures_are(seed, down, right, bright):
    rng = np.random.default_rng(seed)
    X = np.zeros((2, 1, 20, 20), dtype=np.float32)  # nothing at the edges, so that nothing enters over them
    X[0, 0, 4:16, 4:16] = rng.random((12, 12))
    X[1] = bright * np.roll(X[0], (down, right), (1, 2))
    X[1, 0, 6:14, 6:14] += rng.normal(scale=0.1, size=(8, 8))
    like, pair = Likeness(as_unlabelled(X)), (np.array([0]), np.array([1]))
    assert like.distances_at_least(*pair) <= like.distances(*pair) * 1.2 + 1e-6
    moved = np.stack([X[0], np.roll(X[0], (down, right), (1, 2))])
    assert Likeness(as_unlabelled(moved)).distances_at_least(*pair) < 1e-5


def test_digests_are_equal_where_the_network_receives_the_same():
    X = np.random.default_rng(0).integers(0, 256, (6, 1, 8, 8), dtype=np.uint8)
    X[4] = X[1]
    digests = Likeness(as_unlabelled(X)).digests
    assert len(set(digests.tolist())) == 5
    assert digests[4] == digests[1]
    same = {
        "float": (X / 255).astype(np.float32),
        "dataset": Items(zip(torch.from_numpy(X), range(6), strict=True)),
    }
    for other in same.values():
        assert (Likeness(as_unlabelled(other)).digests == digests).all()
    zeros = Likeness(as_unlabelled(np.array([[0.0, 1.0], [-0.0, 1.0], [0.0, 1.0 + 1e-6]])))
    assert (zeros.digests[0] == zeros.digests).tolist() == [True, True, False]

"""Samples that look like something else: channels last, series and token ids are named, not taken for pictures."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, TransformerMixin, clone
from torch import nn
from torch.utils.data import TensorDataset

from curvdetect import FusedDetector, ImageEmbedder, LeaveOneOutDetector, LossDetector, PatchFeatures, memorizing_net
from curvdetect.data.samples import as_unlabelled
from curvdetect.data.shapes import is_channels_last, padding_of

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
N = 24
Y = np.arange(N) % 2
QUICK = {"max_epochs": 1, "device": "cpu", "random_state": 0}


def _draw(*shape, kind=np.float32):
    drawn = np.random.default_rng(0).random((N, *shape))
    return (drawn * 255).astype(kind) if kind is np.uint8 else drawn.astype(kind)


LAST = [(28, 28, 3), (8, 8, 1), (32, 20, 4), (5, 6, 3)]
FIRST = [(3, 28, 28), (1, 8, 8), (3, 32, 3), (4, 4, 3), (64, 8, 8), (28, 28, 2), (28, 28)]


def test_channels_are_last_where_no_other_reading_makes_sense():
    assert [is_channels_last(shape) for shape in (*LAST, *FIRST)] == [True] * len(LAST) + [False] * len(FIRST)


@pytest.mark.parametrize("shape", LAST)
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_channels_last_are_refused_with_the_way_out(shape, kind):
    X = _draw(*shape, kind=kind)
    tensors = TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    takers = [
        lambda: LossDetector(**QUICK).fit(X, Y),
        lambda: LossDetector("resnet-mnist", **QUICK).fit(X, Y),
        lambda: LossDetector(memorizing_net(None), **QUICK).fit(X, Y),
        lambda: FusedDetector(**QUICK).fit(tensors),
        lambda: LeaveOneOutDetector(device="cpu").fit(X, Y),
        lambda: PatchFeatures(device="cpu").fit(X),
        lambda: ImageEmbedder(nn.Conv2d(3, 2, 3), device="cpu").fit(X),
    ]
    for take in takers:
        with pytest.raises(ValueError, match=r"channels last.*X.transpose\(0, 3, 1, 2\)"):
            take()


@pytest.mark.parametrize("shape", [(12, 1000), (1000, 12), (8, 32), (50, 300)])
def test_series_are_refused_with_the_way_out(shape):
    X = _draw(*shape)
    for net in (None, "resnet-mnist", memorizing_net(None)):
        with pytest.raises(ValueError, match=r"look like series.*net of your own.*pass X\[:, None\]"):
            FusedDetector(net, **QUICK).fit(X, Y)


@pytest.mark.parametrize("shape", [(24, 51), (51, 24), (28, 50)])
def test_what_is_longer_than_a_picture_is_one_with_a_warning(shape):
    with pytest.warns(UserWarning, match=r"taken for grey pictures.*series, pass a net.*pass X\[:, None\]") as caught:
        assert LossDetector(**QUICK).fit(_draw(*shape), Y).scores_.shape == (N,)
    assert [warning.filename for warning in caught if "grey" in str(warning.message)] == [__file__]


GREY = [_draw(8, 32, kind=np.uint8), _draw(24, 51, kind=np.uint8), _draw(1, 24, 51), _draw(9, 16)]


@pytest.mark.filterwarnings("error:X has samples")
@pytest.mark.parametrize("X", GREY)
def test_grey_pictures_are_none(X):
    assert LossDetector(**QUICK).fit(X, Y).scores_.shape == (N,)


@pytest.mark.filterwarnings("error:X has samples")
def test_a_regression_takes_series_as_rows():
    X, detector = _draw(24, 51), LeaveOneOutDetector(device="cpu")
    found = [clone(detector).fit(samples, Y).scores_ for samples in (X, X.reshape(N, -1), _draw(12, 1000))]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4)
    assert len(found[2]) == N


def test_series_and_token_ids_go_as_they_are_into_what_takes_them():
    seen = []

    class Series(nn.Sequential):
        def forward(self, x):
            seen.append(tuple(x.shape[1:]))
            return super().forward(x)

    class Means(TransformerMixin, BaseEstimator):
        def fit(self, X, y=None):
            return self

        def transform(self, X):
            seen.append(X.shape[1:])
            return X.mean(2)

    X = _draw(12, 100)
    net = Series(nn.Conv1d(12, 4, 5), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 2))
    assert FusedDetector(net, **QUICK).fit(X, Y).scores_.shape == (N,)
    LeaveOneOutDetector(features=Means(), device="cpu").fit(X, Y)
    assert set(seen) == {(12, 100)}
    tokens = np.random.default_rng(0).integers(1, 500, (N, 12)) * (np.arange(12) < 4 + np.arange(N)[:, None] % 8)
    embedding = nn.Sequential(nn.Embedding(500, 4), nn.Flatten(), nn.Linear(48, 2))
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "X holds rows")
        LossDetector(embedding, **QUICK).fit(tokens, Y)
        LossDetector(**QUICK).fit(tokens.astype(np.float32), Y)
    with pytest.warns(UserWarning, match="filled up with 0, which look like token ids"):
        LossDetector(**QUICK).fit(tokens, Y)


def _padded(fill, *, left=False, words=500):
    rng = np.random.default_rng(1)
    rows = rng.integers(1000, 1000 + words, (200, 20))
    at = np.arange(20)[::-1] if left else np.arange(20)
    return np.where(at < rng.integers(8, 21, 200)[:, None], rows, fill)


def test_token_ids_are_known_by_their_padding():
    rng = np.random.default_rng(0)
    tables = {
        "counts": rng.poisson(rng.exponential(60, (200, 20))),
        "sparse counts": rng.poisson(2, (200, 20)) * rng.integers(0, 200, (200, 20)),
        "categories": _padded(0, words=8),
        "no padding": rng.integers(0, 3000, (200, 20)),
        "a last column of zeros": np.column_stack([rng.integers(1, 3000, (200, 20)), np.zeros((200, 1), int)]),
        "flags": np.column_stack([rng.integers(1, 3000, (200, 20)), rng.integers(0, 2, (200, 3))]),
    }
    found = {name: padding_of(as_unlabelled(rows).inputs) for name, rows in tables.items()}
    assert found == dict.fromkeys(tables)
    for fill, left in ((0, False), (1, True), (-100, False)):
        assert padding_of(as_unlabelled(_padded(fill, left=left)).inputs) == fill

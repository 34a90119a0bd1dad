"""Patches of the pictures themselves as features."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch.utils.data import TensorDataset

from curvdetect import PatchFeatures

X = np.random.default_rng(0).random((12, 3, 16, 16), dtype=np.float32)


def fitted(X=X, **params):
    return PatchFeatures(**{"n_filters": 8, "random_state": 0, **params}).fit(X)


def test_features_do_not_depend_on_batches_or_on_how_pictures_are_passed():
    features = fitted()
    expected = features.transform(X)
    assert (expected.shape, expected.dtype) == ((12, 2 * 8 * 9), np.float32)
    assert len(features.get_feature_names_out()) == expected.shape[1]
    one_by_one = np.concatenate([features.transform(X[i : i + 1]) for i in range(12)])
    dataset = TensorDataset(torch.from_numpy(X), torch.zeros(12))
    for other in (one_by_one, features.transform(dataset), clone(features).fit(dataset).transform(list(X))):
        np.testing.assert_allclose(other, expected, rtol=1e-4, atol=1e-5)
    pixels = (255 * X).round().astype(np.uint8)
    np.testing.assert_allclose(features.transform(pixels), features.transform(pixels / 255), rtol=1e-4, atol=1e-5)


def test_brightness_and_contrast_of_all_pictures_change_nothing():
    np.testing.assert_allclose(
        fitted(0.3 * X + 0.2).transform(0.3 * X + 0.2), fitted().transform(X), rtol=1e-3, atol=1e-3
    )


def test_a_picture_and_its_mirror_image_have_the_same_features_where_that_is_asked():
    turned = X[..., ::-1].copy()
    mirrored, plain = fitted(mirrored=True), fitted()
    np.testing.assert_allclose(mirrored.transform(turned), mirrored.transform(X), rtol=1e-4, atol=1e-5)
    assert abs(plain.transform(turned) - plain.transform(X)).max() > 0.05


@pytest.mark.parametrize("shape", [(1, 5, 7), (2, 28, 28), (4, 40, 90), (3, 1, 9)])
def test_pictures_of_any_size_and_channels_have_features(shape):
    pictures = np.random.default_rng(0).random((6, *shape))
    features = fitted(pictures).transform(pictures)
    assert features.shape == (6, 144)
    assert np.isfinite(features).all()
    assert len(np.unique(features, axis=0)) == 6


REFUSED = {
    "rows": (lambda: fitted(X.reshape(12, -1)), "and pictures are .channels, height, width.*Others are features"),
    "series": (lambda: fitted(X.reshape(12, 3, -1)), r"Grey pictures .* X\[:, None\]. Series are no pictures"),
    "one_color": (lambda: fitted(np.ones((4, 3, 8, 8))), "one color each"),
    "channels": (lambda: fitted().transform(X[:, :1]), "1 channels, and 3 were fitted"),
    "smaller": (lambda: fitted().transform(X[:, :, :3]), "pictures of 3 by .* on a side"),
    "n_filters": (lambda: fitted(n_filters=0), "n_filters must be a whole number"),
    "threshold": (lambda: fitted(threshold=-1), "threshold must be a number, not negative"),
    "nan": (lambda: fitted(np.where(X > 0.5, np.nan, X)), "NaN"),
}


@pytest.mark.parametrize(("call", "message"), REFUSED.values(), ids=REFUSED)
def test_what_has_no_patches_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()

"""Pictures of any kind by their numbers, or an error that says why they are none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from curvdetect.data.datasets import check_shape
from curvdetect.data.inputs import MappedInputs
from curvdetect.data.items import is_dataset
from curvdetect.data.labels import plain
from curvdetect.data.samples import Samples, as_unlabelled
from curvdetect.data.shapes import check_channels_first


def pictures(X: object) -> Samples:
    """Return pictures that are read a batch at a time, and never copied as a whole, or raise why ``X`` holds none."""
    if is_dataset(X):
        samples = as_unlabelled(X)
    else:
        array = np.asarray(plain(X))
        if array.dtype.kind not in "buif" or array.ndim == 0:
            raise ValueError(
                f"X holds no pictures but {array.dtype} of shape {array.shape}: pass an array of shape (n, channels, "
                "height, width), uint8 or floats in [0, 1], or a list of PIL pictures of one size."
            )
        samples = Samples.of(MappedInputs(array), np.zeros(len(array), dtype=int))
    if not len(samples):
        raise ValueError("X holds no picture: found 0 sample(s) while a minimum of 1 is required.")
    check_shape(samples.shape)
    check_are_pictures(samples.shape)
    return samples


def check_are_pictures(shape: Sequence[int]) -> None:
    """Raise where samples of a shape are no pictures, (channels, height, width)."""
    if len(shape) != 3:
        ways = {
            1: "Rows of pixels become pictures by X.reshape(-1, channels, height, width). Others are features.",
            2: "Grey pictures need an axis for their channel: X[:, None]. Series are no pictures.",
        }
        raise ValueError(
            f"X has samples of shape {tuple(shape)}, and pictures are (channels, height, width). "
            f"{ways.get(len(shape), '')}".strip()
        )
    check_channels_first(shape)

"""Samples that default networks would take for something else: channels last, series, and token ids."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from curvdetect.data.inputs import Inputs
from curvdetect.data.isolation import isolated_rng, spread

#: Numbers of channels that pictures in files have, and the least side of pictures.
CHANNELS, SIDE = (1, 3, 4), 5
#: How many times longer than wide something is that is hardly a picture (films are 16:9), and that is none.
WIDE, LONG = 1.78, 4
#: Rows in which token ids are looked for, how many of them there are at least, and how many lengths of padding.
SEEN, WORDS, LENGTHS = 1000, 100, 4


def is_channels_last(shape: Sequence[int]) -> bool:
    """Say whether samples of a shape are pictures (height, width, channels)."""
    return len(shape) == 3 and shape[2] in CHANNELS and shape[0] not in CHANNELS and min(shape[:2]) >= SIDE


def check_channels_first(shape: Sequence[int]) -> None:
    """Raise where samples of a shape are pictures with their channels last."""
    if is_channels_last(shape):
        raise ValueError(
            f"X has samples of shape {tuple(shape)}, which look like pictures with their channels last. Put the "
            "channels first: X.transpose(0, 3, 1, 2) of an array, X.permute(0, 3, 1, 2) of a tensor."
        )


def are_series(inputs: Inputs) -> bool:
    """Say whether samples are series rather than grey pictures; bytes are pictures."""
    return _longer_than(LONG, inputs)


def may_be_series(inputs: Inputs) -> bool:
    """Say whether samples are longer than most grey pictures are; bytes are pictures."""
    return _longer_than(WIDE, inputs)


def check_no_series(inputs: Inputs) -> None:
    """Raise where samples are series."""
    if are_series(inputs):
        raise ValueError(
            f"X has samples of shape {tuple(inputs.shape)}, which look like series, and there is no default network "
            "for these. Pass a net of your own, or rows: features such as those of MiniRocket in aeon "
            "or sktime, or X.reshape(len(X), -1). If they are grey pictures, pass X[:, None]."
        )


def padding_of(inputs: Inputs) -> int | None:
    """Return the number that rows of token ids are filled up with, None where rows seem to be no token ids."""
    found = _few(inputs, SEEN)
    if found.ndim != 2 or len(torch.unique(found)) < WORDS:
        return None
    rows = found.numpy()
    for turned in (rows, rows[:, ::-1]):
        ends, counts = np.unique(turned[:, -1], return_counts=True)
        fill = ends[counts.argmax()]
        lengths = _at_the_end(turned == fill)
        if np.array_equal(lengths, (turned == fill).sum(1)) and len(np.unique(lengths[lengths > 1])) >= LENGTHS:
            return int(fill)
    return None


def _longer_than(times: float, inputs: Inputs) -> bool:
    """Say whether samples of two axes are as many times longer than wide, and no bytes."""
    shape = inputs.shape
    return len(shape) == 2 and max(shape) >= times * min(shape) and _few(inputs, 1).dtype != torch.uint8


def _few(inputs: Inputs, n: int) -> torch.Tensor:
    """Return some samples as they are stored."""
    with isolated_rng(torch.device("cpu")):  # a dataset may draw as it is read
        return inputs.read(spread(len(inputs), n)).cpu()


def _at_the_end(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return how many entries of each row are true without a gap up to its end."""
    found: NDArray[np.int64] = np.cumprod(mask[:, ::-1], axis=1, dtype=np.int64).sum(1)
    return found

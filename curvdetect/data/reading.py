"""Reading a dataset once, before anything is trained: its labels, its shape, and whether all of it can be learned."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from curvdetect.data.isolation import isolated_rng
from curvdetect.data.items import bits_used, label_value, read_item, reads_the_same
from curvdetect.data.labels import plain_labels
from curvdetect.data.streams import check_finite_item, check_like, labels_of
from curvdetect.data.views import training_view


def check_shape(shape: Sequence[int]) -> None:
    """Raise where samples hold no number."""
    if 0 in shape:
        raise ValueError(f"X has samples of shape {tuple(shape)}, which hold no number.")


def by_workers(items: Dataset[Any], n_workers: int) -> Iterator[Any]:
    """Yield items as they are, in their order, read ahead by so many processes; no global generator is drawn from."""
    yield from DataLoader(
        items, batch_size=None, collate_fn=_as_it_is, num_workers=n_workers, generator=torch.Generator()
    )


def _as_it_is(item: Any) -> Any:
    return item


class _Items(Dataset[tuple[Tensor, Any]]):
    """What `read_item` makes of a dataset."""

    def __init__(self, dataset: Any, with_label: bool) -> None:
        self.dataset, self.with_label = dataset, with_label

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Tensor, Any]:
        return read_item(self.dataset, index, self.with_label)


class Read(NamedTuple):
    """What a reading found."""

    inputs: Tensor | None
    """Of all samples, where they are kept."""
    labels: NDArray[Any]
    first: Tensor
    """Input of the first sample."""
    in_part: bool
    """Whether only a few were read."""


def read_dataset(dataset: Any, y: Any, n_bytes: int, n_workers: int = 0) -> Read:
    """Read a dataset once: its labels, whether its inputs are finite, equal in shape and the same every time.

    Parameters
    ----------
    dataset : map-style Dataset
        Yields ``(x, y)`` or ``x``.
    y : array-like of shape (n_samples,), optional
        Labels that take the place of its own.
    n_bytes : int
        Inputs that are the same at each reading are kept up to this size. More of them are not read as a whole, where
        the labels are known without.
    n_workers : int, default=0
        Processes that read ahead.
    """
    n_samples = len(dataset)
    if n_samples == 0:
        raise ValueError("X is an empty dataset: found 0 sample(s) while a minimum of 2 is required.")
    with isolated_rng(torch.device("cpu")):
        first = read_item(dataset, 0, False)[0]
        check_shape(first.shape)
        _check_view(dataset, first)
        bits = bits_used(dataset)
        fixed = reads_the_same(dataset)
        fits = first.numel() * first.element_size() * n_samples <= n_bytes
        stored = torch.empty((n_samples, *first.shape), dtype=first.dtype) if fixed and fits else None
        labels = None if fits else [None] * n_samples if y is not None else labels_of(dataset)
        in_part = labels is not None
        if labels is None:
            labels = []
            for i, (x, label) in enumerate(by_workers(_Items(dataset, y is None), n_workers)):
                check_like(x, i, tuple(first.shape), first.dtype)
                check_finite_item(x, i)
                labels.append(label_value(label, i))
                if stored is not None:
                    stored[i] = x
    if y is not None and len(y) != n_samples:
        raise ValueError(f"y has {len(y)} labels and X {n_samples} samples: pass one label for each sample.")
    if y is None and labels[0] is None:
        raise ValueError("requires y to be passed, but the target y is None: the dataset X yields no labels either.")
    given = plain_labels(labels) if y is None else np.asarray(y)
    if not fixed:
        warnings.warn(
            "X yields another input each time it is read (a random transform). Scores want the clean sample: drop "
            "the transform and use memorizing_net(..., augment=True), or pass TwoViews(clean, with_transform).",
            UserWarning,
            stacklevel=5,
        )
    if bits is not None and bits < 16:
        warnings.warn(
            f"X yields PIL pictures of 16 bits, and the few that were looked at use {bits} of them. They are read by "
            f"the range of 16 and are dark. Let it yield arrays, np.asarray(picture, 'float32')[None] / {2**bits - 1}, "
            "or read the files with load_image_folder, which finds the range.",
            UserWarning,
            stacklevel=5,
        )
    return Read(stored, given, first, in_part)


def _check_view(dataset: Any, first: Tensor) -> None:
    """Raise where samples are trained on in another shape than they are scored in."""
    view = training_view(dataset)
    other = first if view is None else read_item(view, 0, False)[0]
    if other.shape != first.shape:
        raise ValueError(
            f"X is trained on in shape {tuple(other.shape)} and scored in {tuple(first.shape)}: let both views have "
            "one size."
        )

"""Reading a dataset once, before anything is trained: its labels, its shape, and whether all of it can be learned."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from curvdetect.data.isolation import isolated_rng
from curvdetect.data.items import label_value, read_item, reads_the_same
from curvdetect.data.labels import plain_labels
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


def read_dataset(
    dataset: Any, y: Any, n_bytes: int, n_workers: int = 0
) -> tuple[Tensor | None, NDArray[Any], tuple[int, ...]]:
    """Read a dataset once: its labels, whether its inputs are finite, equal in shape and the same every time.

    Parameters
    ----------
    dataset : map-style Dataset
        Yields ``(x, y)`` or ``x``.
    y : array-like of shape (n_samples,), optional
        Labels that take the place of its own.
    n_bytes : int
        Inputs that are the same at each reading are kept up to this size.
    n_workers : int, default=0
        Processes that read ahead.

    Returns
    -------
    inputs : Tensor of shape (n_samples, ...) or None
        None where they are not kept.
    labels : array of shape (n_samples,)
    shape : tuple of int
        Of one input.
    """
    n_samples = len(dataset)
    if n_samples == 0:
        raise ValueError("X is an empty dataset: found 0 sample(s) while a minimum of 2 is required.")
    with isolated_rng(torch.device("cpu")):
        first = read_item(dataset, 0, False)[0]
        check_shape(first.shape)
        view = training_view(dataset)
        other = first if view is None else read_item(view, 0, False)[0]
        if other.shape != first.shape:
            raise ValueError(
                f"X is trained on in shape {tuple(other.shape)} and scored in {tuple(first.shape)}: let both views "
                "have one size."
            )
        size = first.numel() * first.element_size()
        fixed = reads_the_same(dataset)
        keep = fixed and size * n_samples <= n_bytes
        stored = torch.empty((n_samples, *first.shape), dtype=first.dtype) if keep else None
        labels: list[Any] = []
        for i, (x, label) in enumerate(by_workers(_Items(dataset, y is None), n_workers)):
            if x.shape != first.shape:
                grey = x.shape[1:] == first.shape[1:] and {len(x), len(first)} == {1, 3}
                way = "a Grayscale (or a conversion to RGB)" if grey else "a Resize and a CenterCrop"
                raise ValueError(
                    f"X[{i}] has shape {tuple(x.shape)} and X[0] has {tuple(first.shape)}. Every sample needs the "
                    f"same shape: add {way} to the dataset's transform."
                )
            if x.dtype != first.dtype:
                raise ValueError(
                    f"X[{i}] has dtype {x.dtype} and X[0] has {first.dtype}. Let the dataset make all of one kind."
                )
            if x.is_floating_point() and not torch.isfinite(x.float()).all():
                raise ValueError(
                    f"X[{i}] contains NaN or infinity, or values too large for float32. Remove, impute or scale them."
                )
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
    return stored, given, tuple(first.shape)

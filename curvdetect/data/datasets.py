"""Reading a map-style dataset: once as a whole before anything is trained, or each sample as it is trained on.

A dataset too large for the memory is not read as a whole. Its labels are then taken from its own list of them, and each
sample is checked as it is read.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from curvdetect.data.choosing import spread
from curvdetect.data.isolation import isolated_rng
from curvdetect.data.items import (
    Items,
    TwoViews,
    bits_used,
    columns,
    is_hugging_face,
    label_value,
    read_item,
    reads_the_same,
    training_view,
)
from curvdetect.data.labels import plain_labels
from curvdetect.data.values import check_finite
from curvdetect.data.wording import callers_level

#: Samples whose labels are compared with the dataset's own list of them.
_COMPARED = 16


class Read(NamedTuple):
    """What the first reading of a dataset found."""

    inputs: Tensor | None
    """Of all samples, where they are kept."""
    labels: NDArray[Any]
    first: Tensor
    """Input of the first sample."""
    in_part: bool
    """Whether only a few were read."""


def read_dataset(dataset: Items, y: ArrayLike | None, n_bytes: int, n_workers: int = 0) -> Read:
    """Read a dataset once: its labels, whether its inputs are finite, equal in shape and the same every time.

    ``y`` takes the place of its own labels. Inputs that are the same at each reading are kept up to ``n_bytes``. More
    of them are not read as a whole where the labels are known without. ``n_workers`` processes read ahead.
    """
    n_samples = len(dataset)
    if n_samples == 0:
        raise ValueError("X is an empty dataset: found 0 sample(s) while a minimum of 2 is required.")
    with isolated_rng(torch.device("cpu")):
        first = read_item(dataset, 0, False)[0]
        check_shape(first.shape)
        view = training_view(dataset)
        trained = first if view is None else read_item(view, 0, False)[0]
        if trained.shape != first.shape:
            raise ValueError(
                f"X is trained on in shape {tuple(trained.shape)} and scored in {tuple(first.shape)}: let both views "
                "have one size."
            )
        bits, fixed = bits_used(dataset), reads_the_same(dataset)
        fits = first.nbytes * n_samples <= n_bytes
        stored = torch.empty((n_samples, *first.shape), dtype=first.dtype) if fixed and fits else None
        labels = None if fits else [None] * n_samples if y is not None else labels_of(dataset)
        in_part = labels is not None
        if labels is None:
            labels = []
            read = partial(read_item, dataset, with_label=y is None)
            for i, (x, label) in enumerate(by_workers(read, n_samples, n_workers)):
                _check_item(x, i, first)
                labels.append(label_value(label, i))
                if stored is not None:
                    stored[i] = x
    given = None if y is None else np.asarray(y)
    if given is not None and len(given) != n_samples:
        raise ValueError(f"y has {len(given)} labels and X {n_samples} samples: pass one label for each sample.")
    if y is None and labels[0] is None:
        raise ValueError("requires y to be passed, but the target y is None: the dataset X yields no labels either.")
    if not fixed:
        warnings.warn(
            "X yields another input each time it is read (a random transform). Scores want the clean sample: drop "
            "the transform and use memorizing_net(..., augment=True), or pass TwoViews(clean, with_transform).",
            UserWarning,
            stacklevel=callers_level(),
        )
    if bits is not None and bits < 16:
        warnings.warn(
            f"X yields PIL pictures of 16 bits, and the few that were looked at use {bits} of them. They are read by "
            f"the range of 16 and are dark. Let it yield arrays, np.asarray(picture, 'float32')[None] / {2**bits - 1}, "
            "or read the files with load_image_folder, which finds the range.",
            UserWarning,
            stacklevel=callers_level(),
        )
    return Read(stored, plain_labels(labels) if given is None else given, first, in_part)


def read_like(dataset: Items, index: Tensor, first: Tensor | None) -> Tensor:
    """Return some inputs in one tensor, as they are.

    Where the ``first`` of the dataset is passed, raise which of them is not of its shape and dtype, or not finite.
    """
    inputs = [read_item(dataset, i, False)[0] for i in index.tolist()]
    if first is not None:
        for i, x in zip(index.tolist(), inputs, strict=True):
            _check_item(x, i, first)
    return torch.stack(inputs)


def by_workers(read: Callable[[int], Any], n: int, n_workers: int) -> Iterator[Any]:
    """Yield what ``read`` returns for 0..n-1, in order, read ahead by some processes.

    No global generator is drawn from.
    """
    each, generator = _Each(read, n), torch.Generator()
    yield from DataLoader(each, batch_size=None, collate_fn=_as_it_is, num_workers=n_workers, generator=generator)


class _Each(Dataset[Any]):
    def __init__(self, read: Callable[[int], Any], n: int) -> None:
        self.read, self.n = read, n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, number: int) -> Any:
        return self.read(number)


def _as_it_is(item: object) -> object:
    return item


def labels_of(dataset: Items) -> list[Any] | None:
    """Return the labels of a dataset without reading its inputs; None where it keeps no list of them.

    torchvision's datasets have a list ``targets``, Hugging Face's a column. A list that says other labels than a few
    samples carry is not believed.
    """
    listed = _listed(dataset)
    if listed is None or len(listed) != len(dataset):
        return None
    for i in spread(len(dataset), _COMPARED).tolist():
        carried = label_value(read_item(dataset, i)[1], i)
        if type(carried) is not type(listed[i]) or carried != listed[i]:
            return None
    return listed


def _listed(dataset: Any) -> list[Any] | None:
    if isinstance(dataset, TwoViews):
        return _listed(dataset.scored)
    if isinstance(dataset, Subset):
        whole = _listed(dataset.dataset)
        return None if whole is None else [whole[i] for i in dataset.indices]
    if is_hugging_face(dataset):
        _, column = columns(dataset.column_names)
        if column is None:
            return None
        names = getattr(dataset.features[column], "names", None)
        codes = list(dataset[column])
        return [names[code] if code >= 0 else None for code in codes] if isinstance(names, list) else codes
    targets = getattr(dataset, "targets", None)
    if isinstance(targets, Tensor):
        return targets.tolist() if targets.ndim == 1 else None
    return list(targets) if isinstance(targets, list | tuple) else None


def check_shape(shape: Sequence[int]) -> None:
    """Raise where samples hold no number."""
    if 0 in shape:
        raise ValueError(f"X has samples of shape {tuple(shape)}, which hold no number.")


def _check_item(x: Tensor, i: int, first: Tensor) -> None:
    """Raise where a sample is not finite, or not of the shape and the dtype of the first one."""
    shape = first.shape
    if x.shape != shape:
        grey = x.shape[1:] == shape[1:] and {len(x), shape[0]} == {1, 3}
        way = "a padding" if len(shape) == 1 else "a Resize and a CenterCrop"
        way = "a Grayscale (or a conversion to RGB)" if grey else way
        raise ValueError(
            f"X[{i}] has shape {tuple(x.shape)} and X[0] has {tuple(shape)}. Every sample needs the same shape: add "
            f"{way} to the dataset's transform."
        )
    if x.dtype != first.dtype:
        raise ValueError(
            f"X[{i}] has dtype {x.dtype} and X[0] has {first.dtype}. Let the dataset make all of one kind."
        )
    if x.is_floating_point():
        read = x.float().numpy()
        check_finite(read, x.numpy() if x.dtype == torch.float64 else read, f"X[{i}]")

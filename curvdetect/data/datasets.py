"""Reading a map-style dataset: once as a whole before anything is trained, or each sample as it is trained on.

The latter where it is too large for the memory and has a list of its labels: torchvision's ``targets``, or a column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from curvdetect.data.inputs import HeldInputs, Inputs, check_finite
from curvdetect.data.isolation import isolated_rng, spread
from curvdetect.data.items import (
    Items,
    TwoViews,
    bits_used,
    columns,
    is_hugging_face,
    label_value,
    read_input,
    read_item,
    reads_the_same,
    training_view,
)
from curvdetect.data.labels import plain_labels
from curvdetect.data.types import Array
from curvdetect.data.wording import warn

Wanted = TypeVar("Wanted")
Found = TypeVar("Found")
#: Samples whose labels are compared with the dataset's own list of them.
_COMPARED = 16


class DatasetInputs(Inputs):
    """Inputs of a map-style dataset. Each is checked as it is read where the dataset is ``unread`` as a whole."""

    lazy = True

    def __init__(self, dataset: Items, *, unread: bool = False) -> None:
        self.dataset, self.unread = dataset, unread

    def __len__(self) -> int:
        return len(self.dataset)

    @cached_property
    def first(self) -> Tensor:
        """The first of them, which the others have to be like."""
        with isolated_rng(torch.device("cpu")):  # a dataset may draw as it is read
            return read_input(self.dataset, 0)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Shape of one."""
        return tuple(self.first.shape)

    def read(self, index: Tensor) -> Tensor:
        """Return some of them."""
        first, inputs = self.first if self.unread else None, []
        for i in index.tolist():
            inputs.append(read_input(self.dataset, i))
            if first is not None:
                _check_item(inputs[-1], i, first)
        try:
            return torch.stack(inputs)
        except RuntimeError:
            for i, x in zip(index.tolist(), inputs, strict=True):
                _check_item(x, i, self.first)
            raise


def read_dataset(dataset: Items, y: ArrayLike | None, n_bytes: int, n_workers: int = 0) -> tuple[Inputs, Array, Tensor]:
    """Return a dataset's inputs, kept up to ``n_bytes``, its labels (or ``y``) and its first input, each checked."""
    n_samples = len(dataset)
    if n_samples == 0:
        raise ValueError("X is an empty dataset: found 0 sample(s) while a minimum of 2 is required.")
    with isolated_rng(torch.device("cpu")):
        first = read_input(dataset, 0)
        check_shape(first.shape)
        view = training_view(dataset)
        trained = first if view is None else read_input(view, 0)
        if trained.shape != first.shape:
            raise ValueError(
                f"X is trained on in shape {tuple(trained.shape)} and scored in {tuple(first.shape)}: let both views "
                "have one size."
            )
        bits, fixed = bits_used(dataset), reads_the_same(dataset)
        fits = first.nbytes * n_samples <= n_bytes
        stored = torch.empty((n_samples, *first.shape), dtype=first.dtype) if fixed and fits else None
        listed = labels_of(dataset) if y is None and not fits else None
        unread = not fits and (listed is not None or y is not None)
        carried = listed or []
        if not unread:
            read = partial(read_item, dataset, with_label=y is None)
            for i, (x, label) in enumerate(by_workers(read, range(n_samples), n_workers)):
                _check_item(x, i, first)
                carried.append(label_value(label, i))
                if stored is not None:
                    stored[i] = x
    if y is None and carried[0] is None:
        raise ValueError("requires y to be passed, but the target y is None: the dataset X yields no labels either.")
    labels = plain_labels(carried) if y is None else np.asarray(y)
    if len(labels) != n_samples:
        raise ValueError(f"y has {len(labels)} labels and X {n_samples} samples: pass one label for each sample.")
    if not fixed:
        warn(
            "X yields another input each time it is read (a random transform). Scores want the clean sample: drop "
            "the transform and use memorizing_net(..., augment=True), or pass TwoViews(clean, with_transform)."
        )
    if bits is not None and bits < 16:
        warn(
            f"X yields PIL pictures of 16 bits, and the few that were looked at use {bits} of them. They are read by "
            f"the range of 16 and are dark. Let it yield arrays, np.asarray(picture, 'float32')[None] / {2**bits - 1}, "
            "or read the files with load_image_folder, which finds the range."
        )
    if stored is not None:
        return HeldInputs(stored), labels, first
    inputs = DatasetInputs(dataset, unread=unread)
    inputs.first = first
    return inputs, labels, first


def by_workers(read: Callable[[Wanted], Found], wanted: Sequence[Wanted], n_workers: int) -> Iterator[Found]:
    """Yield what ``read`` returns for each of ``wanted``, read ahead by processes; draws from no global generator."""
    yield from DataLoader(
        _Reader(read),
        sampler=wanted,
        batch_size=None,
        collate_fn=_as_it_is,
        num_workers=n_workers,
        generator=torch.Generator(),
    )


class _Reader(Dataset[Found], Generic[Wanted, Found]):
    def __init__(self, read: Callable[[Wanted], Found]) -> None:
        self.read = read

    def __getitem__(self, wanted: Wanted) -> Found:
        return self.read(wanted)


def _as_it_is(item: object) -> object:
    return item


def labels_of(dataset: Items) -> list[object] | None:
    """Return the list of labels that a dataset keeps, if any; one that a few samples contradict is not believed."""
    listed = _listed(dataset)
    if listed is None or len(listed) != len(dataset):
        return None
    for i in spread(len(dataset), _COMPARED).tolist():
        carried = label_value(read_item(dataset, i)[1], i)
        if type(carried) is not type(listed[i]) or carried != listed[i]:
            return None
    return listed


def _listed(dataset: Any) -> list[object] | None:
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

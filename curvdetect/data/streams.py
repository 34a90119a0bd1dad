"""Datasets that are read while they are trained on, since they don't fit in memory.

What a first reading would find out, of labels, shapes and numbers that are none, is found in other ways: labels from
the dataset's own list of them, the rest from each sample as it is read.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Subset

from curvdetect.data.choosing import spread
from curvdetect.data.items import columns, is_hugging_face, label_value, read_item
from curvdetect.data.views import TwoViews

#: Samples whose labels are compared with the dataset's own list of them.
_COMPARED = 16


def labels_of(dataset: Any) -> list[Any] | None:
    """Return the labels of a dataset without reading its inputs; None where it keeps no list of them.

    Parameters
    ----------
    dataset : map-style Dataset
        torchvision's have a list ``targets``, Hugging Face's a column. Where samples turn out to carry other labels
        than the list says, it isn't believed.
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


def read_like(dataset: Any, index: Tensor, like: tuple[tuple[int, ...], torch.dtype] | None) -> Tensor:
    """Return some inputs in one tensor, as they are.

    Parameters
    ----------
    dataset : map-style Dataset
        Of inputs, with or without labels.
    index : Tensor of int64
        Which.
    like : (shape, dtype), optional
        What the first one of the dataset is; others have to be the same, and finite.

    Raises
    ------
    ValueError
        Naming the sample that is not.
    """
    inputs = [read_item(dataset, i, False)[0] for i in index.tolist()]
    if like is not None:
        for i, x in zip(index.tolist(), inputs, strict=True):
            check_like(x, i, *like)
    stacked = torch.stack(inputs)
    if like is not None and stacked.is_floating_point():
        finite = torch.isfinite(stacked.float()).flatten(1).all(1)
        if not finite.all():
            check_finite_item(stacked[~finite][0], int(index[int((~finite).nonzero()[0])]))
    return stacked


def check_like(x: Tensor, i: int, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    """Raise where a sample is not of the shape and the kind of the first one."""
    if x.shape != shape:
        grey = x.shape[1:] == shape[1:] and {len(x), shape[0]} == {1, 3}
        way = "a padding" if len(shape) == 1 else "a Resize and a CenterCrop"
        way = "a Grayscale (or a conversion to RGB)" if grey else way
        raise ValueError(
            f"X[{i}] has shape {tuple(x.shape)} and X[0] has {tuple(shape)}. Every sample needs the same shape: add "
            f"{way} to the dataset's transform."
        )
    if x.dtype != dtype:
        raise ValueError(f"X[{i}] has dtype {x.dtype} and X[0] has {dtype}. Let the dataset make all of one kind.")


def check_finite_item(x: Tensor, i: int) -> None:
    """Raise where a sample holds what is no number."""
    if x.is_floating_point() and not torch.isfinite(x.float()).all():
        raise ValueError(
            f"X[{i}] contains NaN or infinity, or values too large for float32. Remove, impute or scale them."
        )

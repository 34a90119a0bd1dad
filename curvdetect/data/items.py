"""What a map-style dataset yields, as an input and a label.

Items are tuples ``(x, y)``, or dictionaries as Hugging Face's datasets yield them; inputs are tensors, arrays, lists of
numbers or PIL pictures. Where an item can't be read, or it can't be told what is what, the error says which and why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Number
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy.sparse import issparse
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset

from curvdetect.data.choosing import spread
from curvdetect.data.labels import refuse_masked
from curvdetect.data.pictures import as_pixels, depth_of
from curvdetect.data.views import TwoViews

#: Names by which the input and the label of a dictionary are known.
INPUTS = ("image", "img", "pixel_values", "x", "features")
LABELS = ("label", "labels", "y", "target")


def is_dataset(X: Any, name: str = "X") -> bool:
    """Say whether ``X`` is a map-style dataset rather than an array. ``name`` is what an error calls it."""
    if isinstance(X, IterableDataset):
        raise TypeError(
            f"{name} is an IterableDataset, whose samples have no index. curvdetect has to meet every sample again "
            "after each epoch: pass a map-style Dataset (with __len__ and __getitem__) or an array."
        )
    if isinstance(X, DataLoader):
        raise TypeError(
            f"{name} is a DataLoader. Pass its dataset (`loader.dataset`): curvdetect makes its own batches."
        )
    if issparse(X):  # one of the kinds is a dictionary
        return False
    if isinstance(X, Mapping):
        keys = list(X)
        raise TypeError(
            f"{name} is a {type(X).__name__} with keys {', '.join(map(repr, keys[:10]))}. Pass one of its values, "
            f"such as {name}[{keys[0] if keys else 'train'!r}], or a table made of all: pandas.DataFrame({name})."
        )
    if isinstance(X, str | bytes) or hasattr(X, "__fspath__"):
        raise TypeError(
            f"{name} is the {type(X).__name__} {X!r}. Pass what is in it: `X, y, paths = load_image_folder(...)`, "
            "np.load(...) or pandas.read_csv(...)."
        )
    if isinstance(X, Dataset) or is_hugging_face(X):
        return True
    # a class of the user's that torch's loaders take as well
    indexed = hasattr(type(X), "__getitem__") and hasattr(type(X), "__len__")
    return indexed and not (isinstance(X, Sequence) or hasattr(X, "shape") or hasattr(X, "__array__"))


def is_hugging_face(X: Any) -> bool:
    """Say whether ``X`` is a dataset of Hugging Face's ``datasets``, which need not be installed."""
    return any(kind.__module__ == "datasets.arrow_dataset" for kind in type(X).__mro__)


def read_item(dataset: Any, index: int, with_label: bool = True) -> tuple[Tensor, Any]:
    """Return ``(x, y)`` of one sample; ``y`` is None where it carries no label.

    Parameters
    ----------
    dataset : map-style dataset
        Yields ``(x, y)``, ``x`` or a dictionary.
    index : int
        Which sample.
    with_label : bool, default=True
        Whether to look for its label.

    Raises
    ------
    ValueError
        Where it can't be read, or is nothing that a network can be shown; the message names it.
    """
    item = _item(dataset, index)
    x, y, column = _split(item, index, dataset, with_label)
    if isinstance(x, tuple | list) and len(x) == 1 and not isinstance(x[0], Number):
        x = x[0]
    x = _as_tensor(x, index)
    if x.is_complex():
        raise ValueError(f"X[{index}] is complex. Complex data not supported: pass its real and imaginary parts.")
    if x.ndim == 3 and x.dtype == torch.uint8 and isinstance(item, Mapping) and not isinstance(item[column], Tensor):
        x = x if isinstance(item[column], Image.Image) or not _is_picture(dataset, column) else x.movedim(2, 0)
    return x.detach().cpu(), y


def bits_used(dataset: Any) -> int | None:
    """Return how many of their 16 bits a few PIL pictures use; None where these have 8, or are none."""
    used = []
    for i in spread(len(dataset), 16).tolist():
        x = _split(_item(dataset, i), i, dataset, False)[0]
        if not isinstance(x, Image.Image):
            break
        depth = depth_of(x)
        used += [] if depth is None else [depth.used]
    return max(used, default=None)


def reads_the_same(dataset: Any) -> bool:
    """Say whether the first few inputs are equal when read twice."""
    few = range(min(16, len(dataset)))
    return all(torch.equal(read_item(dataset, i, False)[0], read_item(dataset, i, False)[0]) for i in few)


def _item(dataset: Any, index: int) -> Any:
    """Return what a dataset yields."""
    try:
        return dataset[index]
    except Exception as error:
        raise ValueError(
            f"X[{index}]{_path(dataset, index)} can't be read ({type(error).__name__}: {error}). Leave it out: "
            "torch.utils.data.Subset(X, readable), with the indices of the others."
        ) from error


def _split(item: Any, index: int, dataset: Any, with_label: bool) -> tuple[Any, Any, Any]:
    """Return input and label as they are, and the name of the input's column."""
    if isinstance(item, Mapping):
        column, label = columns(list(item), with_label)
        return item[column], None if label is None else _class_name(dataset, label, item[label], index), column
    if isinstance(item, tuple | list) and len(item) >= 2:
        return item[0], item[1] if with_label else None, None
    return item, None, None


def columns(names: Sequence[Any], with_label: bool = True) -> tuple[Any, Any]:
    """Return the names of the input's column and of the label's, which is None where there is none.

    Parameters
    ----------
    names : sequence
        All columns.
    with_label : bool, default=True
        Whether the label is wanted.

    Raises
    ------
    ValueError
        Where it can't be told which column is which.
    """
    labels = [name for name in names if str(name).lower() in LABELS]
    others = [name for name in names if name not in labels]
    inputs = [name for name in others if str(name).lower() in INPUTS] or others
    start = f"X yields dictionaries with columns {', '.join(map(repr, names))}, and it can't be told which is the "
    if len(inputs) != 1:
        raise ValueError(
            f"{start}input. It is known by the name {', '.join(INPUTS[:-1])} or {INPUTS[-1]}, or by being the only one "
            "beside the label: X.rename_column('...', 'x'), X.select_columns([...]), or a Dataset around X that "
            "returns (x, y). Of a table pass X.to_pandas()[[...]], and y beside it."
        )
    if with_label and len(labels) != 1 and (labels or len(others) > 1):
        raise ValueError(
            f"{start}label. It is known by the name {', '.join(LABELS[:-1])} or {LABELS[-1]}. Pass yours beside X: "
            f"y=X[{(labels or [name for name in others if name not in inputs])[0]!r}]."
        )
    return inputs[0], labels[0] if with_label and labels else None


def _class_name(dataset: Any, column: Any, label: Any, index: int) -> Any:
    """Return the name of a class that a Hugging Face dataset numbers; any other label as it is."""
    names = getattr(_features(dataset).get(column), "names", None)
    code = label.item() if isinstance(label, Tensor | np.ndarray) and label.ndim == 0 else label
    if not isinstance(names, list) or isinstance(code, bool) or not isinstance(code, int | np.integer):
        return label
    if not 0 <= code < len(names):
        raise ValueError(
            f"X[{index}] yields {column}={code}, which is none of the {len(names)} classes: -1 stands for samples "
            f"without a label. Leave these out: X.filter(lambda item: item[{column!r}] >= 0)."
        )
    return names[code]


def _is_picture(dataset: Any, column: Any) -> bool:
    """Say whether a Hugging Face dataset calls a column pictures, which as arrays have their channels last."""
    return type(_features(dataset).get(column)).__name__ == "Image"


def _features(dataset: Any) -> Mapping[Any, Any]:
    while isinstance(dataset, Subset | TwoViews):
        dataset = dataset.scored if isinstance(dataset, TwoViews) else dataset.dataset
    return dataset.features if is_hugging_face(dataset) else {}


def _as_tensor(x: Any, index: int) -> Tensor:
    refuse_masked(x, f"X[{index}]")
    if isinstance(x, Tensor):
        return x
    if isinstance(x, Image.Image):
        return as_pixels(x)
    try:
        if isinstance(x, list | np.ndarray):
            array = np.array(x)  # writable, in one piece and in the machine's order of bytes, as torch wants it
            return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), copy=False))
    except (TypeError, ValueError) as error:
        why = f" ({error})"
    else:
        why = ""
    raise ValueError(
        f"X[{index}] yields a {type(x).__module__}.{type(x).__name__}{why}, and a network needs a tensor. Give the "
        "dataset a transform that makes one of it, or wrap it in a Dataset that returns (x, y)."
    )


def label_value(label: Any, index: int) -> Any:
    """Return the label of a sample as one value."""
    if not isinstance(label, Tensor | np.ndarray):
        return label
    refuse_masked(label, f"the label of X[{index}]")
    if label.size != 1 if isinstance(label, np.ndarray) else label.numel() != 1:
        raise ValueError(
            f"X[{index}] yields a label of shape {tuple(label.shape)}; each sample needs one class. For one-hot labels "
            "pass y=..., their argmax, beside the dataset; of several labels a sample fit one detector for each, on "
            "y=... of zeros and ones."
        )
    return label.item()


def _path(dataset: Any, index: int) -> str:
    """Return the file of a sample, where the dataset says it as torchvision's folders do."""
    while isinstance(dataset, Subset | TwoViews):
        if isinstance(dataset, TwoViews):
            dataset = dataset.scored
        else:
            dataset, index = dataset.dataset, dataset.indices[index]
    try:
        return f", {dataset.samples[index][0]}," if isinstance(dataset.samples[index][0], str) else ""
    except (AttributeError, LookupError, TypeError):
        return ""

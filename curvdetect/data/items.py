"""Map-style datasets: what each item is, as an input and a label, and two views of one dataset.

Items are tuples ``(x, y)``, or dictionaries as Hugging Face's datasets yield them; inputs are tensors, arrays, lists of
numbers or PIL pictures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Number
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from PIL import Image
from scipy.sparse import issparse
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset

from curvdetect.data.isolation import spread
from curvdetect.data.labels import refuse_masked
from curvdetect.data.pictures import as_pixels, depth_of

#: Names by which the input and the label of a dictionary are known.
INPUTS = ("image", "img", "pixel_values", "x", "features")
LABELS = ("label", "labels", "y", "target")


Name = TypeVar("Name")


class Items(Protocol):
    """A map-style dataset."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> object: ...


class TwoViews(Dataset[Any]):
    """A dataset that is scored as one dataset yields its samples, and trained on as another does.

    A random transform inside a dataset can't be switched off from outside, so that the dataset is passed twice.

    Parameters
    ----------
    scored : map-style dataset
        Yields every sample, with its label, the same way each time: pictures resized and cropped to their centre.
    trained : map-style dataset of the same length
        The same samples in the same order, of the same shape, by any transform. Its labels are not looked at.

    Raises
    ------
    ValueError
        Where the lengths differ.

    See Also
    --------
    memorizing_net : Its ``augment=True`` does the same for pictures in memory, by shifts and flips.

    Notes
    -----
    Indexing yields the items of ``scored``. Datasets that don't fit in memory are read again in each epoch, with
    ``iterator_train__num_workers`` and ``iterator_valid__num_workers`` processes.

    Examples
    --------
    >>> import torch
    >>> from torch.utils.data import TensorDataset
    >>> from curvdetect import LossDetector, TwoViews
    >>> X, y = torch.randn(40, 3), torch.arange(40) % 2
    >>> data = TwoViews(TensorDataset(X, y), TensorDataset(X + 0.1 * torch.randn(40, 3), y))
    >>> LossDetector(max_epochs=2, stop_at=0.1, device="cpu", random_state=0).fit(data).scores_.shape
    (40,)
    """

    def __init__(self, scored: Items, trained: Items) -> None:
        if len(scored) != len(trained):
            raise ValueError(
                f"scored has {len(scored)} samples and trained {len(trained)}: both need the same ones, in one order."
            )
        self.scored = scored
        self.trained = trained

    def __len__(self) -> int:
        return len(self.scored)

    def __getitem__(self, index: int) -> object:
        return self.scored[index]


def training_view(dataset: object) -> Items | None:
    """Return the dataset whose items are trained on, or None where it is the one that is scored."""
    if isinstance(dataset, TwoViews):
        return dataset.trained
    if isinstance(dataset, Subset):
        whole: Any = training_view(dataset.dataset)
        return None if whole is None else Subset(whole, dataset.indices)
    return None


def is_dataset(X: object, name: str = "X") -> bool:
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
        parts = all(map(is_hugging_face, X.values()))
        together = f"all of them: datasets.concatenate_datasets(list({name}.values()))"
        inputs, labels = [key for key in keys if key not in LABELS], [key for key in keys if key in LABELS]
        first, own = (inputs or keys or ["train"])[0], f"{name}[{labels[0]!r}]" if labels else ""
        table = f"a table made of all: pandas.DataFrame({name})"
        if own and inputs:  # which a network would learn from at once
            table += f"; if {own} holds the labels, leave it out of the table, and pass y={own}"
        raise TypeError(
            f"{name} is a {type(X).__name__} with keys {', '.join(map(repr, keys[:10]))}. Pass one of its values, "
            f"such as {name}[{first!r}], or {together if keys and parts else table}."
        )
    if isinstance(X, str | bytes) or hasattr(X, "__fspath__"):
        raise TypeError(
            f"{name} is the {type(X).__name__} {X!r}. Pass its content: `X, y, paths = load_image_folder(...)`, "
            "np.load(...) or pandas.read_csv(...)."
        )
    if isinstance(X, Dataset) or is_hugging_face(X):
        return True
    # a class of the user's that torch's loaders take as well
    indexed = hasattr(type(X), "__getitem__") and hasattr(type(X), "__len__")
    return indexed and not (isinstance(X, Sequence) or hasattr(X, "shape") or hasattr(X, "__array__"))


def is_hugging_face(X: object) -> bool:
    """Say whether ``X`` is a dataset of Hugging Face's ``datasets``, which need not be installed."""
    return any(kind.__module__ == "datasets.arrow_dataset" for kind in type(X).__mro__)


def read_input(dataset: Items, index: int) -> Tensor:
    """Return the input of one sample, or raise why it can't be read."""
    return read_item(dataset, index, with_label=False)[0]


def read_item(dataset: Items, index: int, with_label: bool = True) -> tuple[Tensor, object]:
    """Return ``(x, y)`` of one sample, or raise why it can't be read; ``y`` is None where it carries no label."""
    x, y = _split(_item(dataset, index), index, dataset, with_label)
    if isinstance(x, tuple | list) and len(x) == 1 and not isinstance(x[0], Number):
        x = x[0]
    tensor = _as_tensor(x, index)
    if tensor.is_complex():
        raise ValueError(f"X[{index}] is complex. Complex data not supported: pass its real and imaginary parts.")
    return tensor.detach().cpu(), y


def input_of(dataset: Items, index: int) -> object:
    """Return the input of one sample as the dataset yields it; what is raised is the dataset's own."""
    return _split(dataset[index], index, dataset, with_label=False)[0]


def bits_used(dataset: Items) -> int | None:
    """Return how many of their 16 bits a few PIL pictures use; None where these have 8, or are none."""
    used = []
    for i in spread(len(dataset), 16).tolist():
        x, _ = _split(_item(dataset, i), i, dataset, False)
        if not isinstance(x, Image.Image):
            break
        depth = depth_of(x)
        used += [] if depth is None else [depth.used]
    return max(used, default=None)


def reads_the_same(dataset: Items) -> bool:
    """Say whether the first few inputs are equal when read twice."""
    few = range(min(16, len(dataset)))
    return all(torch.equal(read_input(dataset, i), read_input(dataset, i)) for i in few)


def columns(names: Sequence[Name], with_label: bool = True) -> tuple[Name, Name | None]:
    """Return the columns of the input and of the label, if any, or raise where it can't be told which is which."""
    labels = [name for name in names if str(name).lower() in LABELS]
    others = [name for name in names if name not in labels]
    inputs = [name for name in others if str(name).lower() in INPUTS] or others
    start = f"X yields dictionaries with columns {', '.join(map(repr, names))}, and it can't be told which is the "
    if len(inputs) != 1:
        raise ValueError(
            f"{start}input. It is known by the name {', '.join(INPUTS[:-1])} or {INPUTS[-1]}, or by being the only one "
            "beside the label: X.rename_column('...', 'x'), X.select_columns([...]), or a Dataset around X that "
            "returns (x, y). For a table pass X.to_pandas()[[...]], and y beside it."
        )
    if with_label and len(labels) != 1 and (labels or len(others) > 1):
        raise ValueError(
            f"{start}label. It is known by the name {', '.join(LABELS[:-1])} or {LABELS[-1]}. Pass yours beside X: "
            f"y=X[{(labels or [name for name in others if name not in inputs])[0]!r}]."
        )
    return inputs[0], labels[0] if with_label and labels else None


def label_value(label: object, index: int) -> object:
    """Return the label of a sample as one value."""
    if not isinstance(label, Tensor | np.ndarray):
        return label
    refuse_masked(label, f"the label of X[{index}]")
    if len(label.reshape(-1)) != 1:
        raise ValueError(
            f"X[{index}] yields a label of shape {tuple(label.shape)}; each sample needs one class. For one-hot labels "
            "pass y=..., their argmax, beside the dataset; for several labels a sample fit one detector for each, on "
            "y=... of zeros and ones."
        )
    return label.item()


def _item(dataset: Items, index: int) -> object:
    try:
        return dataset[index]
    except Exception as error:
        raise ValueError(
            f"X[{index}]{_path(dataset, index)} can't be read ({type(error).__name__}: {error}). Leave it out: "
            "torch.utils.data.Subset(X, readable), with the indices of the others."
        ) from error


def _split(item: object, index: int, dataset: Items, with_label: bool) -> tuple[object, object]:
    """Return input and label as they are; an array that Hugging Face calls a picture with its channels first."""
    if isinstance(item, Mapping):
        column, label = columns(list(item), with_label)
        x = item[column]
        pictures = type(_features(dataset).get(column)).__name__ == "Image"
        if pictures and isinstance(x, np.ndarray) and x.ndim == 3 and x.dtype == np.uint8:
            x = np.moveaxis(x, 2, 0)
        return x, None if label is None else _class_name(dataset, label, item[label], index)
    if isinstance(item, tuple | list) and len(item) >= 2:
        return item[0], item[1] if with_label else None
    return item, None


def _class_name(dataset: Items, column: object, label: object, index: int) -> object:
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


def _innermost(dataset: object, index: int = 0) -> tuple[Any, int]:
    """Return the dataset that subsets and views are made of, and an item's number there."""
    while isinstance(dataset, Subset | TwoViews):
        if isinstance(dataset, TwoViews):
            dataset = dataset.scored
        else:
            index = dataset.indices[index]
            dataset = dataset.dataset
    return dataset, index


def _features(dataset: Items) -> Mapping[object, object]:
    inner, _ = _innermost(dataset)
    return inner.features if is_hugging_face(inner) else {}


def _path(dataset: Items, index: int) -> str:
    """Return the file of a sample, where the dataset says it as torchvision's folders do."""
    try:
        inner, at = _innermost(dataset, index)
        return f", {inner.samples[at][0]}," if isinstance(inner.samples[at][0], str) else ""
    except (AttributeError, LookupError, TypeError):
        return ""


def _as_tensor(x: object, index: int) -> Tensor:
    refuse_masked(x, f"X[{index}]")
    if isinstance(x, Tensor):
        return x
    if isinstance(x, Image.Image):
        return as_pixels(x)
    why = ""
    try:
        if isinstance(x, list | np.ndarray):
            array = np.array(x)  # writable, in one piece and in the machine's order of bytes, as torch needs it
            return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), copy=False))
    except (TypeError, ValueError) as error:
        why = f" ({error})"
    raise ValueError(
        f"X[{index}] yields a {type(x).__module__}.{type(x).__name__}{why}, and a network needs a tensor. Give the "
        "dataset a transform that makes one of it, or wrap it in a Dataset that returns (x, y)."
    )

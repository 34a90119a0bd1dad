"""Values as JSON, with arrays and weights beside it; a short list of kinds, so that nothing is executed on reading."""

from __future__ import annotations

from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import save as save_weights

from curvdetect.data.rows import RowIndex
from curvdetect.training.snapshots import Snapshot


def encoded(value: Any, arrays: dict[str, NDArray[Any]], files: dict[str, bytes]) -> Any:
    """Return what JSON can hold of a value; arrays and weights go into files of their own.

    Parameters
    ----------
    value : object
        Numbers, text, arrays, containers of them, `RowIndex` and `Snapshot`.
    arrays : dict
        Arrays by name, added to.
    files : dict
        Contents of files by name, added to.

    Raises
    ------
    TypeError
        For anything else.
    """

    def inside(item: Any) -> Any:
        return encoded(item, arrays, files)

    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value) if np.isfinite(float(value)) else {"float": repr(float(value))}
    if isinstance(value, Path):
        return {"path": str(value)}
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "O":
            return {"objects": [inside(item) for item in value.tolist()]}
        key = f"array-{len(arrays)}"
        arrays[key] = value
        return {"array": key}
    if type(value) is list:
        return [inside(item) for item in value]
    if type(value) is tuple:
        return {"tuple": [inside(item) for item in value]}
    if type(value) is dict:
        return {"items": [[inside(key), inside(item)] for key, item in value.items()]}
    if isinstance(value, RowIndex):
        return {"rows": inside(value.__getstate__())}
    if isinstance(value, Snapshot):
        name = f"snapshot-{value.epoch:04d}.safetensors"
        files[name] = save_weights(value.load())
        return {"snapshot": [value.epoch, name]}
    raise TypeError(f"it holds a {type(value).__name__}, which is no text, number or array")


def decoded(node: Any, arrays: dict[str, NDArray[Any]], files: dict[str, Path]) -> Any:
    """Return the value that was encoded.

    Parameters
    ----------
    node : object
        What JSON held.
    arrays : dict
        Arrays by name.
    files : dict
        Where files are, by name.
    """

    def inside(item: Any) -> Any:
        return decoded(item, arrays, files)

    if isinstance(node, list):
        return [inside(item) for item in node]
    if not isinstance(node, dict):
        return node
    ((kind, content),) = node.items()
    if kind == "float":
        return float(content)
    if kind == "path":
        return Path(content)
    if kind == "array":
        return arrays[content]
    if kind == "objects":
        found = np.empty(len(content), dtype=object)
        found[:] = inside(content)
        return found
    if kind == "tuple":
        return tuple(inside(content))
    if kind == "items":
        return {inside(key): inside(item) for key, item in content}
    if kind == "rows":
        rows = RowIndex.__new__(RowIndex)
        rows.__dict__.update(inside(content))
        return rows
    epoch, name = content
    return Snapshot(epoch, files[name])

"""Values as JSON, with arrays and weights beside it; a short list of kinds, so that nothing is executed on reading."""

from __future__ import annotations

from functools import partial
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import save as save_weights

from curvdetect.data.rows import RowIndex
from curvdetect.training.snapshots import Snapshot


def encoded(value: Any, arrays: dict[str, NDArray[Any]], files: dict[str, bytes]) -> Any:
    """Return a value as JSON; its arrays and weights are added to ``arrays`` and ``files``, by name.

    Numbers, text, arrays, containers of them, `RowIndex` and `Snapshot` are known; others raise TypeError.
    """
    inside = partial(encoded, arrays=arrays, files=files)
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
    """Return the value that was encoded as ``node``, its arrays and the paths of its files by name."""
    inside = partial(decoded, arrays=arrays, files=files)
    if isinstance(node, list):
        return [inside(item) for item in node]
    if not isinstance(node, dict):
        return node
    ((kind, content),) = node.items()
    if kind in ("float", "path"):
        return {"float": float, "path": Path}[kind](content)
    if kind == "array":
        return arrays[content]
    if kind == "objects":
        return np.fromiter(inside(content), dtype=object, count=len(content))
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

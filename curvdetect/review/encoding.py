"""Values as JSON, with arrays and weights beside it: what a file can hold without code, and back."""

from __future__ import annotations

from functools import partial
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import save as save_weights

from curvdetect.data.rows import RowIndex
from curvdetect.data.types import Array
from curvdetect.detectors.trees import Forest, Trees
from curvdetect.detectors.witnesses import Ridge
from curvdetect.features.patches import PatchFeatures
from curvdetect.features.radial import RadialBasis, SquareRoots
from curvdetect.training.checkpoints import Snapshot

#: Objects that are no more than the values that they hold, by what files call them.
_HELD: dict[str, type] = {
    "rows": RowIndex,
    "ridge": Ridge,
    "forest": Forest,
    "trees": Trees,
    "patches": PatchFeatures,
    "radial": RadialBasis,
    "roots": SquareRoots,
}


def encoded(value: object, arrays: dict[str, Array], files: dict[str, bytes]) -> object:
    """Return a value as JSON, or raise TypeError; its arrays and weights go to ``arrays`` and ``files``, by name."""
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
    if isinstance(value, np.ndarray) and value.dtype.kind != "O":
        arrays[key := f"array-{len(arrays)}"] = value
        return {"array": key}
    if isinstance(value, list | tuple | np.ndarray) and type(value) in (list, tuple, np.ndarray):
        items = list(map(inside, value))
        return items if isinstance(value, list) else {"tuple" if isinstance(value, tuple) else "objects": items}
    if type(value) is dict:
        return {"items": [[inside(key), inside(item)] for key, item in value.items()]}
    for kind, held in _HELD.items():
        if type(value) is held:
            return {kind: inside(value.__getstate__())}
    if isinstance(value, Snapshot):
        name = f"snapshot-{value.epoch:04d}.safetensors"
        files[name] = save_weights(value.load())
        return {"snapshot": [value.epoch, name]}
    raise TypeError(f"it holds a {type(value).__name__}, which is no text, number or array")


def decoded(node: Any, arrays: dict[str, Array], files: dict[str, Path]) -> Any:
    """Return the value that was encoded as ``node``, its arrays and the paths of its files by name."""
    inside = partial(decoded, arrays=arrays, files=files)
    if isinstance(node, list):
        return list(map(inside, node))
    if not isinstance(node, dict):
        return node
    ((kind, content),) = node.items()
    if kind == "items":
        return {inside(key): inside(item) for key, item in content}
    if kind in _HELD:
        value: Any = object.__new__(_HELD[kind])
        value.__dict__.update(inside(content))
        return value
    if kind == "objects":
        return np.fromiter(inside(content), dtype=object, count=len(content))
    if kind == "snapshot":
        return Snapshot(content[0], files[content[1]])
    if kind == "tuple":
        return tuple(inside(content))
    return arrays[content] if kind == "array" else {"float": float, "path": Path}[kind](content)

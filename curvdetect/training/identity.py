"""What a fit is a fit of: its parameters and its data, as short texts that another process can compare.

Two fits with equal texts train in the same way, as far as can be told without running them.
"""

from __future__ import annotations

import dis
import functools
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from hashlib import blake2b
from numbers import Number
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import nn

from curvdetect.training.checkpoints import Checkpoints, write_whole

_FORMAT = 2
_FILE = "fit.json"
#: Values held by functions and modules that tell them apart. Others, such as a log, change while they are used.
_PLAIN = (Number, str, bytes, range, tuple, np.ndarray, torch.Tensor, functools.partial, FunctionType, type)


def claim(directory: str | Path, identity: Mapping[str, str], *, seed: int) -> tuple[Checkpoints, int]:
    """Return the checkpoints of a fit and its seed, or refuse where the directory holds those of another.

    ``identity`` holds texts of `described` by the names of parameters, and digests of the data under "X" and "y". The
    seed of a fit that is taken up goes before the one given, which may merely have been drawn.
    """
    path = Path(directory)
    file = path / _FILE
    if file.exists():
        theirs = _read(file)
        _refuse_others(path, theirs["identity"], identity)
        return Checkpoints(path), int(theirs["seed"])
    content = json.dumps({"format": _FORMAT, "seed": seed, "identity": dict(identity)}, indent=1)
    try:
        write_whole(file, content.encode())
    except OSError as error:
        error.add_note(f"checkpoint_dir={str(directory)!r} can't be written to: pass another, or leave it out.")
        raise
    return Checkpoints(path), seed


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text())
        if content["format"] == _FORMAT:
            return dict(content)
        found = f"is of format {content['format']}, and this version reads {_FORMAT}"
    except (ValueError, KeyError, TypeError) as error:
        found = f"can't be read ({error})"
    raise ValueError(f"{file} {found}. Delete the directory to start anew, or pass another checkpoint_dir.")


def _refuse_others(path: Path, theirs: Mapping[str, str], mine: Mapping[str, str]) -> None:
    data = [name for name in ("X", "y") if theirs.get(name) != mine.get(name)]
    names = sorted((theirs.keys() | mine.keys()) - {"X", "y"})
    changed = [
        f"{name} was {theirs.get(name, 'not there')} and is {mine.get(name, 'not there')}"
        for name in names
        if theirs.get(name) != mine.get(name)
    ]
    if not data and not changed:
        return
    what = [*([f"other data ({' and '.join(data)} changed)"] if data else [])]
    what += [f"other parameters ({'; '.join(changed)})"] if changed else []
    raise ValueError(
        f"checkpoint_dir={str(path)!r} holds checkpoints of a fit with {' and '.join(what)}. Pass what that fit was "
        "given to take it up, or another checkpoint_dir; or delete the directory to start anew."
    )


def identity_of(params: Mapping[str, Any]) -> dict[str, str]:
    """Return texts of parameters by their names; those of a net among them one by one, as ``net__lr``."""
    texts: dict[str, str] = {}
    for name, value in params.items():
        if isinstance(value, BaseEstimator):
            texts[name] = _name_of(type(value))
            nested = value.get_params(deep=False)
            texts |= {f"{name}__{key}": described(item) for key, item in nested.items() if key != "verbose"}
        else:
            texts[name] = described(value)
    return texts


def described(value: object) -> str:
    """Return a text that is equal for equal values, in every process.

    Modules are told apart by their weights and plain attributes, functions by name, code and the plain values that they
    hold, other objects by their attributes.
    """
    return _described(value, ())


def _described(value: Any, within: tuple[int, ...]) -> str:
    if id(value) in within:
        return "itself"
    inside = (*within, id(value))
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, Number | str | bytes | range | torch.dtype | torch.device):
        return repr(value)
    if isinstance(value, Path):
        return repr(str(value))
    if isinstance(value, np.ndarray) and value.dtype.kind in "OT":  # whose bytes are addresses
        return f"array {value.shape} {_digest(_described(value.ravel().tolist(), inside).encode())}"
    if isinstance(value, torch.Tensor | np.ndarray):
        array = value.detach().cpu().float().numpy() if isinstance(value, torch.Tensor) else value
        return f"array {array.shape} {_digest(np.ascontiguousarray(array).tobytes() + str(array.dtype).encode())}"
    if isinstance(value, nn.Module):
        weights = [f"{name} {_described(part, inside)}" for name, part in value.state_dict().items()]
        own = [f"{name} {_described(_plain_in(part), inside)}" for name, part in _not_torchs_own(value)]
        return f"{_name_of(type(value))} {_digest('|'.join([repr(value), *weights, *own]).encode())}"
    if isinstance(value, functools.partial):
        bound = _described([value.args, value.keywords], inside)
        return f"partial({_described(value.func, inside)}, {bound})"
    if isinstance(value, MethodType):
        return f"{_described(value.__self__, inside)}.{value.__name__}"
    if isinstance(value, type | BuiltinFunctionType | FunctionType):
        code = getattr(value, "__code__", None)
        held = _held_by(value) if isinstance(value, FunctionType) else {}
        texts = [*([] if code is None else [_code(code)]), *([_described(held, inside)] if held else [])]
        return " ".join([_name_of(value), *([_digest("".join(texts).encode())] if texts else [])])
    if isinstance(value, Mapping):
        items = sorted(f"{_described(key, inside)}: {_described(item, inside)}" for key, item in value.items())
        return f"{{{', '.join(items)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_described(item, inside) for item in value)}]"
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(_described(item, inside) for item in value))}}}"
    if hasattr(value, "__array__"):
        return f"{_name_of(type(value))} {_described(np.asarray(value), inside)}"
    attributes = value.get_params(deep=False) if isinstance(value, BaseEstimator) else getattr(value, "__dict__", {})
    return f"{_name_of(type(value))}({_described(attributes, inside)})" if attributes else _name_of(type(value))


def _held_by(function: FunctionType) -> dict[str, Any]:
    """Return the plain values that a function holds: defaults, and what it closes over."""
    code, defaults = function.__code__, function.__defaults__ or ()
    named = code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount]
    held = dict(zip(named, defaults, strict=True)) | (function.__kwdefaults__ or {})
    counted = {step.argval for step in dis.get_instructions(code) if step.opname == "STORE_DEREF"}
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # raised where nothing is in it yet
            if name not in counted:
                held[name] = cell.cell_contents
    return {name: value for name, value in held.items() if isinstance(value, _PLAIN)}


def _not_torchs_own(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield the modules within one that are not torch's, whose text need not say what they do."""
    return ((name, part) for name, part in module.named_modules() if not type(part).__module__.startswith("torch."))


def _plain_in(module: nn.Module) -> dict[str, Any]:
    """Return the plain attributes of a module; its mode is set anew wherever it is used."""
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_") and name != "training" and isinstance(value, (*_PLAIN, list, Mapping))
    }


def _code(code: CodeType) -> str:
    """Return what a function does, as text: its instructions and constants, those of functions within it included."""
    constants = [_code(c) if isinstance(c, CodeType) else described(c) for c in code.co_consts]
    return f"{code.co_code.hex()} {code.co_names} {constants}"


def _name_of(value: object) -> str:
    return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', repr(type(value)))}"


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=8).hexdigest()

"""What a fit is a fit of: its parameters and its data, as short texts that another process can compare.

Two fits with equal texts train in the same way, as far as can be told without running them.
"""

from __future__ import annotations

import dis
import json
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from hashlib import blake2b
from numbers import Number
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import nn

from curvdetect.data.types import Record
from curvdetect.training.checkpoints import Checkpoints, write_whole

_FORMAT = 4
_FILE = "fit.json"
#: Values held by functions and modules that tell them apart. Others, such as a log, change while they are used.
_PLAIN = (Number, str, bytes, range, tuple, np.ndarray, torch.Tensor, partial, FunctionType, type)


def claim(directory: str | Path, identity: Mapping[str, str], *, seed: int) -> tuple[Checkpoints, int]:
    """Return the checkpoints of a fit and its seed, which may be an earlier one's, or refuse those of another fit."""
    path = Path(directory)
    file = path / _FILE
    if not file.exists():
        content = json.dumps({"format": _FORMAT, "seed": seed, "identity": dict(identity)}, indent=1)
        try:
            write_whole(file, content.encode())
        except OSError as error:
            error.add_note(f"checkpoint_dir={str(directory)!r} can't be written to: pass another, or leave it out.")
            raise
        return Checkpoints(path), seed
    try:
        kept = json.loads(file.read_text())
        found = f"is of format {kept['format']}, and this version reads {_FORMAT}"
    except (ValueError, KeyError, TypeError) as error:
        kept, found = {"format": None}, f"can't be read ({error})"
    if kept["format"] != _FORMAT:
        raise ValueError(f"{file} {found}. Delete the directory to start anew, or pass another checkpoint_dir.")
    was = kept["identity"]
    changed = [name for name in sorted(was.keys() | identity.keys()) if was.get(name) != identity.get(name)]
    data = [name for name in changed if name in ("X", "y", "pred_probs")]
    params = [
        f"{name} was {was.get(name, 'not there')} and is {identity.get(name, 'not there')}"
        for name in changed
        if name not in data
    ]
    what = [f"other data ({' and '.join(data)} changed)"] if data else []
    what += [f"other parameters ({'; '.join(params)})"] if params else []
    if what:
        raise ValueError(
            f"checkpoint_dir={str(path)!r} holds checkpoints of a fit with {' and '.join(what)}. Pass what that fit "
            "was given to take it up, or another checkpoint_dir; or delete the directory to start anew."
        )
    return Checkpoints(path), int(kept["seed"])


def identity_of(params: Mapping[str, object]) -> dict[str, str]:
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


def described(value: object, within: tuple[int, ...] = ()) -> str:
    """Return a text that is equal for equal values, in every process; ``within`` are ids of what holds the value."""
    if id(value) in within:
        return "itself"
    text = partial(described, within=(*within, id(value)))
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, Number | str | bytes | range | torch.dtype | torch.device):
        return repr(value)
    if isinstance(value, Path):
        return repr(str(value))
    if isinstance(value, np.ndarray) and value.dtype.kind in "OT":  # whose bytes are addresses
        return f"array {value.shape} {_digest(text(value.ravel().tolist()))}"
    if isinstance(value, torch.Tensor):
        return text(value.detach().cpu().float().numpy())
    if isinstance(value, np.ndarray):
        return f"array {value.shape} {_digest(np.ascontiguousarray(value).tobytes() + str(value.dtype).encode())}"
    if isinstance(value, nn.Module):
        weights = [f"{name} {text(part)}" for name, part in value.state_dict().items()]
        # the text of one of torch's own modules says what it does
        others = [item for item in value.named_modules() if not type(item[1]).__module__.startswith("torch.")]
        own = [f"{name} {text(_plain_in(part))}" for name, part in others]
        return f"{_name_of(type(value))} {_digest('|'.join([repr(value), *weights, *own]))}"
    if isinstance(value, partial):
        return f"partial({text(value.func)}, {text([value.args, value.keywords])})"
    if isinstance(value, MethodType):
        return f"{text(value.__self__)}.{value.__name__}"
    if isinstance(value, FunctionType):
        held = _held_by(value)
        return f"{_name_of(value)} {_digest(_code(value.__code__) + (text(held) if held else ''))}"
    if isinstance(value, type | BuiltinFunctionType):
        return _name_of(value)
    if isinstance(value, Mapping):
        return f"{{{', '.join(sorted(f'{text(key)}: {text(item)}' for key, item in value.items()))}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(text, value))}]"
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(map(text, value)))}}}"
    if hasattr(value, "__array__"):
        return f"{_name_of(type(value))} {text(np.asarray(value))}"
    attributes = value.get_params(deep=False) if isinstance(value, BaseEstimator) else getattr(value, "__dict__", {})
    return f"{_name_of(type(value))}({text(attributes)})" if attributes else _name_of(type(value))


def _held_by(function: FunctionType) -> Record:
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


def _plain_in(module: nn.Module) -> Record:
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


def _digest(content: str | bytes) -> str:
    return blake2b(content.encode() if isinstance(content, str) else content, digest_size=8).hexdigest()

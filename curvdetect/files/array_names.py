"""Which array of an ``.npz`` file holds the samples, and which the labels: by their names, or else by their shapes."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from curvdetect.data.wording import ArgumentError, ContentError, listed, short, spelled
from curvdetect.files.labelled import Asked

_SAMPLES = "x|samples|embeddings?|features?|images?|pictures?|data|inputs?|vectors"
_LABELS = "y|labels?|targets?|class|classes"
_PARTS = "train|training|val|valid|validation|dev|test|testing"
_NAME = re.compile(
    rf"(?:(?P<before>{_PARTS})[_-]?)?(?:(?P<samples>{_SAMPLES})|(?P<labels>{_LABELS}))(?:[_-]?(?P<after>{_PARTS}))?",
    re.IGNORECASE,
)

Shapes = Mapping[str, tuple[int, ...]]


class _Named(NamedTuple):
    """What a name says of an array."""

    name: str
    kind: str
    part: str | None


def shapes_of(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all arrays in an ``.npz`` file, of which only the beginnings are read."""
    found = {}
    with zipfile.ZipFile(path) as file:
        for member in file.namelist():
            with file.open(member) as content, suppress(ValueError):  # where it is something else than an array
                version = np.lib.format.read_magic(content)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                found[member.removesuffix(".npy")] = read(content)[0]
    return found


def chosen_names(shapes: Shapes, asked: Asked, path: object) -> tuple[str, str]:
    """Return the names of the samples and of the labels, an empty one where these are in a file of their own.

    Raise where there is no choice, or more than one.
    """
    samples = _chosen("samples", asked.samples, "samples", _of_rows, shapes, asked, path, shapes)
    if asked.labels is not None:
        return samples, ""
    length = shapes[samples][:1]
    same = {name: shape for name, shape in shapes.items() if name != samples and shape[:1] == length}
    labels = _chosen("labels", asked.label, "label", _of_labels, shapes, asked, path, same)
    return samples, labels


def _of_rows(shape: tuple[int, ...]) -> bool:
    return len(shape) > 1 and shape[1:] != (1,)


def _of_labels(shape: tuple[int, ...]) -> bool:
    return len(shape) == 1 or shape[1:] == (1,)


def _chosen(
    kind: str,
    name: str | None,
    argument: str,
    fits: Callable[[tuple[int, ...]], bool],
    shapes: Shapes,
    asked: Asked,
    path: object,
    by_shape: Shapes,
) -> str:
    """Return the name of the array of a kind: the one that is asked for, or named so, or the only one of its shape."""
    holds = f"'{short(path)}' holds {listed(shapes) or 'nothing'}"
    if name is not None:
        if name not in shapes:
            raise ArgumentError(argument, f"{holds}, and no array '{short(name)}'.")
        return name
    usual = {"samples": "X", "labels": "y"}[kind]
    if asked.split is None and usual in shapes:
        return usual
    named = [one for one in map(_read, shapes) if one is not None and one.kind == kind]
    if asked.split is not None:
        named = [one for one in named if one.part == _part(asked.split)]
        if not named:
            raise ArgumentError("split", f"{holds}, and no {kind} of a part '{short(asked.split)}'.")
    parts = {one.part for one in named}
    if len(parts) == len(named) > 1:
        choices = listed(sorted(part for part in parts if part))
        raise ArgumentError("split", f"{holds}. Choose one of {choices} by {spelled('split')}.")
    found = [one.name for one in named] or [one for one, shape in by_shape.items() if fits(shape)]
    if len(found) > 1:
        raise ContentError(f"{holds}, and its {kind} may be {listed(found)}. Name one by {spelled(argument)}.")
    if not found:
        raise ContentError(
            f"{holds}: it needs an array X of samples and an array y of labels, or others that are named by "
            f"{spelled('samples')} and {spelled('label')}."
        )
    return found[0]


def _read(name: str) -> _Named | None:
    found = _NAME.fullmatch(name)
    if found is None or (found["before"] and found["after"]):
        return None
    part = found["before"] or found["after"]
    return _Named(name, "samples" if found["samples"] else "labels", part and _part(part))


def _part(name: str) -> str:
    """Return one name for all names of a part."""
    name = name.lower()
    for part in ("train", "test", "val"):
        if name.startswith(part):
            return part
    return "val" if name == "dev" else name

"""A COCO file: a .json of images, annotations with boxes, and categories."""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from curvdetect.data.types import Array
from curvdetect.data.wording import ArgumentError, ContentError, listed, short, spelled
from curvdetect.files.boxes import Boxes, BoxesFile, distinct
from curvdetect.files.json_spans import elements, member
from curvdetect.files.pictures import as_text
from curvdetect.training.checkpoints import write_whole

_KEYS = ("images", "annotations", "categories")
#: Folders in which pictures usually lie, beside the file or above it, and how many pictures are looked for there.
_FOLDERS, _TRIED = ("images", "train2017", "val2017"), 20
#: No box begins or ends this far away.
_FAR = 1e9


class _Image(NamedTuple):
    name: str
    size: tuple[int, int] | None


class _Content(NamedTuple):
    images: list[_Image]
    #: From the name of a category to its id.
    categories: dict[str, object]
    boxes: Boxes
    #: Numbers of the annotations that are boxes.
    places: list[int]


def lacking(path: Path) -> list[str]:
    """Return the names that a file of this format holds and this one doesn't, for which it is not parsed."""
    if path.suffix.lower() != ".json" or not path.is_file() or not path.stat().st_size:
        return list(_KEYS)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return [key for key in _KEYS if content.find(f'"{key}"'.encode()) < 0]


class CocoFile(BoxesFile):
    """A COCO file, whose annotations with a box and a category are the samples."""

    kind = "a COCO file, .json"
    takes = frozenset({"root"})
    copies = (".json",)

    @classmethod
    def fits(cls, path: Path) -> bool:
        """Say whether a file is of this format."""
        return not lacking(path)

    @property
    def boxes(self) -> Boxes:
        """The annotations with a box and a category, in their order."""
        return self._content.boxes

    @cached_property
    def images(self) -> list[Path]:
        """The pictures, in the folder where most of a few of them are."""
        names, used = [image.name for image in self._content.images], np.unique(self.boxes.image)
        tried = [names[i] for i in used[:: max(1, len(used) // _TRIED)]]
        found = {place: sum((place / name).is_file() for name in tried) for place in self._folders()}
        best = max(found, key=found.__getitem__)
        if tried and not found[best]:
            raise ArgumentError(
                "root",
                f"{listed(tried, 60)} of '{short(self.path.name, 40)}' are not in '{short(next(iter(found)))}', nor in "
                f"a folder such as images or train2017 near it. Pass {spelled('root')} with the folder that such names "
                "start from.",
            )
        return [best / name for name in names]

    def size_of(self, image: int) -> tuple[int, int] | None:
        """Return width and height of a picture where the file says them."""
        return self._content.images[image].size

    def write(self, target: Path, labels: Array) -> None:
        """Write a copy with other numbers of categories; every other character stays as it was."""
        text = self.path.read_bytes().decode("utf-8", "surrogatepass")
        starts, parts, done = elements(text, "annotations"), [], 0
        for i in np.flatnonzero(labels != self.labels).tolist():
            start, end = member(text, starts[self._content.places[i]], "category_id")
            parts += [text[done:start], json.dumps(self._content.categories[str(labels[i])])]
            done = end
        write_whole(target, "".join([*parts, text[done:]]).encode("utf-8", "surrogatepass"))

    @cached_property
    def _content(self) -> _Content:
        images, annotations, categories = _parsed(self.path)
        of_id = {_key(one, "id"): number for number, one in enumerate(images)}
        labels = distinct({_key(one, "id"): str(one.get("name", one.get("id"))) for one in categories})
        named = [_Image(str(image.get("file_name", "")), _size(image)) for image in images]
        found: list[tuple[int, str, int, str, object, list[float]]] = []
        skipped: dict[str, str] = {}
        for place, one in enumerate(annotations):
            number, label = of_id.get(_key(one, "image_id")), labels.get(_key(one, "category_id"))
            on = named[number].name if number is not None else f"annotation {place}"
            name, box = as_text(f"{on}#{one.get('id')}"), _box(one)
            if one.get("id") is None:
                skipped[f"{name}, annotation {place}"] = "it has no id"
            elif number is None:
                skipped[name] = f"its image_id, {short(one.get('image_id'), 30)}, is that of no image in the file"
            elif label is None:
                skipped[name] = f"its category_id, {short(one.get('category_id'), 30)}, is that of no category"
            elif one.get("iscrowd"):
                skipped[name] = "a crowd, not one thing"
            elif box is None:
                skipped[name] = "its bbox is not four numbers of pixels"
            elif min(box[2:]) <= 0:
                skipped[name] = "its bbox has no area"
            else:
                found.append((place, name, number, label, one["id"], box))
        places, names, on_image, given, ids, corners = zip(*found, strict=True) if found else [()] * 6
        ends = np.array(corners, dtype=float).reshape(-1, 4)
        ends[:, 2:] += ends[:, :2]
        boxes = Boxes(
            np.array(given, dtype=str),
            list(names),
            np.array(on_image, dtype=np.int64),
            ends,
            {"annotation_id": list(ids)},
            skipped,
        )
        return _Content(named, {label: number for number, label in labels.items()}, boxes, list(places))

    def _folders(self) -> Iterator[Path]:
        """Yield the folders in which pictures may lie, the likely ones first."""
        part = self.path.stem.rpartition("_")[2]  # of instances_val2017.json
        above = [self.path.parent, self.path.absolute().parent.parent]
        for place in above if self.asked.root is None else [Path(self.asked.root)]:
            for below in ("", part, f"images/{part}", *_FOLDERS):
                yield place / below


def _parsed(path: Path) -> list[list[dict[str, Any]]]:
    """Return images, annotations and categories."""
    try:
        content = json.loads(path.read_bytes(), object_hook=_without_outline)
    except (ValueError, RecursionError) as error:
        raise ContentError(f"'{short(path)}' can't be read as JSON: {short(error, 150)}.") from error
    for key in _KEYS:
        part = content.get(key) if isinstance(content, dict) else None
        if not isinstance(part, list) or not all(isinstance(one, dict) for one in part):
            raise ContentError(f"'{key}' of '{short(path)}' is not a list of objects, as a COCO file has it.")
    return [content[key] for key in _KEYS]


def _without_outline(part: dict[str, Any]) -> dict[str, Any]:
    """Drop what takes most of the memory and isn't needed, as soon as it is read."""
    part.pop("segmentation", None)
    return part


def _key(part: dict[str, Any], name: str) -> Any:
    """Return a number or text by which parts name each other; what is neither equals nothing."""
    value = part.get(name)
    return value if isinstance(value, int | float | str) else object()


def _size(image: dict[str, Any]) -> tuple[int, int] | None:
    """Return width and height of an image, if the file says them."""
    width, height = image.get("width"), image.get("height")
    return (width, height) if isinstance(width, int) and isinstance(height, int) and min(width, height) > 0 else None


def _box(annotation: dict[str, Any]) -> list[float] | None:
    """Return left and upper end, width and height, if these are numbers."""
    box = annotation.get("bbox")
    if not isinstance(box, list) or len(box) != 4:
        return None
    return box if all(isinstance(one, int | float) and abs(one) < _FAR for one in box) else None

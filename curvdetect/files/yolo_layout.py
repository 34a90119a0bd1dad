"""Where a YOLO folder has its pictures and labels, and what its classes are called."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from curvdetect.data.folders import suffixes
from curvdetect.data.wording import ArgumentError, ContentError, listed, short

#: Names of the file that describes a folder, and of what it calls parts.
_CONFIGS, _PARTS = ("data.yaml", "data.yml", "dataset.yaml"), ("train", "val", "test")
_PART = re.compile(rb"^(train|val|test)[ \t]*:", re.MULTILINE)
#: Names of classes, one a line, where there is no such file.
_CLASSES = "classes.txt"
_ALL = "all"


def is_yolo(path: Path) -> bool:
    """Say whether a path is a YOLO folder, or the file that describes one."""
    if path.is_file():
        return path.suffix.lower() in (".yaml", ".yml")
    if any(_PART.search(_content(path / name)) for name in _CONFIGS):
        return True
    if not (path / "images").is_dir() or not (path / "labels").is_dir():
        return False
    return (path / _CLASSES).is_file() or next(_below(path / "labels", {".txt"}), None) is not None


def label_file(picture: Path) -> Path:
    """Return where the labels of a picture are: in ``labels`` in place of the last ``images``, or else beside it."""
    folders = list(picture.parent.parts)
    places = [i for i, folder in enumerate(folders) if folder == "images"]
    if places:
        folders[places[-1]] = "labels"
    return Path(*folders, f"{picture.stem}.txt")


class Layout:
    """The parts of a YOLO folder and its classes, as a .yaml says, or else as its subfolders do."""

    def __init__(self, path: Path, root: str | None) -> None:
        self.path = path
        named = [path] if path.is_file() else [path / name for name in _CONFIGS if (path / name).is_file()]
        config = _parsed(named[0]) if named else None
        folder = (path.parent if path.is_file() else path).absolute()
        #: Folder that names of files start from.
        self.root = folder if root is None else Path(root).absolute()
        #: What the .yaml names and isn't there, and why.
        self.missing: dict[str, str] = {}
        #: From the number of a class to its name; None where no class has one.
        self.names = _listed(folder) if config is None else _names(config.get("names"), path)
        #: Whether points follow each box.
        self.keypoints = config is not None and "kpt_shape" in config
        if config is None:
            images = self.root / "images"
            if not images.is_dir():
                raise ArgumentError("root", f"there is no folder images in '{short(self.root)}'.")
            below = sorted(place for place in images.iterdir() if place.is_dir())
            self._parts = {place.name: [place] for place in below} | {"": [images]}
        else:
            inner = folder / str(config.get("path") or "")
            self.root = inner if root is None and inner.is_dir() else self.root
            self._parts = dict(self._described(config, folder))

    def pictures(self, split: str | None) -> list[Path]:
        """Return the pictures of a part, or of all parts, each of them once."""
        readable = suffixes()
        found = (
            _lines(place) if place.is_file() else sorted(_below(place, readable))
            for part in self._chosen(split)
            for place in self._parts[part]
        )
        return list(dict.fromkeys(picture for pictures in found for picture in pictures))

    def orphans(self, split: str | None, known: Collection[Path]) -> Iterator[Path]:
        """Yield the files of labels that are none of those known."""
        for place in (place for part in self._chosen(split) for place in self._parts[part]):
            labels = label_file(place / "any").parent
            if place.is_dir() and labels != place:
                yield from (one for one in _below(labels, {".txt"}) if one not in known and one.name != _CLASSES)

    def called(self, path: Path) -> str:
        """Return what a file is called."""
        return Path(os.path.relpath(path, self.root)).as_posix()

    def _chosen(self, split: str | None) -> list[str]:
        if split in self._parts:
            return [split]
        if split not in (None, _ALL):
            parts = [part for part in self._parts if part]
            raise ArgumentError("split", f"'{short(self.path)}' has the parts {listed([*parts, _ALL])}. Choose one.")
        return list(self._parts)

    def _described(self, config: dict[str, Any], folder: Path) -> Iterator[tuple[str, list[Path]]]:
        """Yield the parts that a .yaml names, and where they are; note what isn't there."""
        for part in _PARTS:
            value = config.get(part)
            names = [
                one for one in (value if isinstance(value, list) else [value]) if one not in (None, "", "~", "null")
            ]
            places = []
            for name in map(str, names):
                # Roboflow writes ../train/images for what lies beside the file
                ways = [self.root / name, folder / name, self.root / name.removeprefix("../")]
                found = [Path(os.path.normpath(way)) for way in ways if way.exists()]
                places += found[:1]
                if not found:
                    self.missing[f"{part}: {name}"] = f"not in {self.root}"
            if names:
                yield part, places


def _content(path: Path) -> bytes:
    """Return what a file holds, nothing where there is none."""
    return path.read_bytes() if path.is_file() else b""


def _parsed(path: Path) -> dict[str, Any]:
    """Return what a .yaml says, all of it as text."""
    try:
        import yaml
    except ImportError as error:
        raise ImportError(f"'{path.name}' is read by PyYAML: pip install pyyaml") from error
    try:
        content = yaml.load(path.read_bytes(), Loader=yaml.BaseLoader)  # which makes no False of "no"
    except (yaml.YAMLError, RecursionError) as error:
        raise ContentError(f"'{short(path)}' can't be read as YAML: {short(error, 150)}.") from error
    if not isinstance(content, dict) or not any(part in content for part in _PARTS):
        raise ContentError(
            f"'{short(path)}' names no pictures: it needs train, val or test, as a YOLO data set has it."
        )
    return content


def _names(names: object, path: Path) -> dict[int, str] | None:
    """Return the names of classes by their numbers: a list, or a dictionary."""
    entries = (
        list(enumerate(names)) if isinstance(names, list) else list(names.items()) if isinstance(names, dict) else []
    )
    try:
        made = {int(number): name for number, name in entries}
    except (ValueError, TypeError):
        made = {0: None}
    if not all(isinstance(name, str) for name in made.values()):
        raise ContentError(f"names in '{short(path)}' must be a list of names, or numbers of classes and their names.")
    return made or None


def _listed(folder: Path) -> dict[int, str] | None:
    """Return the names of classes, one a line."""
    found = [place / _CLASSES for place in (folder, folder / "labels") if (place / _CLASSES).is_file()]
    lines = found[0].read_text("utf-8-sig", "backslashreplace").splitlines() if found else []
    return {number: line.strip() for number, line in enumerate(lines) if line.strip()} or None


def _lines(path: Path) -> list[Path]:
    """Return the pictures that a file names, one a line, as paths from its folder on."""
    lines = path.read_text("utf-8-sig", "surrogateescape").splitlines()
    return [Path(os.path.normpath(path.parent / line.strip())) for line in lines if line.strip()]


def _below(folder: Path, suffixes: Collection[str]) -> Iterator[Path]:
    """Yield the files in a folder and below, of some kinds, that are not hidden."""
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in suffixes:
                yield Path(place, name)

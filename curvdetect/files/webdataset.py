"""Pictures in tar files as webdataset writes them: one, a folder of shards, or shards named by braces."""

from __future__ import annotations

import json
from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from curvdetect.data.folders import folders_in, holds_pictures
from curvdetect.data.labels import plain_labels
from curvdetect.data.squares import Pictures
from curvdetect.data.types import Array
from curvdetect.data.wording import ArgumentError, ContentError, listed, short
from curvdetect.files.braces import above_braces, expanded, is_braced
from curvdetect.files.copies import copy_file, new_folder
from curvdetect.files.json_spans import member
from curvdetect.files.labelled import LabelledData, sources
from curvdetect.files.pictures import PicturesFile, as_text, opened_bytes
from curvdetect.files.shards import is_picture, shards_in, split_of, splits_to_read
from curvdetect.files.tables import is_label
from curvdetect.files.tar_shards import Entry, Sample, rewrite_tar, samples_in
from curvdetect.files.text_table import labels_of_text

_TAR, _COMPRESSED = ".tar", (".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst")
#: Entries that hold a label, the first that is there; else a key of a .json entry does.
_ENTRIES = ("cls", "class", "label")
#: Names of entries of pictures that are no ends of files.
_PICTURES = ("img", "image")
_JSON = "json"


class Shard(NamedTuple):
    """An archive, and what it is called."""

    path: Path
    name: str
    split: str


class Place(NamedTuple):
    """A sample: its shard, its key, and where its picture and its label lie."""

    shard: Shard
    key: str
    picture: Entry
    label: Entry
    value: object


class Found(NamedTuple):
    """What one pass over the headers of archives shows."""

    places: list[Place]
    skipped: dict[str, str]
    """What was passed over, and why."""
    several: list[tuple[str, list[str]]]
    """Samples of which it isn't clear which picture to read, and which they have."""
    kind: str
    """The kind of entry that holds labels."""
    key: str | None
    """The key that does, where it is a .json entry."""


class WebDataset(PicturesFile):
    """Shards of samples that have an entry with a picture and one with a label."""

    kind = "pictures in .tar files (webdataset)"
    takes = frozenset({"label", "pictures", "split"})
    numbered = False

    @classmethod
    def fits(cls, path: Path) -> bool:
        """Say whether a file, a folder or a name with braces is of this format."""
        if path.is_dir():
            return bool(shards_in(path, (_TAR,))) and not any(map(holds_pictures, folders_in(path)))
        return path.name.lower().endswith((_TAR, *_COMPRESSED))

    @property
    def copies(self) -> tuple[str, ...]:  # type: ignore[override]
        """Ends of the name of a corrected copy."""
        return (_TAR,) if self.path.is_file() else ()

    @cached_property
    def labels(self) -> Array:
        """What the entries of labels say: numbers where all of them are whole numbers, else text."""
        values = [place.value for place in self._found.places]
        if self._found.key is None:
            return labels_of_text(list(map(str, values)))
        return np.asarray(plain_labels(values))

    @cached_property
    def label(self) -> str:
        """The kind of entry that holds the label, or a key of the .json entry."""
        return self._found.key or self._found.kind

    @cached_property
    def pictures(self) -> Pictures:
        """All pictures, each in its place in its archive."""
        for key, kinds in self._found.several:
            raise ArgumentError(
                "pictures", f"sample '{short(key)}' of '{short(self.path)}' has several: choose one of {listed(kinds)}."
            )

        def opener(number: int) -> Any:
            place = self._found.places[number]
            return opened_bytes(place.picture.read(place.shard.path))

        return Pictures(self.names, opener)

    @cached_property
    def names(self) -> list[str]:
        """The names of the archives and the keys within them."""
        return [as_text(f"{place.shard.name}:{place.key}") for place in self._found.places]

    def passed_over(self) -> dict[str, str]:
        """Return what is no sample with a picture and a label, and why."""
        return self._found.skipped

    def read(self, rows: NDArray[np.int64] | None) -> LabelledData:
        """Return the pictures that can be read."""
        data = super().read(rows)
        data.label = self.label
        return data

    def write(self, target: Path, labels: Array) -> None:
        """Write a copy of the archive, or of all shards to a new folder, with other contents of entries of labels."""
        source = sources(self.labels, labels)
        changes: dict[Shard, dict[Entry, bytes]] = {shard: {} for shard in self._shards}
        for row in np.flatnonzero(source != np.arange(len(source))).tolist():
            place = self._found.places[row]
            changes[place.shard][place.label] = self._content(place, self._found.places[source[row]])
        if self.path.is_file():
            rewrite_tar(self.path, target, changes[self._shards[0]])
            return
        with new_folder(target) as folder:
            for shard, contents in changes.items():
                if contents:
                    rewrite_tar(shard.path, folder / shard.name, contents)
                else:
                    copy_file(shard.path, folder / shard.name)

    def _content(self, place: Place, other: Place) -> bytes:
        """Return the entry of a label with the label of another sample."""
        if self._found.key is None:
            return other.label.read(other.shard.path)
        text, example = (one.label.read(one.shard.path).decode() for one in (place, other))
        (start, end), label = (member(one, one.index("{"), self._found.key) for one in (text, example))
        return (text[:start] + example[slice(*label)] + text[end:]).encode()

    @cached_property
    def _shards(self) -> list[Shard]:
        """All archives, of all splits."""
        if self.path.is_dir():
            paths, above = shards_in(self.path, (_TAR,)), self.path
        elif is_braced(self.path):
            paths, above = expanded(self.path), above_braces(self.path)
        else:
            paths, above = [self.path], self.path.parent
        names = [path.relative_to(above) for path in paths]
        return [Shard(path, name.as_posix(), split_of(name)) for path, name in zip(paths, names, strict=True)]

    @cached_property
    def _found(self) -> Found:
        """The samples, in the order of the archives."""
        for shard in self._shards:
            _refuse_compressed(shard.path)
        splits = splits_to_read([shard.split for shard in self._shards], self.asked.split, self.path)
        found = Found([], {}, [], "", None)
        for shard in (shard for split in splits for shard in self._shards if shard.split == split):
            samples, others = samples_in(shard.path)
            found.skipped.update({f"{shard.name}:{name}".removesuffix(":"): why for name, why in others.items()})
            if samples and not found.kind:
                kind, key = self._label_of(samples, shard)
                found = found._replace(kind=kind, key=key)
            self._add(found, samples, shard)
        if not found.places:
            first = next((f"; '{short(name)}': {short(why, 80)}" for name, why in found.skipped.items()), "")
            raise ContentError(f"'{short(self.path)}' has no sample with a picture and a label{first}.")
        return found

    def _add(self, found: Found, samples: list[Sample], shard: Shard) -> None:
        """Add the samples of a shard with a picture and a label, and what the others lack."""
        times = Counter(sample.key for sample in samples)
        with shard.path.open("rb") as file:
            for sample in samples:
                pictures, label = self._pictures_of(sample, found.kind), sample.entries.get(found.kind)
                if len(pictures) > 1:
                    found.several.append((sample.key, list(pictures)))
                if not pictures or label is None:
                    why = f"no .{found.kind}" if pictures else "no picture"
                    if times[sample.key] > 1:
                        why += " next to it: tar --sort=name puts the entries of a sample together"
                else:
                    file.seek(label.start)
                    value, why = _value(file.read(label.size), found.key)
                    if value is not None:
                        found.places.append(Place(shard, sample.key, next(iter(pictures.values())), label, value))
                        continue
                found.skipped[f"{shard.name}:{sample.key}"] = why

    def _pictures_of(self, sample: Sample, label: str) -> dict[str, Entry]:
        """Return the pictures of a sample: beside jpg, mask.png is none to read."""
        asked = self.asked.pictures
        kinds = [kind for kind in sample.entries if is_picture(f"x.{kind}") or kind in (*_PICTURES, asked)]
        kinds = [kind for kind in kinds if kind != label and asked in (None, kind)]
        kinds = [kind for kind in kinds if "." not in kind] or kinds
        return {kind: sample.entries[kind] for kind in kinds}

    def _label_of(self, samples: list[Sample], shard: Shard) -> tuple[str, str | None]:
        """Return the kind of entry that holds labels, and the key where it is a .json entry."""
        asked, kinds = self.asked.label, {kind: entry for sample in samples for kind, entry in sample.entries.items()}
        known = [kind for kind in ((asked,) if asked else _ENTRIES) if kind in kinds]
        if known:
            return known[0], None
        entries = (sample.entries[_JSON] for sample in samples if _JSON in sample.entries)
        content = next(filter(None, (_object(entry.read(shard.path)) for entry in entries)), {})
        keys = [key for key, value in content.items() if isinstance(value, str | int)]
        found = [key for key in keys if (key == asked if asked else is_label(key) or key in _ENTRIES)]
        if len(found) == 1:
            return _JSON, found[0]
        if asked:
            problem = f"no sample of '{short(self.path)}' has an entry .{short(asked)}, or that key in .json"
        elif found:
            problem = f"the .json entries of '{short(self.path)}' have several keys named like a label: {listed(found)}"
        else:
            problem = f"'{short(self.path)}' has no entry .cls, and no key named like a label in .json"
        raise ArgumentError("label", f"{problem}. Choose one of {listed([*kinds, *keys])}.")


def _value(content: bytes, key: str | None) -> tuple[object, str]:
    """Return a label, or None and why there is none."""
    if key is not None:
        value = _object(content).get(key)
        known = isinstance(value, str | int) and value != ""
        return (value if known else None), f"no label by the key {short(key)}"
    try:
        return content.decode().strip() or None, "an empty label"
    except UnicodeDecodeError:
        return None, "a label that is no UTF-8 text"


def _object(content: bytes) -> dict[str, object]:
    """Return a JSON object, an empty one where there is none."""
    try:
        found = json.loads(content.decode())
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _refuse_compressed(path: Path) -> None:
    """Raise where an archive is compressed: its entries have no places."""
    with path.open("rb") as file:
        begins = file.read(6)
    compressed = begins.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"))
    if compressed or path.name.lower().endswith(_COMPRESSED):
        raise ContentError(
            f"'{short(path)}' is compressed, and pictures are read from their places in a plain .tar. Unpack it to one "
            "(for .tar.gz, gunzip does); pictures hardly grow by it."
        )
